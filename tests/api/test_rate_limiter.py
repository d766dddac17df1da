"""Tests that no second has more requests than the rate, and that requests wait when the server asks for it."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.rate_limiter import RateLimiter
from tests.support.virtual_time import run_virtual, virtual_clock

TINY = 1e-6


def now() -> float:
    return asyncio.get_running_loop().time()


async def take_at(limiter: RateLimiter, moment: float = 0.0) -> float:
    """Come at this moment; the moment of leaving."""
    await asyncio.sleep(max(0.0, moment - now()))
    await limiter.acquire()
    return now()


async def leave(limiter: RateLimiter, count: int) -> list[float]:
    """So many come at once; the moments at which they leave."""
    return sorted(await asyncio.gather(*(take_at(limiter) for _ in range(count))))


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(first <= moment < first + 1 - TINY for moment in moments) for first in moments)


@settings(max_examples=40)
@given(
    st.floats(0.1, 50),
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_second_holds_more_than_the_rate_whenever_they_come(rate: float, comings: list[float]) -> None:
    async def scenario() -> None:
        limiter = RateLimiter(rate, virtual_clock())
        moments = sorted(await asyncio.gather(*(take_at(limiter, moment) for moment in comings)))
        assert most_in_a_second(moments) <= math.ceil(rate)
        assert all(later - earlier >= 1 / rate - TINY for earlier, later in pairwise(moments))
        assert limiter.acquired == len(comings)
        assert limiter.acquired_at == moments[-1]

    run_virtual(scenario())


@pytest.mark.parametrize("rate", [0.1, 0.5, 1, 20, 333.3, 5000])
def test_the_full_rate_is_used_without_drift(rate: float) -> None:
    async def scenario() -> None:
        moments = await leave(RateLimiter(rate, virtual_clock()), 1000)
        assert moments[0] == 0
        assert moments[-1] == pytest.approx(999 / rate, rel=1e-9)

    run_virtual(scenario())


def test_an_infinite_rate_never_waits() -> None:
    async def scenario() -> None:
        assert set(await leave(RateLimiter(math.inf, virtual_clock()), 100)) == {0.0}

    run_virtual(scenario())


def test_idle_time_is_not_saved_up() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(2, virtual_clock())
        await asyncio.sleep(100)
        assert await leave(limiter, 3) == [100, 100.5, 101]

    run_virtual(scenario())


def test_each_is_told_how_long_it_waited() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(4, virtual_clock())
        assert await asyncio.gather(*(limiter.acquire() for _ in range(4))) == [0, 0.25, 0.5, 0.75]
        limiter.throttled(10)
        assert await limiter.acquire() == 10

    run_virtual(scenario())


def test_retry_after_holds_everything_back_those_already_waiting_too() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, virtual_clock())
        waiting = [asyncio.create_task(take_at(limiter)) for _ in range(4)]
        await asyncio.sleep(0.5)
        limiter.throttled(30)
        assert limiter.hold == 30
        assert limiter.allowed == 0
        new = asyncio.create_task(take_at(limiter))
        moments = sorted([await task for task in [*waiting, new]])
        assert moments[0] == 0
        assert moments[1] >= 30.5
        assert all(later - earlier >= 1 - TINY for earlier, later in pairwise(moments))
        assert limiter.hold == 0
        assert limiter.rate == limiter.allowed == 1

    run_virtual(scenario())


def test_a_longer_hold_wins_over_a_shorter_one() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, virtual_clock())
        limiter.throttled(30)
        limiter.throttled(5)
        assert await take_at(limiter) == 30

    run_virtual(scenario())


def test_a_hold_is_no_longer_than_a_quarter_of_an_hour() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, virtual_clock())
        limiter.throttled(10**9)
        assert await take_at(limiter) == 900

    run_virtual(scenario())


def test_a_bare_429_halves_the_rate_which_recovers_slowly() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(20, virtual_clock())
        limiter.throttled(None)
        assert limiter.rate == limiter.allowed == 10
        moments = await leave(limiter, 11)
        assert most_in_a_second(moments) <= 11
        await asyncio.sleep(75 - now())
        assert limiter.rate == pytest.approx(15)
        await asyncio.sleep(75)
        assert limiter.rate == 20
        await asyncio.sleep(3600)
        assert limiter.rate == 20

    run_virtual(scenario())


def test_many_429_at_once_are_one_and_later_ones_cut_further() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(64, virtual_clock())
        for _ in range(20):
            limiter.throttled(None)
        assert limiter.rate == 32
        await asyncio.sleep(1)
        limiter.throttled(None)
        assert limiter.rate == pytest.approx(16, rel=0.02)
        for _ in range(50):
            await asyncio.sleep(1)
            limiter.throttled(None)
        assert limiter.rate == 1
        await asyncio.sleep(300)
        assert limiter.rate == 64

    run_virtual(scenario())


def test_one_who_goes_away_while_waiting_does_not_hold_up_the_others() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, virtual_clock())
        waiting = [asyncio.create_task(take_at(limiter)) for _ in range(5)]
        await asyncio.sleep(0.5)
        waiting[2].cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [moment for moment in done if isinstance(moment, float)] == [0, 1, 3, 4]
        assert limiter.acquired == 4

    run_virtual(scenario())


def test_a_rate_that_is_changed_counts_from_now_on() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, virtual_clock())
        await limiter.acquire()
        limiter.full_rate = 10
        assert await leave(limiter, 3) == pytest.approx([1, 1.1, 1.2])

    run_virtual(scenario())
