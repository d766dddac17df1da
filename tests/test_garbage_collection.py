"""Tests that memory stays flat while tenants come and go, though what is known of them is not scanned for garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exporter import assembly
from exporter.assembly import Exporter, GarbageCollection
from exporter.polling.sources import Discovered, TenantSource
from exporter.polling.tenant import TenantState
from tests.support.simulated_exporter import running_exporter
from tests.support.virtual_time import run_virtual

TENANTS, ROUNDS = 6, 30


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


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
    """Let all tenants come and go at each discovery, and tell a new `GarbageCollection` so."""
    source = exporter._source
    assert source
    exporter._source = exporter.poller.discovery._source = Renamed(source)
    exporter.poller.discovery._on_growth = GarbageCollection().exempt


def test_memory_is_flat_while_tenants_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_ALL_EVERY", 5)

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

    counts, alive = run_virtual(scenario())
    middle, end = counts[ROUNDS // 3 : 2 * ROUNDS // 3], counts[2 * ROUNDS // 3 :]
    assert max(end) < max(middle) * 1.01
    assert max(alive[5:]) <= 3 * TENANTS, "polls of removed tenants are dropped when they are due"


def test_garbage_is_not_exempt() -> None:
    collection = GarbageCollection()
    collection.exempt()
    gc.disable()
    before = gc.get_freeze_count()
    for _ in range(1000):
        cycle: list[object] = []
        cycle.append(cycle)
    gc.collect(1)  # what survives this would be exempt for ever
    old = [cycle for cycle in ([] for _ in range(1000)) if cycle.append(cycle) is None]
    gc.collect(1)
    del old, cycle
    collection.exempt()
    gc.enable()
    assert gc.get_freeze_count() - before < 500


def test_what_became_garbage_after_it_was_exempt_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_ALL_EVERY", 3)
    collection = GarbageCollection()
    collection.exempt()
    kept: list[list[object]] = [[] for _ in range(1000)]
    for cycle in kept:
        cycle.append(cycle)
    collection.exempt()
    before = gc.get_freeze_count()
    del kept, cycle
    collection.exempt()
    assert before - gc.get_freeze_count() > 900
