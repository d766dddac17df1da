"""Defines the dashboard Kimono / Tenant: what happened to one tenant, and what is wrong with it now."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard

from dashboards.colours import (
    ALERT_TEXTS,
    EXPECTED,
    GOOD,
    MANY_UNREACHABLE,
    MANY_UNREACHABLE_TEXT,
    MODES,
    NO_PROBLEM,
    NOT_KNOWN,
    PROBLEM_TEXTS,
    PROBLEMS,
    RANK_TEXTS,
    RANKS,
    WARN,
)
from dashboards.frame import (
    EXPORTER_LINK,
    LINK_PARAMETERS,
    RUNBOOK_LINK,
    Row,
    accounts,
    alert_annotations,
    annotation,
    dashboard,
    integrations,
    tenants,
)
from dashboards.panels import SECONDS, TIMESTAMP, Column, Panel, link, stat_panel, table_panel
from dashboards.queries import (
    ANY_JOB,
    NAMES,
    RANK_WEIGHT,
    TENANT,
    many_unreachable,
    or_summary,
    or_text,
    problems,
    rank,
    score,
    uninhibited,
    with_rank,
)
from dashboards.tenant_common import FULL_RUN, ONE_ROLLOVER, ONE_SCHEDULE, text_panel
from dashboards.tenant_details import (
    collectors,
    delivers_tasks,
    failures_over_time,
    product_access,
    product_access_over_time,
    rollovers,
    schedules,
    validates_tasks,
)
from dashboards.tenant_history import (
    finished_ingestions,
    modes_over_time,
    problems_over_time,
    runs_by_day,
    unfinished_ingestions,
)

UID = "kimono-tenant"
FLEET_LINK = link(
    "The fleet of this account",
    f"/d/kimono-fleet?var-account=${{__data.fields.account_name:percentencode}}&{LINK_PARAMETERS}",
)
ROLLOVERS_LINK = link(
    "Rollovers of this account",
    f"/d/kimono-rollovers?var-account=${{__data.fields.account_name:percentencode}}&{LINK_PARAMETERS}",
)


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Tenant",
        "What happened to this tenant? Pick it by name, or come from an alert or from Kimono / Fleet.",
        [
            Row(4, current_state()),
            Row(3, ages_and_next_run()),
            Row(7, [(13, current_problems()), (11, firing_alerts())]),
            Row(5, [(24, tenant_names())]),
            Row(6, [(24, runs_by_day())], "What happened, and when"),
            Row(7, [(12, problems_over_time()), (12, modes_over_time())]),
            Row(7, [(12, unfinished_ingestions()), (12, finished_ingestions())]),
            Row(6, [(24, schedules())], "Schedules and rollovers"),
            Row(6, [(24, rollovers())]),
            Row(7, [(12, collectors()), (12, failures_over_time())], "Can it be read?"),
            Row(
                6,
                [(5, product_access()), (5, delivers_tasks()), (5, validates_tasks()), (9, product_access_over_time())],
                "Application",
            ),
        ],
        variables=[accounts(), integrations(), tenants()],
        annotations=tenant_annotations(),
        since="now-7d",
    )


def tenant_annotations() -> list[AnnotationQuery]:
    """Regions in all panels over time: alerts, the rollover mode and planned rollovers."""
    in_rollover = f'kimono_tenant_state{{{TENANT},flag="rollover_mode_enabled"}}'
    return [
        *alert_annotations(TENANT),
        annotation("In rollover", f"max by (job, tenant_id) ({in_rollover}) == 1", EXPECTED, "In rollover"),
        annotation("Planned rollovers", _open_rollovers(), "light-blue", "Planned: {{rollover_name}}"),
    ]


def _open_rollovers() -> str:
    """Rollovers whose window is open, by name."""
    named = f"group by ({ONE_ROLLOVER}, rollover_name) (kimono_rollover_info{{{TENANT}}})"
    opened = f"max by ({ONE_ROLLOVER}) (kimono_rollover_start_timestamp_seconds{{{TENANT}}}) <= time()"
    not_over = f"max by ({ONE_ROLLOVER}) (kimono_rollover_end_timestamp_seconds{{{TENANT}}}) > time()"
    return f"{named} and on ({ONE_ROLLOVER}) {opened} and on ({ONE_ROLLOVER}) {not_over}"


def current_state() -> list[tuple[int, Panel]]:
    """The worst problem, the mode, and whether the data are up to date."""
    return [(8, worst_problem()), (6, mode()), (5, reachable()), (5, data_age())]


def ages_and_next_run() -> list[tuple[int, Panel]]:
    """Ages of the last run and of the credentials, and when the next run is due."""
    return [(8, last_successful_run()), (8, next_run()), (8, credentials_age())]


def worst_problem() -> Panel:
    """The worst current problem, as text."""
    worst_now = f"topk(1, {score(TENANT)})"
    # Scores of whole ranks.
    others = f"{many_unreachable('problem', TENANT)} * {RANK_WEIGHT}"
    return text_panel(
        "Worst problem now",
        "Red is what wakes somebody. The table below has all of them. Nothing is wrong here, and an alert fires: it "
        "may be about to end.",
        or_text(f"({worst_now} or on () {others})", "problem", NO_PROBLEM, TENANT),
        "problem",
        {
            NO_PROBLEM: (NO_PROBLEM, GOOD),
            MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT,
            **{problem.name: (problem.text, problem.colour) for problem in PROBLEMS},
        },
        no_value=NOT_KNOWN,
        steps=[(None, GOOD), *((number * RANK_WEIGHT, RANKS[number][1]) for number in sorted(RANKS))],
    )


def mode() -> Panel:
    """The mode that pauses the tenant."""
    known = f"kimono_tenant_state{{{TENANT}}}"
    active = f'label_replace(group({known}), "flag", "none", "", "")'
    return text_panel(
        "Mode",
        "While it is paused nothing is collected by schedule, and nothing is overdue.",
        f"max by (flag) ({known}) == 1 or on () {active}",
        "flag",
        {"none": ("Active", GOOD), **MODES},
        no_value="Not known",
    )


def reachable() -> Panel:
    """Whether all polls of the tenant succeed."""
    return stat_panel(
        "Can be read",
        "If not: 'Can it be read?' below says which part fails and why. What is shown of that part is old.",
        f"max(kimono_tenant_up{{{TENANT}}})",
        texts={"0": ("No", WARN), "1": ("Yes", GOOD)},
        steps=[(None, WARN), (1, GOOD)],
    )


def data_age() -> Panel:
    """The age of the oldest data on the dashboard."""
    last_success = f'kimono_collector_last_success_timestamp_seconds{{{TENANT},collector!="scoping"}}'
    return stat_panel(
        "Picture age",
        "The oldest part of what is shown here. Rollovers are read every 15 minutes; more than 30 is too old to trust.",
        f"max(time() - max by (job, tenant_id, collector) ({last_success}))",
        unit=SECONDS,
        steps=[(None, GOOD), (1800, WARN)],
        decimals=0,
        link=EXPORTER_LINK,
        no_value="Never read",
    )


def last_successful_run() -> Panel:
    """The age of the roster."""
    return stat_panel(
        "Last good run",
        "So long ago the newest whole run that ended well was started. The roster is no newer than that.",
        f"time() - max(kimono:ingestion_last_success:timestamp_seconds{{{TENANT},{FULL_RUN}}})",
        unit=SECONDS,
        decimals=1,
        no_value="None seen",
    )


def next_run() -> Panel:
    """When the next run is due."""
    due = f"kimono_schedule_next_due_timestamp_seconds{{{TENANT}}}"
    return stat_panel(
        "Next run due in",
        "When a schedule is due next. While the tenant is paused it will not run.",
        f"min(max by ({ONE_SCHEDULE}) ({due})) - time()",
        unit=SECONDS,
        decimals=1,
        no_value="Not known",
    )


def credentials_age() -> Panel:
    """The age of the credentials."""
    return stat_panel(
        "Credentials' age",
        "When the hub last changed them. New ones and trouble at the same time are one story.",
        f"time() - max(kimono_tenant_credentials_updated_timestamp_seconds{{{TENANT}}})",
        unit=SECONDS,
        decimals=0,
        no_value="Not known",
    )


def tenant_names() -> table.Panel:
    """The tenant's names, with links to its account and product."""
    shown = f"{NAMES}, integration_version, cloud_name"
    who = f"group by ({shown}, tenant_id) (kimono_tenant_info{{{TENANT}}})"
    return table_panel(
        "Who it is",
        "Click the account for its other tenants, the product's name for its rollovers.",
        # An empty label would be a missing column.
        [f'label_replace({who}, "integration", "no product", "integration", "")'],
        [
            Column("tenant_name", "Tenant", wrapped=True),
            Column("account_name", "Account", link=FLEET_LINK, wrapped=True),
            Column("integration", "Integration", link=ROLLOVERS_LINK),
            Column("integration_version", "Version", width=80),
            Column("cloud_name", "Cloud", wrapped=True),
            Column("tenant_id", "Id", width=310),
        ],
        dropped=["Value"],
        no_value="No list of tenants names it",
    )


def current_problems() -> Panel:
    """All current problems."""
    since = problems(where=TENANT)
    return table_panel(
        "What is wrong, and since when",
        "Begin with the worst. What began at the same time is mostly one story.",
        [
            or_summary(rank(TENANT), "problem", TENANT),
            f"{since} * 1000",
            f"time() - {since}",
        ],
        [
            Column("Value #A", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("problem", "What is wrong", texts=PROBLEM_TEXTS, wrapped=True),
            Column("Value #B", "Since", unit=TIMESTAMP, width=160),
            Column("Value #C", "For", unit=SECONDS, width=110),
        ],
        dropped=["job", "tenant_id", *NAMES.split(", ")],
        sort=[("Severity", True), ("For", True)],
    )


def firing_alerts() -> Panel:
    """Firing alerts about the tenant and about the fleet."""
    concerned = uninhibited(f'{ANY_JOB},tenant_id=~"${{tenant:regex}}|"')
    about = f'label_replace({concerned}, "about", "the fleet", "tenant_id", "")'
    about = f'label_replace({about}, "about", "this tenant", "tenant_id", ".+")'
    return table_panel(
        "Alerts that are firing",
        "For this tenant, and for the whole fleet. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank, about) ({with_rank(about)})"],
        [
            Column("rank", "Severity", width=105, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", link=RUNBOOK_LINK),
            Column("about", "About", width=110),
        ],
        dropped=["Value"],
        sort=[("Severity", False)],
        no_value="No alert is firing",
    )
