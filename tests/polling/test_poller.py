"""Tests that the poller keeps to its slots, and that a poll of a removed tenant leaves no samples."""

from __future__ import annotations

import asyncio

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
