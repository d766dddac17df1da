"""Tests that any reply of the API gives a value or an `ApiError`, and a page that parses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.wire import Reply
from tests.support.fetches import good_reply
from tests.support.fuzzing.inputs import DEEP, HEADERS, documents, json_bytes, replaced
from tests.support.fuzzing.raw import decode
from tests.support.fuzzing.replies import CALLS, DISCOVERIES, ask_for_a_token, discover, poll_thrice
from tests.support.fuzzing.runs import fuzzed

STATUSES = st.just(200) | st.sampled_from(
    [*range(100, 600, 100), 201, 204, 206, 299, 304, 401, 403, 404, 410, 429, 503, 599, 999]
)
TOKEN = {"access_token": "S3CR3T-token", "token_type": "bearer", "expires_in": 3600, "scope": "all"}


def replies(good: Any) -> st.SearchStrategy[Reply]:
    """Replies made from a good one: most have status 200, so that their body is read."""
    plain = documents(good).map(lambda body: Reply(200, {}, body))
    return plain | plain | st.builds(Reply, STATUSES, HEADERS, documents(good))


@pytest.mark.parametrize(("name", "path"), CALLS)
@fuzzed(40)
@given(data=st.data())
def test_a_poll_takes_any_reply_and_the_next_one_succeeds(name: str, path: str, data: st.DataObject) -> None:
    poll_thrice(name, path, data.draw(replies(good_reply(path))))


@pytest.mark.parametrize(("name", "path"), DISCOVERIES)
@fuzzed(100)
@given(data=st.data())
def test_a_discovery_takes_any_reply(name: str, path: str, data: st.DataObject) -> None:
    discover(name, path, data.draw(replies(good_reply(path))))


@pytest.mark.parametrize("path", sorted({path for _, path in (*CALLS, *DISCOVERIES)}))
def test_every_member_of_every_reply_may_be_anything(path: str) -> None:
    for value in replaced(good_reply(path)):
        decode(json_bytes(value))


@pytest.mark.parametrize("number", range(len(DEEP)))
def test_a_reply_may_nest_deeper_than_the_stack(number: int) -> None:
    decode(DEEP[number])


@fuzzed(100)
@given(replies(TOKEN))
def test_any_token_reply_gives_a_token_or_a_foreseen_failure(reply: Reply) -> None:
    ask_for_a_token(reply)
