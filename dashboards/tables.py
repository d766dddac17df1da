"""Builds tables of current values, and their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from dashboards.panels import (
    FROM_NOW,
    NO_VALUE,
    TIMESTAMP,
    Property,
    Steps,
    ValueTexts,
    common_panel,
    instant,
    no_value_mapping,
    thresholds,
    value_mappings,
)


@dataclass(frozen=True)
class Column:
    """A column of a table: `name` is a label or `Value #A`, `title` its heading.

    `width` is in pixels; columns without one share the rest. A `coloured` column shows its colour as background.
    `also` is the heading of a second column with the same timestamp, shown as "2 hours ago": no second query.
    """

    name: str
    title: str
    unit: str = ""
    width: int = 0
    texts: ValueTexts = field(default_factory=dict)
    steps: Steps = ()
    coloured: bool = False
    link: Mapping[str, Any] | None = None
    hidden: bool = False
    wrapped: bool = False  # wraps long text (Grafana 11 and newer)
    no_value: str = "-"  # in an empty cell
    also: str = ""

    @property
    def copy(self) -> Column:
        """The second column."""
        return Column(self.also, self.also, unit=FROM_NOW, width=125)

    def properties(self) -> list[Property]:
        """Return the overrides: everything that differs from the table's defaults."""
        given = {
            "unit": self.unit or None,
            "custom.width": self.width or None,
            "mappings": [mapping.to_json() for mapping in self._mappings()],
            "thresholds": thresholds(self.steps).build().to_json() if self.steps else None,
            "custom.cellOptions": self._cell(),
            "custom.align": "left" if self.texts and not self.unit else None,  # shown as words
            "links": [self.link] if self.link else None,
            # The first name is used before Grafana 12, the second since.
            "custom.hidden": True if self.hidden else None,
            "custom.hideFrom.viz": True if self.hidden else None,
            "noValue": self.no_value,
        }
        return [Property(name, value) for name, value in given.items() if value not in (None, [])]

    def _mappings(self) -> list[models.ValueMapping]:
        # Without it an empty cell would have the colour of the first step, and no number would be an invalid date.
        empty = (self.texts and self.coloured) or self.unit in (TIMESTAMP, FROM_NOW)
        texts = value_mappings(self.texts) if self.texts else []
        return [*texts, *([no_value_mapping(self.no_value)] if empty else [])]

    def _cell(self) -> dict[str, Any] | None:
        if self.coloured:
            return {"type": "color-background", "mode": "basic"}
        return {"type": "auto", "wrapText": True} if self.wrapped else None


def table_panel(
    title: str,
    description: str,
    exprs: Sequence[str],
    columns: Sequence[Column],
    *,
    sort: Sequence[tuple[str, bool]] = (),
    dropped: Sequence[str] = (),
    no_value: str = NO_VALUE,
) -> table.Panel:
    """A table of current values. Each expression gives a column `Value #A`, `Value #B`, …, and each label a column.

    `sort` lists titles of columns, with True for descending. `dropped` lists labels that are not shown.
    """
    panel: table.Panel = common_panel(table.Panel(), title, description, "none")
    for index, expr in enumerate(exprs):
        panel.with_target(instant(expr, chr(ord("A") + index), as_table=True))
    if len(exprs) > 1:
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    names: dict[str, Column] = {}
    for column in columns:
        name = "Value" if len(exprs) == 1 and column.name == "Value #A" else column.name
        names[name] = column
        if column.also:
            names[column.also] = column.copy
            panel.with_transformation(_copy(name, column.also))
    organised = {
        "excludeByName": dict.fromkeys(("Time", "__name__", *dropped), True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": {name: column.title for name, column in names.items()},
    }
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organised))
    for column in names.values():
        if properties := column.properties():
            panel.override_by_name(column.title, properties)
    panel.sort_by([common_builders.TableSortByFieldState().display_name(name).desc(down) for name, down in sort])
    return panel.no_value(no_value).show_header(show_header=True).cell_height(common.TableCellHeight.SM)


def _copy(name: str, title: str) -> models.DataTransformerConfig:
    """Add a field with the same numbers: Grafana shows each field once. Multiplied by 1, as Grafana 10.4 writes it."""
    options = {"mode": "binary", "binary": {"left": name, "operator": "*", "right": "1"}, "alias": title}
    return models.DataTransformerConfig(id_val="calculateField", options=options)
