"""Tests which failures are retried, how often and when, and that every request is limited and counted."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest

from exporter.api.client import Api, Client
from exporter.api.credentials import BasicCredentials, ClientCredentials
from exporter.api.errors import ApiError, BadResponseError, NetworkError, RequestTimeoutError
from exporter.api.models import State, Tenant
from exporter.api.wire import Reply
from tests.api.fakes import Answer, Call, FakeTransport, client, data, get_state, replies, reply, token
from tests.support.virtual_time import START, run_virtual

GOOD = data({"mass_change_pending": True})
BROKEN = NetworkError("the connection failed")
ENDPOINT = "/tenant/state"
BASIC = BasicCredentials("user", "password")


async def get(one: Client) -> State:
    return await get_state(one.api(BASIC))


async def reason(one: Client, api: Api | None = None) -> str:
    """How a call ends: `success` or why not."""
    try:
        await get_state(api or one.api(BASIC))
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
@pytest.mark.parametrize("status", [429, 503, 403])
@pytest.mark.parametrize("of_account", [True, False])
def test_retry_after_is_waited_for_by_the_one_who_was_told_so(
    status: int,
    retry_after: str,
    of_account: bool,  # noqa: FBT001 - a table
) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({}, status, retry_after=retry_after), GOOD))
        one = client(transport, rate=100)
        told, other = one.api(BASIC, of_account=of_account), one.api(BASIC)
        first = asyncio.create_task(get_state(told))
        await asyncio.sleep(1)
        await asyncio.gather(get_state(other), first)
        moments = [round(call.at, 1) for call in transport.calls]
        assert moments == ([0, 20, 20] if of_account else [0, 1, 20])

    run_virtual(scenario())


@pytest.mark.parametrize(("status", "name"), [(429, "throttled"), (503, "server"), (403, "throttled")])
def test_a_long_retry_after_of_a_tenant_holds_that_tenant_and_sends_nothing_for_it(status: int, name: str) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({}, status, retry_after="300"), GOOD))
        one = client(transport)
        api = one.api(BASIC)
        assert await reason(one, api) == name
        assert await reason(one, api) == name
        assert await reason(one) == "success"
        assert one.rate_limiter.hold == 0
        await asyncio.sleep(289)
        assert await reason(one, api) == name, "nor does a call wait that was not told so"
        assert len(transport.calls) == 2
        await asyncio.sleep(2)
        assert await reason(one, api) == "success", "but for some seconds it does"
        assert transport.calls[-1].at == 300

    run_virtual(scenario())


def test_a_long_retry_after_of_the_account_holds_back_all() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({}, 429, retry_after="300"), GOOD))
        one = client(transport)
        assert await reason(one, one.api(BASIC, of_account=True)) == "throttled"
        assert one.rate_limiter.hold == 300
        assert await reason(one) == "success"
        assert transport.calls[1].at == 300

    run_virtual(scenario())


@pytest.mark.parametrize("retry_after", ["-5", "0", "soon", "Tue, 01 Sep 2020 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_a_bare_429(retry_after: str) -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(reply({}, 429, retry_after=retry_after), GOOD)))
        api = one.api(BASIC)
        assert await reason(one, api) == "success"
        assert one.throttling.hold(api.caller) == 0
        assert asyncio.get_running_loop().time() < 5

    run_virtual(scenario())


def test_a_tenant_that_is_told_to_wait_for_years_waits_for_a_quarter_of_an_hour() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(reply({}, 429, retry_after="9" * 40), GOOD)))
        api = one.api(BASIC)
        assert await reason(one, api) == "throttled"
        assert one.throttling.hold(api.caller) == 900

    run_virtual(scenario())


def test_a_bare_429_of_the_account_cuts_the_rate_and_nothing_else_does() -> None:
    async def scenario() -> None:
        for answer, of_account, cut in (
            (reply({}, 429), True, True),
            (reply({}, 429), False, False),
            (reply({}, 503), True, False),
        ):
            one = client(FakeTransport(replies(answer, GOOD)), rate=10)
            assert await reason(one, one.api(BASIC, of_account=of_account)) == "success"
            assert (one.rate_limiter.rate < 6) is cut

    run_virtual(scenario())


def test_a_token_request_that_is_throttled_holds_the_tenant_whose_it_is() -> None:
    async def scenario() -> None:
        def tokens(call: Call) -> Reply:
            return reply({}, 429, retry_after="600") if call.query["client_id"] == "told" else token()

        transport = FakeTransport(replies(GOOD), tokens)
        one = client(transport)
        told = one.api(ClientCredentials("told", "secret"))
        assert [await reason(one, told), await reason(one, told)] == ["throttled", "throttled"]
        assert await reason(one, one.api(ClientCredentials("other", "secret"))) == "success"
        assert len(transport.token_calls) == 2

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
