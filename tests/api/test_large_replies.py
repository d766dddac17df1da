"""Tests that the event loop goes on while a large reply is parsed, one at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from exporter.api import client as client_module
from exporter.api import wire
from exporter.api.credentials import BearerToken
from exporter.api.errors import BadResponseError
from exporter.api.fields import Fields
from exporter.api.models import Ingestion
from tests.api.fakes import FakeTransport, Recorder, client, data, reply
from tests.support.virtual_time import run_virtual

READY = BearerToken("ready")
SMALL = b'{"data": []}'
LARGE = b'{"data": [' + b"null," * 10_000 + b"null]}"
LONG = b'{"data": ["' + b"x" * 300_000 + b'"]}'


@pytest.mark.parametrize(("body", "small"), [(SMALL, True), (LARGE, False), (LONG, False), (b"[" * 5000, False)])
def test_a_reply_is_large_by_its_values_and_by_its_bytes(body: bytes, small: bool) -> None:  # noqa: FBT001 - a table
    assert wire.is_small(body) == small


@pytest.mark.parametrize("body", [LARGE, LONG])
def test_the_event_loop_goes_on_while_a_large_reply_is_parsed(body: bytes) -> None:
    async def scenario() -> str:
        went_on = threading.Event()

        def parse(_: bytes) -> str:
            assert went_on.wait(10), "the event loop stood still"
            return threading.current_thread().name

        parsing = asyncio.create_task(client(FakeTransport(lambda _: data([]))).parsed(parse, body))
        await asyncio.sleep(0)
        went_on.set()
        return await parsing

    assert run_virtual(scenario()) != threading.main_thread().name


def test_a_small_reply_needs_no_thread() -> None:
    async def scenario() -> str:
        one = client(FakeTransport(lambda _: data([])))
        return await one.parsed(lambda _: threading.current_thread().name, SMALL)

    assert run_virtual(scenario()) == threading.main_thread().name


def test_large_replies_are_parsed_one_at_a_time_and_a_bad_one_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    most: list[int] = []

    async def in_thread(parse: Callable[[bytes], int], body: bytes) -> int:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0)
        running.pop()
        return parse(body)

    def parse(number: int, _: bytes) -> int:
        if number % 2:
            raise BadResponseError("not JSON")
        return number

    async def scenario() -> list[object]:
        one = client(FakeTransport(lambda _: data([])))
        parsing = [one.parsed(partial(parse, number), LARGE) for number in range(12)]
        return list(await asyncio.gather(*parsing, return_exceptions=True))

    monkeypatch.setattr(client_module, "in_daemon_thread", in_thread)
    results = run_virtual(scenario())
    assert [each for each in results if not isinstance(each, BadResponseError)] == [0, 2, 4, 6, 8, 10]
    assert most == [1] * 12


def test_a_large_list_is_the_list_and_its_invalid_members_are_counted() -> None:
    async def scenario() -> tuple[list[Ingestion], Recorder]:
        pages = [[{"id": f"{page}-{number}", "started_at": "soon"} for number in range(6000)] for page in range(2)]
        transport = FakeTransport(
            lambda call: reply(
                {"data": pages[int(call.query["page"])], "paging": {"next": int(call.query["page"]) == 0}}
            )
        )
        one = client(transport)
        found = await one.api(READY).get_list("/ingestions", Ingestion.parse)
        return found, one.observer

    found, observer = run_virtual(scenario())
    assert [each.id for each in found] == [f"{page}-{number}" for page in range(2) for number in range(6000)]
    assert Counter(observer.invalid_fields) == {("/ingestions", "started_at"): 12_000}


def test_the_invalid_members_of_a_page_that_brings_nothing_new_are_not_counted_again() -> None:
    async def scenario() -> Recorder:
        one = client(FakeTransport(lambda _: data([{"id": "a", "started_at": "soon"}])))
        assert len(await one.api(READY).get_list("/ingestions", Ingestion.parse)) == 1
        return one.observer

    assert run_virtual(scenario()).invalid_fields == [("/ingestions", "started_at")]


def test_a_number_and_its_text_are_one_id() -> None:
    async def scenario() -> list[str | None]:
        one = client(FakeTransport(lambda _: data([{"id": 7}, {"id": "7"}, {"id": 7.0}, {"id": "8"}])))
        return await one.api(READY).get_list("/tenants", Fields.ident)

    assert run_virtual(scenario()) == ["7", "8"]


@pytest.mark.parametrize("more", [[None] * 10_000, "x" * 300_000])
def test_a_large_token_reply_is_a_bad_response(more: object) -> None:
    body = json.dumps({"access_token": "t", "more": more}).encode()
    with pytest.raises(BadResponseError, match="too large"):
        wire.parse_token(body)


def test_a_long_token_is_a_token() -> None:
    assert wire.parse_token(json.dumps({"access_token": "t" * 60_000}).encode()).value == "t" * 60_000
