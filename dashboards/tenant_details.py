"""Defines the panels of Kimono / Tenant about schedules, rollovers, failures and the application."""

from __future__ import annotations

from dashboards.colours import AUTH_STATES, GOOD, REASONS, UNKNOWN, WARN
from dashboards.panels import FROM_NOW, TIMESTAMP, Panel, stat_panel
from dashboards.queries import TENANT, TENANT_HISTORY, placeholder
from dashboards.tables import Column, table_panel
from dashboards.tenant_common import newest, text_panel, timeline

NO_SCHEDULE = "No schedule, or unknown"
NO_ROLLOVER = "No rollover, or unknown"
NO_APPLICATION = "No application, or unknown"
LATE = [(None, "transparent"), (1, WARN)]

# Schedules and rollovers


def schedules() -> Panel:
    """The schedules: when they are due, and when they last started."""
    labels = ("schedule_id", "schedule_type")
    return table_panel(
        "Schedules",
        "Hours and days are in UTC. A start says nothing about the outcome: see the ingestions above. If a run was "
        "missed more than two hours ago, ask the hub's support why it did not start.",
        [
            placeholder(_schedule_info(), "schedule_type", NO_SCHEDULE),
            newest("kimono_schedule_enabled", *labels),
            f"1000 * {newest('kimono_schedule_last_executed_timestamp_seconds', *labels)}",
            f"1000 * {newest('kimono_schedule_last_due_timestamp_seconds', *labels)}",
            f"1000 * {newest('kimono_schedule_next_due_timestamp_seconds', *labels)}",
            f"1000 * {newest('kimono_schedule_active_since_timestamp_seconds', *labels)}",
            f"1000 * {newest('kimono_schedule_missed_since_timestamp_seconds', *labels)}",
        ],
        [
            Column("schedule_type", "Type"),
            Column("hour", "Hour (UTC)", width=95),
            Column("days", "Days", wrapped=True),
            Column("Value #B", "Enabled", width=75, texts={"1": ("yes", GOOD), "0": ("no", UNKNOWN)}, coloured=True),
            Column("Value #C", "Last start", unit=TIMESTAMP, width=155),
            Column("Value #D", "Last due", unit=TIMESTAMP, width=155),
            Column("Value #E", "Next due", unit=TIMESTAMP, width=155, also="Next due in"),
            Column("Value #F", "Active since", unit=TIMESTAMP, width=155, no_value="paused or off"),
            Column("Value #G", "Missed since", unit=TIMESTAMP, width=155, steps=LATE, coloured=True),
        ],
        dropped=["schedule_id", "Value #A"],
        sort=[("Type", False)],
        no_value=NO_SCHEDULE,
    )


def _schedule_info() -> str:
    """The schedules. An empty label would be a missing column."""
    info = f"group by (schedule_id, schedule_type, hour, days) (kimono_schedule_info{{{TENANT}}})"
    return f'label_replace({info}, "days", "every day", "days", "")'


def rollovers() -> Panel:
    """The rollovers: windows, status and failures."""
    info = f"group by (rollover_id, rollover_name, rollover_type) (kimono_rollover_info{{{TENANT}}})"
    return table_panel(
        "Rollovers",
        "During a window the tenant is paused, as planned. If a window has started and the status is still upcoming, "
        "or it has ended and rollover mode is on, ask the hub's support.",
        [
            placeholder(info, "rollover_name", NO_ROLLOVER),
            f"group by (rollover_id, status) (kimono_rollover_status{{{TENANT}}})",
            f"1000 * {newest('kimono_rollover_start_timestamp_seconds', 'rollover_id')}",
            f"1000 * {newest('kimono_rollover_end_timestamp_seconds', 'rollover_id')}",
            newest("kimono_rollover_status_change_failures", "rollover_id"),
            f"group by (rollover_id, reason) (kimono_rollover_failure_info{{{TENANT}}})",
            f"1000 * {newest('kimono_rollover_failing_since_timestamp_seconds', 'rollover_id')}",
        ],
        [
            Column("rollover_name", "Name"),
            Column("rollover_type", "Type", width=110),
            Column("status", "Status", width=110),
            Column("Value #C", "Start", unit=TIMESTAMP, width=155, also="Starts"),
            Column("Value #D", "End", unit=TIMESTAMP, width=155, also="Ends"),
            Column("Value #E", "Failures", width=80, steps=LATE, coloured=True),
            Column("Value #G", "Failing since", unit=TIMESTAMP, width=155),
            Column("reason", "Reason", width=170),
        ],
        dropped=["rollover_id", "Value #A", "Value #B", "Value #F"],
        sort=[("Start", True)],
        no_value=NO_ROLLOVER,
    )


# Failures


def collectors() -> Panel:
    """The last failure and the last success of each collector."""
    last_success = newest("kimono_collector_last_success_timestamp_seconds", "collector")
    since = f"min by (collector, reason) (kimono_tenant_failure_since_timestamp_seconds{{{TENANT}}})"
    return table_panel(
        "Collectors",
        "Data of a failing collector expire after three of its intervals. auth on one tenant: update its credentials. "
        "All collectors of many tenants: check the hub and the network.",
        [placeholder(f"1000 * {last_success}", "collector", "Never polled"), f"1000 * {since}"],
        [
            Column("collector", "Collector"),
            Column(
                "reason",
                "Failing with",
                width=140,
                texts={name: (name, REASONS[name]) for name in REASONS},
                coloured=True,
            ),
            Column("Value #B", "Failing since", unit=TIMESTAMP, width=155),
            Column("Value #A", "Last success", unit=TIMESTAMP, width=155, also="Age"),
        ],
        sort=[("Collector", False)],
        no_value="Never polled",
    )


def failures_over_time() -> Panel:
    """The history of failures by collector."""
    return timeline(
        "Failures by collector",
        "In the colour of the reason. If all collectors fail at once, check the tenant's credentials and the hub.",
        f"kimono_tenant_failure_info{{{TENANT_HISTORY}}}",
        ("collector", "reason"),
        {reason: (reason, colour) for reason, colour in REASONS.items()},
        none="No failure",
        no_value="Unknown",
    )


# Application


def product_access() -> Panel:
    """The hub's access to the product behind the integration."""
    return text_panel(
        "Application authentication",
        "If it is error, the application rejects the hub and receives no data: ask its owner to renew the credentials.",
        f"max by (state) (kimono_application_auth_state{{{TENANT}}})",
        "state",
        AUTH_STATES,
        no_value=NO_APPLICATION,
    )


def product_access_since() -> Panel:
    """Since when the state of the authentication has been the same."""
    return stat_panel(
        "In this state since",
        "Compare with the time of the tenant's last credentials and with changes of the application.",
        f"1000 * max(kimono_application_auth_state_since_timestamp_seconds{{{TENANT}}})",
        unit=FROM_NOW,
        no_value=NO_APPLICATION,
    )


def delivers_tasks() -> Panel:
    """Whether the product receives the data."""
    return _boolean_panel(
        "Tasks delivered",
        "If not, the application receives no data: ask its owner whether this is intended.",
        "deliver",
    )


def validates_tasks() -> Panel:
    """Whether the product validates what it receives."""
    return _boolean_panel(
        "Tasks validated",
        "If not, the application accepts data without validation: ask its owner whether this is intended.",
        "validate",
    )


def _boolean_panel(title: str, description: str, what: str) -> Panel:
    return stat_panel(
        title,
        description,
        f"max(kimono_application_{what}_tasks{{{TENANT}}})",
        texts={"0": ("No", UNKNOWN), "1": ("Yes", GOOD)},
        steps=[(None, UNKNOWN), (1, GOOD)],
        no_value=NO_APPLICATION,
    )


def product_access_over_time() -> Panel:
    """The history of the hub's access to the product."""
    return timeline(
        "Application authentication over time",
        "When did it change? Compare with the age of the credentials, and with changes of the application.",
        f"kimono_application_auth_state{{{TENANT_HISTORY}}}",
        ("auth_type", "state"),
        AUTH_STATES,
        none="No application",
        no_value=NO_APPLICATION,
    )
