"""Tests that the poller keeps to its slots, and that a poll of a removed tenant leaves no samples."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from exporter.api.client import Api
from exporter.api.models import State, Tenant
from exporter.collectors import PollResult
from exporter.collectors.state import STATE, StateCollector
from exporter.families import FAMILIES
from exporter.history import History
from exporter.polling.poller import Poller
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.sources import Discovered
from exporter.polling.tenant import TenantState
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.support.replies import STOPPED, Replies, table
from tests.support.virtual_time import run_virtual, virtual_clock


class Tenants:
    """A source of these tenants."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def get_tenants(self) -> Discovered:
        return Discovered([Tenant(name) for name in self.names])


class SlowCollector(StateCollector):
    """A collector whose polls take a second. `most` is how many ran at the same time."""

    running = most = 0

    async def fetch(self, api: Api, history: History, /) -> State:
        del api, history
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(1)
        self.running -= 1
        return State({})


def test_no_more_polls_run_at_a_time_than_requests_may_be_in_flight() -> None:
    async def scenario() -> int:
        clock, telemetry, collector = virtual_clock(), Telemetry(), SlowCollector()
        client = Replies(table({})).client(clock, telemetry)
        client.limit(2)
        poller = Poller(client, Store(FAMILIES), telemetry, clock)
        poller.configure(Tenants("a", "b", "c", "d", "e"), 300.0, {SlowCollector: 60.0})
        poller.scheduler.schedules["state"].collector = collector
        await poller.once()
        return collector.most

    assert run_virtual(scenario()) == 2


def test_a_poll_that_succeeds_after_its_tenant_was_removed_leaves_no_samples() -> None:
    store, scheduler = Store(FAMILIES), Scheduler(STOPPED)
    recorder = Recorder(scheduler, store, Telemetry(), STOPPED)
    scheduler.configure({StateCollector: 60.0})
    state = TenantState(Tenant("a"), Replies(table({})).api)
    scheduler.add(state, 0.0)
    poll = scheduler.next_due()
    assert poll
    scheduler.remove(state)
    recorder.success(poll, PollResult([STATE(1, tenant_id="a", flag="setup_mode_enabled")]))
    assert not b"".join(store.page(0.0, openmetrics=False))


class ManyFlags(StateCollector):
    """A collector that gets very many flags, and calls `meanwhile` in the thread that works them out."""

    def __init__(self, flags: int, meanwhile: Callable[[], None]) -> None:
        self.flags = State({f"flag-{number}": True for number in range(flags)})
        self.meanwhile = meanwhile
        self.histories: list[History] = []

    async def fetch(self, api: Api, history: History, /) -> State:
        del api, history
        return self.flags

    def advance(self, history: History, facts: State, at: float, /) -> History:
        self.histories.append(history)
        self.meanwhile()
        return super().advance(history, facts, at)


async def poll_once(collector: StateCollector) -> tuple[Poller, Store]:
    clock, telemetry, store = virtual_clock(), Telemetry(), Store(FAMILIES)
    poller = Poller(Replies(table({})).client(clock, telemetry), store, telemetry, clock)
    poller.configure(Tenants("a"), 300.0, {StateCollector: 60.0})
    poller.scheduler.schedules["state"].collector = collector
    await poller.once()
    return poller, store


@pytest.mark.parametrize(("flags", "in_thread"), [(500, False), (501, True)])
def test_many_facts_are_worked_out_while_the_event_loop_goes_on(flags: int, in_thread: bool) -> None:  # noqa: FBT001 - a table
    async def scenario() -> list[bool]:
        loop_went_on, results = threading.Event(), []

        def meanwhile() -> None:
            results.append(threading.current_thread() is not threading.main_thread())
            if results[0]:
                loop.call_soon_threadsafe(loop_went_on.set)
                assert loop_went_on.wait(10), "the event loop stood still"

        loop = asyncio.get_running_loop()
        _, store = await poll_once(ManyFlags(flags, meanwhile))
        assert b"".join(store.page(0.0, openmetrics=False)).count(b"kimono_tenant_state{") == flags
        return results

    assert run_virtual(scenario()) == [in_thread]


def test_a_history_that_moves_with_the_clock_meanwhile_is_not_lost() -> None:
    async def scenario() -> tuple[int, float]:
        def meanwhile() -> None:
            if len(collector.histories) == 1:
                poller.discovery.tenants["a"].history = moved

        moved = History(failing_since={"schedules": 5.0})
        collector = ManyFlags(1000, meanwhile)
        clock, telemetry = virtual_clock(), Telemetry()
        poller = Poller(Replies(table({})).client(clock, telemetry), Store(FAMILIES), telemetry, clock)
        poller.configure(Tenants("a"), 300.0, {StateCollector: 60.0})
        poller.scheduler.schedules["state"].collector = collector
        await poller.once()
        return len(collector.histories), poller.discovery.tenants["a"].history.failing_since["schedules"]

    assert run_virtual(scenario()) == (2, 5.0)


def test_an_error_in_the_thread_is_a_bug_of_that_tenant() -> None:
    async def scenario() -> list[str]:
        def meanwhile() -> None:
            raise KeyError("S3CR3T")

        poller, _ = await poll_once(ManyFlags(1000, meanwhile))
        return [failure.reason for failure in poller.discovery.tenants["a"].failures.values()]

    assert run_virtual(scenario()) == ["bug"]


def test_samples_that_are_too_many_are_counted_under_their_family() -> None:
    async def scenario() -> float | None:
        poller, store = await poll_once(ManyFlags(1200, lambda: None))
        page = b"".join(store.page(0.0, openmetrics=False))
        assert page.count(b"kimono_tenant_state{") == 1000
        registry = poller._recorder._telemetry.registry
        return registry.get_sample_value("kimono_exporter_samples_dropped_total", {"family": "kimono_tenant_state"})

    assert run_virtual(scenario()) == 200
