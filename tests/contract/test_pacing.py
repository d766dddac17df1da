"""Is everyone visited in turn, evenly, and never faster than the budget allows?"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from exporter.api.errors import ServerError
from exporter.collectors.state import StateCollector
from exporter.settings import load
from exporter.simulator import Fault
from tests.contract.harness import House, house
from tests.virtual_time import run_virtual

STATE_ALONE = {
    f"collectors.{name}.enabled": "false" for name in ("ingestions", "schedules", "rollovers", "application")
}


def busiest_second(moments: list[float]) -> int:
    """The most moments within any one second."""
    return max(sum(start <= moment < start + 1 - 1e-6 for moment in moments) for start in moments)


@pytest.mark.parametrize("rate", [0.5, 3, 20])
def test_no_second_holds_more_than_the_rate(rate: float) -> None:
    async def live() -> None:
        async with house({"api.rate_limit": str(rate)}, tenants=8) as home:
            home.simulator.faults.add(Fault("server_error", every=7))
            home.simulator.faults.add(Fault("expired_token", every=31))
            await home.pass_time(150)
            moments = [moment for moment, _ in home.transport.sent]
            assert busiest_second(moments) <= max(1, rate)
            assert {"/oauth/token", "/v2/interop/tenants"} <= {path for _, path in home.transport.sent}

    run_virtual(live())


def test_requests_in_flight_are_bounded() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "1000", "api.concurrency": "4"}, tenants=20, stories=[]) as home:
            home.transport.latency = 0.7
            await home.until_ready()
            assert home.transport.most_in_flight == 4

    run_virtual(live())


def test_visits_are_spread_evenly_over_the_interval_after_the_first_round() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "1000", **STATE_ALONE}, tenants=60, stories=[]) as home:
            await home.until_ready()
            assert home.clock.now() - home.exporter.started < 5, "the first round is as fast as the budget allows"
            await home.pass_time(65)
            home.transport.sent.clear()
            await home.pass_time(60)
            states = [moment for moment, path in home.transport.sent if path.endswith("/state")]
            assert len(states) == pytest.approx(60, abs=2)
            tenths = Counter(int((moment - states[0]) // 6) for moment in states)
            assert max(tenths.values()) <= 9, "about six in each tenth of the interval"

    run_virtual(live())


def test_a_small_budget_stretches_the_rounds_and_drops_nothing() -> None:
    async def live() -> None:
        # About one request a second would keep the intervals.
        async with house({"api.rate_limit": "0.4"}, tenants=20, stories=[]) as home:
            await home.until_ready()
            for _ in range(120):
                page = await home.pass_time(30)
                # Rows of tenants that only wait for their turn stay.
                assert len(page.all("kimono_tenant_up")) == 20
                assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 20
            lags = page.all("kimono_exporter_poll_lag_seconds", collector="state")
            assert min(lags.values()) > 0
            assert home.exporter.healthy()
            # The state collector, whose interval is the shortest, is not starved, and neither are the others.
            last = page.all("kimono_collector_last_success_timestamp_seconds")
            oldest: dict[str, float] = defaultdict(home.clock.now)
            for have, when in last.items():
                collector = dict(have)["collector"]
                oldest[collector] = min(oldest[collector], when)
            assert home.clock.now() - oldest["state"] < 60 * 4
            assert home.clock.now() - oldest["rollovers"] < 900 * 4

    run_virtual(live())


def test_lag_is_nothing_while_the_budget_suffices() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100"}, tenants=5, stories=[]) as home:
            await home.until_ready()
            page = await home.pass_time(1000)
            assert len(page.all("kimono_exporter_poll_lag_seconds")) == 5
            assert max(page.all("kimono_exporter_poll_lag_seconds").values()) < 1

    run_virtual(live())


def test_lag_grows_while_polling_stands_still() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100"}, tenants=2, stories=[]) as home:
            await home.until_ready()
            home.exporter.poller._jobs.clear()
            page = await home.pass_time(400)
            assert page.value("kimono_exporter_poll_lag_seconds", collector="state") == pytest.approx(340, abs=3)

    run_virtual(live())


def test_one_slow_tenant_holds_one_slot_and_not_the_round() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "1000", "api.concurrency": "2"}, tenants=12, stories=[]) as home:
            await home.until_ready()
            slow = home.simulator.tenants()[0].id
            home.simulator.faults.add(Fault("hang", tenant_id=slow))
            page = await home.pass_time(1200)
            ages = {
                dict(have)["tenant_id"]: home.clock.now() - when
                for have, when in page.all("kimono_collector_last_success_timestamp_seconds", collector="state").items()
            }
            assert ages.pop(slow) > 1000
            assert max(ages.values()) <= 65

    run_virtual(live())


def test_retry_after_holds_everything_back() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "50"}, tenants=10, stories=[]) as home:
            await home.until_ready()
            home.simulator.faults.add(Fault("throttle", retry_after=45, times=1))
            before = len(home.transport.sent)
            while len(home.transport.sent) == before:
                await home.clock.sleep(0.1)
            struck = home.transport.sent[before][0]
            await home.pass_time(60)
            after = [moment for moment, _ in home.transport.sent[before + 1 :]]
            # Those that had left already when the reply came are not to be called back.
            assert not [moment for moment in after if struck + 0.2 < moment < struck + 45]
            assert busiest_second(after) <= 50

    run_virtual(live())


def test_a_bare_429_slows_us_down_and_we_recover() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "10"}, tenants=10, stories=[]) as home:
            await home.until_ready()
            home.simulator.faults.add(Fault("throttle", times=3))
            await home.pass_time(20)
            assert home.exporter.client.budget.rate < 7
            await home.pass_time(400)
            assert home.exporter.client.budget.rate == 10

    run_virtual(live())


class Tally(StateCollector):
    """A collector that notes who is being visited, and takes as long as the test says."""

    def __init__(self, delays: dict[int, float]) -> None:
        self.delays = delays
        self.now: set[int] = set()
        self.visits: list[tuple[float, int]] = []

    async def fetch(self, api: Any, memory: None) -> Any:
        me = id(api)
        assert me not in self.now, "two visits to one tenant at a time"
        self.now.add(me)
        try:
            self.visits.append((asyncio.get_running_loop().time(), me))
            await asyncio.sleep(self.delays.get(len(self.visits), 0.0))
            if len(self.visits) % 5 == 0:
                raise ServerError("now and then")
            return await super().fetch(api, memory)
        finally:
            self.now.discard(me)


@given(
    tenants=st.integers(1, 12),
    concurrency=st.integers(1, 6),
    delays=st.dictionaries(st.integers(1, 60), st.floats(0.1, 50), max_size=12),
)
@hypothesis_settings(max_examples=15, deadline=None)
def test_everyone_is_visited_once_a_round_and_never_twice_at_a_time(
    tenants: int, concurrency: int, delays: dict[int, float]
) -> None:
    async def live() -> None:
        flags = {"api.rate_limit": "1000", "api.concurrency": str(concurrency), **STATE_ALONE}
        async with house(flags, tenants=tenants, stories=[]) as home:
            tally = Tally(delays)
            home.exporter.poller.plans["state"].collector = tally
            await home.pass_time(1200)
            visits: dict[int, list[float]] = defaultdict(list)
            for when, who in tally.visits:
                visits[who].append(when)
            assert len(visits) == tenants
            slowest = sum(delays.values())
            for moments in visits.values():
                gaps = [later - earlier for earlier, later in pairwise(moments[1:])]
                assert all(gap <= 60 + slowest + 1 for gap in gaps), "nobody is left out"
                assert len(moments) <= 1200 / 60 + 2, "nobody is visited more than once a round"

    run_virtual(live())


def test_new_settings_take_effect_while_it_runs() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100"}, tenants=4, stories=[]) as home:
            await home.until_ready()
            flags = {
                "api.url": "http://127.0.0.1:1",
                "api.rate_limit": "50",
                "api.concurrency": "3",
                "collectors.application.enabled": "false",
                "collectors.scoping.enabled": "true",
                "collectors.account.enabled": "true",
                "collectors.state.interval": "10s",
                "discovery.exclude": home.simulator.tenants()[0].name,
            }
            home.exporter.apply(load(flags, {"KIMONO_API_KEY": home.simulator.api_key}))
            page = await home.pass_time(320)
            assert not page.all("kimono_application_deliver_tasks")
            assert page.all("kimono_scoping_schools")
            assert page.value("kimono_clouds") is not None
            assert page.value("kimono_tenants") == 3
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert home.exporter.client.budget.rate == 50
            polled = page.value("kimono_exporter_polls_total", collector="state", outcome="success")
            assert polled is not None
            assert polled > 3 * 30

    run_virtual(live())


def test_settings_read_again_without_a_change_visit_nobody_anew() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100"}, tenants=20, stories=[]) as home:
            await home.until_ready()
            await home.pass_time(100)
            home.transport.sent.clear()
            home.exporter.apply(home.exporter._settings)
            await home.pass_time(1)
            asked = Counter(path for _, path in home.transport.sent)
            assert asked["/v2/interop/tenants"] >= 1, "but the tenants are listed at once"
            assert sum(asked.values()) < 10

    run_virtual(live())


def test_a_failing_collector_that_is_turned_off_leaves_no_failure_behind() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100"}, tenants=2, stories=[]) as home:
            await home.until_ready()
            home.simulator.faults.add(Fault("hang", endpoint="/tenant/rollovers"))
            home.exporter.apply(load({"collectors.rollovers.interval": "20s"}, key(home)))
            page = await home.pass_time(100)
            assert page.labels("kimono_tenant_failure_info", "collector") == {"rollovers"}
            # One of its visits is under way.
            home.exporter.apply(load({"collectors.rollovers.enabled": "false"}, key(home)))
            page = await home.pass_time(300)
            assert not page.all("kimono_tenant_failure_info")
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert not page.labels("kimono_collector_last_success_timestamp_seconds", "collector") & {"rollovers"}

    run_virtual(live())


def key(home: House) -> dict[str, str]:
    """The environment of a reload: the credentials stay as they are."""
    return {"KIMONO_API_KEY": home.simulator.api_key}


def test_a_slow_api_stretches_the_rounds_and_no_row_vanishes() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "100", "api.concurrency": "2"}, tenants=30, stories=[]) as home:
            home.transport.latency = 6.0
            await home.until_ready(3000)
            for _ in range(120):
                page = await home.pass_time(30)
                assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 30
            # Faster replies, and the rounds are as they should be again, at once and evenly.
            home.transport.latency = 0.0
            await home.pass_time(60)
            page = await home.pass_time(300)
            assert max(page.all("kimono_exporter_poll_lag_seconds").values()) < 1

    run_virtual(live())
