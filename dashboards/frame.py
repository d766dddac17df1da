"""Builds what all dashboards share: variables, links, annotations, the time range and the grid.

The result is classic JSON without plugins, for Grafana 10.4 to 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from dashboards.colours import SEVERITIES
from dashboards.panels import SOURCE, Panel, link
from dashboards.queries import JOB, alerts, by_shard
from exporter.assets import LINKS
from exporter.assets.boards import ALERT

TAG = "kimono"
WIDTH = 24  # columns of Grafana's grid
# URL parameters that keep the time range and the variables. A link to a tenant sets `tenant` itself.
LINK_PARAMETERS = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
ALERT_LINK = link("Open this alert", LINKS.alert_page(ALERT))
EXPORTER_LINK = link("Check whether the data are up to date", f"/d/kimono-exporter?{LINK_PARAMETERS}")
TENANT_LINK = link(
    "Open this tenant",
    f"/d/kimono-tenant?var-tenant=${{__data.fields.tenant_id}}&{LINK_PARAMETERS}",
)


@dataclass(frozen=True)
class Row:
    """Panels side by side: their height in grid units, and each panel's width in columns (24 in total)."""

    height: int
    panels: Sequence[tuple[int, Panel]]
    title: str = ""  # a heading above the row, if given


def dashboard(
    uid: str,
    name: str,
    description: str,
    rows: Sequence[Row],
    *,
    variables: Sequence[builders.QueryVariable] = (),
    annotations: Sequence[builders.AnnotationQuery] = (),
    since: str = "now-24h",
) -> builders.Dashboard:
    """Build a dashboard of these rows, from top to bottom."""
    board = builders.Dashboard(f"Kimono / {name}").uid(uid).description(description).tags([TAG])
    board.readonly().refresh("1m").time(since, "now").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    board.with_variable(_data_source()).with_variable(jobs())
    for variable in variables:
        board.with_variable(variable)
    board.annotation(_built_in_annotations())
    for each in annotations:
        board.annotation(each)
    board.link(_dashboard_links())
    _add_rows(board, rows)
    return board


def _add_rows(board: builders.Dashboard, rows: Sequence[Row]) -> None:
    top, number = 0, 1
    for row in rows:
        if sum(width for width, _ in row.panels) != WIDTH:
            raise ValueError(f"a row of {row.title or top} is not {WIDTH} columns wide")
        if row.title:
            board.with_row(builders.Row(row.title).id(number).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=top)))
            top, number = top + 1, number + 1
        left = 0
        for width, panel in row.panels:
            board.with_panel(panel.id(number).grid_pos(models.GridPos(h=row.height, w=width, x=left, y=top)))
            left, number = left + width, number + 1
        top += row.height


def _data_source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def jobs() -> builders.QueryVariable:
    """The jobs under which Prometheus scrapes exporters."""
    return _multi_value("job", "Job", "label_values(kimono_exporter_build_info, job)").all_value(".+")


def instances() -> builders.QueryVariable:
    """The exporters of the chosen jobs."""
    return _multi_value(
        "instance", "Instance", 'label_values(kimono_exporter_build_info{job=~"$job"}, instance)'
    ).all_value(".+")


def replicas(where: str = JOB) -> builders.QueryVariable:
    """The replica of each job and shard whose data are most up to date, for instant queries. Hidden.

    A poll of an hour ago counts less than one of now; without polls, any exporter is as good.
    """
    age = f"time() - kimono_collector_last_success_timestamp_seconds{{{where}}}"
    up_to_date = f"sum by (job, instance) (1 / (60 + {age}))"
    score = f"({up_to_date} or 0 * group by (job, instance) (kimono_exporter_build_info{{{JOB}}}))"
    expr = f"query_result(topk by (job, shard) (1, {by_shard(score)}))"
    variable = _multi_value("replica", "Replica", expr).regex('/instance="(?<value>[^"]*)"/')
    return variable.hide(models.VariableHide.HIDE_VARIABLE)


def accounts() -> builders.QueryVariable:
    """The customers. A tenant whose names are unknown has none, and is included in All."""
    expr = 'label_values(kimono_tenant_info{job=~"$job"}, account_name)'
    return _multi_value("account", "Account", expr).all_value(".*")


def integrations() -> builders.QueryVariable:
    """The products of the chosen customers."""
    expr = 'label_values(kimono_tenant_info{job=~"$job",account_name=~"$account"}, integration)'
    return _multi_value("integration", "Integration", expr).all_value(".*")


def tenants() -> builders.QueryVariable:
    """One tenant: chosen by its name and customer, identified by its id."""
    expr = (
        "query_result(label_join(group by (tenant_id, tenant_name, account_name) "
        '(kimono_tenant_info{job=~"$job",account_name=~"$account",integration=~"$integration"}), '
        '"called", " · ", "tenant_name", "account_name"))'
    )
    return (
        _query_variable("tenant", "Tenant", expr)
        .regex('/(?=.*called="(?<text>[^"]*)")(?=.*tenant_id="(?<value>[^"]*)")/')
        .multi(multi=False)
        .include_all(include_all=False)
    )


def _multi_value(name: str, label: str, expr: str) -> builders.QueryVariable:
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return _query_variable(name, label, expr).multi(multi=True).include_all(include_all=True).current(everything)


def _query_variable(name: str, label: str, expr: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": expr, "refId": name, "qryType": 3 if expr.startswith("query_result") else 1})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def _dashboard_links() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Kimono")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
    )


def _built_in_annotations() -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name("Annotations & Alerts")
        .datasource(common.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(enable=True)
        .hide(hide=True)
        .icon_color("rgba(0, 211, 255, 1)")
        .type("dashboard")
        .built_in(1)
    )


def alert_annotations(where: str) -> list[builders.AnnotationQuery]:
    """Mark when critical and warning alerts fired, in the colour of the severity."""
    firing = {severity: alerts(f'{where},severity="{severity}"') for severity in ("critical", "warning")}
    return [
        annotation(f"Alerts: {severity}", f"group by (alertname) ({series})", SEVERITIES[severity], "{{alertname}}")
        for severity, series in firing.items()
    ]


def annotation(name: str, expr: str, colour: str, title: str) -> builders.AnnotationQuery:
    """Mark when an expression has values. `title` may use labels: {{alertname}}."""
    target = prometheus.Dataquery().expr(expr).ref_id("Anno").range()
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(enable=True)
        .hide(hide=True)  # no toggle: a line of toggles would push the panels down
        .icon_color(colour)
        .expr(expr)
        .target(target)
        .title_format(title)
        .step("60s")
    )
