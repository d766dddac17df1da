"""Defines the dashboard Kimono / Rollovers: who is in a rollover, who is next, who is late or stuck.

The series of rollovers, at least two for each tenant, are too many to plot: only current values are queried.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.colours import ALERT_TEXTS, BAD, EXPECTED, GOOD, MODES, NOTE, RANK_TEXTS, UNKNOWN, WARN
from dashboards.frame import ALERT_LINK, EXPORTER_LINK, TENANT_LINK, Row, accounts, dashboard, integrations, replicas
from dashboards.panels import SECONDS, TIMESTAMP, Panel, query, stat_panel, time_series_panel
from dashboards.problems import NO_DATA, problem_columns, worst_problems
from dashboards.queries import (
    JOB,
    NO_ALERT,
    NO_ALERT_OVER_TIME,
    REPLICA,
    age_of_most,
    alerts,
    count,
    of_chosen,
    placeholder,
    ranked,
    uninhibited,
    with_names,
)
from dashboards.tables import Column, table_panel
from exporter.assets.rules.rollovers import status
from exporter.thresholds import DAY, ROLLOVER_BEGUN, ROLLOVER_OVER, ROLLOVER_UPCOMING, threshold

UID = "kimono-rollovers"

# Problems around rollovers. A suspension is one of them because a rollover would explain it.
ROLLOVER_PROBLEMS = ("rollover_stuck", "rollover_not_started", "rollover_failing", "suspended")
ALERT_NAMES = 'alertname=~"KimonoRollover.+|KimonoSyncSuspended"'
ALERTS = f'{JOB},account_name=~"$account",integration=~"$integration",{ALERT_NAMES}'

# Statuses, in lower case. Others are shown as the API names them.
STATUS_COLOURS = {ROLLOVER_UPCOMING: UNKNOWN, ROLLOVER_BEGUN: EXPECTED, ROLLOVER_OVER: GOOD}
STATUSES = {word: (word, colour) for words, colour in STATUS_COLOURS.items() for word in words}

# Labels that identify a rollover, and its series.
ID = "job, tenant_id, rollover_id"
START = f"kimono_rollover_start_timestamp_seconds{{{REPLICA}}}"
END = f"kimono_rollover_end_timestamp_seconds{{{REPLICA}}}"
FAILING_SINCE = f"kimono_rollover_failing_since_timestamp_seconds{{{REPLICA}}}"
OVER = f"kimono_rollover_status{{{REPLICA},{status(ROLLOVER_OVER)}}}"
MODE = 'flag="rollover_mode_enabled"'
IN_ROLLOVER = f"kimono_tenant_state_since_timestamp_seconds{{{REPLICA},{MODE}}}"


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Rollovers",
        "Which tenants are in a rollover, which are next, and which are late or stuck? Numbers count tenants.",
        [
            Row(4, tenant_counts()),
            Row(8, [(24, current_problems())]),
            Row(8, [(10, firing_alerts()), (14, alerts_over_time())]),
            Row(8, [(24, current_rollovers())]),
            Row(10, [(24, upcoming_rollovers())]),
            Row(8, [(14, failed_changes()), (10, in_rollover_over_time())]),
        ],
        variables=[replicas(), accounts(), integrations()],
        since="now-7d",
    )


def tenant_counts() -> list[tuple[int, Panel]]:
    """Numbers of tenants: in rollover mode, and with a window that opens or closes soon; and the age of the data."""
    now = "Their schedules do not run, as planned. The table below shows their windows."
    opening = "Check these tenants for stalled ingestions and pending mass changes before the window opens."
    closing = "Their schedules run again after the window: check that the districts are ready."
    return [
        (6, _number("Rollover mode", now, IN_ROLLOVER)),
        (6, _number("Start within 7 days", opening, _within_a_week(START))),
        (6, _number("End within 7 days", closing, _within_a_week(END))),
        (6, _data_age()),
    ]


def _number(title: str, description: str, series: str) -> Panel:
    expr = count(of_chosen(series))
    return stat_panel(title, description, expr, steps=[(None, "transparent"), (1, EXPECTED)])


def _data_age() -> Panel:
    return stat_panel(
        "Data age",
        "The rollovers of 90 % of all tenants are at most so old; they are polled every 15 minutes. If it is much "
        "older, check Kimono / Exporter.",
        age_of_most("rollovers"),
        unit=SECONDS,
        steps=[(None, GOOD), (threshold("data_age"), WARN), (threshold("data_age_always"), BAD)],
        decimals=0,
        link=EXPORTER_LINK,
    )


def _within_a_week(metric: str) -> str:
    """Rollovers whose start or end (`metric`) is in at most 7 days."""
    return f"{metric} > time() <= time() + 7 * 86400 unless on ({ID}) {OVER}"


def _with_labels(rollovers: str) -> str:
    """Add name, type and status to series by (job, tenant_id, rollover_id). A rollover may have no status."""
    # While the number of shards changes, two of them may have a tenant.
    info, has_status = (f"topk by ({ID}) (1, kimono_rollover_{name}{{{REPLICA}}})" for name in ("info", "status"))
    with_status = f"{info} * on ({ID}) group_left (status) {has_status}"
    labels = f"({with_status} or on ({ID}) {info})"
    return f"{rollovers} * on ({ID}) group_left (rollover_name, rollover_type, status) {labels}"


def current_problems() -> Panel:
    """Current problems around rollovers."""
    return table_panel(
        "Problems, oldest first",
        "The 20 oldest of each problem. The runbook of its alert says what to do. Click a tenant to see what happened.",
        [worst_problems(20, *ROLLOVER_PROBLEMS)],
        problem_columns(width=180),
        dropped=["job"],
        sort=[("Severity", False), ("Since", False)],
        no_value=NO_DATA,
    )


def firing_alerts() -> Panel:
    """The firing alerts about rollovers, by name."""
    return table_panel(
        "Firing alerts about rollovers",
        "Number of each alert. Click a name for details.",
        [f"count by (alertname, rank) ({ranked(uninhibited(ALERTS))})"],
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
        "Tenants with alerts about rollovers over time",
        "If many alerts start at the same time, check the hub, or whether the planned dates were wrong.",
        [query(f"count by (alertname) ({alerts(ALERTS)})", "{{alertname}}")],
        stacked=True,
        colours={name: text for name, text in ALERT_TEXTS.items() if "Rollover" in name or "Suspended" in name},
        no_value=NO_ALERT_OVER_TIME,
        unit="none",
        decimals=0,
    )


def current_rollovers() -> Panel:
    """Tenants in rollover mode, longest first, with their window.

    Of a tenant's windows the table shows the one that ends last, from a day before its start to 60 days after its end,
    as KimonoRolloverStuck does.
    """
    first = f"bottomk(50, max by (job, tenant_id) ({of_chosen(IN_ROLLOVER)}))"
    window = f"{END} > time() - {60 * DAY:g} unless {START} > time() + {DAY:g} and on (job, tenant_id) {first}"
    last = f"topk by (job, tenant_id) (1, max by ({ID}) ({window}))"
    return table_panel(
        "Tenants in rollover mode, longest first",
        "The first 50. Orange: the window has ended, and rollover mode is on: end rollover mode in the hub, or move "
        "the window. No window: ask who enabled rollover mode.",
        [
            placeholder(f"1000 * {with_names(first)}", "tenant_name", "No tenant is in rollover mode"),
            _with_labels(f"({last} - time())"),
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155, also="Began"),
            Column("rollover_name", "Rollover", width=170, no_value="none, or unknown", wrapped=True),
            Column("rollover_type", "Type", width=85),
            Column("status", "Status", width=95, texts=STATUSES),
            Column(
                "Value #B",
                "Window ends in",
                unit=SECONDS,
                width=125,
                # The grace of KimonoRolloverStuck is yellow. No colour without a window.
                steps=[(None, "transparent"), (-60 * DAY, WARN), (-threshold("rollover"), NOTE), (0, "transparent")],
                coloured=True,
            ),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "rollover_id"],
        sort=[("Since", False)],
    )


def upcoming_rollovers() -> Panel:
    """The next rollovers."""
    first = f"bottomk(50, max by ({ID}) ({of_chosen(f'{START} > time() unless on ({ID}) {OVER}')}))"
    return table_panel(
        "Next rollovers",
        "The next 50. Ask the first districts whether the dates are still right. A window of hours or of months is "
        "likely wrong.",
        [
            placeholder(f"1000 * {with_names(_with_labels(first))}", "tenant_name", "No rollover is planned"),
            f"max by ({ID}) ({END} - {START} and on ({ID}) {first})",
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("rollover_name", "Rollover", width=215),
            Column("rollover_type", "Type", width=85),
            Column("status", "Status", width=95, texts=STATUSES),
            Column("Value #A", "Start", unit=TIMESTAMP, width=155, also="Starts"),
            Column("Value #B", "Length", unit=SECONDS, width=95),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration", "rollover_id"],
        sort=[("Start", False)],
    )


def failed_changes() -> Panel:
    """Status changes that fail, and their reasons."""
    first = f"bottomk(50, max by ({ID}) ({of_chosen(FAILING_SINCE)}))"
    reason = f"kimono_rollover_failure_info{{{REPLICA}}}"
    return table_panel(
        "Failed status changes",
        "The hub retries them. alreadyInRolloverMode: another rollover, or a person, has enabled rollover mode; end it "
        "in the hub. The 50 that have failed longest.",
        [
            placeholder(f"1000 * {with_names(_with_labels(first))}", "tenant_name", "No status change is failing"),
            f"max by ({ID}) (kimono_rollover_status_change_failures{{{REPLICA}}} and on ({ID}) {first})",
            f"group by ({ID}, reason) ({reason} and on ({ID}) {first})",
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("rollover_name", "Rollover", wrapped=True),
            Column("status", "Status", width=95, texts=STATUSES),
            Column("Value #A", "Failing since", unit=TIMESTAMP, width=155),
            Column("Value #B", "Failures", width=75),
            Column("reason", "Reason", width=170),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "account_name", "integration", "rollover_id", "rollover_type", "Value #C"],
        sort=[("Failing since", False)],
    )


def in_rollover_over_time() -> Panel:
    """The number of tenants in rollover mode over time."""
    on = f"group by (job, tenant_id, flag) (kimono_tenant_state_since_timestamp_seconds{{{JOB},{MODE}}})"
    flag = "rollover_mode_enabled"
    return time_series_panel(
        "Tenants in rollover mode over time",
        "Of the whole fleet. If the number does not drop before school starts, check the tenants that are stuck.",
        [query(f"count by (flag) ({on})", "{{flag}}")],
        colours={flag: MODES[flag]},
        no_value="No tenant was in rollover mode, or unknown",
        unit="none",
        interval="10m",
        decimals=0,
    )
