"""Builds panels of each type. Each has a title, a description that says what to do, and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.colours import BAD, UNKNOWN, UNKNOWN_TEXT, WARN

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Shown by a panel without data, where no data means no problem.
NO_VALUE = "None"
# The longest recommended scrape interval: deploy/prometheus.example.yaml.
SCRAPE_INTERVAL = "1m"
# Grafana's units for durations in seconds, and for timestamps in milliseconds: as a date, and as "2 hours ago".
SECONDS, TIMESTAMP, FROM_NOW = "s", "dateTimeAsIsoNoDateIfToday", "dateTimeFromNow"

Panel = stat.Panel | table.Panel | timeseries.Panel | statetimeline.Panel | statushistory.Panel
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


def no_value_mapping(text: str) -> models.ValueMapping:
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


def common_panel(panel: Any, title: str, description: str, unit: str) -> Any:  # noqa: ANN401 - the builders share no type
    """Give a panel what all have: a title, what to do about it, a unit, and the data source."""
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
    no_value: str = UNKNOWN_TEXT,
) -> stat.Panel:
    """One current number. With several steps its background has the colour of the step that it reached."""
    panel: stat.Panel = common_panel(stat.Panel(), title, description, unit)
    panel.with_target(instant(expr)).thresholds(thresholds(steps)).no_value(no_value)
    panel.graph_mode(common.BigValueGraphMode.NONE).justify_mode(common.BigValueJustifyMode.CENTER)
    panel.text_mode(common.BigValueTextMode.VALUE).color_mode(
        common.BigValueColorMode.BACKGROUND_SOLID if len(steps) > 1 else common.BigValueColorMode.VALUE
    )
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    panel.mappings([*(value_mappings(texts) if texts else []), no_value_mapping(no_value)])
    if decimals is not None:
        panel.decimals(decimals)
    if link:
        panel.data_links([_data_link(link)])
    return panel


def stat_panel_by_severity(title: str, description: str, critical: str, others: str) -> stat.Panel:
    """Two numbers: of critical problems in red, without data if there are none; and of others, orange from 1 on."""
    panel = stat_panel(title, description, critical, steps=[(None, BAD), (1, BAD)])
    panel.with_target(instant(others, "B"))
    steps = thresholds([(None, "transparent"), (1, WARN)]).build().to_json()
    return panel.override_by_query("B", [Property("thresholds", steps)])


def _data_link(link: Mapping[str, Any]) -> builders.DashboardLink:
    return builders.DashboardLink(link["title"]).url(link["url"])


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
    panel: timeseries.Panel = common_panel(timeseries.Panel(), title, description, unit)
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
    panel: statetimeline.Panel = common_panel(statetimeline.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(value_mappings({**texts, "-1": (UNKNOWN_TEXT, UNKNOWN)})).no_value(no_value)
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
    panel: statushistory.Panel = common_panel(statushistory.Panel(), title, description, "none")
    panel.targets(list(targets)).mappings(value_mappings(texts)).no_value(no_value).interval(interval)
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.8).line_width(1).fill_opacity(85)
    panel.legend(_legend()).tooltip(_tooltip())
    # With thresholds as the colour scheme Grafana would ignore the mappings.
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(UNKNOWN))
    return panel
