"""Makes up storms: which alerts fire when so many tenants get into trouble for one cause, by the rules' thresholds.

A shortcut around the simulator and the rules. It reaches 3,000 tenants within seconds, and shows what routes and groups
do with the alerts. Whether the rules give these alerts is another question, which `recording.py` answers.

Times are seconds since the cause. Schedules are due on the hour, from 20:00 to 05:00.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from exporter.thresholds import DAY, HOUR, MINUTE, threshold
from tests.support.backtest.engine import Firing

_FOREVER = float("inf")
_DUE_HOURS = 10
_INTEGRATIONS = 8
# As in the simulator: so often the next tenant belongs to the customer of the last one.
_SAME_ACCOUNT = 0.45
# Rules of another group may be evaluated a minute later.
_EVALUATED_LATER = MINUTE
_RUN = 20 * MINUTE


@dataclass(frozen=True)
class Tenant:
    """A tenant in trouble. `due` is the hour of the night in which its schedule runs, from 0."""

    id: str
    account: str
    integration: str
    due: int


@dataclass(frozen=True)
class Storm:
    """The tenants that one cause concerns, and which share they are of those that they can be compared with."""

    tenants: Sequence[Tenant]
    share: float
    rng: Random


def tenants(count: int, seed: int = 1) -> list[Tenant]:
    """So many tenants of many customers."""
    rng = Random(f"{seed}/storm")  # noqa: S311 - repeatable numbers, no secrets
    found: list[Tenant] = []
    account = 0
    for number in range(count):
        if rng.random() >= _SAME_ACCOUNT:
            account += 1
        integration = f"product-{rng.randrange(_INTEGRATIONS)}"
        found.append(Tenant(f"t{number}", f"District {account}", integration, rng.randrange(_DUE_HOURS)))
    return found


def _firing(alert: str, severity: str, tenant: Tenant, since: float, until: float = _FOREVER) -> Firing:
    labels = {
        "severity": severity,
        "tenant_id": tenant.id,
        "tenant_name": f"Tenant {tenant.id}",
        "account_name": tenant.account,
        "integration": tenant.integration,
    }
    return Firing(alert, labels, _evaluated(since), until)


def _fleet(alert: str, since: float, severity: str = "critical", **labels: str) -> Firing:
    return Firing(alert, {"severity": severity, **labels}, _evaluated(since) + _EVALUATED_LATER, _FOREVER)


def _evaluated(at: float) -> float:
    """The next evaluation, once a minute."""
    return -(-at // MINUTE) * MINUTE


def _fleets(alert: str, storm: Storm, starts: Iterable[float], **labels: str) -> Iterator[Firing]:
    """The alert about the fleet, if the tenants are many enough: from the moment at which enough of them are."""
    fewest = int(threshold("fleet_tenants"))
    ordered = sorted(starts)
    if storm.share >= threshold("fleet_share") and len(ordered) >= fewest:
        yield _fleet(alert, ordered[fewest - 1], **labels)


def _overdue(storm: Storm, **labels: str) -> Iterator[Firing]:
    starts = [one.due * HOUR + threshold("sync_overdue") for one in storm.tenants]
    for one, since in zip(storm.tenants, starts, strict=True):
        yield _firing("KimonoSyncOverdue", "critical", one, since)
    yield from _fleets("KimonoFleetSyncsOverdue", storm, starts, **labels)


def _failing(storm: Storm, **labels: str) -> Iterator[Firing]:
    """Each night's run fails; what failed before is a critical alert in the second night."""
    ends = [one.due * HOUR + storm.rng.uniform(MINUTE, 2 * _RUN) for one in storm.tenants]
    for one, ended in zip(storm.tenants, ends, strict=True):
        yield _firing("KimonoIngestionsFailing", "warning", one, ended + threshold("ingestions_failing"))
    yield from _fleets("KimonoFleetIngestionsFailing", storm, ends, **labels)


def _failing_for_a_day(storm: Storm) -> Iterator[Firing]:
    for one in storm.tenants:
        ended = one.due * HOUR + storm.rng.uniform(MINUTE, 2 * _RUN)
        since = ended + threshold("ingestions_failing_critical")
        yield _firing("KimonoIngestionsFailing", "warning", one, HOUR)
        yield _firing("KimonoIngestionsFailing", "critical", one, since - DAY)
    yield from _fleets("KimonoFleetIngestionsFailing", storm, [HOUR] * len(storm.tenants))


def _stalled(storm: Storm) -> Iterator[Firing]:
    starts = [one.due * HOUR + storm.rng.uniform(0, _RUN) + threshold("ingestion_stalled") for one in storm.tenants]
    for one, since in zip(storm.tenants, starts, strict=True):
        yield _firing("KimonoIngestionStalled", "critical", one, since)
    yield from _fleets("KimonoFleetIngestionsStalled", storm, starts)


def _integration(storm: Storm) -> Iterator[Firing]:
    """The runs of one integration fail, and its application rejects the hub."""
    one_of_them = Storm([_of_product(one) for one in storm.tenants], 1.0, storm.rng)
    yield from _failing(one_of_them, integration="product-0")
    for one in one_of_them.tenants:
        since = storm.rng.uniform(0, 5 * MINUTE) + threshold("application_auth")
        yield _firing("KimonoApplicationAuthFailing", "warning", one, since)


def _of_product(one: Tenant) -> Tenant:
    return Tenant(one.id, one.account, "product-0", one.due)


def _of_one_customer(storm: Storm) -> Storm:
    return Storm([Tenant(one.id, "District 1", one.integration, one.due) for one in storm.tenants], 0.0, storm.rng)


def _cloud(storm: Storm) -> Iterator[Firing]:
    """One hub instance starts nothing, and what was under way never ends. A cloud belongs to one customer."""
    concerned = _of_one_customer(storm)
    half = len(storm.tenants) // 2
    yield from _overdue(Storm(concerned.tenants[:half], concerned.share, storm.rng))
    yield from _stalled(Storm(concerned.tenants[half:], concerned.share, storm.rng))


def _account(storm: Storm) -> Iterator[Firing]:
    """A customer has changed its credentials: its tenants reject the exporter, and its runs fail."""
    concerned = _of_one_customer(storm)
    yield from _credentials(concerned)
    yield from _failing(concerned)


def _many_unreachable(storm: Storm) -> bool:
    return storm.share >= threshold("tenants_unreachable")


def _api(storm: Storm) -> Iterator[Firing]:
    """The API answers 500: to all, or to those concerned."""
    if _many_unreachable(storm):
        yield _fleet("KimonoManyTenantsUnreachable", threshold("tenants_unreachable_after") + 5 * MINUTE)
        yield _fleet("KimonoDiscoveryFailing", 20 * MINUTE)
        yield _fleet("KimonoPollingBehind", 35 * MINUTE, "warning")
        return
    for one in storm.tenants:
        since = storm.rng.uniform(0, 5 * MINUTE) + threshold("tenant_unreachable")
        yield _firing("KimonoTenantUnreachable", "warning", one, since)


def _credentials(storm: Storm) -> Iterator[Firing]:
    """Credentials expire, those of many customers within four hours."""
    if _many_unreachable(storm):
        yield _fleet("KimonoManyTenantsUnreachable", 2 * HOUR)
    for one in storm.tenants:
        since = storm.rng.uniform(0, 4 * HOUR) + threshold("tenant_unreachable")
        until = since if _many_unreachable(storm) and since > 2 * HOUR else _FOREVER
        if until > since:
            yield _firing("KimonoTenantCredentialsRejected", "warning", one, since)


def _renamed(storm: Storm) -> Iterator[Firing]:
    """All tenants are renamed while they are overdue: their alerts keep the names until the trouble is over."""
    for one in storm.tenants:
        yield _firing("KimonoSyncOverdue", "critical", one, HOUR)


def _mass_change(storm: Storm) -> Iterator[Firing]:
    """After the summer import each hub holds back a large change, within six hours."""
    for one in storm.tenants:
        since = storm.rng.uniform(0, 6 * HOUR) + threshold("mass_change_pending")
        yield _firing("KimonoMassChangePending", "warning", one, since)


def _mass_change_for_a_day(storm: Storm) -> Iterator[Firing]:
    """No person has approved the changes by the next day."""
    for one in storm.tenants:
        since = storm.rng.uniform(0, 6 * HOUR) + threshold("mass_change_pending_critical")
        yield _firing("KimonoMassChangePending", "warning", one, DAY - HOUR)
        yield _firing("KimonoMassChangePending", "critical", one, since)


def _slowly(storm: Storm) -> Iterator[Firing]:
    """One tenant after the other stalls, over five hours."""
    starts = [number * 5 * HOUR / len(storm.tenants) for number in range(len(storm.tenants))]
    for one, since in zip(storm.tenants, starts, strict=True):
        yield _firing("KimonoIngestionStalled", "critical", one, since)
    yield from _fleets("KimonoFleetIngestionsStalled", storm, starts)


# What is at fault, in the order of the report.
CAUSES: dict[str, Callable[[Storm], Iterator[Firing]]] = {
    "scheduler": _overdue,
    "workers hang": _stalled,
    "workers fail": _failing,
    "workers fail, second night": _failing_for_a_day,
    "integration": _integration,
    "cloud": _cloud,
    "account": _account,
    "API": _api,
    "expired credentials": _credentials,
    "mass renaming": _renamed,
    "mass changes": _mass_change,
    "mass changes, next day": _mass_change_for_a_day,
    "slowly growing": _slowly,
}
# The fleet around the tenants in trouble, and the share that they are of it. The others are healthy.
FLEETS = {"no others": 1.0, "9 in 10 healthy": 0.1}
# For these causes, the share changes no alert.
_ALIKE = ("integration", "cloud", "account", "mass renaming", "mass changes", "mass changes, next day")
_OF_ALIKE = {"3 in 4 healthy": 0.25}


def fleets(cause: str) -> list[str]:
    """The fleets in which the cause gives different alerts."""
    return list(_OF_ALIKE if cause in _ALIKE else FLEETS)


def _share(fleet: str) -> float:
    return (FLEETS | _OF_ALIKE)[fleet]


def size(fleet: str, count: int) -> int:
    """How many tenants the fleet has in which so many are in trouble."""
    return round(count / _share(fleet))


def storm(cause: str, count: int, fleet: str) -> list[Firing]:
    """The alerts of a storm of so many tenants in a fleet, by their start."""
    rng = Random(f"{cause}/{count}")  # noqa: S311 - repeatable numbers, no secrets
    concerned = Storm(tenants(count), _share(fleet), rng)
    return sorted(CAUSES[cause](concerned), key=lambda one: one.since)


def known(firings: Iterable[Firing], rules: Path) -> list[Firing]:
    """Those alerts that the rules have. One about an integration needs a rule that tells integrations apart."""
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
    expressions: dict[str, str] = {}
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        expressions[rule["alert"]] = expressions.get(rule["alert"], "") + rule["expr"]
    return [
        one
        for one in firings
        if one.alert in expressions
        and (one.tenant_id or "integration" not in one.labels or "integration" in expressions[one.alert])
    ]
