"""What have all dashboards in common? Names, variables, links to each other, time, and a grid without gaps.

Grafana 10.4 to 13 load what comes out: classic JSON, no plugins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from dashboards.colours import RANKS
from dashboards.panels import SOURCE, Panel, link
from dashboards.queries import alerts

TAG = "kimono"
WIDTH = 24  # columns of Grafana's grid
# Where the alerts' runbooks can be read: the same base as in alerts/kimono.rules.yaml.
RUNBOOKS = "https://git.example.org/kimono-exporter/blob/main/docs/runbooks"
# Links keep the time and the choices. In a link to one tenant its id is the choice.
KEPT = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
TO_RUNBOOK = link("What to do: the runbook", f"{RUNBOOKS}/${{__data.fields.alertname}}.md")
TO_TENANT = link(
    "What happened to this tenant",
    f"/d/kimono-tenant?var-tenant=${{__data.fields.tenant_id}}&{KEPT}",
)


@dataclass(frozen=True)
class Row:
    """Panels side by side, all of one height in grid units, with their widths in columns: 24 in all."""

    height: int
    panels: Sequence[tuple[int, Panel]]
    title: str = ""  # with one, a heading stands above


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
    """A dashboard with what belongs to each, and these rows from the top down."""
    made = builders.Dashboard(f"Kimono / {name}").uid(uid).description(description).tags([TAG])
    made.readonly().refresh("1m").time(since, "now").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.with_variable(_source()).with_variable(jobs())
    for variable in variables:
        made.with_variable(variable)
    made.annotation(_built_in())
    for annotation in annotations:
        made.annotation(annotation)
    made.link(_others())
    _lay_out(made, rows)
    return made


def _lay_out(made: builders.Dashboard, rows: Sequence[Row]) -> None:
    top, number = 0, 1
    for row in rows:
        if sum(width for width, _ in row.panels) != WIDTH:
            raise ValueError(f"a row of {row.title or top} is not {WIDTH} columns wide")
        if row.title:
            made.with_row(builders.Row(row.title).id(number).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=top)))
            top, number = top + 1, number + 1
        left = 0
        for width, panel in row.panels:
            made.with_panel(panel.id(number).grid_pos(models.GridPos(h=row.height, w=width, x=left, y=top)))
            left, number = left + width, number + 1
        top += row.height


def _source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def jobs() -> builders.QueryVariable:
    """The jobs under which exporters are scraped."""
    return _several("job", "Job", "label_values(kimono_exporter_build_info, job)").all_value(".+")


def instances() -> builders.QueryVariable:
    """The exporters that are scraped under these jobs."""
    return _several(
        "instance", "Instance", 'label_values(kimono_exporter_build_info{job=~"$job"}, instance)'
    ).all_value(".+")


def accounts() -> builders.QueryVariable:
    """The customers. A tenant whose names nobody knows yet has none, and belongs to All."""
    return _several("account", "Account", 'label_values(kimono:tenant:info{job=~"$job"}, account_name)').all_value(".*")


def integrations() -> builders.QueryVariable:
    """The products that plug in, of these customers."""
    asked = 'label_values(kimono:tenant:info{job=~"$job",account_name=~"$account"}, integration)'
    return _several("integration", "Integration", asked).all_value(".*")


def tenants() -> builders.QueryVariable:
    """One tenant: picked by its name and customer, known by its id."""
    asked = (
        "query_result(label_join(group by (tenant_id, tenant_name, account_name) "
        '(kimono:tenant:info{job=~"$job",account_name=~"$account",integration=~"$integration"}), '
        '"called", " · ", "tenant_name", "account_name"))'
    )
    return (
        _variable("tenant", "Tenant", asked)
        .regex('/(?=.*called="(?<text>[^"]*)")(?=.*tenant_id="(?<value>[^"]*)")/')
        .multi(multi=False)
        .include_all(include_all=False)
    )


def _several(name: str, label: str, asked: str) -> builders.QueryVariable:
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return _variable(name, label, asked).multi(multi=True).include_all(include_all=True).current(everything)


def _variable(name: str, label: str, asked: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": asked, "refId": name, "qryType": 3 if asked.startswith("query_result") else 1})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def _others() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Kimono")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
    )


def _built_in() -> builders.AnnotationQuery:
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


def shaded_alerts(where: str) -> list[builders.AnnotationQuery]:
    """Times at which somebody was told, in the colours of how loudly; what is `info` is told to nobody."""
    firing = {severity: alerts(f'{where},severity="{severity}"') for severity in ("critical", "warning")}
    colours = dict(RANKS.values())
    return [
        shaded(f"Alerts: {severity}", f"group by (alertname) ({series})", colours[severity], "{{alertname}}")
        for severity, series in firing.items()
    ]


def shaded(name: str, expr: str, colour: str, title: str) -> builders.AnnotationQuery:
    """Times at which an expression has values, as shaded regions. `title` may name labels: {{alertname}}."""
    target = prometheus.Dataquery().expr(expr).ref_id("Anno").range()
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(enable=True)
        .hide(hide=True)  # on, and without a switch: a row of switches would push the first numbers down
        .icon_color(colour)
        .expr(expr)
        .target(target)
        .title_format(title)
        .step("60s")
    )
