"""Defines the panels of Kimono / Tenant that show what happened, and when."""

from __future__ import annotations

from grafana_foundation_sdk.models.common import GraphDrawStyle

from dashboards.colours import (
    BAD,
    EXPECTED,
    FAINT,
    GOOD,
    MANY_UNREACHABLE,
    MANY_UNREACHABLE_TEXT,
    MODES,
    NOTE,
    OUTCOMES,
    PROBLEMS,
    RANK_TEXTS,
    UNFINISHED,
    UNKNOWN,
    WARN,
)
from dashboards.panels import (
    Panel,
    Property,
    fixed_colour,
    query,
    state_timeline_panel,
    status_history_panel,
    time_series_panel,
    value_mappings,
)
from dashboards.queries import TENANT, or_placeholder, or_summary, or_text, rank
from dashboards.tenant_common import FULL_RUN, ONE_SCHEDULE, numbered, numbered_texts

NO_INGESTION = "None was under way"
FINAL_STATES = "|".join(OUTCOMES)
# The day that begins at the query's time: with steps of a day Grafana queries at midnights (the browser's, or UTC's
# for fixed times), and draws each cell around its midnight. Hence the negative offsets.
DAY = "[1d] offset -1d"
# From the end of that day to noon of the next: runs that were due in the evening may end then.
NEXT_MORNING = "[12h] offset -36h"
# Tolerance in seconds for delays and clocks, as in alerts/kimono.rules.yaml.
CLOCK_TOLERANCE = 300
# Values of a cell: the first that applies.
DAY_RESULTS = {
    7: ("Ran well", GOOD),
    6: ("Ran, ended badly", WARN),
    5: ("Ran, no end seen yet", EXPECTED),
    4: ("Missed", BAD),
    3: ("Late", NOTE),
    2: ("Paused or changed", "light-blue"),
    1: ("To come, or not read", UNKNOWN),
    0: ("Nothing was due", FAINT),
}


def runs_by_day() -> Panel:
    """Whether each schedule ran on each day."""
    legend = "{{schedule_type}} {{hour}}:00 UTC"
    written = f"group(last_over_time(kimono_schedule_info{{{TENANT}}}[14d]))"
    panel = status_history_panel(
        "Did it run? One cell for each day and schedule",
        "Missed: it was due, nothing paused it, and two hours later it had not run; ask the hub. Ended badly, and no "
        "good run later that day: look at the ingestions below. No end seen: it still runs, or the exporter was away. "
        "Between two dates it shows those days alone: choose a week.",
        [
            query(_day_result('schedule_type!="mirror"', FULL_RUN), legend),
            query(_day_result('schedule_type="mirror"', 'ingestion_type="mirror"'), legend, "B"),
            query(f"0 * group(kimono:tenant:info{{{TENANT}}}) unless on () {written}", "No schedule, or not read", "C"),
        ],
        {str(value): meaning for value, meaning in DAY_RESULTS.items()},
        interval="1d",
        no_value="No schedule, or not read",
    )
    # Two weeks, to compare with the same weekday. Grafana ignores this for absolute time ranges.
    return panel.time_from("14d")


def _day_result(which: str, ends: str) -> str:
    """The results of these schedules on the day that begins at the query's time; `ends` selects their ingestions."""
    due = f"{_newest('kimono_schedule_last_due_timestamp_seconds', which)} >= time()"
    ran = f"{_newest('kimono_schedule_last_executed_timestamp_seconds', which)} >= time()"
    waited = f"{_newest('kimono:schedule_missed:timestamp_seconds', which='')} >= time()"
    ahead = f"{_newest('kimono_schedule_next_due_timestamp_seconds', which)} < time() + 86400"
    known = f"{_newest('kimono_schedule_enabled', which)} >= 0"
    results = {
        7: _ended_since(f"({ran} or {due})", "kimono:ingestion_last_success:timestamp_seconds", ends),
        6: _ended_since(f"({ran})", "kimono:ingestion_last_failure:timestamp_seconds", ends),
        5: ran,
        4: _missed_runs(),
        3: waited,
        2: due,
        1: ahead,
        0: known,
    }
    result = " or ".join(f"{value} * group by ({ONE_SCHEDULE}) ({condition})" for value, condition in results.items())
    named = f"last_over_time(kimono_schedule_info{{{TENANT},{which}}}{DAY})"
    return f"group by ({ONE_SCHEDULE}, schedule_type, hour) ({named}) * on ({ONE_SCHEDULE}) group_left () ({result})"


def _newest(metric: str, which: str) -> str:
    """The newest value of the day, by schedule."""
    return f"max by ({ONE_SCHEDULE}) (max_over_time({metric}{{{','.join(filter(None, (TENANT, which)))}}}{DAY}))"


def _ended_since(started: str, metric: str, ends: str) -> str:
    """Schedules since whose start (`started`) an ingestion was started on that day, and ended as `metric` says."""
    that_day = f"max by (job, tenant_id) (max_over_time({metric}{{{TENANT},{ends}}}{DAY}))"
    later = f"max by (job, tenant_id) (last_over_time({metric}{{{TENANT},{ends}}}{NEXT_MORNING})) < time() + 86400"
    since = f"{started} - {CLOCK_TOLERANCE} <= on (job, tenant_id) group_left ()"
    return f"{since} {that_day} or {since} ({later})"


def _missed_runs() -> str:
    """Schedules that were due on the day, and had not run when KimonoSyncOverdue's grace was over."""
    grace = "scalar(max(kimono:threshold_sync_overdue:seconds))"
    still = f"kimono:schedule_missed:timestamp_seconds{{{TENANT}}} < time() - {grace}"
    return f"max by ({ONE_SCHEDULE}) (max_over_time(({still})[26h:10m] offset -26h)) >= time()"


def problems_over_time() -> Panel:
    """The history of each problem."""
    return state_timeline_panel(
        "Problems",
        "What came first is most likely the cause. The colour is how loud it was.",
        [query(or_summary(f"max by (problem) ({rank(TENANT)})", "problem", TENANT, "-1"), "{{problem}}")],
        RANK_TEXTS,
        names={**{problem.name: problem.text for problem in PROBLEMS}, MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT[0]},
    )


def modes_over_time() -> Panel:
    """The history of each mode."""
    panel = state_timeline_panel(
        "Modes",
        "What paused it. A gap is a time at which it could not be read.",
        [query(or_placeholder(f"max by (flag) (kimono_tenant_state{{{TENANT}}})", "flag", value="-1"), "{{flag}}")],
        {"1": ("On", UNKNOWN), "0": ("Off", FAINT)},
        no_value="Not known",
    )
    for flag, (text, colour) in MODES.items():
        mappings = [each.to_json() for each in value_mappings({"1": ("On", colour), "0": ("Off", FAINT)})]
        panel.override_by_name(flag, [Property("displayName", text), Property("mappings", mappings)])
    return panel


def unfinished_ingestions() -> Panel:
    """Unfinished ingestions over time, by type."""
    unfinished = numbered("kimono_ingestions", "state", UNFINISHED, "ingestion_type", f'state!~"{FINAL_STATES}"')
    return state_timeline_panel(
        "Ingestions under way",
        "A bar for hours, where others are short, is a stall: the hub has to end it.",
        [query(or_text(unfinished, "ingestion_type", NO_INGESTION, TENANT), "{{ingestion_type}}")],
        numbered_texts({state: (state, colour) for state, colour in UNFINISHED.items()}),
        no_value=NO_INGESTION,
    )


def finished_ingestions() -> Panel:
    """Outcomes of ingestions, by type."""
    increase = f"round(increase(kimono_ingestions_finished_total{{{TENANT}}}[$__rate_interval]))"
    panel = time_series_panel(
        "Ingestions that ended",
        "One bar is an hour or more. Red again and again: read the reason in the hub before you run it once more.",
        [query(f"max by (ingestion_type, state) ({increase}) > 0", "{{ingestion_type}} · {{state}}")],
        style=GraphDrawStyle.BARS,
        interval="1h",
        no_value="None has ended",
        decimals=0,
    )
    for state, colour in OUTCOMES.items():
        panel.override_by_regexp(f"/ · {state}$/", [fixed_colour(colour)])
    return panel
