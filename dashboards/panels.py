"""Builds panels of each type. Each has a title, a description that says what to do, and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import bargauge, prometheus, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.colours import BAD, NOT_KNOWN, UNKNOWN, WARN

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Shown by a panel without data, where no data means no problem.
NO_VALUE = "None"
# The longest recommended scrape interval: deploy/prometheus.example.yaml.
SCRAPE_INTERVAL = "1m"
# Grafana's units for durations in seconds and for timestamps in milliseconds.
SECONDS, TIMESTAMP = "s", "dateTimeAsIsoNoDateIfToday"

Panel = stat.Panel | table.Panel | timeseries.Panel | statetimeline.Panel | statushistory.Panel | bargauge.Panel
Property = models.DynamicConfigValue
Steps = Sequence[tuple[float | None, str]]
ValueTexts = Mapping[str, tuple[str, str]]


def query(expr: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """A query over the time range. `legend` names each series: `{{state}}`."""
    target = prometheus.Dataquery().expr(expr).ref_id(ref).range().datasource(SOURCE)
    return target.legend_format(legend or "__auto")


def instant(expr: str, ref: str = "A", *, as_table: bool = False) -> prometheus.Dataquery:
    """A query at the end of the time range; `as_table` returns all labels as columns."""
    target = prometheus.Dataquery().expr(expr).ref_id(ref).instant().datasource(SOURCE).legend_format("__auto")
    return target.format(PromQueryFormat.TABLE) if as_table else target


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """Colours by value: each from its value on, the first also for everything below."""
    marks = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(marks)


def value_mappings(texts: ValueTexts) -> list[models.ValueMapping]:
    """Show values as a text in a colour."""
    results = {
        value: models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(options=results)]


def _no_value_mapping(text: str) -> models.ValueMapping:
    """Show no value in grey: Grafana would use the colour of the first step, which may be green."""
    result = models.ValueMappingResult(text=text, color=UNKNOWN)
    return models.SpecialValueMap(
        models.DashboardSpecialValueMapOptions(match=models.SpecialValueMatch.NULL_AND_NAN, result=result)
    )


def fixed_colour(colour: str) -> Property:
    """Override the colour."""
    return Property("color", {"mode": "fixed", "fixedColor": colour})


def link(title: str, url: str) -> dict[str, Any]:
    """A data link, which opens in the same tab."""
    return {"title": title, "url": url, "targetBlank": False}


def _common(panel: Any, title: str, description: str, unit: str) -> Any:  # noqa: ANN401 - the builders share no type
    return panel.title(title).description(description).unit(unit).datasource(SOURCE)


def stat_panel(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "none",
    steps: Steps = ((None, "text"),),
    texts: ValueTexts | None = None,
    decimals: int | None = None,
    link: dict[str, Any] | None = None,
    no_value: str = NOT_KNOWN,
) -> stat.Panel:
    """One current number. With several steps its background has the colour of the step that it reached."""
    panel: stat.Panel = _common(stat.Panel(), title, description, unit)
    panel.with_target(instant(expr)).thresholds(thresholds(steps)).no_value(no_value)
    panel.graph_mode(common.BigValueGraphMode.NONE).justify_mode(common.BigValueJustifyMode.CENTER)
    panel.text_mode(common.BigValueTextMode.VALUE).color_mode(
        common.BigValueColorMode.BACKGROUND_SOLID if len(steps) > 1 else common.BigValueColorMode.VALUE
    )
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    panel.mappings([*(value_mappings(texts) if texts else []), _no_value_mapping(no_value)])
    if decimals is not None:
        panel.decimals(decimals)
    if link:
        panel.data_links([_data_link(link)])
    return panel


def stat_panel_by_severity(title: str, description: str, critical: str, others: str) -> stat.Panel:
    """The number of critical problems in red, hidden if 0, and the number of others, orange from 1 on."""
    panel = stat_panel(title, description, critical, steps=[(None, BAD), (1, BAD)])
    panel.with_target(instant(others, "B"))
    steps = thresholds([(None, "transparent"), (1, WARN)]).build().to_json()
    return panel.override_by_query("B", [Property("thresholds", steps)])


def _data_link(link: Mapping[str, Any]) -> builders.DashboardLink:
    return builders.DashboardLink(link["title"]).url(link["url"])


@dataclass(frozen=True)
class Column:
    """A column of a table: `name` is a label or `Value #A`, `title` its heading.

    `width` is in pixels; columns without one share the rest. A `coloured` column shows its colour as background.
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
        if not self.texts:
            return []
        # Without it an empty cell would have the colour of the first step.
        return [*value_mappings(self.texts), *([_no_value_mapping(self.no_value)] if self.coloured else [])]

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
    panel: table.Panel = _common(table.Panel(), title, description, "none")
    for index, expr in enumerate(exprs):
        panel.with_target(instant(expr, chr(ord("A") + index), as_table=True))
    if len(exprs) > 1:
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    names = {("Value" if len(exprs) == 1 and each.name == "Value #A" else each.name): each for each in columns}
    organised = {
        "excludeByName": dict.fromkeys(("Time", "__name__", *dropped), True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": {name: column.title for name, column in names.items()},
    }
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organised))
    for column in columns:
        if properties := column.properties():
            panel.override_by_name(column.title, properties)
    panel.sort_by([common_builders.TableSortByFieldState().display_name(name).desc(down) for name, down in sort])
    return panel.no_value(no_value).show_header(show_header=True).cell_height(common.TableCellHeight.SM)


def time_series_panel(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    *,
    unit: str = "short",
    stacked: bool = False,
    style: common.GraphDrawStyle = common.GraphDrawStyle.LINE,
    interval: str = "",
    colours: Mapping[str, tuple[str, str]] | None = None,
    no_value: str = "No data",
    decimals: int | None = None,
) -> timeseries.Panel:
    """Lines or bars over time. `colours` maps a series' name to its text and colour.

    `interval` is the minimum step: longer for rare events.
    """
    bars = style == common.GraphDrawStyle.BARS
    panel: timeseries.Panel = _common(timeseries.Panel(), title, description, unit)
    panel.targets(list(targets)).min(0).no_value(no_value)
    panel.line_width(0 if bars or stacked else 1).fill_opacity(80 if bars or stacked else 10)
    panel.draw_style(style).show_points(common.VisibilityMode.AUTO).point_size(5)
    if interval:
        panel.interval(interval)
    else:
        # $__rate_interval depends on it: data sources without a scrape interval would use one too short for rates.
        for target in targets:
            target.interval(SCRAPE_INTERVAL)
    if stacked or bars:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    panel.legend(_legend()).tooltip(_tooltip())
    if decimals is not None:
        panel.decimals(decimals)
    for name, (text, colour) in (colours or {}).items():
        panel.override_by_name(name, [Property("displayName", text), fixed_colour(colour)])
    return panel


def bar_gauge_panel(title: str, description: str, exprs: Mapping[str, str], *, colour: str) -> bargauge.Panel:
    """Current numbers as horizontal bars. `exprs` maps the name of each bar to its expression."""
    panel: bargauge.Panel = _common(bargauge.Panel(), title, description, "none")
    for index, (name, expr) in enumerate(exprs.items()):
        panel.with_target(instant(expr, chr(ord("A") + index)).legend_format(name))
    panel.min(0).no_value("No data").orientation(common.VizOrientation.HORIZONTAL)
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).value_mode(common.BarGaugeValueMode.TEXT)
    panel.name_placement(common.BarGaugeNamePlacement.TOP).thresholds(thresholds([(None, colour)]))
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    return panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour))


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().show_legend(show_legend=True)
    return legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)


def _tooltip() -> common_builders.VizTooltipOptions:
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return tooltip.sort(common.SortOrder.DESCENDING)


def state_timeline_panel(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    texts: ValueTexts,
    *,
    no_value: str = NO_VALUE,
    names: Mapping[str, str] | None = None,
    name_width: int = 0,
) -> statetimeline.Panel:
    """States over time: a line for each series, at most 20 a page. `names` maps series' names to texts.

    `name_width` (pixels) is the room for names: Grafana cuts off long ones by default.
    """
    panel: statetimeline.Panel = _common(statetimeline.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(value_mappings({**texts, "-1": (NOT_KNOWN, UNKNOWN)})).no_value(no_value)
    panel.show_value(common.VisibilityMode.NEVER).merge_values(merge_values=True).row_height(0.8).line_width(0)
    panel.fill_opacity(85).per_page(20).legend(_legend()).tooltip(_tooltip())
    # With thresholds as the colour scheme Grafana would ignore the mappings.
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(UNKNOWN))
    if name_width:
        panel.axis_width(name_width)
    for name, text in (names or {}).items():
        panel.override_by_name(name, [Property("displayName", text)])
    return panel


def status_history_panel(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    texts: ValueTexts,
    *,
    interval: str,
    no_value: str = NO_VALUE,
) -> statushistory.Panel:
    """One cell for each `interval` and series."""
    panel: statushistory.Panel = _common(statushistory.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(value_mappings(texts)).no_value(no_value).interval(interval)
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.8).line_width(1).fill_opacity(85)
    panel.legend(_legend()).tooltip(_tooltip())
    # With thresholds as the colour scheme Grafana would ignore the mappings.
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(UNKNOWN))
    return panel
