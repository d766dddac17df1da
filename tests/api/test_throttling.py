"""Tests whom a "too many requests" concerns: the tenant that was told so, or all."""

from __future__ import annotations

import asyncio

import pytest

from exporter.api.errors import ServerError, ThrottledError
from exporter.api.rate_limiter import RateLimiter
from exporter.api.throttling import Caller, Throttling
from tests.support.virtual_time import run_virtual, virtual_clock

RATE = 20.0


class Fleet:
    """So many tenants, and what the API answers them."""

    def __init__(self, tenants: int) -> None:
        clock = virtual_clock()
        self.limiter = RateLimiter(RATE, clock)
        self.throttling = Throttling(self.limiter, clock)
        self.tenants = [Caller() for _ in range(tenants)]

    def answer(self, tenant: Caller, error: ThrottledError | ServerError | None = None) -> None:
        self.throttling.answered(tenant)
        if error:
            self.throttling.throttled(tenant, error)

    @property
    def slowed(self) -> bool:
        return self.limiter.allowed < RATE

    async def round(self, throttled: set[int], error: ThrottledError | ServerError, seconds: float = 60.0) -> bool:
        """All tenants ask once; returns whether all were slowed at any time."""
        slowed = False
        for number, tenant in enumerate(self.tenants):
            self.answer(tenant, error if number in throttled else None)
            slowed |= self.slowed
            await asyncio.sleep(seconds / len(self.tenants))
        return slowed


ERRORS = [ThrottledError("429"), ThrottledError("429", 900.0), ServerError("503", 30.0)]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("tenants", "throttled"), [(12, 1), (12, 2), (12, 4), (1000, 1), (1000, 333), (2, 2), (1, 1)])
def test_tenants_that_are_throttled_slow_only_themselves(
    tenants: int, throttled: int, error: ThrottledError | ServerError
) -> None:
    async def scenario() -> None:
        fleet = Fleet(tenants)
        await fleet.round(set(), error)
        step = tenants // throttled
        for _ in range(5):
            assert not await fleet.round({number * step for number in range(throttled)}, error)

    run_virtual(scenario())


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("tenants", "throttled"), [(12, 12), (12, 6), (3, 3), (1000, 1000), (1000, 500)])
def test_tenants_that_are_throttled_together_slow_all(
    tenants: int, throttled: int, error: ThrottledError | ServerError
) -> None:
    async def scenario() -> None:
        fleet = Fleet(tenants)
        await fleet.round(set(), error)
        step = tenants // throttled
        assert await fleet.round({number * step for number in range(throttled)}, error)

    run_virtual(scenario())


def test_a_large_fleet_notices_a_common_limit_within_a_second() -> None:
    async def scenario() -> None:
        fleet = Fleet(1000)
        await fleet.round(set(), ERRORS[0])
        for tenant in fleet.tenants[:20]:
            assert not fleet.limiter.hold
            fleet.answer(tenant, ERRORS[1])
            if fleet.slowed:
                break
        assert fleet.limiter.hold == pytest.approx(60), "each tenant waits as long as it was told, the others a minute"
        assert fleet.throttling.hold(fleet.tenants[0]) == pytest.approx(900)

    run_virtual(scenario())


def test_the_same_tenant_again_and_again_is_one() -> None:
    async def scenario() -> None:
        fleet = Fleet(12)
        for _ in range(100):
            fleet.answer(fleet.tenants[0], ERRORS[1])
        assert not fleet.slowed

    run_virtual(scenario())


def test_what_was_more_than_a_minute_ago_does_not_count() -> None:
    async def scenario() -> None:
        fleet = Fleet(3)
        for tenant in fleet.tenants:
            fleet.answer(tenant, ERRORS[0])
            assert not fleet.slowed or tenant is fleet.tenants[2]
        fleet = Fleet(3)
        for tenant in fleet.tenants:
            fleet.answer(tenant, ERRORS[0])
            await asyncio.sleep(31)
        assert not fleet.slowed
        assert len(fleet.throttling._throttled) <= 2

    run_virtual(scenario())


def test_the_account_slows_all_at_once() -> None:
    async def scenario() -> None:
        fleet = Fleet(12)
        account = Caller(of_account=True)
        fleet.answer(account, ERRORS[1])
        assert fleet.limiter.hold == 900
        assert not fleet.throttling._answered

    run_virtual(scenario())
