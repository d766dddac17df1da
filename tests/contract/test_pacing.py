"""Tests the pace of polls: every tenant regularly, and never faster than the rate limit."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from exporter.api.client import Api
from exporter.api.errors import ServerError
from exporter.api.models import State
from exporter.collectors.state import StateCollector
from exporter.history import History
from exporter.settings import load
from exporter.simulator import Fault
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

STATE_ALONE = {
    f"collectors.{name}.enabled": "false" for name in ("ingestions", "schedules", "rollovers", "application")
}


def busiest_second(moments: list[float]) -> int:
    """The highest number of timestamps within one second."""
    return max(sum(start <= moment < start + 1 - 1e-6 for moment in moments) for start in moments)


@pytest.mark.parametrize("rate", [0.5, 3, 20])
def test_no_second_holds_more_than_the_rate(rate: float) -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": str(rate)}, tenants=8) as run:
            run.simulator.faults.add(Fault("server_error", every=7))
            run.simulator.faults.add(Fault("expired_token", every=31))
            await run.pass_time(150)
            moments = [moment for moment, _ in run.transport.sent]
            assert busiest_second(moments) <= max(1, rate)
            assert {"/oauth/token", "/v2/interop/tenants"} <= {path for _, path in run.transport.sent}

    run_virtual(scenario())


def test_requests_in_flight_are_bounded() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000", "api.concurrency": "4"}, tenants=20, stories=[]) as run:
            run.transport.latency = 0.7
            await run.until_ready()
            assert run.transport.most_in_flight == 4

    run_virtual(scenario())


def test_polls_are_spread_evenly_over_the_interval_after_the_first_polls() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000", **STATE_ALONE}, tenants=60, stories=[]) as run:
            await run.until_ready()
            assert run.clock.now() - run.exporter.status().started_at < 5, (
                "the first polls are as fast as the rate limit allows"
            )
            await run.pass_time(65)
            run.transport.sent.clear()
            await run.pass_time(60)
            states = [moment for moment, path in run.transport.sent if path.endswith("/state")]
            assert len(states) == pytest.approx(60, abs=2)
            tenths = Counter(int((moment - states[0]) // 6) for moment in states)
            assert max(tenths.values()) <= 9, "about six in each tenth of the interval"

    run_virtual(scenario())


@pytest.mark.slow
def test_a_low_rate_limit_delays_polls_and_drops_nothing() -> None:
    async def scenario() -> None:
        # About one request a second would keep the intervals.
        async with running_exporter({"api.rate_limit": "0.4"}, tenants=20, stories=[]) as run:
            await run.until_ready()
            for _ in range(120):
                page = await run.pass_time(30)
                # Samples of tenants that wait for their next poll stay.
                assert len(page.all("kimono_tenant_up")) == 20
                assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 20
            lags = page.all("kimono_exporter_poll_lag_seconds", collector="state")
            assert min(lags.values()) > 0
            assert run.exporter.healthy()
            # The state collector, whose interval is the shortest, is not starved, and neither are the others.
            last = page.all("kimono_collector_last_success_timestamp_seconds")
            oldest: dict[str, float] = defaultdict(run.clock.now)
            for have, when in last.items():
                collector = dict(have)["collector"]
                oldest[collector] = min(oldest[collector], when)
            assert run.clock.now() - oldest["state"] < 60 * 4
            assert run.clock.now() - oldest["rollovers"] < 900 * 4

    run_virtual(scenario())


def test_lag_is_zero_while_the_rate_limit_suffices() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=5, stories=[]) as run:
            await run.until_ready()
            page = await run.pass_time(1000)
            assert len(page.all("kimono_exporter_poll_lag_seconds")) == 5
            assert max(page.all("kimono_exporter_poll_lag_seconds").values()) < 1

    run_virtual(scenario())


def test_lag_grows_while_polling_stands_still() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=2, stories=[]) as run:
            await run.until_ready()
            run.exporter.poller.scheduler._queue.clear()
            page = await run.pass_time(400)
            assert page.value("kimono_exporter_poll_lag_seconds", collector="state") == pytest.approx(340, abs=3)

    run_virtual(scenario())


def test_a_slow_tenant_delays_no_other_tenant() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000", "api.concurrency": "2"}, tenants=12, stories=[]) as run:
            await run.until_ready()
            slow = run.simulator.tenants()[0].id
            run.simulator.faults.add(Fault("hang", tenant_id=slow))
            page = await run.pass_time(1200)
            ages = {
                dict(have)["tenant_id"]: run.clock.now() - when
                for have, when in page.all("kimono_collector_last_success_timestamp_seconds", collector="state").items()
            }
            assert ages.pop(slow) > 1000
            assert max(ages.values()) <= 65

    run_virtual(scenario())


def test_a_retry_after_of_the_account_holds_everything_back() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "50"}, tenants=10, stories=[]) as run:
            await run.until_ready()
            run.simulator.faults.add(Fault("throttle", retry_after=45, times=1, endpoint="/tenants"))
            before = sum(path.endswith("/tenants") for _, path in run.transport.sent)
            while sum(path.endswith("/tenants") for _, path in run.transport.sent) == before:
                await run.clock.sleep(0.1)
            struck = run.clock.now()
            await run.pass_time(60)
            after = [moment for moment, _ in run.transport.sent if moment > struck]
            # Requests that were sent before the reply came can't be stopped.
            assert not [moment for moment in after if struck + 0.2 < moment < struck + 44.9]
            assert busiest_second(after) <= 50

    run_virtual(scenario())


def test_a_429_without_retry_after_lowers_the_rate_for_a_while_if_all_get_it() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "10"}, tenants=10, stories=[]) as run:
            await run.until_ready()
            fault = run.simulator.faults.add(Fault("throttle"))
            await run.pass_time(60)
            assert run.exporter.client.rate_limiter.rate < 7
            fault.remove()
            await run.pass_time(400)
            assert run.exporter.client.rate_limiter.rate == 10

    run_virtual(scenario())


def ages(run: SimulatedExporter, page: Page) -> dict[str, float]:
    """Seconds since the last poll of each tenant's flags, by its id."""
    succeeded = page.all("kimono_collector_last_success_timestamp_seconds", collector="state")
    return {dict(have)["tenant_id"]: run.clock.now() - when for have, when in succeeded.items()}


THROTTLED = [
    Fault("throttle"),
    Fault("throttle", retry_after=900),
    Fault("throttle", retry_after=50),
    Fault("throttle", retry_after="date", seconds=400),
    Fault("throttle", retry_after=-1),
    Fault("throttle", retry_after=10**12),
    Fault("throttle", retry_after=30, status=403),
    Fault("throttle", retry_after=900, endpoint="/oauth/token"),
    Fault("unavailable", retry_after=900),
    Fault("unavailable", retry_after=20),
]


@pytest.mark.parametrize("fault", THROTTLED, ids=lambda fault: f"{fault.kind} {fault.retry_after} {fault.endpoint}")
@pytest.mark.parametrize("share", [1, 4])
def test_throttled_tenants_delay_no_other_tenant_and_recover(fault: Fault, share: int) -> None:
    async def scenario() -> None:
        # As few slots as there are throttled tenants: they must not hold them while they wait.
        flags = {"api.concurrency": "4", "api.rate_limit": "100"}
        async with running_exporter(flags, tenants=12, stories=[]) as run:
            await run.until_ready()
            await run.pass_time(120)
            throttled = {tenant.id for tenant in run.simulator.tenants()[:share]}
            for ident in throttled:
                run.simulator.faults.add(replace(fault, tenant_id=ident))
            worst = 0.0
            for _ in range(20):
                page = await run.pass_time(31)
                worst = max(worst, *(age for ident, age in ages(run, page).items() if ident not in throttled))
            assert worst <= 65
            assert max(page.all("kimono_exporter_poll_lag_seconds").values()) <= 120, (
                "one poll may wait twice for a minute"
            )
            reasons = page.labels("kimono_tenant_failure_info", "reason")
            assert reasons <= {"throttled", "server"}
            if fault.endpoint is None:
                assert page.labels("kimono_tenant_failure_info", "tenant_id") == throttled
            assert run.exporter.client.rate_limiter.allowed == 100
            run.simulator.faults.clear()
            # The longest hold, and the longest interval.
            page = await run.pass_time(1810)
            assert not page.all("kimono_tenant_failure_info")

    run_virtual(scenario())


def test_more_hanging_tenants_than_slots_delay_no_other_tenant_for_long() -> None:
    """Until their first polls have failed, they take all slots; from then on half of them."""

    async def scenario() -> None:
        flags = {"api.concurrency": "4", "api.rate_limit": "100", "api.timeout": "30"}
        async with running_exporter(flags, tenants=48, stories=[]) as run:
            await run.until_ready()
            await run.pass_time(120)
            hanging = {tenant.id for tenant in run.simulator.tenants()[:16]}
            for ident in hanging:
                run.simulator.faults.add(Fault("hang", tenant_id=ident))
            await run.pass_time(600)
            worst = 0.0
            for _ in range(20):
                page = await run.pass_time(31)
                worst = max(worst, *(age for ident, age in ages(run, page).items() if ident not in hanging))
            assert worst <= 75
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == hanging
            run.simulator.faults.clear()
            page = await run.pass_time(910)
            assert not page.all("kimono_tenant_failure_info")

    run_virtual(scenario())


def test_a_short_retry_after_of_a_tenant_is_waited_for_and_is_no_failure() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=3, stories=[]) as run:
            await run.until_ready()
            told = run.simulator.tenants()[0].id
            run.simulator.faults.add(Fault("throttle", retry_after=45, times=1, tenant_id=told))
            for _ in range(24):
                page = await run.pass_time(5)
                assert set(page.all("kimono_tenant_up").values()) == {1}
            assert page.value("kimono_exporter_api_retries_total", reason="throttled") == 1

    run_virtual(scenario())


def test_a_tenant_whose_tokens_are_always_refused_costs_no_more_than_three_healthy_ones() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000"}, tenants=8, stories=[], record=True) as run:
            await run.until_ready()
            refused, healthy, *_ = (row.id for row in run.simulator.tenants() if row.credentials.type == "oauth2")
            before = len(run.simulator.requests)
            for endpoint in ("/tenant/state", "/ingestions", "/tenant/schedules", "/tenant/rollovers"):
                run.simulator.faults.add(Fault("unauthorized", tenant_id=refused, endpoint=endpoint))
            run.simulator.faults.add(Fault("unauthorized", tenant_id=refused, endpoint="/tenant/application"))
            page = await run.pass_time(3600)
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == {refused}
            assert page.labels("kimono_tenant_failure_info", "reason") == {"auth"}
            by_tenant = Counter(one.tenant_id for one in list(run.simulator.requests)[before:])
            assert by_tenant[refused] <= 3 * by_tenant[healthy]
            run.simulator.faults.clear()
            page = await run.pass_time(910)
            assert not page.all("kimono_tenant_failure_info")

    run_virtual(scenario())


class Tally(StateCollector):
    """A collector that records its polls, and takes as long as the test says."""

    def __init__(self, delays: dict[int, float]) -> None:
        self.delays = delays
        self.now: set[int] = set()
        self.polls: list[tuple[float, int]] = []

    async def fetch(self, api: Api, history: History, /) -> State:
        target = id(api)
        assert target not in self.now, "two polls of one tenant at a time"
        self.now.add(target)
        try:
            self.polls.append((asyncio.get_running_loop().time(), target))
            await asyncio.sleep(self.delays.get(len(self.polls), 0.0))
            if len(self.polls) % 5 == 0:
                raise ServerError("now and then")
            return await super().fetch(api, history)
        finally:
            self.now.discard(target)


@given(
    tenants=st.integers(1, 12),
    concurrency=st.integers(1, 6),
    delays=st.dictionaries(st.integers(1, 60), st.floats(0.1, 50), max_size=12),
)
@hypothesis_settings(max_examples=15, deadline=None)
def test_every_tenant_is_polled_once_an_interval_and_never_twice_at_a_time(
    tenants: int, concurrency: int, delays: dict[int, float]
) -> None:
    async def scenario() -> None:
        flags = {"api.rate_limit": "1000", "api.concurrency": str(concurrency), **STATE_ALONE}
        async with running_exporter(flags, tenants=tenants, stories=[]) as run:
            tally = Tally(delays)
            run.exporter.poller.scheduler.schedules["state"].collector = tally
            await run.pass_time(1200)
            polls: dict[int, list[float]] = defaultdict(list)
            for when, target in tally.polls:
                polls[target].append(when)
            assert len(polls) == tenants
            slowest = sum(delays.values())
            for moments in polls.values():
                gaps = [later - earlier for earlier, later in pairwise(moments[1:])]
                assert all(gap <= 60 + slowest + 1 for gap in gaps), "no tenant is skipped"
                assert len(moments) <= 1200 / 60 + 2, "no tenant is polled more than once an interval"

    run_virtual(scenario())


def test_new_settings_take_effect_while_it_runs() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=4, stories=[]) as run:
            await run.until_ready()
            flags = {
                "api.url": "http://127.0.0.1:1",
                "api.rate_limit": "50",
                "api.concurrency": "3",
                "collectors.application.enabled": "false",
                "collectors.scoping.enabled": "true",
                "collectors.account.enabled": "true",
                "collectors.state.interval": "10s",
                "discovery.exclude": run.simulator.tenants()[0].name,
            }
            run.exporter.apply(load(flags, {"KIMONO_API_KEY": run.simulator.api_key}))
            page = await run.pass_time(320)
            assert not page.all("kimono_application_deliver_tasks")
            assert page.all("kimono_scoping_schools")
            assert page.value("kimono_clouds") is not None
            assert page.value("kimono_tenants") == 3
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert run.exporter.client.rate_limiter.rate == 50
            polled = page.value("kimono_exporter_polls_total", collector="state", outcome="success")
            assert polled is not None
            assert polled > 3 * 30

    run_virtual(scenario())


def test_a_reload_without_a_change_polls_no_tenant_again() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=20, stories=[]) as run:
            await run.until_ready()
            await run.pass_time(100)
            run.transport.sent.clear()
            run.exporter.apply(run.settings)
            await run.pass_time(1)
            requested = Counter(path for _, path in run.transport.sent)
            assert requested["/v2/interop/tenants"] >= 1, "but the tenants are listed at once"
            assert sum(requested.values()) < 10

    run_virtual(scenario())


def test_a_failing_collector_that_is_turned_off_leaves_no_failure_behind() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100"}, tenants=2, stories=[]) as run:
            await run.until_ready()
            run.simulator.faults.add(Fault("hang", endpoint="/tenant/rollovers"))
            run.exporter.apply(load({"collectors.rollovers.interval": "20s"}, key(run)))
            page = await run.pass_time(100)
            assert page.labels("kimono_tenant_failure_info", "collector") == {"rollovers"}
            # One of its polls is running.
            run.exporter.apply(load({"collectors.rollovers.enabled": "false"}, key(run)))
            page = await run.pass_time(300)
            assert not page.all("kimono_tenant_failure_info")
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert not page.labels("kimono_collector_last_success_timestamp_seconds", "collector") & {"rollovers"}

    run_virtual(scenario())


def key(run: SimulatedExporter) -> dict[str, str]:
    """The environment of a reload, with the same credentials."""
    return {"KIMONO_API_KEY": run.simulator.api_key}


@pytest.mark.slow
def test_a_slow_api_delays_polls_and_no_series_disappears() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "100", "api.concurrency": "2"}, tenants=30, stories=[]) as run:
            run.transport.latency = 6.0
            await run.until_ready(3000)
            for _ in range(120):
                page = await run.pass_time(30)
                assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 30
            # With faster replies polls are on time again at once.
            run.transport.latency = 0.0
            await run.pass_time(60)
            page = await run.pass_time(300)
            assert max(page.all("kimono_exporter_poll_lag_seconds").values()) < 1

    run_virtual(scenario())
