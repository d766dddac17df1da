"""Tests which failures are retried, how often and when, and that every request is limited and counted."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest

from exporter.api.client import Client
from exporter.api.credentials import BasicCredentials, ClientCredentials
from exporter.api.errors import ApiError, BadResponseError, NetworkError, RequestTimeoutError
from exporter.api.models import State, Tenant
from exporter.api.wire import Reply
from tests.api.fakes import Answer, Call, FakeTransport, client, data, get_state, replies, reply, token
from tests.support.virtual_time import START, run_virtual

GOOD = data({"mass_change_pending": True})
BROKEN = NetworkError("the connection failed")
ENDPOINT = "/tenant/state"


async def get(one: Client) -> State:
    return await get_state(one.api(BasicCredentials("user", "password")))


async def reason(one: Client) -> str:
    """How a call ends: `success` or why not."""
    try:
        await get(one)
    except ApiError as error:
        return error.reason
    return "success"


@pytest.mark.parametrize(
    ("failure", "name", "code"),
    [
        (BROKEN, "network", "network"),
        (reply({}, 500), "server", "500"),
        (reply({}, 503), "server", "503"),
        (reply(b"<html>", 502), "server", "502"),
        (reply({}, 429), "throttled", "429"),
        (reply({}, 429, retry_after="0"), "throttled", "429"),
        (reply({}, 429, retry_after="60"), "throttled", "429"),
        (reply({}, 503, retry_after="5"), "server", "503"),
    ],
    ids=str,
)
@pytest.mark.parametrize("failures", [1, 2, 3, 9])
def test_what_may_pass_is_tried_again_twice_at_most(
    failure: Reply | ApiError, name: str, code: str, failures: int
) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(*[failure] * failures, GOOD))
        one = client(transport)
        tries = min(failures + 1, 3)
        assert await reason(one) == ("success" if failures < 3 else name)
        assert len(transport.calls) == tries
        assert one.observer.retries == [name] * (tries - 1)
        codes = [code] * failures + ["200"]
        assert one.observer.requests == [(ENDPOINT, each) for each in codes[:tries]]
        assert len(one.observer.waits) == one.rate_limiter.acquired == tries

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("failure", "name", "code"),
    [
        (RequestTimeoutError("no whole reply"), "timeout", "timeout"),
        (BadResponseError("too large"), "bad_response", "bad_response"),
        (reply({}, 400), "bad_response", "400"),
        (reply({}, 302), "bad_response", "302"),
        (reply({}, 401), "auth", "401"),
        (reply({}, 403), "forbidden", "403"),
        (reply({}, 404), "not_found", "404"),
        (reply(b"{"), "bad_response", "200"),
        (reply({}, 429, retry_after="61"), "throttled", "429"),
        (reply({}, 503, retry_after="61"), "server", "503"),
        (reply({}, 429, retry_after=formatdate(START + 600, usegmt=True)), "throttled", "429"),
    ],
    ids=str,
)
def test_what_will_not_pass_soon_is_not_tried_again(failure: Reply | ApiError, name: str, code: str) -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(failure)))
        assert await reason(one) == name
        assert one.observer.requests == [(ENDPOINT, code)]
        assert one.observer.retries == []

    run_virtual(scenario())


@pytest.mark.parametrize("failure", [BROKEN, reply({}, 500), reply({}, 429), reply({}, 429, retry_after="0")], ids=str)
def test_there_is_a_pause_before_each_further_try(failure: Reply | ApiError) -> None:
    async def scenario() -> None:
        pauses = []
        for _ in range(20):
            transport = FakeTransport(replies(failure))
            await reason(client(transport))
            first, second, third = (call.at for call in transport.calls)
            pauses += [second - first, third - second]
        assert min(pauses) >= 0
        assert max(pauses) <= 5
        assert len(set(pauses)) > 20  # at random, so that those that failed together do not come back together

    run_virtual(scenario())


@pytest.mark.parametrize("retry_after", ["20", formatdate(START + 20, usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_by_this_call_and_by_all_others(status: int, retry_after: str) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({}, status, retry_after=retry_after), GOOD))
        one = client(transport, rate=100)
        await get(one)
        assert transport.calls[1].at == pytest.approx(20)
        assert sum(one.observer.waits) == pytest.approx(20)

        transport = FakeTransport(replies(reply({}, status, retry_after="20"), GOOD))
        one = client(transport, rate=100)
        await asyncio.gather(get(one), get(one))
        begun = transport.calls[0].at
        assert sorted(round(call.at - begun, 2) for call in transport.calls) == [0, 20, 20.01]

    run_virtual(scenario())


def test_a_long_retry_after_holds_back_the_others_though_it_is_not_waited_for() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({}, 429, retry_after="300"), GOOD))
        one = client(transport)
        assert await reason(one) == "throttled"
        assert one.rate_limiter.hold == 300
        assert await reason(one) == "success"
        assert transport.calls[1].at == 300

    run_virtual(scenario())


def test_a_bare_429_cuts_the_rate_and_a_bare_503_does_not() -> None:
    async def scenario() -> None:
        throttled = client(FakeTransport(replies(reply({}, 429), GOOD)), rate=10)
        assert await reason(throttled) == "success"
        assert throttled.rate_limiter.rate < 6
        failing = client(FakeTransport(replies(reply({}, 503), GOOD)), rate=10)
        assert await reason(failing) == "success"
        assert failing.rate_limiter.rate == 10

    run_virtual(scenario())


def test_pages_tokens_and_retries_all_pay() -> None:
    async def scenario() -> None:
        pages = [data([{"id": "a"}]), reply({}, 500), data([{"id": "b"}]), reply({}, 401), data([])]
        transport = FakeTransport(replies(*pages), replies(BROKEN, token("one"), token("two")))
        one = client(transport, rate=0.1)
        assert len(await one.api(ClientCredentials("id", "secret")).get_list("/tenants", Tenant.parse)) == 2
        moments = sorted(call.at for call in [*transport.calls, *transport.token_calls])
        assert len(moments) == len(one.observer.requests) == one.rate_limiter.acquired == 8
        assert moments == pytest.approx([10.0 * number for number in range(8)])
        assert one.observer.retries == ["network", "server"]
        assert one.observer.requests == [
            ("/oauth/token", "network"),
            ("/oauth/token", "200"),
            ("/tenants", "200"),
            ("/tenants", "500"),
            ("/tenants", "200"),
            ("/tenants", "401"),
            ("/oauth/token", "200"),
            ("/tenants", "200"),
        ]

    run_virtual(scenario())


def slow(most: list[int]) -> Answer:
    """Answers after a second; `most` keeps how many were in flight, and how many at most."""

    async def answer(_: Call) -> Reply:
        most[0] += 1
        most[1] = max(most)
        await asyncio.sleep(1)
        most[0] -= 1
        return GOOD

    return answer


def test_no_more_are_in_flight_than_are_allowed_and_the_limit_can_be_changed() -> None:
    async def scenario() -> None:
        most = [0, 0]
        one = client(FakeTransport(slow(most)), concurrency=3)
        await asyncio.gather(*(get(one) for _ in range(10)))
        assert most == [0, 3]
        one.limit(3)
        one.limit(5)
        await asyncio.gather(*(get(one) for _ in range(10)))
        assert most == [0, 5]
        assert set(one.observer.seconds) == {1.0}

    run_virtual(scenario())


def test_a_pause_before_a_retry_holds_no_place() -> None:
    async def scenario() -> None:
        by_first = replies(BROKEN, GOOD)
        one = client(FakeTransport(by_first), concurrency=1)
        first = asyncio.create_task(get(one))
        await asyncio.sleep(0)
        await get(one)
        assert not first.done()
        await first

    run_virtual(scenario())


def test_a_call_that_is_cancelled_is_counted_and_gives_its_place_back() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(slow([0, 0])), concurrency=1)
        first = asyncio.create_task(get(one))
        await asyncio.sleep(0.5)
        first.cancel()
        await get(one)
        assert first.cancelled()
        assert one.observer.requests == [(ENDPOINT, "cancelled"), (ENDPOINT, "200")]

    run_virtual(scenario())


def test_a_mistake_of_our_own_is_counted_as_one_and_not_tried_again() -> None:
    def mistaken(_: Call) -> Reply:
        raise ZeroDivisionError

    async def scenario() -> None:
        one = client(FakeTransport(mistaken))
        with pytest.raises(ZeroDivisionError):
            await get(one)
        assert one.observer.requests == [(ENDPOINT, "bug")]

    run_virtual(scenario())
