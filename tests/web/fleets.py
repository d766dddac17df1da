"""Makes up fleets of tenants for the tests of the status pages, and a tenant with all that a page can show."""

from __future__ import annotations

from dataclasses import replace

from exporter.status import Failure, FleetProblem, Problem, Severity, Status, TenantStatus
from exporter.tenant_details import (
    ApplicationDetails,
    CollectorDetails,
    FailingIngestions,
    Flag,
    IngestionsDetails,
    LastIngestion,
    Listed,
    RolloverDetails,
    ScheduleDetails,
    TenantDetails,
    UnfinishedIngestion,
)
from tests.web.serving import CALM, NOW

HOUR = 3600.0
COLLECTORS = ("state", "ingestions", "schedules", "rollovers", "application")


def tenant(
    name: str,
    *what: Problem | Failure,
    ident: str | None = None,
    account: str = "District",
    integration: str = "canopy",
) -> TenantStatus:
    """A tenant with these problems and failures."""
    return TenantStatus(
        id=f"id of {name}" if ident is None else ident,
        name=name,
        account_name=account,
        integration=integration,
        integration_version="1.8.2" if integration else "",
        polled=COLLECTORS,
        failures=tuple(each for each in what if isinstance(each, Failure)),
        problems=tuple(each for each in what if isinstance(each, Problem)),
    )


def problem(kind: str = "overdue", severity: Severity = "critical", hours: float = 3.0) -> Problem:
    """A problem that began so many hours ago."""
    return Problem(kind, severity, NOW - hours * HOUR)


def fails(collector: str = "state", reason: str = "auth", hours: float = 1.0) -> Failure:
    """A failure that began so many hours ago."""
    return Failure(collector, reason, "the API returned HTTP 401: it refused the credentials", NOW - hours * HOUR)


def fleet(*tenants: TenantStatus, more: int = 0, problems: tuple[FleetProblem, ...] = ()) -> Status:
    """These tenants, and `more` without problems."""
    healthy = tuple(tenant(f"Healthy {number:05}", account="Calm District") for number in range(more))
    return replace(
        CALM,
        tenants=sum(bool(each.id) for each in tenants) + more,
        failing=tuple(each for each in tenants if each.failures),
        with_problems=tuple(each for each in tenants if each.problems),
        working=(*(each for each in tenants if not each.failures and not each.problems), *healthy),
        fleet=problems,
    )


def large_fleet(tenants: int) -> Status:
    """A fleet in trouble: an integration whose syncs are overdue, rejected credentials, and single problems."""
    singles = ("stalled", "mass_change", "rollover_stuck", "setup", "stale", "failing")
    severities: tuple[Severity, ...] = ("critical", "warning", "warning", "info", "warning", "critical")
    found = []
    for number in range(tenants):
        name, account = f"Hickory Bay {number:05} - Canopy LMS", f"District {number // 4:04}"
        what: list[Problem | Failure] = []
        if number % 10 == 0:
            what.append(problem("overdue", hours=5 + number % 7 / 10))
        if number % 97 == 3:
            what += [problem("credentials_rejected", "warning", 2), *(fails(each, hours=2) for each in COLLECTORS)]
        if number % 61 == 5:
            which = number // 61 % len(singles)
            what.append(problem(singles[which], severities[which], 1 + number % 30))
        found.append(tenant(name, *what, account=account, integration=("canopy-lms", "quillroom")[number % 10 > 0]))
    return fleet(*found)


def details(status: TenantStatus, entries: int = 1) -> TenantDetails:
    """All that can be known of a tenant, with so many entries in each list."""
    numbers = range(entries)
    return TenantDetails(
        now=NOW,
        status=status,
        account_id="account-1",
        cloud_id="cloud-1",
        cloud_name="Springfield Hub",
        credentials_updated_at=NOW - 900 * HOUR,
        paused_by=("mass_change_pending",),
        last_paused=NOW - 50 * HOUR,
        last_run=NOW - 22 * HOUR,
        collectors=tuple(
            CollectorDetails(name, any(each.collector == name for each in status.failures), 60.0, NOW - 20, NOW + 40)
            for name in COLLECTORS
        ),
        flags=Listed.of([Flag("mass_change_pending", True, NOW - 30 * HOUR), Flag("setup_mode_enabled", False, None)]),  # noqa: FBT003 - the state of a flag
        ingestions=IngestionsDetails(
            unfinished=Listed.of(
                [UnfinishedIngestion("collection", "executing", NOW - 8 * HOUR, NOW - 7 * HOUR) for _ in numbers]
            ),
            failing=Listed.of([FailingIngestions("event_bundle", NOW - 40 * HOUR) for _ in numbers]),
            last=Listed.of([LastIngestion("collection", "success", NOW - 30 * HOUR, 7) for _ in numbers]),
        ),
        schedules=Listed.of(
            [
                ScheduleDetails(
                    id=f"schedule-{number}",
                    type="collection",
                    enabled=True,
                    hour=3,
                    days="MTWRF",
                    last_executed_at=NOW - 45 * HOUR,
                    last_due=NOW - 21 * HOUR,
                    next_due=NOW + 3 * HOUR,
                    active_since=NOW - 500 * HOUR,
                    missed_since=NOW - 21 * HOUR,
                )
                for number in numbers
            ]
        ),
        rollovers=Listed.of(
            [
                RolloverDetails(
                    id=f"rollover-{number}",
                    name="New school year",
                    type="full",
                    status="ongoing",
                    start=NOW - 60 * HOUR,
                    end=NOW + 60 * HOUR,
                    status_change_failures=4,
                    failure_reason="hub_busy",
                    failing_since=NOW - 9 * HOUR,
                )
                for number in numbers
            ]
        ),
        application=ApplicationDetails("confirmed", NOW - 700 * HOUR),
    )
