"""Defines the panels of Kimono / Tenant that show what happened, and when."""

from __future__ import annotations

from grafana_foundation_sdk.models.common import GraphDrawStyle

from dashboards.colours import (
    ALERT_TEXTS,
    BAD,
    EXPECTED,
    FAINT,
    GOOD,
    MODES,
    NOTE,
    OUTCOMES,
    RANK_TEXTS,
    UNFINISHED,
    UNKNOWN,
    WARN,
)
from dashboards.panels import (
    TIMESTAMP,
    Panel,
    Property,
    fixed_colour,
    query,
    state_timeline_panel,
    status_history_panel,
    time_series_panel,
    value_mappings,
)
from dashboards.queries import NO_ALERT_OVER_TIME, TENANT, TENANT_HISTORY, older, placeholder, ranks
from dashboards.tables import Column, table_panel
from dashboards.tenant_common import ONE_SCHEDULE, newest, timeline

NO_INGESTION = "No ingestion, or unknown"
STARTED = "kimono_ingestion_last_started_timestamp_seconds"
# The day that begins at the query's time: with steps of a day Grafana queries at midnights (the browser's, or UTC's
# for fixed times), and draws each cell around its midnight. Hence the negative offset.
DAY = "[1d] offset -1d"
# That day, and the grace of a run that was due at its end.
DAY_AND_GRACE = "[26h:10m] offset -26h"
# Seconds by which the hub's clock may differ.
CLOCK_TOLERANCE = 300
# Values of a cell: the first that applies.
DAY_RESULTS = {
    5: ("Succeeded", GOOD),
    4: ("Started, then failed", WARN),
    3: ("Started, no end seen", EXPECTED),
    2: ("Missed", BAD),
    1: ("Due, but paused, changed, or less than 2 hours late", NOTE),
    0: ("Nothing was due", FAINT),
}


def runs_by_day() -> Panel:
    """Whether each schedule ran on each day."""
    panel = status_history_panel(
        "Runs by day and schedule",
        "Missed: it was due while the tenant was not paused, and did not start within two hours; ask the hub's "
        "support. Failed: see the ingestions below. An end after midnight is not seen. For other days, choose a week.",
        [query(_day_results(), "{{schedule_type}} {{hour}}:00 UTC")],
        {str(value): meaning for value, meaning in DAY_RESULTS.items()},
        interval="1d",
        no_value="No schedule, or unknown",
    )
    # Two weeks, to compare with the same weekday. Grafana ignores this for absolute time ranges.
    return panel.time_from("14d")


def _day_results() -> str:
    """The results of the schedules on the day that begins at the query's time."""
    due, executed = (
        f"kimono_schedule_last_{what}_timestamp_seconds{{{TENANT_HISTORY}}}" for what in ("due", "executed")
    )
    missed = f"kimono_schedule_missed_since_timestamp_seconds{{{TENANT_HISTORY}}}"
    still_missed = f"{older('sync_overdue')} and {missed}"
    results = {
        5: _ended("success"),
        4: _ended("failed|timeout|cancelled"),
        3: _on_day(f"{executed}{DAY}"),
        2: _on_day(f"({still_missed}){DAY_AND_GRACE}"),
        1: _on_day(f"{due}{DAY}"),
        0: f"max_over_time(kimono_schedule_enabled{{{TENANT_HISTORY}}}{DAY})",
    }
    result = " or ".join(f"{value} * group by ({ONE_SCHEDULE}) ({series})" for value, series in results.items())
    info = f"last_over_time(kimono_schedule_info{{{TENANT_HISTORY}}}{DAY})"
    return f"group by ({ONE_SCHEDULE}, schedule_type, hour) ({info}) * on ({ONE_SCHEDULE}) group_left () ({result})"


def _on_day(over: str) -> str:
    """Series whose highest timestamp in a range is not before the day."""
    return f"max_over_time({over}) >= time()"


def _ended(states: str) -> str:
    """Schedules that were executed on the day, if an ingestion of their type that has ended so was started by that."""
    executed = f"kimono_schedule_last_executed_timestamp_seconds{{{TENANT_HISTORY}}}{DAY}"
    started = f'max_over_time({STARTED}{{{TENANT_HISTORY},state=~"{states}"}}{DAY})'
    of_type = f'label_replace({started}, "schedule_type", "$1", "ingestion_type", "(.+)")'
    newest_start = f"max by (job, tenant_id, schedule_type) ({of_type})"
    execution = f"max by ({ONE_SCHEDULE}, schedule_type) ({_on_day(executed)}) - {CLOCK_TOLERANCE}"
    return f"{execution} <= on (job, tenant_id, schedule_type) group_left () {newest_start}"


def alerts_over_time() -> Panel:
    """The history of each alert."""
    return state_timeline_panel(
        "Alerts over time",
        "In the colour of the severity. Look at the alert that fired first: it is most likely the cause.",
        [query(f"min by (alertname) ({ranks(TENANT_HISTORY)})", "{{alertname}}")],
        RANK_TEXTS,
        names={alert: text for alert, (text, _) in ALERT_TEXTS.items()},
        no_value=NO_ALERT_OVER_TIME,
    )


def modes_over_time() -> Panel:
    """The history of each mode."""
    state = f'kimono_tenant_state{{{TENANT_HISTORY},flag=~"{"|".join(MODES)}"}}'
    panel = state_timeline_panel(
        "Modes over time",
        "What paused the tenant. A gap: the state was unknown; check the failures by collector below.",
        [query(f"max by (flag) ({state})", "{{flag}}")],
        {"1": ("On", UNKNOWN), "0": ("Off", FAINT)},
        no_value="Unknown",
    )
    for flag, (text, colour) in MODES.items():
        mappings = [each.to_json() for each in value_mappings({"1": ("On", colour), "0": ("Off", FAINT)})]
        panel.override_by_name(flag, [Property("displayName", text), Property("mappings", mappings)])
    return panel


def ingestions() -> Panel:
    """What each type of ingestion does now, and since when."""
    unfinished = " or ".join(
        newest(f"kimono_ingestion_oldest_unfinished_{what}_timestamp_seconds", "ingestion_type", "state")
        for what in ("started", "seen")
    )
    succeeded, failed = (
        f'max by (ingestion_type) ({STARTED}{{{TENANT},state=~"{states}"}})' for states in ("success", "failed|timeout")
    )
    return table_panel(
        "Ingestions by type",
        "If one has been under way for more than 6 hours (a bulk load or mirror: a day), end it in the hub. If one is "
        "failing, read the reason in the hub before you start it again.",
        [
            placeholder(f"1000 * ({unfinished})", "ingestion_type", NO_INGESTION),
            f"1000 * {newest('kimono_ingestion_failing_since_timestamp_seconds', 'ingestion_type')}",
            f"1000 * {succeeded}",
            f"1000 * {failed}",
        ],
        [
            Column("ingestion_type", "Type"),
            Column("state", "Under way", width=110),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155, also="Age"),
            Column(
                "Value #B",
                "Failing since",
                unit=TIMESTAMP,
                width=155,
                steps=[(None, "transparent"), (1, WARN)],
                coloured=True,
            ),
            Column("Value #C", "Start of last success", unit=TIMESTAMP, width=170, also="Success"),
            Column("Value #D", "Start of last failure", unit=TIMESTAMP, width=170),
        ],
        sort=[("Type", False)],
        no_value=NO_INGESTION,
    )


def unfinished_ingestions() -> Panel:
    """Unfinished ingestions over time, by type."""
    return timeline(
        "Ingestions under way",
        "If a bar is much longer than the others, the ingestion is stalled: end it in the hub.",
        f'kimono_ingestions{{{TENANT_HISTORY},state!~"{"|".join(OUTCOMES)}"}}',
        ("ingestion_type", "state"),
        {state: (state, colour) for state, colour in UNFINISHED.items()},
        none="No ingestion",
        no_value=NO_INGESTION,
    )


def finished_ingestions() -> Panel:
    """Outcomes of ingestions, by type."""
    increase = f"round(increase(kimono_ingestions_finished_total{{{TENANT_HISTORY}}}[$__rate_interval]))"
    panel = time_series_panel(
        "Finished ingestions",
        "Each bar covers an hour or more. If ingestions fail repeatedly, read the reason in the hub before you start "
        "another one.",
        [query(f"max by (ingestion_type, state) ({increase}) > 0", "{{ingestion_type}} · {{state}}")],
        style=GraphDrawStyle.BARS,
        interval="1h",
        no_value="None finished",
        decimals=0,
    )
    for state, colour in OUTCOMES.items():
        panel.override_by_regexp(f"/ · {state}$/", [fixed_colour(colour)])
    return panel
