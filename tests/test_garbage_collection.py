"""Tests that memory stays flat while tenants come and go, though what is known of them is not scanned for garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exporter import assembly
from exporter.assembly import Exporter, exempt_from_collection
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
    """Let all tenants come and go at each discovery, and exempt them from garbage collection."""
    source = exporter._source
    assert source
    exporter._source = exporter.poller.discovery._source = Renamed(source)
    exporter.poller.discovery._on_growth = exempt_from_collection


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

    counts, alive = run_virtual(scenario())
    middle, end = counts[ROUNDS // 3 : 2 * ROUNDS // 3], counts[2 * ROUNDS // 3 :]
    assert max(end) < max(middle) * 1.01
    assert max(alive[5:]) <= 3 * TENANTS, "polls of removed tenants are dropped when they are due"


def cycles(number: int) -> list[list[object]]:
    """Objects that become garbage for the collector to find."""
    found: list[list[object]] = [[] for _ in range(number)]
    for each in found:
        each.append(each)
    return found


def test_what_became_garbage_before_or_after_it_was_exempt_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_NEW_SHARE", 0.0)
    exempt_from_collection()
    gc.disable()
    before = gc.get_freeze_count()
    kept = cycles(1000)
    exempt_from_collection()
    assert gc.get_freeze_count() - before > 900
    dropped = cycles(1000)
    gc.collect(1)
    del kept, dropped
    exempt_from_collection()
    gc.enable()
    assert gc.get_freeze_count() - before < 500


def test_all_objects_are_scanned_only_if_many_are_new() -> None:
    exempt_from_collection()
    before = gc.get_freeze_count()
    few = cycles(1000)
    exempt_from_collection()
    assert gc.get_freeze_count() <= before
    many = cycles(int(before * 0.2))
    exempt_from_collection()
    assert gc.get_freeze_count() > before + len(many)
    assert few
