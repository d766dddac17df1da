"""Defines the dashboard Kimono / Fleet: what is wrong, and where to look first."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import GraphDrawStyle

from dashboards.colours import ALERT_TEXTS, BAD, GOOD, MODES, OUTCOMES, RANK_TEXTS, TYPES, WARN
from dashboards.frame import (
    ALERT_LINK,
    EXPORTER_LINK,
    LINK_PARAMETERS,
    TENANT_LINK,
    Row,
    accounts,
    dashboard,
    integrations,
    replicas,
)
from dashboards.panels import (
    SECONDS,
    TIMESTAMP,
    Panel,
    link,
    query,
    stat_panel,
    stat_panel_by_severity,
    state_timeline_panel,
    time_series_panel,
)
from dashboards.problems import NO_DATA, problem, problem_columns, worst_problems
from dashboards.queries import (
    ACCOUNTS,
    ANY_JOB,
    JOB,
    MANY_UNREACHABLE_JOBS,
    NAMES,
    NO_ALERT,
    NO_ALERT_OVER_TIME,
    REPLICA,
    age_of_most,
    alerts,
    best_replica,
    count,
    of_chosen,
    older,
    or_text,
    ranked,
    ranks,
    tenants_in,
    uninhibited,
    with_names,
)
from dashboards.tables import Column, table_panel
from exporter.thresholds import threshold

UID = "kimono-fleet"
ROLLOVERS_LINK = link("Open the rollovers", f"/d/kimono-rollovers?{LINK_PARAMETERS}")
MODE_SINCE = "kimono_tenant_state_since_timestamp_seconds"
MODE_FLAGS = f'flag=~"{"|".join(MODES)}"'
# Alerts about chosen tenants; and with those without a tenant.
TENANT_ALERTS = f'{JOB},tenant_id!="",account_name=~"$account",integration=~"$integration"'
CHOSEN_ALERTS = f'{ANY_JOB},account_name=~"$account|",integration=~"$integration|"'
NOT_PAUSED = "No tenant is paused"


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Fleet",
        "Is anything wrong, and where first? Numbers count tenants. The table lists the worst problems first.",
        [
            Row(4, problem_counts()),
            Row(3, tenant_counts()),
            Row(13, [(24, current_problems())]),
            Row(9, [(10, firing_alerts()), (14, alerts_over_time())]),
            Row(16, [(24, worst_over_time())]),
            Row(9, [(24, paused_tenants())]),
            Row(8, [(8, paused_over_time()), (8, outcomes()), (8, durations())]),
        ],
        variables=[replicas(), accounts(), integrations()],
    )


def problem_counts() -> list[tuple[int, Panel]]:
    """Numbers that should be 0, worst first, and the age of the data."""
    return [
        (
            4,
            _problem_count("Stalled", "An ingestion does not end: end it in the hub. The table lists them.", "stalled"),
        ),
        (
            4,
            _problem_count(
                "Overdue", "A sync was due and did not start within 2 hours: ask the hub's support.", "overdue"
            ),
        ),
        (4, _problem_count("Failing", "The last ingestions failed: read the reason in the hub.", "failing", WARN)),
        (4, _unreachable()),
        (4, _mass_change()),
        (4, _data_age()),
    ]


def tenant_counts() -> list[tuple[int, Panel]]:
    """Numbers of tenants: suspended, in rollover, and in total."""
    suspended = "Their schedules do not run. Check those that the table lists as suspended for too long."
    rollover = "Their schedules do not run, mostly as planned. Kimono / Rollovers shows which are late or stuck."
    tenants = "Tenants that are polled. If the number drops suddenly, check in the hub which were removed."
    return [
        (8, _mode_count("Sync suspended", suspended, "synchronization_suspended")),
        (8, _mode_count("Rollover mode", rollover, "rollover_mode_enabled")),
        (8, stat_panel("Tenants", tenants, tenants_in(of_chosen(f"kimono_tenant_up{{{REPLICA}}}")))),
    ]


def _problem_count(title: str, description: str, name: str, colour: str = BAD) -> Panel:
    return stat_panel(title, description, count(of_chosen(problem(name))), steps=[(None, "transparent"), (1, colour)])


def _mass_change() -> Panel:
    pending = f'{MODE_SINCE}{{{REPLICA},flag="mass_change_pending"}}'
    critical = older("mass_change_pending_critical")
    return stat_panel_by_severity(
        "Mass change pending",
        "The hub waits for approval of a large change: ask the district, then approve or reject it. Orange: all. Red: "
        "of these, for more than a day.",
        f"{tenants_in(of_chosen(critical))} > 0",
        count(of_chosen(pending)),
    )


def _unreachable() -> Panel:
    tenants = f"min by (job, tenant_id) ({older('tenants_unreachable_after')})"
    return stat_panel_by_severity(
        "Unreachable",
        "A collector has failed for 10 minutes, so data are out of date. Red: so many that alerts about single tenants "
        "are suppressed. Check Kimono / Exporter.",
        f"count({of_chosen(tenants)} and on (job) {MANY_UNREACHABLE_JOBS}) > 0",
        count(of_chosen(tenants)),
    )


def _data_age() -> Panel:
    return stat_panel(
        "Data age",
        "The state of 90 % of all tenants is at most so old. If it is older than 15 minutes, the numbers are out of "
        "date: check Kimono / Exporter.",
        age_of_most("state"),
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (threshold("data_age"), BAD)],
        decimals=0,
        link=EXPORTER_LINK,
    )


def _mode_count(title: str, description: str, flag: str) -> Panel:
    to = ROLLOVERS_LINK if flag == "rollover_mode_enabled" else None
    series = f'{MODE_SINCE}{{{REPLICA},flag="{flag}"}}'
    steps = [(None, "transparent"), (1, MODES[flag][1])]
    return stat_panel(title, description, count(of_chosen(series)), steps=steps, link=to)


def current_problems() -> Panel:
    """Current problems by severity, then by age."""
    # Ten of each: at 10,000 tenants a frequent problem would hide the others.
    return table_panel(
        "Problems, worst first",
        "The 10 oldest of each problem. Click a tenant to see what happened. If many began at the same time, look for "
        "one cause: the hub, an integration or a cloud.",
        [worst_problems(10)],
        problem_columns(width=190),
        dropped=["job"],
        sort=[("Severity", False), ("Since", False)],
        no_value=NO_DATA,
    )


def firing_alerts() -> Panel:
    """The firing alerts by name."""
    return table_panel(
        "Firing alerts",
        "Number of each alert, about the chosen tenants or the whole fleet. Click a name for details.",
        [f"count by (alertname, rank) ({ranked(uninhibited(CHOSEN_ALERTS))})"],
        [
            Column("rank", "Severity", width=95, texts=RANK_TEXTS, coloured=True),
            Column("alertname", "Alert", link=ALERT_LINK),
            Column("Value #A", "Count", width=85),
        ],
        sort=[("Severity", False), ("Count", True)],
        no_value=NO_ALERT,
    )


def alerts_over_time() -> Panel:
    """The number of tenants with each alert over time."""
    return time_series_panel(
        "Tenants with alerts over time",
        "If many alerts start at the same time, check the hub and the exporter first, not the tenants.",
        [query(f"count by (alertname) (group by (alertname, tenant_id) ({alerts(TENANT_ALERTS)}))", "{{alertname}}")],
        stacked=True,
        colours=ALERT_TEXTS,
        no_value=NO_ALERT_OVER_TIME,
        unit="none",
        decimals=0,
    )


def worst_over_time() -> Panel:
    """The history of the 20 tenants with the worst alerts at the end of the time range."""
    # Five of each alert: a frequent one would hide the others. A lower rank is worse.
    worst = f"bottomk(20, min by (job, tenant_id) (bottomk by (alertname) (5, {ranks(TENANT_ALERTS, '@ end()')})))"
    of_each = f"min by (job, tenant_id, {NAMES}) ({ranks(TENANT_ALERTS)})"
    panel = state_timeline_panel(
        "Tenants with the worst alerts over time",
        "The 20 worst at the end of the time range, at most 5 of each alert, in the colour of the worst severity. If "
        "many began at the same time, look for one cause.",
        [query(f"{of_each} and on (job, tenant_id) {worst}", "{{tenant_name}}")],
        RANK_TEXTS,
        name_width=400,
        no_value=NO_ALERT_OVER_TIME,
    )
    # Longer steps: at 10,000 tenants each step evaluates thousands of series.
    return panel.interval("5m")


def paused_tenants() -> Panel:
    """Paused tenants by mode."""
    since = with_names(f"max by (job, tenant_id, flag) ({MODE_SINCE}{{{REPLICA},{MODE_FLAGS}}})")
    return table_panel(
        "Paused tenants",
        "The 20 longest of each mode. A mass change needs approval: ask the district. The other modes are mostly "
        "intended: ask about those that last much longer than others.",
        [or_text(f"1000 * bottomk by (flag) (20, {since})", "flag", NOT_PAUSED, f"{REPLICA},{ACCOUNTS}")],
        [
            Column("flag", "Mode", width=170, texts={**MODES, NOT_PAUSED: (NOT_PAUSED, GOOD)}, coloured=True),
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("integration", "Integration", width=150),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155, also="Began"),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job"],
        sort=[("Mode", False), ("Since", False)],
        no_value=NO_DATA,
    )


def paused_over_time() -> Panel:
    """The number of tenants in each mode over time."""
    on = f"group by (job, tenant_id, flag) ({MODE_SINCE}{{{JOB},{MODE_FLAGS}}})"
    return time_series_panel(
        "Paused tenants over time",
        "Of the whole fleet. Their schedules do not run, and no sync is overdue. If many are paused outside of the "
        "summer, ask the hub's support.",
        [query(f"count by (flag) ({on})", "{{flag}}")],
        colours=MODES,
        no_value="No tenant was paused, or unknown",
        unit="none",
        interval="5m",
        decimals=0,
    )


def outcomes() -> Panel:
    """The outcomes of ingestions."""
    finished = (
        f"sum by (job, instance, state) (rate(kimono_ingestion_duration_seconds_count{{{JOB}}}[$__rate_interval]))"
    )
    return time_series_panel(
        "Finished ingestions per hour",
        "Of the whole fleet. If many fail at the same time, ask the hub's support.",
        [query(f"3600 * sum by (state) ({best_replica('max', finished, 'state')})", "{{state}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={state: (state, colour) for state, colour in OUTCOMES.items()},
        no_value="None finished",
    )


def durations() -> Panel:
    """The durations of ingestions."""
    buckets = (
        "sum by (job, instance, ingestion_type, le) "
        f"(rate(kimono_ingestion_duration_seconds_bucket{{{JOB}}}[$__rate_interval]))"
    )
    by_type = f"sum by (ingestion_type, le) ({best_replica('max', buckets, 'ingestion_type', 'le')})"
    return time_series_panel(
        "Duration of ingestions (95 %)",
        "Of the whole fleet. If a type takes much longer than before, check the ingestions under way for stalled ones.",
        [query(f"histogram_quantile(0.95, {by_type}) >= 0", "{{ingestion_type}}")],
        unit=SECONDS,
        style=GraphDrawStyle.POINTS,
        interval="15m",
        colours={kind: (kind, colour) for kind, colour in TYPES.items()},
        no_value="None finished",
    )
