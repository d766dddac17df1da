"""Defines the panels of Kimono / Tenant about schedules, rollovers, failures and the application."""

from __future__ import annotations

from dashboards.colours import AUTH_STATES, GOOD, REASONS, UNKNOWN, WARN
from dashboards.panels import SECONDS, TIMESTAMP, Column, Panel, query, stat_panel, state_timeline_panel, table_panel
from dashboards.queries import TENANT, or_placeholder, or_text
from dashboards.tenant_common import NONE, numbered, numbered_texts, text_panel

# Schedules and rollovers


def schedules() -> Panel:
    """The schedules: when they are due, and when they last started."""
    executed = _schedule("kimono_schedule_last_executed_timestamp_seconds")
    due = _schedule("kimono_schedule_last_due_timestamp_seconds")
    following = _schedule("kimono_schedule_next_due_timestamp_seconds")
    return table_panel(
        "Schedules",
        "Hours and days are UTC's, so that local times move with the clocks. Started says nothing about how it ended. "
        "Due before it was last started: it ran.",
        [
            or_placeholder(_schedule_info(), "schedule_type", NONE),
            _schedule("kimono_schedule_enabled"),
            f"{executed} * 1000",
            f"time() - {executed}",
            f"{due} * 1000",
            f"{following} * 1000",
            f"{following} - time()",
        ],
        [
            Column("schedule_type", "Type"),
            Column("hour", "Hour (UTC)", width=95),
            Column("days", "Days", wrapped=True),
            Column("Value #B", "On", width=60, texts={"1": ("yes", GOOD), "0": ("no", UNKNOWN)}, coloured=True),
            Column("Value #C", "Last started", unit=TIMESTAMP, width=155),
            Column("Value #D", "Ago", unit=SECONDS, width=90),
            Column("Value #E", "Last due", unit=TIMESTAMP, width=155),
            Column("Value #F", "Next due", unit=TIMESTAMP, width=155),
            Column("Value #G", "In", unit=SECONDS, width=90),
        ],
        dropped=["schedule_id", "Value #A"],
        sort=[("Type", False)],
    )


def _schedule_info() -> str:
    """The schedules. An empty label would be a missing column."""
    info = f"group by (schedule_id, schedule_type, hour, days) (kimono_schedule_info{{{TENANT}}})"
    return f'label_replace({info}, "days", "every day", "days", "")'


def _schedule(metric: str) -> str:
    return f"max by (schedule_id, schedule_type) ({metric}{{{TENANT}}})"


def rollovers() -> Panel:
    """The rollovers: windows, status and failures."""
    planned = f"group by (rollover_id, rollover_name, rollover_type) (kimono_rollover_info{{{TENANT}}})"
    start = _rollover("kimono_rollover_start_timestamp_seconds")
    end = _rollover("kimono_rollover_end_timestamp_seconds")
    return table_panel(
        "Rollovers",
        "Within a window it is paused, as planned. Begun and still upcoming, or over and still in rollover: ask the "
        "hub. Times in minus are past.",
        [
            or_placeholder(planned, "rollover_name", NONE),
            f"group by (rollover_id, status) (kimono_rollover_status{{{TENANT}}})",
            f"{start} * 1000",
            f"{start} - time()",
            f"{end} * 1000",
            f"{end} - time()",
            _rollover("kimono_rollover_status_change_failures"),
            f"group by (rollover_id, reason) (kimono_rollover_failure_info{{{TENANT}}})",
        ],
        [
            Column("rollover_name", "Name"),
            Column("rollover_type", "Type", width=110),
            Column("status", "Status", width=110),
            Column("Value #C", "Start", unit=TIMESTAMP, width=160),
            Column("Value #D", "Starts in", unit=SECONDS, width=110),
            Column("Value #E", "End", unit=TIMESTAMP, width=160),
            Column("Value #F", "Ends in", unit=SECONDS, width=110),
            Column("Value #G", "Failures", width=80, steps=[(None, "transparent"), (1, WARN)], coloured=True),
            Column("reason", "Why it failed", width=190),
        ],
        dropped=["rollover_id", "Value #A", "Value #B", "Value #H"],
        sort=[("Start", True)],
    )


def _rollover(metric: str) -> str:
    return f"max by (rollover_id) ({metric}{{{TENANT}}})"


# Failures


def collectors() -> Panel:
    """The last failure and the last success of each collector."""
    last_success = f"max by (collector) (kimono_collector_last_success_timestamp_seconds{{{TENANT}}})"
    fails = f"group by (collector, reason) (kimono_tenant_failure_info{{{TENANT}}})"
    well = f'label_replace(0 * {last_success}, "reason", "none", "", "")'
    return table_panel(
        "Parts of the picture",
        "One that fails keeps its last values for three of its intervals, then they vanish. 'auth' alone is the "
        "tenant's credentials; all of them at once, and for others too, is the hub.",
        [f"{fails} or on (collector) {well}", f"{last_success} * 1000", f"time() - {last_success}"],
        [
            Column("collector", "Part"),
            Column(
                "reason",
                "Fails with",
                width=140,
                texts={"none": ("nothing", GOOD), **{name: (name, colour) for name, colour in REASONS.items()}},
                coloured=True,
            ),
            Column("Value #B", "Last read", unit=TIMESTAMP, width=170),
            Column("Value #C", "Ago", unit=SECONDS, width=110),
        ],
        dropped=["Value #A"],
        sort=[("Part", False)],
        no_value="Never read",
    )


def failures_over_time() -> Panel:
    """The history of failures by collector."""
    failing = numbered("kimono_tenant_failure_info", "reason", REASONS, "collector")
    return state_timeline_panel(
        "Failures to read it",
        "By part, in the colour of the reason. All parts at once: the credentials, or the hub.",
        [query(or_text(failing, "collector", "No failure", TENANT), "{{collector}}")],
        numbered_texts({reason: (reason, colour) for reason, colour in REASONS.items()}),
        no_value="None",
    )


# Application


def product_access() -> Panel:
    """The hub's access to the product behind the integration."""
    return text_panel(
        "Access to the product",
        "On error the product rejects the hub, and nothing is delivered: its owner has to renew the access.",
        f"max by (state) (kimono_application_auth_state{{{TENANT}}})",
        "state",
        AUTH_STATES,
        no_value="No product, or not read",
    )


def delivers_tasks() -> Panel:
    """Whether the product receives the data."""
    return _boolean_panel("Tasks are delivered", "If not, the product gets nothing. Is that meant?", "deliver")


def validates_tasks() -> Panel:
    """Whether the product validates what it receives."""
    return _boolean_panel(
        "Tasks are validated", "If not, the product takes what it gets unchecked. Is that meant?", "validate"
    )


def _boolean_panel(title: str, description: str, what: str) -> Panel:
    return stat_panel(
        title,
        description,
        f"max(kimono_application_{what}_tasks{{{TENANT}}})",
        texts={"0": ("No", UNKNOWN), "1": ("Yes", GOOD)},
        steps=[(None, UNKNOWN), (1, GOOD)],
        no_value="No product, or not read",
    )


def product_access_over_time() -> Panel:
    """The history of the hub's access to the product."""
    access_states = numbered("kimono_application_auth_state", "state", AUTH_STATES, "auth_type")
    return state_timeline_panel(
        "Access to the product, over time",
        "Since when? Compare with the age of the credentials, and with the product's own changes.",
        [query(or_text(access_states, "auth_type", "No product", TENANT), "{{auth_type}}")],
        numbered_texts(AUTH_STATES),
        no_value="No product, or not read",
    )
