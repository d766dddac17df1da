"""Defines the dashboard Kimono / Tenant: what happened to one tenant, and what is wrong with it now."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard

from dashboards.colours import EXPECTED, GOOD, MODES, RANK_TEXTS, WARN
from dashboards.frame import (
    ALERT_LINK,
    EXPORTER_LINK,
    LINK_PARAMETERS,
    Row,
    accounts,
    alert_annotations,
    annotation,
    dashboard,
    integrations,
    replicas,
    tenants,
)
from dashboards.panels import FROM_NOW, SECONDS, TIMESTAMP, Panel, link, stat_panel
from dashboards.queries import ANY_JOB, NAMES, NO_ALERT, TENANT, TENANT_HISTORY, label, ranked, uninhibited
from dashboards.tables import Column, table_panel
from dashboards.tenant_common import ONE_ROLLOVER, text_panel
from dashboards.tenant_details import (
    collectors,
    delivers_tasks,
    failures_over_time,
    product_access,
    product_access_over_time,
    product_access_since,
    rollovers,
    schedules,
    validates_tasks,
)
from dashboards.tenant_history import (
    alerts_over_time,
    finished_ingestions,
    ingestions,
    modes_over_time,
    runs_by_day,
    unfinished_ingestions,
)
from exporter.thresholds import threshold

UID = "kimono-tenant"
# Facts with a time, and their texts.
FACTS = {
    "tenant_failure_since": ("Collector failing", WARN),
    "ingestion_failing_since": ("Ingestions failing", WARN),
    "schedule_missed_since": ("Sync missed", WARN),
    "ingestion_oldest_unfinished_seen": ("Ingestion under way", EXPECTED),
    "rollover_failing_since": ("Rollover failing", WARN),
    "application_auth_state_since": ("Application authentication", WARN),
    "tenant_state_since": ("Paused", EXPECTED),
}
FACT_LABELS = {
    "collector": "Collector",
    "reason": "Reason",
    "ingestion_type": "Ingestion",
    "schedule_type": "Schedule",
    "flag": "Mode",
    "state": "State",
}
FLEET_LINK = link(
    "Open the fleet of this account",
    f"/d/kimono-fleet?var-account=${{__data.fields.account_name:percentencode}}&{LINK_PARAMETERS}",
)
ROLLOVERS_LINK = link(
    "Open the rollovers of this account",
    f"/d/kimono-rollovers?var-account=${{__data.fields.account_name:percentencode}}&{LINK_PARAMETERS}",
)


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Tenant",
        "What happened to this tenant? Choose it by name, or follow a link from an alert or from Kimono / Fleet.",
        [
            Row(7, [(15, current_facts()), (9, firing_alerts())]),
            Row(3, current_state()),
            Row(5, [(24, tenant_names())]),
            Row(7, [(12, alerts_over_time()), (12, modes_over_time())], "History"),
            Row(6, [(24, runs_by_day())]),
            Row(6, [(24, ingestions())], "Ingestions"),
            Row(7, [(12, unfinished_ingestions()), (12, finished_ingestions())]),
            Row(6, [(24, schedules())], "Schedules and rollovers"),
            Row(6, [(24, rollovers())]),
            Row(7, [(12, collectors()), (12, failures_over_time())], "Data collection"),
            Row(
                6,
                [
                    (4, product_access()),
                    (4, product_access_since()),
                    (4, delivers_tasks()),
                    (4, validates_tasks()),
                    (8, product_access_over_time()),
                ],
                "Application",
            ),
        ],
        variables=[accounts(), integrations(), tenants(), replicas(TENANT_HISTORY)],
        annotations=tenant_annotations(),
        since="now-7d",
    )


def tenant_annotations() -> list[AnnotationQuery]:
    """Regions in all panels over time: alerts, the rollover mode and planned rollovers."""
    in_rollover = f'kimono_tenant_state_since_timestamp_seconds{{{TENANT_HISTORY},flag="rollover_mode_enabled"}}'
    return [
        *alert_annotations(TENANT_HISTORY),
        annotation("Rollover mode", f"group by (job, tenant_id) ({in_rollover})", EXPECTED, "Rollover mode"),
        annotation("Planned rollovers", _open_rollovers(), "light-blue", "Planned: {{rollover_name}}"),
    ]


def _open_rollovers() -> str:
    """Rollovers whose window is open, by name."""
    opened = f"kimono_rollover_start_timestamp_seconds{{{TENANT_HISTORY}}} <= time()"
    not_over = f"kimono_rollover_end_timestamp_seconds{{{TENANT_HISTORY}}} > time()"
    named = f"group by ({ONE_ROLLOVER}, rollover_name) (kimono_rollover_info{{{TENANT_HISTORY}}})"
    return f"{named} and on ({ONE_ROLLOVER}) ({opened} and {not_over})"


def current_state() -> list[tuple[int, Panel]]:
    """The mode, whether the data are up to date, the last and the next run, and the credentials."""
    return [
        (4, mode()),
        (4, reachable()),
        (4, data_age()),
        (4, last_successful_run()),
        (4, next_run()),
        (4, credentials_age()),
    ]


def mode() -> Panel:
    """The mode that pauses the tenant."""
    since = f'kimono_tenant_state_since_timestamp_seconds{{{TENANT},flag=~"{"|".join(MODES)}"}}'
    active = label(f"group(kimono_tenant_state{{{TENANT}}})", "flag", "none")
    return text_panel(
        "Mode",
        "If the tenant is paused, no schedule runs and no sync is overdue. Modes over time show since when.",
        f"max by (flag) ({since}) or on () {active}",
        "flag",
        {"none": ("Active", GOOD), **MODES},
        no_value="Unknown",
    )


def reachable() -> Panel:
    """Whether all polls of the tenant succeed."""
    return stat_panel(
        "Reachable",
        "If not, the collectors below show what fails and why. The data of a failing collector are out of date.",
        f"max(kimono_tenant_up{{{TENANT}}})",
        texts={"0": ("No", WARN), "1": ("Yes", GOOD)},
        steps=[(None, WARN), (1, GOOD)],
    )


def data_age() -> Panel:
    """The age of the oldest data on the dashboard."""
    last_success = f'kimono_collector_last_success_timestamp_seconds{{{TENANT},collector!="scoping"}}'
    return stat_panel(
        "Data age",
        "Age of the oldest data on this dashboard. Rollovers are polled every 15 minutes. If it is above 30 minutes, "
        "check the collectors below.",
        f"max(time() - {last_success})",
        unit=SECONDS,
        steps=[(None, GOOD), (threshold("data_age"), WARN)],
        decimals=0,
        link=EXPORTER_LINK,
        no_value="Never polled",
    )


def last_successful_run() -> Panel:
    """The age of the roster."""
    run = f'{TENANT},ingestion_type=~"collection|bulk_load",state="success"'
    return stat_panel(
        "Last successful run",
        "Start of the last collection or bulk load that succeeded. Rosters are not newer: compare with what the school "
        "expects.",
        f"1000 * max(kimono_ingestion_last_started_timestamp_seconds{{{run}}})",
        unit=FROM_NOW,
        no_value="None seen",
    )


def next_run() -> Panel:
    """When the next run is due."""
    return stat_panel(
        "Next run due",
        "When a schedule is due next. If the tenant is paused, it will not run.",
        f"1000 * min(kimono_schedule_next_due_timestamp_seconds{{{TENANT}}})",
        unit=FROM_NOW,
    )


def credentials_age() -> Panel:
    """The age of the credentials."""
    return stat_panel(
        "Credentials changed",
        "When the hub last changed the tenant's credentials. If failures began at the same time, check the "
        "credentials.",
        f"1000 * max(kimono_tenant_credentials_updated_timestamp_seconds{{{TENANT}}})",
        unit=FROM_NOW,
    )


def tenant_names() -> table.Panel:
    """The tenant's names, with links to its account and product."""
    shown = f"{NAMES}, integration_version, cloud_name"
    who = f"group by ({shown}, tenant_id) (kimono_tenant_info{{{TENANT}}})"
    return table_panel(
        "Tenant",
        "Click the account for its other tenants, or the integration for the account's rollovers.",
        # An empty label would be a missing column.
        [f'label_replace({who}, "integration", "none", "integration", "")'],
        [
            Column("tenant_name", "Tenant", wrapped=True),
            Column("account_name", "Account", link=FLEET_LINK, wrapped=True),
            Column("integration", "Integration", link=ROLLOVERS_LINK),
            Column("integration_version", "Version", width=80),
            Column("cloud_name", "Cloud", wrapped=True),
            Column("tenant_id", "Id", width=310),
        ],
        dropped=["Value"],
        no_value="This tenant is not monitored",
    )


def current_facts() -> Panel:
    """Everything that is failing, missed, unfinished or paused, and since when."""
    names = "|".join(f"kimono_{name}_timestamp_seconds" for name in FACTS)
    facts = f'{{__name__=~"{names}",flag=~"|{"|".join(MODES)}",state!~"confirmed|updating",{TENANT}}}'
    named = f'label_replace({facts}, "fact", "$1", "__name__", "kimono_(.+)_timestamp_seconds")'
    return table_panel(
        "What is failing, missed, unfinished or paused",
        "The oldest first: it is most likely the cause. Not everything here is a problem: an alert fires when it has "
        "lasted for too long. For what to do, see the alert's runbook.",
        [f"1000 * max by (fact, {', '.join(FACT_LABELS)}) ({named})"],
        [
            Column("fact", "Fact", width=215, texts=FACTS, coloured=True),
            *(Column(name, title, texts=MODES if name == "flag" else {}) for name, title in FACT_LABELS.items()),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155, also="Began"),
        ],
        sort=[("Since", False)],
        no_value="Nothing, or unknown",
    )


def firing_alerts() -> Panel:
    """Firing alerts about the tenant and about the fleet."""
    concerned = uninhibited(f'{ANY_JOB},tenant_id=~"${{tenant:regex}}|"')
    about = f'label_replace({label(concerned, "about", "fleet")}, "about", "this tenant", "tenant_id", ".+")'
    return table_panel(
        "Firing alerts",
        "About this tenant, and about the whole fleet. Click a name for details.",
        [f"count by (alertname, rank, about) ({ranked(about)})"],
        [
            Column("rank", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("alertname", "Alert", link=ALERT_LINK),
            Column("about", "About", width=110),
        ],
        dropped=["Value"],
        sort=[("Severity", False)],
        no_value=NO_ALERT,
    )
