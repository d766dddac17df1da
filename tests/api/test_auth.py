"""Tests tokens: kept until shortly before they expire, renewed once for all that wait, and no more often."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from exporter.api import wire
from exporter.api.auth import TokenIdentity
from exporter.api.credentials import BasicCredentials, BearerToken, ClientCredentials
from exporter.api.errors import ApiError, AuthError, ServerError
from exporter.api.models import State
from exporter.api.wire import Reply
from tests.api.fakes import SECRET, Call, FakeTransport, client, data, get_state, replies, reply, token
from tests.support.virtual_time import run_virtual, virtual_clock

OAUTH = ClientCredentials("client", SECRET)
STATE = data({"mass_change_pending": False})
REFUSED = reply({"error": {"message": SECRET}}, 401)


async def reason(call: Coroutine[Any, Any, Any]) -> str:
    """Why the call fails."""
    with pytest.raises(ApiError) as caught:
        await call
    assert SECRET not in f"{caught.value}{caught.value!r}"
    return caught.value.reason


def only(good: str) -> Any:
    """A server that lets one Authorization header in."""
    return lambda call: STATE if call.authorization == good else REFUSED


def test_the_token_request_is_the_one_of_the_reference() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE))
        await get_state(client(transport).api(OAUTH))
        form = {"grant_type": "client_credentials", "client_id": "client", "client_secret": SECRET}
        assert [call.query for call in transport.token_calls] == [form]
        assert [call.authorization for call in transport.calls] == ["Bearer token-1"]

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("credentials", "header"),
    [(BearerToken("ready"), "Bearer ready"), (BasicCredentials("key", "key"), "Basic a2V5OmtleQ==")],
)
def test_ready_tokens_and_basic_credentials_are_sent_as_they_are_and_one_401_is_final(
    credentials: BearerToken | BasicCredentials, header: str
) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE, REFUSED))
        api = client(transport).api(credentials)
        await get_state(api)
        assert await reason(get_state(api)) == "auth"
        assert [call.authorization for call in transport.calls] == [header, header]
        assert transport.token_calls == []

    run_virtual(scenario())


def test_a_tenant_without_credentials_is_an_auth_error_and_nothing_is_sent() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE))
        api = client(transport).api(None)
        assert await reason(get_state(api)) == "auth"
        assert transport.calls == transport.token_calls == []
        assert not api.identity.rejected("")

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("lifetime", "renewed"), [(3600, 3540), (600, 540), (60, 54), (None, 270), (10**9, 86_340), ("120", 108)]
)
def test_a_token_is_kept_until_shortly_before_its_end(lifetime: Any, renewed: float) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE), replies(token("first", expires_in=lifetime), token("second")))
        api = client(transport).api(OAUTH)
        for moment in (0, renewed / 2, renewed - 0.01, renewed + 0.01):
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            await get_state(api)
        assert [call.authorization for call in transport.calls] == ["Bearer first"] * 3 + ["Bearer second"]
        assert len(transport.token_calls) == 2

    run_virtual(scenario())


def slow_tokens(seconds: float = 5.0) -> Any:
    """A token endpoint that takes its time."""

    async def answer(_: Call) -> Reply:
        await asyncio.sleep(seconds)
        return token("slow")

    return answer


def test_twenty_calls_at_once_fetch_one_token() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE), slow_tokens())
        one = client(transport)
        api = one.api(OAUTH)
        await asyncio.gather(*(get_state(api) for _ in range(20)))
        assert len(transport.token_calls) == 1
        assert len(transport.calls) == 20
        assert one.observer.tokens == ["success"]

    run_virtual(scenario())


def test_twenty_401_at_once_fetch_one_new_token() -> None:
    async def scenario() -> None:
        async def answer(call: Call) -> Reply:
            await asyncio.sleep(1)
            return STATE if call.authorization == "Bearer token-2" else REFUSED

        transport = FakeTransport(answer)
        api = client(transport).api(OAUTH)
        await asyncio.gather(*(get_state(api) for _ in range(20)))
        assert len(transport.token_calls) == 2
        assert len(transport.calls) == 40

    run_virtual(scenario())


@pytest.mark.parametrize("good", [1, 2, 3, 4])
def test_a_401_is_answered_with_a_new_token(good: int) -> None:
    async def scenario() -> None:
        transport = FakeTransport(only(f"Bearer token-{good}"))
        await get_state(client(transport).api(OAUTH))
        assert (len(transport.calls), len(transport.token_calls)) == (good, good)

    run_virtual(scenario())


def test_a_401_for_ever_is_answered_with_three_new_tokens_and_no_more() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(REFUSED))
        one = client(transport)
        assert await reason(get_state(one.api(OAUTH))) == "auth"
        assert (len(transport.calls), len(transport.token_calls)) == (4, 4)
        assert len({call.authorization for call in transport.calls}) == 4
        assert one.observer.retries == []

    run_virtual(scenario())


def test_tokens_that_are_always_refused_cost_little() -> None:
    """Polls of one tenant: two a minute, and three more at first."""

    async def scenario() -> None:
        transport = FakeTransport(replies(REFUSED))
        api = client(transport).api(OAUTH)
        for _ in range(5):
            assert await reason(get_state(api)) == "auth"
        assert (len(transport.calls), len(transport.token_calls)) == (8, 4)
        for minute in range(1, 61):
            await asyncio.sleep(60 * minute - asyncio.get_running_loop().time())
            for _ in range(2):
                assert await reason(get_state(api)) == "auth"
        # A healthy tenant costs two requests a minute.
        sent = len(transport.calls) + len(transport.token_calls) - 12
        assert sent <= 3 * 2 * 60 + 2

    run_virtual(scenario())


def test_a_tenant_whose_tokens_are_good_again_is_polled_at_once() -> None:
    async def scenario() -> None:
        answers = [REFUSED]
        transport = FakeTransport(lambda _: answers[0])
        api = client(transport).api(OAUTH)
        await reason(get_state(api))
        answers[0] = STATE
        await get_state(api)
        assert len(transport.token_calls) == 4, "the last token is kept: it may be good for other calls"

    run_virtual(scenario())


def test_one_endpoint_that_refuses_all_tokens_leaves_the_others_alone() -> None:
    async def scenario() -> None:
        transport = FakeTransport(lambda call: REFUSED if call.path.endswith("/application") else STATE)
        api = client(transport).api(OAUTH)
        for _ in range(20):
            assert await reason(api.get_one("/tenant/application", State.parse)) == "auth"
            await get_state(api)
            await asyncio.sleep(60)
        # Three at first, then two a minute.
        assert len(transport.token_calls) <= 4 + 2 * 20

    run_virtual(scenario())


def test_a_server_that_forgets_its_tokens_now_and_then_is_always_polled() -> None:
    async def scenario() -> None:
        forgotten: set[str] = set()
        transport = FakeTransport(lambda call: REFUSED if call.authorization in forgotten else STATE)
        api = client(transport).api(OAUTH)
        for _ in range(50):
            await get_state(api)
            forgotten.add(transport.calls[-1].authorization)
            await asyncio.sleep(30)

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("answer", "expected", "requests"),
    [
        (reply({"error": "invalid_client", "error_description": SECRET}, 400), "auth", 1),
        (reply({"error": "invalid_client", "error_description": SECRET}), "auth", 1),
        (reply({"error": {"status": 401, "message": SECRET}}), "auth", 1),
        (reply({"error": "temporarily_unavailable"}), "server", 3),
        (reply({"error": "server_error"}, 400), "server", 3),
        (reply({}, 403, retry_after="600"), "throttled", 1),
        (reply({"error": "invalid_client"}, 401), "auth", 1),
        (reply({}, 403), "auth", 1),
        (reply({}, 404), "bad_response", 1),
        (reply({}, 302, location="https://elsewhere.invalid"), "bad_response", 1),
        (reply(b"<html>" + SECRET.encode()), "bad_response", 1),
        (reply(b""), "bad_response", 1),
        (reply({"data": {"access_token": SECRET}}), "bad_response", 1),
        (token(""), "bad_response", 1),
        (token(f"{SECRET}\r\nX: y"), "bad_response", 1),
        (reply({}, 500), "server", 3),
        (reply({}, 429), "throttled", 3),
        (reply({}, 429, retry_after="600"), "throttled", 1),
    ],
)
def test_a_token_endpoint_that_gives_none_fails_the_call(answer: Reply, expected: str, requests: int) -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE), replies(*[answer] * requests, token("good")))
        one = client(transport)
        api = one.api(OAUTH)
        assert await reason(get_state(api)) == expected
        assert len(transport.token_calls) == requests
        assert transport.calls == []
        await asyncio.sleep(600)
        await get_state(api)  # and nothing is wedged
        assert one.observer.tokens[-1] == "success"

    run_virtual(scenario())


def test_a_failed_refresh_is_counted_by_its_reason() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(STATE), replies(reply({}, 400), token())))
        api = one.api(OAUTH)
        await reason(get_state(api))
        await get_state(api)
        assert one.observer.tokens == ["auth", "success"]

    run_virtual(scenario())


def test_a_cancelled_refresh_does_not_wedge_those_who_wait_for_it() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(STATE), slow_tokens())
        api = client(transport).api(OAUTH)
        first, second = asyncio.create_task(get_state(api)), asyncio.create_task(get_state(api))
        await asyncio.sleep(1)
        first.cancel()
        assert not (await second).flags["mass_change_pending"]
        assert first.cancelled()
        await get_state(api)
        assert len(transport.token_calls) == 2

    run_virtual(scenario())


def test_a_failed_refresh_lets_the_next_one_try_for_itself() -> None:
    async def scenario() -> None:
        api = client(FakeTransport(replies(STATE), replies(reply({}, 400), token()))).api(OAUTH)
        outcomes = await asyncio.gather(get_state(api), get_state(api), return_exceptions=True)
        assert isinstance(outcomes[0], AuthError)
        assert not isinstance(outcomes[1], BaseException)

    run_virtual(scenario())


def test_one_tenant_that_cannot_get_a_token_does_not_hold_up_another() -> None:
    async def scenario() -> None:
        async def by_client(call: Call) -> Reply:
            if call.query["client_id"] == "slow":
                await asyncio.sleep(20)
                raise ServerError("the server failed", 600.0)
            return token()

        one = client(FakeTransport(replies(STATE), by_client))
        slow = one.api(ClientCredentials("slow", SECRET))
        failing = [asyncio.create_task(reason(get_state(slow))) for _ in range(3)]
        await asyncio.sleep(1)
        await get_state(one.api(OAUTH))
        assert asyncio.get_running_loop().time() == 1
        assert await asyncio.gather(*failing) == ["server"] * 3

    run_virtual(scenario())


def test_a_token_that_someone_else_has_renewed_is_not_dropped() -> None:
    async def scenario() -> None:
        fetched: list[str] = []

        async def fetch(_: ClientCredentials) -> wire.Token:
            fetched.append(f"token-{len(fetched)}")
            return wire.Token(fetched[-1], 3600)

        identity = TokenIdentity(OAUTH, fetch, virtual_clock())
        old = await identity.authorization()
        assert identity.rejected(old)
        new = await identity.authorization()
        assert identity.rejected(old)
        assert await identity.authorization() == new
        assert len(fetched) == 2

    run_virtual(scenario())


def test_no_credentials_show_in_a_repr() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(STATE), replies(token(SECRET))))
        for credentials in (OAUTH, BearerToken(SECRET), BasicCredentials(SECRET, SECRET)):
            api = one.api(credentials)
            await get_state(api)
            for thing in (credentials, api, api.identity, one):
                assert SECRET not in f"{thing}{thing!r}"

    run_virtual(scenario())
