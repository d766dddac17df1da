"""Who is in a rollover, who is next, who is late or stuck?

What Prometheus is asked over time has been recorded; the raw series of rollovers, of which there are two for each
tenant and more, are only asked how they are now.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.colours import (
    ALERT_TEXTS,
    BAD,
    GOOD,
    MEANT,
    MODES,
    NOTE,
    PROBLEM_TEXTS,
    RANK_TEXTS,
    UNKNOWN,
    WARN,
)
from dashboards.frame import KEPT, TO_RUNBOOK, TO_TENANT, Row, accounts, dashboard, integrations
from dashboards.panels import MOMENT, SECONDS, Column, Panel, bars, lines, link, number, query, rows
from dashboards.queries import (
    CHOSEN,
    JOB,
    alerts,
    count,
    modes,
    named,
    or_state,
    problems,
    rank,
    ranked,
    score,
    words_alone,
)

UID = "kimono-rollovers"
TO_EXPORTER = link("Can the picture be trusted?", f"/d/kimono-exporter?{KEPT}")
HOUR, DAY = 3600, 86400

# What can go wrong around a rollover. A suspension is here because a rollover would explain it.
WRONG = ("rollover_stuck", "rollover_not_started", "rollover_failing", "suspended")
WRONG_NOW = f'{CHOSEN},problem=~"{"|".join(WRONG)}"'
WRONG_TEXTS = {name: PROBLEM_TEXTS[name] for name in WRONG}
ALERTS = f'{CHOSEN},alertname=~"KimonoRollover.+|KimonoSyncSuspended"'

# Statuses that are known; whatever else the hub calls one is shown as it is.
STATUSES = {"upcoming": ("upcoming", UNKNOWN), "ongoing": ("ongoing", MEANT), "completed": ("completed", GOOD)}

# A rollover, and what is known of each. Few of them are picked before replicas are made one: that is what takes time.
ID = "job, tenant_id, rollover_id"
START = f"kimono_rollover_start_timestamp_seconds{{{JOB}}}"
END = f"kimono_rollover_end_timestamp_seconds{{{JOB}}}"
FAILURES = f"kimono_rollover_status_change_failures{{{JOB}}}"
WHY = f"kimono_rollover_failure_info{{{JOB}}}"
CALLED = f"kimono_rollover_info{{{JOB}}}"
STATUS = f"kimono_rollover_status{{{JOB}}}"
UPCOMING = f'kimono_rollover_status{{{JOB},status="upcoming"}}'
COMPLETED = f'kimono_rollover_status{{{JOB},status="completed"}}'
IN_ROLLOVER = modes("rollover_mode_enabled")

# From … to … days from now.
SOON = {
    "Within a day": (0, 1),
    "In 1 to 2 days": (1, 2),
    "In 2 to 7 days": (2, 7),
    "In 7 to 14 days": (7, 14),
    "In 14 to 30 days": (14, 30),
    "In 30 to 60 days": (30, 60),
}


def build() -> Dashboard:
    """The dashboard."""
    return dashboard(
        UID,
        "Rollovers",
        "Who is in a rollover, who is next, who is late or stuck? The numbers count tenants.",
        [
            Row(4, alarming()),
            Row(3, explaining()),
            Row(7, [(24, wrong())]),
            Row(8, [(10, firing()), (14, wrong_over_time())]),
            Row(8, [(24, under_way())]),
            Row(10, [(24, coming())]),
            Row(8, [(6, opening()), (6, closing()), (12, in_rollover_over_time())]),
            Row(6, [(24, failing())]),
        ],
        variables=[accounts(), integrations()],
        since="now-7d",
    )


def alarming() -> list[tuple[int, Panel]]:
    """The numbers that should be 0, and whether they can be believed."""
    not_started = "The window is open, and syncing goes on. Call the district before its system is emptied."
    stuck = "Rollover mode is on, and no window explains it: end it, or move it."
    failing_ones = "The hub can't change a status. The last table has its reasons."
    return [
        (6, _with("Not started", not_started, "rollover_not_started")),
        (6, _with("Stuck", stuck, "rollover_stuck")),
        (6, _with("Failing", failing_ones, "rollover_failing")),
        (6, _picture_age()),
    ]


def explaining() -> list[tuple[int, Panel]]:
    """What is so, what comes, and who can't be judged."""
    within = "Tell those who should know, and look that nothing is in the way: stalled ingestions, mass changes."
    in_one = number(
        "In a rollover",
        "Rollover mode is on: they collect nothing, as planned. Their windows are in the table below.",
        count(IN_ROLLOVER),
        steps=[(None, "transparent"), (1, MEANT)],
    )
    begin = number("Begin within 7 days", within, count(f"group by (job, tenant_id) ({_between(START, 0, 7)})"))
    return [(8, in_one), (8, begin), (8, _not_judged())]


def _with(title: str, description: str, name: str) -> Panel:
    return number(title, description, count(problems(name)), steps=[(None, "transparent"), (1, WARN)])


def _not_judged() -> Panel:
    old = f'group by (job, tenant_id) (kimono:picture_old:info{{{JOB},collector=~"rollovers|state"}})'
    return number(
        "Not judged",
        "What is known of them is so old that nothing here says whether they are late or stuck. "
        "Kimono / Exporter tells why they can't be read.",
        count(_chosen(old)),
        steps=[(None, "transparent"), (1, UNKNOWN)],
        goes_to=TO_EXPORTER,
    )


def _picture_age() -> Panel:
    seen = f'kimono_collector_last_success_timestamp_seconds{{{JOB},collector="rollovers"}}'
    return number(
        "Picture age",
        "The rollovers of 9 of 10 tenants of the whole fleet were read at most so long ago: a quarter of an hour is "
        "usual. If it is far more, and not for a few that are not judged, look at Kimono / Exporter first.",
        f"quantile(0.9, time() - max by (job, tenant_id) ({seen}))",
        unit=SECONDS,
        steps=[(None, GOOD), (HOUR / 2, WARN), (2 * HOUR, BAD)],
        decimals=0,
        goes_to=TO_EXPORTER,
    )


def _chosen(series: str) -> str:
    """Those of the tenants that are chosen."""
    return f"{series} and on (job, tenant_id) kimono:tenant:info{{{CHOSEN}}}"


def _between(moment: str, after: int, until: int) -> str:
    """Rollovers that open or close from so many days from now to so many."""
    when = f"{moment} > time() + {after * DAY} <= time() + {until * DAY}"
    return _chosen(f"group by ({ID}) ({when} unless on ({ID}) {COMPLETED})")


def _labels(names: str, series: str, of: str) -> str:
    """What these rollovers are called, or the like. Replicas may differ for some minutes: one of them is taken."""
    return f"topk by ({ID}) (1, group by ({ID}, {names}) ({series} and on ({ID}) ({of})))"


def _none(series: str, words: str) -> str:
    """If there are none: a row that says so. Grafana leaves a table of several queries blank."""
    return words_alone(series, "rollover_name", words)


def wrong() -> Panel:
    """What does not go as planned: the oldest first."""
    worst = f"topk(50, {score(where=WRONG_NOW)})"
    return rows(
        "What does not go as planned, the oldest first",
        "Each has a runbook: its alert below leads there. Late and stuck ones hurt on the first day of school: call "
        "the district. Click a tenant to see what happened.",
        [
            or_state(f"{rank(where=WRONG_NOW)} and {worst}", "problem"),
            f"{problems(*WRONG)} * 1000 and {worst}",
            f"time() - {problems(*WRONG)} and {worst}",
        ],
        [
            Column("Value #A", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("problem", "What is wrong", width=180, texts=PROBLEM_TEXTS),
            Column("Value #B", "Since", unit=MOMENT, width=155),
            Column("Value #C", "For", unit=SECONDS, width=95),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration"],
        sort=[("Severity", True), ("For", True)],
    )


def firing() -> Panel:
    """The alerts about rollovers, by name."""
    return rows(
        "Alerts that are firing",
        "How many of each. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank) ({ranked(alerts(ALERTS))})"],
        [
            Column("rank", "Severity", width=95, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", goes_to=TO_RUNBOOK),
            Column("Value #A", "Count", width=85),
        ],
        sort=[("Severity", False), ("Count", True)],
        nothing="No such alert is firing",
    )


def under_way() -> Panel:
    """Who is in a rollover: those whose window is over for longest, or ends soonest, first.

    The window that explains it is the last to end of those that have left `upcoming`, within the bounds of
    KimonoRolloverStuck: from a day before its start to 60 days after its end.
    """
    window = (
        f"max by ({ID}) ({END} > time() - {60 * DAY} and on (job, tenant_id) {IN_ROLLOVER} "
        f"unless ignoring (status) {UPCOMING} unless {START} > time() + {DAY})"
    )
    ends_in = f"topk by (job, tenant_id) (1, {window}) - time()"
    # Those without a window stand with those whose window ends now.
    first = f"bottomk(50, {ends_in} or on (job, tenant_id) 0 * {IN_ROLLOVER})"
    with_window = f"{first} and on ({ID}) {END}"
    return rows(
        "In a rollover: whose window ends first",
        "Orange: the window is over, and rollover mode is not; end it in the hub, or move the end. No window, though "
        "rollovers are read: mostly a person has turned the mode on; ask who. The first 50.",
        [
            f"{IN_ROLLOVER} * 1000 and on (job, tenant_id) {first}",
            with_window,
            f"(({with_window}) + time()) * 1000",
            _labels("rollover_name, rollover_type", CALLED, first),
            _labels("status", STATUS, first),
            _none(first, "No tenant is in one"),
        ],
        [
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", width=140, nothing="None, or not read", wrapped=True),
            Column("rollover_type", "Type", width=85),
            Column("status", "Status", width=85, texts=STATUSES),
            Column("Value #A", "Seen in it since", unit=MOMENT, width=155),
            Column("Value #C", "Window ends", unit=MOMENT, width=155),
            Column(
                "Value #B",
                "Ends in",
                unit=SECONDS,
                width=100,
                # The hub may be an hour late, as in kimono:threshold_rollover:seconds. Without a window: no colour.
                steps=[(None, "transparent"), (-60 * DAY, WARN), (-HOUR, NOTE), (0, "transparent")],
                coloured=True,
            ),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "flag", "rollover_id", "Value #D", "Value #E", "Value #F"],
        sort=[("Ends in", False)],
    )


def coming() -> Panel:
    """Who is next."""
    planned = _chosen(f"max by ({ID}) ({START} > time() unless on ({ID}) {COMPLETED}) - time()")
    first = f"bottomk(50, {planned})"
    return rows(
        "Who is next",
        "Ask those at the top whether the date still holds. A window of hours, or of months, is likely a mistake.",
        [
            named(first),
            f"({first} + time()) * 1000",
            f"max by ({ID}) ({END}) - time() - {first}",
            _labels("rollover_name, rollover_type", CALLED, first),
            _none(first, "No rollover is planned"),
        ],
        [
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", width=215),
            Column("Value #B", "Begins", unit=MOMENT, width=155),
            Column("Value #A", "Begins in", unit=SECONDS, width=110),
            Column("Value #C", "Lasts", unit=SECONDS, width=95),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "rollover_id", "rollover_type", "Value #D", "Value #E"],
        sort=[("Begins in", False)],
    )


def opening() -> Panel:
    """How many windows open, by how soon."""
    return bars(
        "Opening",
        "How many windows open, by how soon. Many at once is a day to have people at hand.",
        {text: count(_between(START, *days)) for text, days in SOON.items()},
        colour=MEANT,
    )


def closing() -> Panel:
    """How many windows close, by how soon."""
    return bars(
        "Closing",
        "How many windows close, by how soon. When they have closed, collecting begins again, for many at once.",
        {text: count(_between(END, *days)) for text, days in SOON.items()},
        colour=GOOD,
    )


def failing() -> Panel:
    """Status changes that fail, and why."""
    told = f"max by ({ID}) (({FAILURES} > 0 or {WHY}) unless on ({ID}) {COMPLETED})"
    worst = f"topk(50, {_chosen(told)})"
    return rows(
        "Status changes that failed",
        "The hub tries again. alreadyInRolloverMode: another rollover, or a person, has turned the mode on. "
        "The 50 that have failed most; completed ones are left out.",
        [
            named(worst),
            f"max by ({ID}) ({FAILURES} and on ({ID}) {worst})",
            f"max by ({ID}) ({START} and on ({ID}) {worst}) - time()",
            _labels("rollover_name, rollover_type", CALLED, worst),
            _labels("status", STATUS, worst),
            _labels("reason", WHY, worst),
            _none(worst, "None has failed"),
        ],
        [
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
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
    """How many were in a rollover."""
    flag = "rollover_mode_enabled"
    return lines(
        "Tenants in a rollover",
        "Of the whole fleet, whatever account is chosen. Does it not come down when school starts? See who is stuck.",
        [query(f'sum by (flag) (kimono:tenants_paused:count{{{JOB},flag="{flag}"}})', "{{flag}}")],
        colours={flag: MODES[flag]},
        nothing="None, or not known",
        unit="none",
        decimals=0,
    )


def wrong_over_time() -> Panel:
    """How many have each problem."""
    return lines(
        "What did not go as planned",
        "One line high: one tenant. A step of many at once is the hub's trouble, or a plan that was wrong for all.",
        [query(f"count by (problem) ({problems(*WRONG)})", "{{problem}}")],
        stacked=True,
        colours=WRONG_TEXTS,
        nothing="Nothing, or not known",
        unit="none",
        decimals=0,
    )
