"""Breaks the simulated hub for many tenants at once: its scheduler, its workers, an integration, a cloud, an account.

Each function begins a storm now, and returns the one that ends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from exporter.simulator import Simulator
from exporter.simulator.inventory import Tenant

# The share of runs that a broken hub spoils.
SPOILT = 0.9
# The kind of incident that each tenant has while the scheduler is down.
MISSED = "overdue_by_hub"

End = Callable[[], None]


def scheduler_down(simulator: Simulator) -> End:
    """The hub starts no schedule; when it is fixed, it starts what it has missed."""
    ids = list(simulator.inventory.tenants)
    for tenant_id in ids:
        for schedule in simulator.tenant(tenant_id).schedules.all:
            schedule.misses_as = schedule.misses_as or MISSED
    return partial(_start_missed, simulator, ids)


def _start_missed(simulator: Simulator, ids: Sequence[str]) -> None:
    for tenant_id in _still_there(simulator, ids):
        tenant = simulator.tenant(tenant_id)
        for schedule in tenant.schedules.all:
            if schedule.misses_as == MISSED:
                schedule.misses_as = None
            if schedule.missed == MISSED and not tenant.is_paused():
                tenant.schedules.execute(schedule, simulator.now())
        tenant.incidents.end(MISSED, simulator.now())


def workers_down(simulator: Simulator) -> End:
    """Runs start, and go no further; when the hub is fixed, all of them succeed."""
    ids = list(simulator.inventory.tenants)
    for tenant_id in ids:
        simulator.tenant(tenant_id).ingestions.hub_stalls = True
    return partial(_resume, simulator, ids)


def _resume(simulator: Simulator, ids: Sequence[str]) -> None:
    for tenant_id in _still_there(simulator, ids):
        simulator.tenant(tenant_id).ingestions.resume(simulator.now())


def fleet_failing(simulator: Simulator) -> End:
    """The hub fails nine of ten runs; when it is fixed, it repeats the failed ones."""
    return _failing(simulator, list(simulator.inventory.tenants), SPOILT)


def integration_failing(simulator: Simulator) -> End:
    """Every run of the tenants of one integration fails: of the one with the most tenants."""
    return _failing(simulator, _largest(simulator, lambda one: one.integration and one.integration.id), 1.0)


def cloud_failing(simulator: Simulator) -> End:
    """Every run of the tenants in one cloud fails: in the one with the most tenants."""
    return _failing(simulator, _largest(simulator, lambda one: one.cloud and one.cloud.id), 1.0)


def account_failing(simulator: Simulator) -> End:
    """Every run of the tenants of one account fails: of the one with the most tenants."""
    return _failing(simulator, _largest(simulator, lambda one: one.account and one.account.id), 1.0)


def _failing(simulator: Simulator, ids: Sequence[str], share: float) -> End:
    _fail(simulator, ids, share)
    return partial(_succeed, simulator, ids)


def _fail(simulator: Simulator, ids: Sequence[str], share: float) -> None:
    for tenant_id in ids:
        simulator.tenant(tenant_id).ingestions.hub_failure_rate = share


def _succeed(simulator: Simulator, ids: Sequence[str]) -> None:
    present = _still_there(simulator, ids)
    _fail(simulator, present, 0.0)
    for tenant_id in present:
        simulator.tenant(tenant_id).ingestions.rerun_failed(simulator.now())


def _largest(simulator: Simulator, group: Callable[[Tenant], Hashable]) -> list[str]:
    """The ids of the tenants in the largest group; None is no group."""
    tenants = simulator.inventory.tenants.values()
    sizes = Counter(group(one) for one in tenants if group(one) is not None)
    (largest, _), *_ = sizes.most_common(1)
    return [one.id for one in tenants if group(one) == largest]


def _still_there(simulator: Simulator, ids: Sequence[str]) -> list[str]:
    return [tenant_id for tenant_id in ids if tenant_id in simulator.inventory.tenants]


STORMS: dict[str, Callable[[Simulator], End]] = {
    "fleet_failing": fleet_failing,
    "scheduler_down": scheduler_down,
    "workers_down": workers_down,
    "integration_failing": integration_failing,
    "cloud_failing": cloud_failing,
    "account_failing": account_failing,
}
