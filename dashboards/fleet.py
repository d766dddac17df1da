"""Defines the dashboard Kimono / Fleet: what is wrong, and where to look first."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import GraphDrawStyle

from dashboards.colours import (
    ALERT_TEXTS,
    BAD,
    GOOD,
    MANY_UNREACHABLE,
    MANY_UNREACHABLE_TEXT,
    MODES,
    OUTCOMES,
    PROBLEM_TEXTS,
    PROBLEMS,
    RANK_TEXTS,
    TYPES,
    WARN,
)
from dashboards.frame import (
    EXPORTER_LINK,
    LINK_PARAMETERS,
    RUNBOOK_LINK,
    TENANT_LINK,
    Row,
    accounts,
    dashboard,
    integrations,
)
from dashboards.panels import (
    SECONDS,
    TIMESTAMP,
    Column,
    Panel,
    link,
    query,
    stat_panel,
    stat_panel_by_severity,
    state_timeline_panel,
    table_panel,
    time_series_panel,
)
from dashboards.queries import (
    ANY_JOB,
    CHOSEN,
    JOB,
    NAMES,
    UNREACHABLE_JOBS,
    count,
    modes,
    or_summary,
    or_summary_over_time,
    or_text,
    problems,
    rank,
    score,
    uninhibited,
    unreachable,
    with_rank,
    zero_if_known,
)

UID = "kimono-fleet"
ROLLOVERS_LINK = link("Who is in or near a rollover?", f"/d/kimono-rollovers?{LINK_PARAMETERS}")
LAST_SUCCESS = f'kimono_collector_last_success_timestamp_seconds{{{JOB},collector="state"}}'
NOT_PAUSED = "Nobody"
# Alerts about chosen tenants, and those without a tenant.
CHOSEN_ALERTS = f'{ANY_JOB},account_name=~"$account|",integration=~"$integration|"'
FINISHED = f"kimono_ingestion_duration_seconds_count{{{JOB}}}"
BUCKETS = f"kimono_ingestion_duration_seconds_bucket{{{JOB}}}"


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Fleet",
        "Is anything wrong, and where first? The numbers count tenants; the table has the worst first.",
        [
            Row(4, problem_counts()),
            Row(3, tenant_counts()),
            Row(13, [(24, worst_problems())]),
            Row(9, [(10, firing_alerts()), (14, problems_over_time())]),
            Row(16, [(24, worst_over_time())]),
            Row(9, [(24, paused_tenants())]),
            Row(8, [(8, paused_over_time()), (8, outcomes()), (8, durations())]),
        ],
        variables=[accounts(), integrations()],
    )


def problem_counts() -> list[tuple[int, Panel]]:
    """Numbers that should be 0, worst first, and the age of the data."""
    data_age = f"quantile(0.9, time() - max by (job, tenant_id) ({LAST_SUCCESS}))"
    age = stat_panel(
        "Picture age",
        "9 of 10 tenants of the whole fleet were read at most so long ago. If it is more than minutes, "
        "look at Kimono / Exporter before you believe the rest.",
        data_age,
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (1800, BAD)],
        decimals=0,
        link=EXPORTER_LINK,
    )
    return [
        (4, _problem_count("Stalled", "Ingestions that don't end. The table below has the tenants.", "stalled")),
        (4, _problem_count("Overdue", "A schedule was due, its grace is over, and it has not run.", "overdue")),
        (4, _failing()),
        (4, _unreachable()),
        (4, _mass_change()),
        (4, age),
    ]


def tenant_counts() -> list[tuple[int, Panel]]:
    """Numbers of tenants: suspended, in rollover, and in total."""
    suspended = "They collect nothing. The table has those that nothing explains."
    rollover = "As planned, mostly. Kimono / Rollovers tells which are late or stuck."
    tenants = "How many are watched. A sudden drop means that the hub no longer lists them."
    return [
        (8, _mode_count("Suspended", suspended, "synchronization_suspended")),
        (8, _mode_count("In rollover", rollover, "rollover_mode_enabled")),
        (8, stat_panel("Tenants", tenants, f"count(kimono:tenant:info{{{CHOSEN}}})")),
    ]


def _problem_count(title: str, description: str, name: str) -> Panel:
    return stat_panel(title, description, count(problems(name)), steps=[(None, "transparent"), (1, BAD)])


def _failing() -> Panel:
    return stat_panel_by_severity(
        "Failing",
        "The newest ingestion ended badly, and no good one has followed. Red: for a day.",
        _critical_count("failing"),
        _other_count(f"{problems('failing')} unless {rank()} == 3", "failing"),
    )


def _mass_change() -> Panel:
    waiting = f"{modes('mass_change_pending')} unless on (job, tenant_id) ({_critical_problems('mass_change')})"
    return stat_panel_by_severity(
        "Mass change",
        "The hub holds back a large change until a person approves it. Ask the district, then approve. Red: for a day.",
        _critical_count("mass_change"),
        _other_count(waiting, "mass_change"),
    )


def _unreachable() -> Panel:
    return stat_panel_by_severity(
        "Unreachable",
        "The exporter can't read them, at least in part; what is shown of them is old. Red: it is so many that nothing "
        "is told of the others either. Look at Kimono / Exporter.",
        f"count({unreachable()} and on (job) {UNREACHABLE_JOBS}) > 0",
        count(f"{unreachable()} unless on (job) {UNREACHABLE_JOBS}"),
    )


def _critical_problems(name: str) -> str:
    return f"{problems(name)} and {rank()} == 3"


def _critical_count(name: str) -> str:
    return f"count({_critical_problems(name)}) > 0"


def _other_count(series: str, name: str) -> str:
    """The number of other problems; 0 only if none is critical, because red needs no 0 beside it."""
    return f"count({series}) or ({zero_if_known()} unless on () ({_critical_problems(name)}))"


def _mode_count(title: str, description: str, flag: str) -> Panel:
    to = ROLLOVERS_LINK if flag == "rollover_mode_enabled" else None
    steps = [(None, "transparent"), (1, MODES[flag][1])]
    return stat_panel(title, description, count(modes(flag)), steps=steps, link=to)


def worst_problems() -> Panel:
    """Current problems by rank, then by age."""
    # Ten of each kind: at 10,000 tenants a frequent problem would hide the others.
    chosen = f"topk by (problem) (10, {score()})"
    return table_panel(
        "What is wrong, the worst first",
        "The 10 worst of each kind. Alerts may wait a while before they tell. Click a tenant to see what happened.",
        [
            or_summary(f"{rank()} and {chosen}", "problem"),
            f"{problems()} * 1000 and {chosen}",
            f"time() - {problems()} and {chosen}",
        ],
        [
            Column(
                "Value #A",
                "Severity",
                width=105,
                texts=RANK_TEXTS,
                coloured=True,
            ),
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("integration", "Integration", width=150),
            Column("problem", "What is wrong", width=190, texts=PROBLEM_TEXTS),
            Column("Value #B", "Since", unit=TIMESTAMP, width=155),
            Column("Value #C", "For", unit=SECONDS, width=90),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job"],
        sort=[("Severity", True), ("For", True)],
    )


def firing_alerts() -> Panel:
    """The firing alerts by name."""
    return table_panel(
        "Alerts that are firing",
        "How many of each, about these tenants or all. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank) ({with_rank(uninhibited(CHOSEN_ALERTS))})"],
        [
            Column("rank", "Severity", width=95, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", link=RUNBOOK_LINK),
            Column("Value #A", "Count", width=85),
        ],
        sort=[("Severity", False), ("Count", True)],
        no_value="No alert is firing",
    )


def problems_over_time() -> Panel:
    """The number of tenants with each problem over time."""
    return time_series_panel(
        "Tenants with a problem",
        "One line high: one tenant. A step of many at once is the hub's or the exporter's trouble, not theirs. Many "
        "can't be read: of the whole fleet, whatever account is chosen.",
        [query(f"count by (problem) ({problems()}) or {_many_unreachable_count()}", "{{problem}}")],
        stacked=True,
        colours={
            **{problem.name: (problem.text, problem.colour) for problem in PROBLEMS},
            MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT,
        },
        no_value="Nothing, or not known",
        unit="none",
        decimals=0,
    )


def _many_unreachable_count() -> str:
    """The number of unreachable tenants of the whole fleet, while alerts about single ones are suppressed."""
    tenants = f"max by (job) (kimono_tenants{{{JOB}}})"
    share = f"kimono:tenants_unreachable:ratio{{{JOB}}} and on (job) {UNREACHABLE_JOBS}"
    return f'label_replace(sum(({share}) * on (job) {tenants}), "problem", "{MANY_UNREACHABLE}", "", "")'


def paused_tenants() -> Panel:
    """Paused tenants by mode: mass changes first, because they need a person."""
    first = f"topk by (flag) (20, time() - {modes(*MODES)})"
    return table_panel(
        "Who is paused, and who waits",
        "The 20 of each mode that have been in it for longest, as far as anybody saw it. A mass change wants a person: "
        "ask the district, then approve. The others are mostly meant to be so.",
        [or_text(first, "flag", NOT_PAUSED), f"{modes(*MODES)} * 1000 and {first}"],
        [
            Column("flag", "Mode", width=170, texts={**MODES, NOT_PAUSED: (NOT_PAUSED, GOOD)}, coloured=True),
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("integration", "Integration", width=150),
            Column("Value #B", "Seen since", unit=TIMESTAMP, width=155),
            Column("Value #A", "For", unit=SECONDS, width=90),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job"],
        sort=[("Mode", False), ("For", True)],
    )


def paused_over_time() -> Panel:
    """The number of tenants in each mode over time."""
    return time_series_panel(
        "Tenants that are paused",
        "They collect nothing, and raise no alert about syncing. Many in rollover in summer is as it should be.",
        [query(f"count by (flag) ({modes(*MODES)})", "{{flag}}")],
        colours=MODES,
        no_value="None, or not known",
        unit="none",
        decimals=0,
    )


def worst_over_time() -> Panel:
    """The history of the 20 tenants that are worst at the end of the time range."""
    at_the_end = f"topk(20, max by (job, tenant_id) (topk by (problem) (5, {score(at='@ end()')})))"
    worst_of_each = f"max by (job, tenant_id, {NAMES}) ({rank()}) and on (job, tenant_id) {at_the_end}"
    panel = state_timeline_panel(
        "The twenty worst, over time",
        "Five of each kind at most. When did it begin, and for all at once? A line has the colour of the worst that is "
        "wrong with the tenant.",
        [query(or_summary_over_time(worst_of_each, "tenant_name"), "{{tenant_name}}")],
        RANK_TEXTS,
        names={MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT[0]},
        name_width=400,
    )
    # Longer steps: at 10,000 tenants each step evaluates thousands of series.
    return panel.interval("5m")


def outcomes() -> Panel:
    """The outcomes of ingestions."""
    without_replicas = "max by (job, ingestion_type, state) (sum by (job, instance, ingestion_type, state) "
    return time_series_panel(
        "Ingestions that ended, an hour",
        "Of the whole fleet, whatever account is chosen. Red that grows for many tenants at once: ask the hub.",
        [query(f"3600 * sum by (state) ({without_replicas}(rate({FINISHED}[$__rate_interval]))))", "{{state}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={state: (state, colour) for state, colour in OUTCOMES.items()},
        no_value="None yet",
    )


def durations() -> Panel:
    """The durations of ingestions."""
    without_replicas = "max by (job, ingestion_type, le) (sum by (job, instance, ingestion_type, le) "
    by_type = f"sum by (ingestion_type, le) ({without_replicas}(rate({BUCKETS}[$__rate_interval]))))"
    return time_series_panel(
        "Time that 95 % of ingestions took",
        "Of the whole fleet, whatever account is chosen. What takes far longer than it used to may be about to stall.",
        [query(f"histogram_quantile(0.95, {by_type}) >= 0", "{{ingestion_type}}")],
        unit=SECONDS,
        style=GraphDrawStyle.POINTS,
        interval="15m",
        colours={kind: (kind, colour) for kind, colour in TYPES.items()},
        no_value="None yet",
    )
