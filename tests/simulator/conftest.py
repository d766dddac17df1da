"""Gives the tests of the simulator a clock that they move, four healthy tenants, and the first one's id."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator
from tests.simulator.calls import AsTenant, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    """Four healthy tenants that stay healthy."""
    return Simulator(now=clock, stories=(), tenants=4)


@pytest.fixture
def tenant_id(simulator: Simulator) -> str:
    return simulator.tenants()[0].id


@pytest.fixture
def tenant(simulator: Simulator) -> AsTenant:
    """Calls of the second tenant, which has one schedule and no unfinished ingestion."""
    return AsTenant(simulator, simulator.tenants()[1].id)
