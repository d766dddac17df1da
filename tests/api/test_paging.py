"""Tests that a list is complete or fails, whatever the server's way of paging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api import client as client_module
from exporter.api.client import EMPTY_PAGES
from exporter.api.credentials import BearerToken
from exporter.api.errors import (
    ApiError,
    BadResponseError,
    ForbiddenError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
)
from exporter.api.wire import Reply
from tests.api.fakes import Call, FakeTransport, Recorder, client, data, reply
from tests.support.virtual_time import run_virtual

READY = BearerToken("ready")
Item = dict[str, Any]
Pages = Sequence[Sequence[Item | None]]


def asked_for(call: Call) -> int:
    return int(call.query["page"])


def ask(answer: Callable[[int], Reply | ApiError]) -> tuple[list[Item] | ApiError, FakeTransport, Recorder]:
    """Read a list from a server that answers by page number: the items or the failure, and what was sent."""

    async def scenario() -> tuple[list[Item] | ApiError, FakeTransport, Recorder]:
        transport = FakeTransport(lambda call: answer(asked_for(call)))
        one = client(transport)
        try:
            found: list[Item] | ApiError = await one.api(READY).get_list("/tenants", lambda item: dict(item.raw))
        except ApiError as error:
            found = error
        return found, transport, one.observer

    return run_virtual(scenario())


def page_of(pages: Pages, number: int) -> list[Item | None]:
    return list(pages[number]) if number < len(pages) else []


WAYS_TO_SAY_NEXT: dict[str, Callable[[int, bool], Any]] = {
    "number": lambda number, more: number + 1 if more else None,
    "path": lambda number, more: f"/v2/interop/tenants?page={number + 1}&page_size=7" if more else None,
    "address": lambda number, more: f"https://elsewhere.invalid/tenants?page={number + 1}" if more else "",
    "cursor": lambda _, more: "b2Zmc2V0" if more else None,
    "boolean": lambda _number, more: more,
}

items = st.one_of(
    st.fixed_dictionaries({"id": st.uuids().map(str)}), st.fixed_dictionaries({"name": st.uuids().map(str)})
)
lists = st.lists(items, max_size=25, unique_by=str)


@st.composite
def split(draw: st.DrawFn, *, empty_pages: bool) -> tuple[list[Item], Pages]:
    """A list, and pages that hold it, with nulls in between."""
    whole = draw(lists)
    pages: list[list[Item | None]] = []
    rest = list(whole)
    while rest:
        size = draw(st.integers(0 if empty_pages and (not pages or pages[-1]) else 1, 6))
        pages.append([piece for item in rest[:size] for piece in draw(st.sampled_from(([item], [None, item])))])
        rest = rest[size:]
    if empty_pages and draw(st.booleans()):
        pages.append([])
    return whole, pages


@given(split(empty_pages=True), st.sampled_from(sorted(WAYS_TO_SAY_NEXT)))
def test_any_split_with_a_next_is_put_together_again(parts: tuple[list[Item], Pages], way: str) -> None:
    whole, pages = parts

    def answer(number: int) -> Reply:
        more = WAYS_TO_SAY_NEXT[way](number, number + 1 < len(pages))
        return reply({"data": page_of(pages, number), "paging": {"next": more}})

    found, transport, observer = ask(answer)
    assert found == whole
    assert [asked_for(call) for call in transport.calls] == list(range(max(1, len(pages))))
    assert observer.lists_truncated == []


@given(split(empty_pages=False))
def test_any_split_without_paging_is_put_together_again(parts: tuple[list[Item], Pages]) -> None:
    whole, pages = parts
    found, transport, _ = ask(lambda number: data(page_of(pages, number)))
    assert found == whole
    assert len(transport.calls) == len(pages) + 1


@given(split(empty_pages=False))
def test_a_server_that_ignores_the_page_gives_its_list_once(parts: tuple[list[Item], Pages]) -> None:
    whole, _ = parts
    found, transport, _ = ask(lambda _: data([None, *whole]))
    assert found == whole
    assert len(transport.calls) == (3 if whole else 1)


@given(split(empty_pages=False))
def test_pages_that_overlap_give_each_object_once(parts: tuple[list[Item], Pages]) -> None:
    whole, pages = parts
    overlapping = [[*(pages[number - 1] if number else []), *page] for number, page in enumerate(pages)]
    assert ask(lambda number: data(page_of(overlapping, number)))[0] == whole


SEVEN = [{"id": number} for number in range(1, 8)]
PAGES_OF_SEVEN: dict[str, tuple[Pages, Any]] = {
    "page 0 is page 1": ([SEVEN[:3], SEVEN[:3], SEVEN[3:6], SEVEN[6:]], None),
    "page 0 is page 1, in another order": ([SEVEN[:3], SEVEN[2::-1], SEVEN[3:6], SEVEN[6:]], None),
    "page 0 is page 1, with a next": ([SEVEN[:3], SEVEN[:3], SEVEN[3:6], SEVEN[6:]], True),
    "page 0 is page 1, one object a page": ([SEVEN[:1], *([each] for each in SEVEN)], None),
    "page 0 is page 1, and the only one": ([SEVEN, SEVEN], None),
    "the last page is repeated for ever": ([SEVEN[:3], SEVEN[3:], *[SEVEN[3:]] * 20], None),
    "the first page is repeated for ever": ([SEVEN[:3], SEVEN[3:], *[SEVEN[:3]] * 20], None),
    "both ends are repeated": ([SEVEN[:4], SEVEN[:4], SEVEN[4:], *[SEVEN[4:]] * 20], None),
    "all pages again": ([SEVEN[:3], SEVEN[3:6], SEVEN[6:]] * 5, None),
    "pages that overlap": ([SEVEN[:3], SEVEN[2:5], SEVEN[4:]], None),
    "pages of any length": ([SEVEN[:1], SEVEN[1:6], SEVEN[6:]], None),
    "a page in the middle twice": ([SEVEN[:3], SEVEN[3:6], SEVEN[3:6], SEVEN[6:]], None),
    "an object was added meanwhile": ([SEVEN[1:3], SEVEN[:3], SEVEN[3:]], None),
    "a shifted page of one object": ([SEVEN[:1], SEVEN[:1], SEVEN[1:2], SEVEN[2:]], None),
}


@pytest.mark.parametrize(("pages", "following"), PAGES_OF_SEVEN.values(), ids=PAGES_OF_SEVEN)
def test_all_seven_are_found(pages: Pages, following: Any) -> None:
    def answer(number: int) -> Reply:
        more = {} if following is None else {"paging": {"next": number + 1 < len(pages) and following}}
        return reply({"data": page_of(pages, number), **more})

    found, transport, observer = ask(answer)
    assert isinstance(found, list)
    assert sorted(item["id"] for item in found) == [1, 2, 3, 4, 5, 6, 7]
    assert len(transport.calls) <= len(pages) + 1
    assert observer.lists_truncated == []


def test_a_server_that_counts_from_1_may_say_so() -> None:
    """Page 0 is page 1, and its `next` is 2."""
    pages = {0: SEVEN[:4], 1: SEVEN[:4], 2: SEVEN[4:]}
    following = {0: "?page=2", 2: None}
    found, transport, _ = ask(lambda number: reply({"data": pages[number], "paging": {"next": following[number]}}))
    assert found == SEVEN
    assert len(transport.calls) == 2


def test_the_newest_of_two_with_one_id_counts() -> None:
    pages = [[{"id": "a", "state": "executing"}], [{"id": "a", "state": "success"}, {"id": "b"}]]
    assert ask(lambda number: data(page_of(pages, number)))[0] == [{"id": "a", "state": "success"}, {"id": "b"}]


@pytest.mark.parametrize("ident", [None, ""])
def test_objects_without_an_id_are_told_apart_by_all_of_them(ident: str | None) -> None:
    # Two that are alike are two; the same page once more is not.
    whole = [{"id": ident, "name": "a"}, {"id": ident, "name": "b"}, {"id": ident, "name": "a"}]
    assert ask(lambda _: data(whole))[0] == whole


def test_pages_may_be_numbered_with_gaps() -> None:
    pages = {0: ([{"id": "a"}], 5), 5: ([{"id": "b"}], None)}
    found, transport, _ = ask(lambda number: reply({"data": pages[number][0], "paging": {"next": pages[number][1]}}))
    assert found == [{"id": "a"}, {"id": "b"}]
    assert [asked_for(call) for call in transport.calls] == [0, 5]


def test_a_page_number_that_goes_back_is_not_followed() -> None:
    following = {0: 1, 1: "?page=0", 2: None}
    found, _, _ = ask(lambda number: reply({"data": [{"id": number}], "paging": {"next": following[number]}}))
    assert found == [{"id": 0}, {"id": 1}, {"id": 2}]


@pytest.mark.parametrize("size", [4299, 4300, 5000])
def test_a_page_number_too_large_to_be_sent_is_not_followed(size: int) -> None:
    body = b'{"data": [{"id": "%d"}], "paging": {"next": "?page=' + b"9" * size + b'"}}'
    found, transport, _ = ask(lambda number: reply(body % number if number < 3 else b'{"data": []}'))
    assert found == [{"id": "0"}, {"id": "1"}, {"id": "2"}]
    assert [asked_for(call) for call in transport.calls] == [0, 1, 2, 3]


def gave_up(answer: Callable[[int], Reply], at_most: int) -> None:
    found, transport, observer = ask(answer)
    assert isinstance(found, BadResponseError)
    assert observer.lists_truncated == ["/tenants"]
    assert len(transport.calls) <= at_most


def test_a_server_that_repeats_a_page_and_promises_more_is_given_up() -> None:
    gave_up(lambda _: reply({"data": [{"id": "a"}, {"id": "b"}], "paging": {"next": True}}), 3)


def test_a_server_that_goes_round_in_a_circle_is_given_up() -> None:
    gave_up(lambda number: reply({"data": [{"id": number % 3}], "paging": {"next": f"?page={(number + 1) % 3}"}}), 5)


@pytest.mark.parametrize("paging", [{"next": True}, {"next": "cursor"}, None])
def test_a_list_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, paging: Any) -> None:
    monkeypatch.setattr(client_module, "MAX_PAGES", 12)
    gave_up(lambda number: reply({"data": [{"id": number}], "paging": paging}), 12)


@pytest.mark.parametrize("paging", [{"next": True}, None])
def test_a_list_with_too_many_objects_is_given_up(monkeypatch: pytest.MonkeyPatch, paging: Any) -> None:
    monkeypatch.setattr(client_module, "MAX_ITEMS", 50)
    gave_up(lambda number: reply({"data": [{"id": f"{number}/{n}"} for n in range(20)], "paging": paging}), 3)


@pytest.mark.parametrize("empty", [[], None, [None], [None, None]])
def test_empty_pages_for_ever_are_no_whole_list(empty: Any) -> None:
    gave_up(
        lambda number: reply({"data": empty if number else [{"id": "a"}], "paging": {"next": number + 1}}),
        1 + EMPTY_PAGES,
    )


def test_a_few_empty_pages_in_between_do_not_end_the_list() -> None:
    pages: Pages = [[], [], [{"id": "a"}], [], [], [{"id": "b"}]]
    found, _, _ = ask(lambda number: reply({"data": page_of(pages, number), "paging": {"next": number < 5}}))
    assert found == [{"id": "a"}, {"id": "b"}]


PAGE = {"data": st.lists(st.none() | st.fixed_dictionaries({"id": st.integers(0, 9)}), max_size=4)}
PAGING = st.none() | st.fixed_dictionaries({"next": st.none() | st.booleans() | st.integers(-2, 30) | st.just("x")})


@settings(max_examples=200)
@given(st.lists(st.fixed_dictionaries(PAGE, optional={"paging": PAGING}), min_size=1, max_size=12))
def test_any_server_comes_to_an_end(pages: list[dict[str, Any]]) -> None:
    """The pages go round in a circle: a whole list comes out of it, or a failure that is observed."""
    found, transport, observer = ask(lambda number: reply(pages[number % len(pages)]))
    assert len(transport.calls) < 100
    if isinstance(found, ApiError):
        assert isinstance(found, BadResponseError)
        assert observer.lists_truncated == ["/tenants"]
    else:
        shown = [item for call in transport.calls for item in pages[asked_for(call) % len(pages)]["data"] if item]
        assert {item["id"] for item in found} == {item["id"] for item in shown}
        assert len({item["id"] for item in found}) == len(found)
        assert observer.lists_truncated == []


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ServerError("the server failed"), "server"),
        (RequestTimeoutError("no whole reply"), "timeout"),
        (reply({}, 500), "server"),
        (reply({}, 429), "throttled"),
        (reply({}, 401), "auth"),
        (reply(b"<html>"), "bad_response"),
        (reply({"data": [5]}), "bad_response"),
        (reply({}, 400), "bad_response"),
    ],
    ids=str,
)
@pytest.mark.parametrize("failing", [0, 1, 3])
@pytest.mark.parametrize("paging", [{"next": True}, None])
def test_a_page_that_fails_fails_the_list(failure: Reply | ApiError, reason: str, failing: int, paging: Any) -> None:
    found, _, _ = ask(
        lambda number: failure if number == failing else reply({"data": [{"id": number}], "paging": paging})
    )
    assert isinstance(found, ApiError)
    assert found.reason == reason


@pytest.mark.parametrize(("status", "error"), [(403, ForbiddenError), (404, NotFoundError)])
def test_a_later_page_that_is_refused_does_not_mean_that_there_is_no_list(status: int, error: type[ApiError]) -> None:
    """Some tenants have no such list, which is no failure. Half a list is one."""
    assert isinstance(ask(lambda _: reply({}, status))[0], error)
    found, _, _ = ask(lambda number: reply({}, status) if number else data([{"id": "a"}]))
    assert isinstance(found, BadResponseError)
