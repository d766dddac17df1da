"""What kinds of panels are there? Each wants a title, a description that says what to do about it, and a unit."""

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

from dashboards.colours import BAD, UNKNOWN, UNWATCHED, WARN

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Text in a panel that has nothing to show because nothing is wrong.
NOTHING = "None"
# How often the exporter should be scraped at least: deploy/prometheus.example.yaml.
SCRAPED = "1m"
# Duration in seconds, and moments in milliseconds, as Grafana calls these units.
SECONDS, MOMENT = "s", "dateTimeAsIsoNoDateIfToday"

Panel = stat.Panel | table.Panel | timeseries.Panel | statetimeline.Panel | statushistory.Panel | bargauge.Panel
Property = models.DynamicConfigValue
Steps = Sequence[tuple[float | None, str]]
Meanings = Mapping[str, tuple[str, str]]


def query(expr: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """Values over time; `legend` names each series, as in `{{state}}`."""
    asked = prometheus.Dataquery().expr(expr).ref_id(ref).range().datasource(SOURCE)
    return asked.legend_format(legend or "__auto")


def instant(expr: str, ref: str = "A", *, rows: bool = False) -> prometheus.Dataquery:
    """Values at the end of the time range; as `rows` of a table, or a number each."""
    asked = prometheus.Dataquery().expr(expr).ref_id(ref).instant().datasource(SOURCE).legend_format("__auto")
    return asked.format(PromQueryFormat.TABLE) if rows else asked


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """Colours from each value on; the first is that of everything below."""
    marks = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(marks)


def meanings(texts: Meanings) -> list[models.ValueMapping]:
    """Values, as text, that are shown as a text in a colour."""
    results = {
        value: models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(options=results)]


def _no_value(text: str) -> models.ValueMapping:
    """Without a value, grey: Grafana would paint it in the first step's colour, which may be that of all being well."""
    result = models.ValueMappingResult(text=text, color=UNKNOWN)
    return models.SpecialValueMap(
        models.DashboardSpecialValueMapOptions(match=models.SpecialValueMatch.NULL_AND_NAN, result=result)
    )


def fixed(colour: str) -> Property:
    """Always this colour."""
    return Property("color", {"mode": "fixed", "fixedColor": colour})


def link(title: str, url: str) -> dict[str, Any]:
    """A link from a value. The same tab: the way back is the browser's."""
    return {"title": title, "url": url, "targetBlank": False}


def _common(panel: Any, title: str, description: str, unit: str) -> Any:  # noqa: ANN401 - the builders share no type
    return panel.title(title).description(description).unit(unit).datasource(SOURCE)


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "none",
    steps: Steps = ((None, "text"),),
    texts: Meanings | None = None,
    decimals: int | None = None,
    goes_to: dict[str, Any] | None = None,
    nothing: str = UNWATCHED,
) -> stat.Panel:
    """One number, as it is now. Its background has the colour of the step that it has reached."""
    panel: stat.Panel = _common(stat.Panel(), title, description, unit)
    panel.with_target(instant(expr)).thresholds(thresholds(steps)).no_value(nothing)
    panel.graph_mode(common.BigValueGraphMode.NONE).justify_mode(common.BigValueJustifyMode.CENTER)
    panel.text_mode(common.BigValueTextMode.VALUE).color_mode(
        common.BigValueColorMode.BACKGROUND_SOLID if len(steps) > 1 else common.BigValueColorMode.VALUE
    )
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    panel.mappings([*(meanings(texts) if texts else []), _no_value(nothing)])
    if decimals is not None:
        panel.decimals(decimals)
    if goes_to:
        panel.data_links([_data_link(goes_to)])
    return panel


def by_loudness(title: str, description: str, critical: str, others: str) -> stat.Panel:
    """How many are critical, in red and only if there are any; and how many others, orange if there are any."""
    panel = number(title, description, critical, steps=[(None, BAD), (1, BAD)])
    panel.with_target(instant(others, "B"))
    steps = thresholds([(None, "transparent"), (1, WARN)]).build().to_json()
    return panel.override_by_query("B", [Property("thresholds", steps)])


def _data_link(goes_to: Mapping[str, Any]) -> builders.DashboardLink:
    return builders.DashboardLink(goes_to["title"]).url(goes_to["url"])


@dataclass(frozen=True)
class Column:
    """A column of a table: the name that the query gives it (a label, or `Value #A`), and how it is shown.

    `width` in pixels; without one it shares what is left. A `coloured` column has its meanings' colours as background.
    """

    name: str
    title: str
    unit: str = ""
    width: int = 0
    texts: Meanings = field(default_factory=dict)
    steps: Steps = ()
    coloured: bool = False
    goes_to: Mapping[str, Any] | None = None
    hidden: bool = False
    wrapped: bool = False  # in as many lines as it needs (Grafana 11 and newer), for what is alone in its table
    nothing: str = "-"  # shown in an empty cell

    def properties(self) -> list[Property]:
        """What differs from the table's defaults."""
        given = {
            "unit": self.unit or None,
            "custom.width": self.width or None,
            "mappings": [one.to_json() for one in self._mappings()],
            "thresholds": thresholds(self.steps).build().to_json() if self.steps else None,
            "custom.cellOptions": self._cell(),
            "custom.align": "left" if self.texts and not self.unit else None,  # words, whatever stands for them
            "links": [self.goes_to] if self.goes_to else None,
            # By the names of Grafana before 12, and from then on.
            "custom.hidden": True if self.hidden else None,
            "custom.hideFrom.viz": True if self.hidden else None,
            "noValue": self.nothing,
        }
        return [Property(name, value) for name, value in given.items() if value not in (None, [])]

    def _mappings(self) -> list[models.ValueMapping]:
        if not self.texts:
            return []
        # A word that stands for a number needs one for no number, too.
        return [*meanings(self.texts), *([_no_value(self.nothing)] if self.coloured else [])]

    def _cell(self) -> dict[str, Any] | None:
        if self.coloured:
            return {"type": "color-background", "mode": "basic"}
        return {"type": "auto", "wrapText": True} if self.wrapped else None


def rows(
    title: str,
    description: str,
    exprs: Sequence[str],
    columns: Sequence[Column],
    *,
    sort: Sequence[tuple[str, bool]] = (),
    dropped: Sequence[str] = (),
    nothing: str = NOTHING,
) -> table.Panel:
    """A table of instant values. Each expression gives a column `Value #A`, `Value #B`, …; labels are the others.

    `sort` lists titles of columns, with True for descending; `dropped` lists labels that are not shown.
    """
    panel: table.Panel = _common(table.Panel(), title, description, "none")
    for index, expr in enumerate(exprs):
        panel.with_target(instant(expr, chr(ord("A") + index), rows=True))
    if len(exprs) > 1:
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    names = {("Value" if len(exprs) == 1 and one.name == "Value #A" else one.name): one for one in columns}
    organised = {
        "excludeByName": dict.fromkeys(("Time", "__name__", *dropped), True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": {name: one.title for name, one in names.items()},
    }
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organised))
    for one in columns:
        if properties := one.properties():
            panel.override_by_name(one.title, properties)
    panel.sort_by([common_builders.TableSortByFieldState().display_name(name).desc(down) for name, down in sort])
    return panel.no_value(nothing).show_header(show_header=True).cell_height(common.TableCellHeight.SM)


def lines(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    *,
    unit: str = "short",
    stacked: bool = False,
    style: common.GraphDrawStyle = common.GraphDrawStyle.LINE,
    interval: str = "",
    colours: Mapping[str, tuple[str, str]] | None = None,
    nothing: str = "No data",
    decimals: int | None = None,
) -> timeseries.Panel:
    """Values over time. `colours` maps a series' name to the text and colour that it is shown with.

    `interval` is the least time between two values: longer where events are rare.
    """
    bars = style == common.GraphDrawStyle.BARS
    panel: timeseries.Panel = _common(timeseries.Panel(), title, description, unit)
    panel.targets(list(targets)).min(0).no_value(nothing)
    panel.line_width(0 if bars or stacked else 1).fill_opacity(80 if bars or stacked else 10)
    panel.draw_style(style).show_points(common.VisibilityMode.AUTO).point_size(5)
    if interval:
        panel.interval(interval)
    else:
        # Said of each query, it is what $__rate_interval is made of: a data source that does not know how often is
        # scraped would take rates over a minute, and find nothing.
        for one in targets:
            one.interval(SCRAPED)
    if stacked or bars:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    panel.legend(_legend()).tooltip(_tooltip())
    if decimals is not None:
        panel.decimals(decimals)
    for name, (text, colour) in (colours or {}).items():
        panel.override_by_name(name, [Property("displayName", text), fixed(colour)])
    return panel


def bars(title: str, description: str, exprs: Mapping[str, str], *, colour: str) -> bargauge.Panel:
    """Numbers as they are now, as bars, one below the other. `exprs` has an expression for each name."""
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


def states(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    texts: Meanings,
    *,
    nothing: str = NOTHING,
    names: Mapping[str, str] | None = None,
    room: int = 0,
) -> statetimeline.Panel:
    """What was so, and when: a line each, at most 20 to a page. `names` maps series' names to texts.

    `room` is that of the names, in pixels: Grafana cuts the beginning of long ones if it is left to choose.
    """
    panel: statetimeline.Panel = _common(statetimeline.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(meanings({**texts, "-1": (UNWATCHED, UNKNOWN)})).no_value(nothing)
    panel.show_value(common.VisibilityMode.NEVER).merge_values(merge_values=True).row_height(0.8).line_width(0)
    panel.fill_opacity(85).per_page(20).legend(_legend()).tooltip(_tooltip())
    # By thresholds Grafana would show those in place of the meanings.
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(UNKNOWN))
    if room:
        panel.axis_width(room)
    for name, text in (names or {}).items():
        panel.override_by_name(name, [Property("displayName", text)])
    return panel


def cells(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    texts: Meanings,
    *,
    interval: str,
    nothing: str = NOTHING,
) -> statushistory.Panel:
    """One cell for each `interval` and series."""
    panel: statushistory.Panel = _common(statushistory.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(meanings(texts)).no_value(nothing).interval(interval)
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.8).line_width(1).fill_opacity(85)
    panel.legend(_legend()).tooltip(_tooltip())
    # By thresholds Grafana would show those in place of the meanings.
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(UNKNOWN))
    return panel
