"""Tests that memory stays flat while tenants come and go, though what is known of them is exempt from most scans."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exporter.assembly import Exporter
from exporter.garbage import exempt_survivors
from exporter.polling.sources import Discovered, TenantSource
from exporter.polling.tenant import TenantState
from tests.support.simulated_exporter import running_exporter
from tests.support.virtual_time import run_virtual

TENANTS, ROUNDS = 6, 30


class Renamed:
    """A source whose tenants are others each time."""

    def __init__(self, source: TenantSource) -> None:
        self.source = source
        self.round = 0

    async def get_tenants(self) -> Discovered:
        self.round += 1
        found = (await self.source.get_tenants()).tenants
        return Discovered([replace(each, id=f"{each.id}-{self.round}") for each in found])


def objects() -> int:
    """How many objects there are that are known to garbage collection, and no garbage that it may find."""
    gc.collect()
    return gc.get_freeze_count() + len(gc.get_objects())


def churn(exporter: Exporter) -> None:
    """Let all tenants come and go at each discovery."""
    source = exporter._source
    assert source
    exporter._source = exporter.poller.discovery._source = Renamed(source)


def test_memory_is_flat_while_tenants_come_and_go() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        counts, alive = [], []
        states: weakref.WeakSet[TenantState] = weakref.WeakSet()
        flags = {"discovery.interval": "60", "collectors.rollovers.interval": "60"}
        flags |= {f"collectors.{name}.interval": "60" for name in ("schedules", "application")}
        async with running_exporter(flags, tenants=TENANTS, stories=[]) as run:
            churn(run.exporter)
            for _ in range(ROUNDS):
                await run.pass_time(60)
                states.update(run.exporter.poller.discovery.tenants.values())
                counts.append(objects())
                alive.append(len(states))
        return counts, alive

    with exempt_survivors(lambda: 0.0):
        counts, alive = run_virtual(scenario())
    middle, end = counts[ROUNDS // 3 : 2 * ROUNDS // 3], counts[2 * ROUNDS // 3 :]
    assert max(end) < max(middle) * 1.01
    assert max(alive[5:]) <= 3 * TENANTS, "polls of removed tenants are dropped when they are due"


class Cycle:
    """An object that refers to itself."""

    def __init__(self, number: int) -> None:
        self.own, self.number = self, number


def cycles(number: int) -> list[list[object]]:
    """Objects that become garbage for the collector to find."""
    found: list[list[object]] = [[] for _ in range(number)]
    for each in found:
        each.append(each)
    return found


@pytest.fixture
def clock() -> Iterator[list[float]]:
    """The time in seconds, for `exempt_survivors`, which is active, and alone decides when all objects are scanned."""
    now = [0.0]
    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(0)
    with exempt_survivors(lambda: now[0]):
        yield now
    gc.set_threshold(*thresholds)


def test_what_survives_a_collection_of_the_young_is_exempt(clock: list[float]) -> None:
    before = gc.get_freeze_count()
    kept = cycles(1000)
    gc.collect(0)
    assert gc.get_freeze_count() == before
    gc.collect(1)
    assert gc.get_freeze_count() >= before + len(kept)
    dropped = weakref.WeakSet(map(Cycle, range(1000)))
    gc.collect(1)
    assert not dropped, "garbage is freed, and not exempt"
    assert clock == [0.0]


def test_what_became_garbage_when_it_was_exempt_is_freed_once_a_day(clock: list[float]) -> None:
    kept = [Cycle(number) for number in range(1000)]
    alive = weakref.WeakSet(kept)
    gc.collect(1)
    kept.clear()
    for clock[0], left in ((86_399.0, 1000), (86_400.0, 1000)):
        gc.collect(1)
        gc.collect(1)
        assert len(alive) == left
    assert gc.get_freeze_count() == 0
    gc.collect()  # Python's own, because there are many objects of the oldest generation
    assert not alive
    assert gc.get_freeze_count() > 0


def test_nothing_is_exempt_any_more_at_the_end() -> None:
    with exempt_survivors(lambda: 0.0):
        gc.collect(1)
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    assert not [each for each in gc.callbacks if "exempt_survivors" in repr(each)]
