"""Says in one sentence how the exporter and its tenants are."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.issues import KINDS
from exporter.web.formats import format_duration
from exporter.web.snapshot import Snapshot

# If at least one tenant in so many can't be polled, the cause is probably not the tenants.
MANY_FAILING = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """The state in one sentence; `level` is `good`, `waiting`, `warning` or `bad`."""

    level: str
    text: str


def summarize(snapshot: Snapshot) -> Summary:
    """Return the first sentence that applies: problems that hide others stand first."""
    status, failing = snapshot.status, snapshot.tenants_failing
    tenants, critical, info = status.tenants, _critical(snapshot), snapshot.tenants_by_worst["info"]
    count = "1 tenant" if tenants == 1 else f"{tenants:,} tenants"
    many = "bad" if failing * MANY_FAILING >= tenants else "warning"
    overdue = max((each.lag for each in status.collectors if each.lag > each.interval), default=0.0)
    fleet = status.fleet[0] if status.fleet else None
    sentences = (
        (not status.healthy, "bad", "Polling has stopped"),
        (status.discovery.ok is False, "bad", "Tenant discovery is failing"),
        (not status.ready, "waiting", "Starting: not every tenant has been polled yet"),
        (fleet, "bad", f"{fleet.tenants:,} of {count}: {KINDS[fleet.kind]}" if fleet else ""),
        (critical, "bad", f"{critical:,} of {count} {_have(critical)} a critical problem"),
        (failing, many, f"{failing:,} of {count} can't be polled"),
        (snapshot.account_fails, "warning", "Polling of the account is failing"),
        (_warned(snapshot), "warning", f"{_warned(snapshot):,} of {count} {_have(_warned(snapshot))} a problem"),
        (
            not tenants and status.discovery.elsewhere,
            "good",
            f"No tenants{status.discovery.shard.suffix}: all belong to others",
        ),
        (not tenants, "warning", "No tenants found"),
        (overdue, "warning", f"Polling is {format_duration(overdue)} behind schedule"),
        (info, "good", f"{info:,} of {count} {_have(info)} a problem of severity info"),
        (True, "good", f"{count}, all up to date"),
    )
    return next(Summary(level, text) for applies, level, text in sentences if applies)


def _critical(snapshot: Snapshot) -> int:
    return snapshot.tenants_by_worst["critical"]


def _warned(snapshot: Snapshot) -> int:
    return snapshot.tenants_by_worst["warning"]


def _have(tenants: int) -> str:
    return "has" if tenants == 1 else "have"
