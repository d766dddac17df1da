"""Tests that storms break the simulated hub for the right tenants, and that they end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.simulator import Incident, Simulator
from exporter.simulator.times import HOUR
from tests.support.backtest.storms import STORMS

START = 1_792_368_000.0  # 2026-10-19
TENANTS = 20


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Simulator:
    return Simulator(now=clock, stories=(), tenants=TENANTS)


def after(simulator: Simulator, clock: Clock, kind: str, lasts: float) -> tuple[Incident, ...]:
    """The incidents three hours after a storm that lasted for so many seconds."""
    end = STORMS[kind](simulator)
    clock.at += lasts
    _ = simulator.incidents
    end()
    clock.at += 3 * HOUR
    return simulator.incidents


@pytest.mark.parametrize(
    ("kind", "incident"), [("scheduler_down", "overdue_by_hub"), ("workers_down", "stalled_by_hub")]
)
def test_the_hub_breaks_for_most_tenants_and_recovers_at_once(
    simulator: Simulator, clock: Clock, kind: str, incident: str
) -> None:
    incidents = after(simulator, clock, kind, 12 * HOUR)
    assert {one.kind for one in incidents} == {incident}
    assert len({one.tenant_id for one in incidents}) > TENANTS / 2
    assert {one.until for one in incidents} == {START + 12 * HOUR}
    for one in incidents:
        states = [
            each.state for each in simulator.truth(one.tenant_id).ingestions if each.created_at >= START + 12 * HOUR
        ]
        assert kind == "workers_down" or states


GROUPS: dict[str, Callable[[Simulator, str], object]] = {
    "integration_failing": lambda simulator, tenant_id: simulator.inventory.tenants[tenant_id].integration,
    "cloud_failing": lambda simulator, tenant_id: simulator.inventory.tenants[tenant_id].cloud,
    "account_failing": lambda simulator, tenant_id: simulator.inventory.tenants[tenant_id].account,
}


@pytest.mark.parametrize("kind", GROUPS)
def test_runs_fail_in_the_largest_group_alone(simulator: Simulator, clock: Clock, kind: str) -> None:
    incidents = after(simulator, clock, kind, 24 * HOUR)
    assert {one.kind for one in incidents} == {"spoilt"}
    assert len({id(GROUPS[kind](simulator, one.tenant_id)) for one in incidents}) == 1
    assert len({one.tenant_id for one in incidents}) > 1


@pytest.mark.parametrize("kind", sorted(STORMS))
def test_a_storm_ends_though_a_tenant_was_removed_in_it(simulator: Simulator, clock: Clock, kind: str) -> None:
    end = STORMS[kind](simulator)
    clock.at += HOUR
    for row in simulator.tenants()[:10]:
        simulator.remove_tenant(row.id)
    end()
