"""Defines the dashboard Kimono / Rollovers: who is in a rollover, who is next, who is late or stuck.

Panels over time use recorded series. The raw series of rollovers, at least two for each tenant, are too many for
that: only current values are queried.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.colours import ALERT_TEXTS, BAD, EXPECTED, GOOD, MODES, NOTE, PROBLEM_TEXTS, RANK_TEXTS, UNKNOWN, WARN
from dashboards.frame import (
    EXPORTER_LINK,
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
    bar_gauge_panel,
    query,
    stat_panel,
    table_panel,
    time_series_panel,
)
from dashboards.queries import (
    CHOSEN,
    JOB,
    alerts,
    count,
    modes,
    or_summary,
    problems,
    rank,
    score,
    text_if_none,
    with_names,
    with_rank,
)

UID = "kimono-rollovers"
HOUR, DAY = 3600, 86400

# Problems around rollovers. A suspension is one of them because a rollover would explain it.
ROLLOVER_PROBLEMS = ("rollover_stuck", "rollover_not_started", "rollover_failing", "suspended")
CHOSEN_PROBLEMS = f'{CHOSEN},problem=~"{"|".join(ROLLOVER_PROBLEMS)}"'
ROLLOVER_PROBLEM_TEXTS = {name: PROBLEM_TEXTS[name] for name in ROLLOVER_PROBLEMS}
ALERTS = f'{CHOSEN},alertname=~"KimonoRollover.+|KimonoSyncSuspended"'

# Known statuses. Others are shown as the API names them.
STATUSES = {"upcoming": ("upcoming", UNKNOWN), "ongoing": ("ongoing", EXPECTED), "completed": ("completed", GOOD)}

# Labels that identify a rollover, and its series. Filter first, merge replicas then: merging is slow.
ID = "job, tenant_id, rollover_id"
START = f"kimono_rollover_start_timestamp_seconds{{{JOB}}}"
END = f"kimono_rollover_end_timestamp_seconds{{{JOB}}}"
FAILURES = f"kimono_rollover_status_change_failures{{{JOB}}}"
FAILURE_INFO = f"kimono_rollover_failure_info{{{JOB}}}"
ROLLOVER_INFO = f"kimono_rollover_info{{{JOB}}}"
STATUS = f"kimono_rollover_status{{{JOB}}}"
UPCOMING = f'kimono_rollover_status{{{JOB},status="upcoming"}}'
COMPLETED = f'kimono_rollover_status{{{JOB},status="completed"}}'
IN_ROLLOVER = modes("rollover_mode_enabled")

# Ranges in days from now.
WINDOWS_WITHIN = {
    "Within a day": (0, 1),
    "In 1 to 2 days": (1, 2),
    "In 2 to 7 days": (2, 7),
    "In 7 to 14 days": (7, 14),
    "In 14 to 30 days": (14, 30),
    "In 30 to 60 days": (30, 60),
}


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Rollovers",
        "Who is in a rollover, who is next, who is late or stuck? The numbers count tenants.",
        [
            Row(4, problem_counts()),
            Row(3, tenant_counts()),
            Row(7, [(24, current_problems())]),
            Row(8, [(10, firing_alerts()), (14, problems_over_time())]),
            Row(8, [(24, current_rollovers())]),
            Row(10, [(24, upcoming_rollovers())]),
            Row(8, [(6, windows_opening()), (6, windows_closing()), (12, in_rollover_over_time())]),
            Row(6, [(24, failed_changes())]),
        ],
        variables=[accounts(), integrations()],
        since="now-7d",
    )


def problem_counts() -> list[tuple[int, Panel]]:
    """Numbers that should be 0, and the age of the data."""
    not_started = "The window is open, and syncing goes on. Call the district before its system is emptied."
    stuck = "Rollover mode is on, and no window explains it: end it, or move it."
    failing_ones = "The hub can't change a status. The last table has its reasons."
    return [
        (6, _problem_count("Not started", not_started, "rollover_not_started")),
        (6, _problem_count("Stuck", stuck, "rollover_stuck")),
        (6, _problem_count("Failing", failing_ones, "rollover_failing")),
        (6, _data_age()),
    ]


def tenant_counts() -> list[tuple[int, Panel]]:
    """Numbers of tenants: in a rollover, before one, and with stale data."""
    within = "Tell those who should know, and look that nothing is in the way: stalled ingestions, mass changes."
    in_one = stat_panel(
        "In a rollover",
        "Rollover mode is on: they collect nothing, as planned. Their windows are in the table below.",
        count(IN_ROLLOVER),
        steps=[(None, "transparent"), (1, EXPECTED)],
    )
    begin = stat_panel(
        "Begin within 7 days", within, count(f"group by (job, tenant_id) ({_windows_within(START, 0, 7)})")
    )
    return [(8, in_one), (8, begin), (8, _not_judged())]


def _problem_count(title: str, description: str, name: str) -> Panel:
    return stat_panel(title, description, count(problems(name)), steps=[(None, "transparent"), (1, WARN)])


def _not_judged() -> Panel:
    old = f'group by (job, tenant_id) (kimono:picture_old:info{{{JOB},collector=~"rollovers|state"}})'
    return stat_panel(
        "Not judged",
        "What is known of them is so old that nothing here says whether they are late or stuck. "
        "Kimono / Exporter tells why they can't be read.",
        count(_of_chosen_tenants(old)),
        steps=[(None, "transparent"), (1, UNKNOWN)],
        link=EXPORTER_LINK,
    )


def _data_age() -> Panel:
    last_success = f'kimono_collector_last_success_timestamp_seconds{{{JOB},collector="rollovers"}}'
    return stat_panel(
        "Picture age",
        "The rollovers of 9 of 10 tenants of the whole fleet were read at most so long ago: a quarter of an hour is "
        "usual. If it is far more, and not for a few that are not judged, look at Kimono / Exporter first.",
        f"quantile(0.9, time() - max by (job, tenant_id) ({last_success}))",
        unit=SECONDS,
        steps=[(None, GOOD), (HOUR / 2, WARN), (2 * HOUR, BAD)],
        decimals=0,
        link=EXPORTER_LINK,
    )


def _of_chosen_tenants(series: str) -> str:
    """Keep series of the chosen tenants."""
    return f"{series} and on (job, tenant_id) kimono:tenant:info{{{CHOSEN}}}"


def _windows_within(metric: str, after: int, until: int) -> str:
    """Rollovers whose start or end (`metric`) is between so many days from now."""
    when = f"{metric} > time() + {after * DAY} <= time() + {until * DAY}"
    return _of_chosen_tenants(f"group by ({ID}) ({when} unless on ({ID}) {COMPLETED})")


def _labels(names: str, series: str, of: str) -> str:
    """Labels of these rollovers. Replicas may differ for some minutes: one of them is taken."""
    return f"topk by ({ID}) (1, group by ({ID}, {names}) ({series} and on ({ID}) ({of})))"


def _text_if_none(series: str, text: str) -> str:
    """A series with the text if there are none: Grafana leaves a table of several queries blank."""
    return text_if_none(series, "rollover_name", text)


def current_problems() -> Panel:
    """Current problems around rollovers, oldest first."""
    worst = f"topk(50, {score(where=CHOSEN_PROBLEMS)})"
    return table_panel(
        "What does not go as planned, the oldest first",
        "Each has a runbook: its alert below leads there. Late and stuck ones hurt on the first day of school: call "
        "the district. Click a tenant to see what happened.",
        [
            or_summary(f"{rank(where=CHOSEN_PROBLEMS)} and {worst}", "problem"),
            f"{problems(*ROLLOVER_PROBLEMS)} * 1000 and {worst}",
            f"time() - {problems(*ROLLOVER_PROBLEMS)} and {worst}",
        ],
        [
            Column("Value #A", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("problem", "What is wrong", width=180, texts=PROBLEM_TEXTS),
            Column("Value #B", "Since", unit=TIMESTAMP, width=155),
            Column("Value #C", "For", unit=SECONDS, width=95),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration"],
        sort=[("Severity", True), ("For", True)],
    )


def firing_alerts() -> Panel:
    """The firing alerts about rollovers, by name."""
    return table_panel(
        "Alerts that are firing",
        "How many of each. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank) ({with_rank(alerts(ALERTS))})"],
        [
            Column("rank", "Severity", width=95, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", link=RUNBOOK_LINK),
            Column("Value #A", "Count", width=85),
        ],
        sort=[("Severity", False), ("Count", True)],
        no_value="No such alert is firing",
    )


def current_rollovers() -> Panel:
    """Tenants in a rollover, the window that ended first or ends next at the top.

    Of a tenant's windows the table shows the one that ends last and is no longer `upcoming`. It counts from a day
    before its start to 60 days after its end, as in KimonoRolloverStuck.
    """
    window = (
        f"max by ({ID}) ({END} > time() - {60 * DAY} and on (job, tenant_id) {IN_ROLLOVER} "
        f"unless ignoring (status) {UPCOMING} unless {START} > time() + {DAY})"
    )
    ends_in = f"topk by (job, tenant_id) (1, {window}) - time()"
    # Tenants without a window sort as if theirs ended now.
    first = f"bottomk(50, {ends_in} or on (job, tenant_id) 0 * {IN_ROLLOVER})"
    with_window = f"{first} and on ({ID}) {END}"
    return table_panel(
        "In a rollover: whose window ends first",
        "Orange: the window is over, and rollover mode is not; end it in the hub, or move the end. No window, though "
        "rollovers are read: mostly a person has turned the mode on; ask who. The first 50.",
        [
            f"{IN_ROLLOVER} * 1000 and on (job, tenant_id) {first}",
            with_window,
            f"(({with_window}) + time()) * 1000",
            _labels("rollover_name, rollover_type", ROLLOVER_INFO, first),
            _labels("status", STATUS, first),
            _text_if_none(first, "No tenant is in one"),
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", width=140, no_value="None, or not read", wrapped=True),
            Column("rollover_type", "Type", width=85),
            Column("status", "Status", width=85, texts=STATUSES),
            Column("Value #A", "Seen in it since", unit=TIMESTAMP, width=155),
            Column("Value #C", "Window ends", unit=TIMESTAMP, width=155),
            Column(
                "Value #B",
                "Ends in",
                unit=SECONDS,
                width=100,
                # An hour's tolerance, as in kimono:threshold_rollover:seconds. No colour without a window.
                steps=[(None, "transparent"), (-60 * DAY, WARN), (-HOUR, NOTE), (0, "transparent")],
                coloured=True,
            ),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "flag", "rollover_id", "Value #D", "Value #E", "Value #F"],
        sort=[("Ends in", False)],
    )


def upcoming_rollovers() -> Panel:
    """The next rollovers."""
    planned = _of_chosen_tenants(f"max by ({ID}) ({START} > time() unless on ({ID}) {COMPLETED}) - time()")
    first = f"bottomk(50, {planned})"
    return table_panel(
        "Who is next",
        "Ask those at the top whether the date still holds. A window of hours, or of months, is likely a mistake.",
        [
            with_names(first),
            f"({first} + time()) * 1000",
            f"max by ({ID}) ({END}) - time() - {first}",
            _labels("rollover_name, rollover_type", ROLLOVER_INFO, first),
            _text_if_none(first, "No rollover is planned"),
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", width=215),
            Column("Value #B", "Begins", unit=TIMESTAMP, width=155),
            Column("Value #A", "Begins in", unit=SECONDS, width=110),
            Column("Value #C", "Lasts", unit=SECONDS, width=95),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "rollover_id", "rollover_type", "Value #D", "Value #E"],
        sort=[("Begins in", False)],
    )


def windows_opening() -> Panel:
    """The number of windows that open, by how soon."""
    return bar_gauge_panel(
        "Opening",
        "How many windows open, by how soon. Many at once is a day to have people at hand.",
        {text: count(_windows_within(START, *days)) for text, days in WINDOWS_WITHIN.items()},
        colour=EXPECTED,
    )


def windows_closing() -> Panel:
    """The number of windows that close, by how soon."""
    return bar_gauge_panel(
        "Closing",
        "How many windows close, by how soon. When they have closed, collecting begins again, for many at once.",
        {text: count(_windows_within(END, *days)) for text, days in WINDOWS_WITHIN.items()},
        colour=GOOD,
    )


def failed_changes() -> Panel:
    """Failed status changes and their reasons."""
    failed = f"max by ({ID}) (({FAILURES} > 0 or {FAILURE_INFO}) unless on ({ID}) {COMPLETED})"
    worst = f"topk(50, {_of_chosen_tenants(failed)})"
    return table_panel(
        "Status changes that failed",
        "The hub tries again. alreadyInRolloverMode: another rollover, or a person, has turned the mode on. "
        "The 50 that have failed most; completed ones are left out.",
        [
            with_names(worst),
            f"max by ({ID}) ({FAILURES} and on ({ID}) {worst})",
            f"max by ({ID}) ({START} and on ({ID}) {worst}) - time()",
            _labels("rollover_name, rollover_type", ROLLOVER_INFO, worst),
            _labels("status", STATUS, worst),
            _labels("reason", FAILURE_INFO, worst),
            _text_if_none(worst, "None has failed"),
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", wrapped=True),
            Column("status", "Status", width=100, texts=STATUSES),
            Column("Value #B", "Failures", width=105),
            Column("reason", "Reason", width=190),
            Column("Value #C", "Begins in", unit=SECONDS, width=100),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "rollover_id", "rollover_type", *(f"Value #{ref}" for ref in "ADEFG")],
        sort=[("Failures", True)],
    )


def in_rollover_over_time() -> Panel:
    """The number of tenants in a rollover over time."""
    flag = "rollover_mode_enabled"
    return time_series_panel(
        "Tenants in a rollover",
        "Of the whole fleet, whatever account is chosen. Does it not come down when school starts? See who is stuck.",
        [query(f'sum by (flag) (kimono:tenants_paused:count{{{JOB},flag="{flag}"}})', "{{flag}}")],
        colours={flag: MODES[flag]},
        no_value="None, or not known",
        unit="none",
        decimals=0,
    )


def problems_over_time() -> Panel:
    """The number of tenants with each problem over time."""
    return time_series_panel(
        "What did not go as planned",
        "One line high: one tenant. A step of many at once is the hub's trouble, or a plan that was wrong for all.",
        [query(f"count by (problem) ({problems(*ROLLOVER_PROBLEMS)})", "{{problem}}")],
        stacked=True,
        colours=ROLLOVER_PROBLEM_TEXTS,
        no_value="Nothing, or not known",
        unit="none",
        decimals=0,
    )
