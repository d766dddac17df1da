"""Tests that a body parsed piece by piece is what `json.loads` makes of it, and how its size is bounded."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api import pieces, wire
from exporter.api.errors import BadResponseError
from exporter.api.models import Ingestion, State
from exporter.api.pieces import MAX_PIECE, MAX_VALUES, NotJsonError, count_values, parse
from exporter.api.reader import Reader
from tests.api.fakes import json_values

MIB = 1_048_576
STEPS = st.sampled_from([1, 2, 3, 7, 64, 65_536])


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def loaded(body: bytes) -> Any:
    """What the standard library makes of it; `ValueError` is the answer to what is not JSON."""
    try:
        return json.loads(body, parse_constant=refuse, parse_int=pieces._integer)
    except ValueError:
        return ValueError


def parsed(body: bytes, step: int) -> Any:
    """The same piece by piece, with so many bytes decoded at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_STEP", step)
        try:
            return parse(body)
        except NotJsonError:
            return ValueError


texts = json_values(st.sampled_from(["data", "paging", "id"])).map(json.dumps)


@settings(max_examples=300)
@given(texts, STEPS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]), st.booleans())
def test_any_json_is_read_as_by_the_standard_library(text: str, step: int, encoding: str, listed: bool) -> None:  # noqa: FBT001 - drawn
    text = f' {{"data" : [ {text} ,{text}], "paging":\n{{}} }} ' if listed else text
    body = text.encode(encoding)
    assert repr(parsed(body, step)) == repr(loaded(body))


@settings(max_examples=300)
@given(texts, st.integers(0, 200), st.sampled_from(["", ",", "]", "}", "x", '"', "0", "[", "{", "\\", "\x00"]), STEPS)
def test_damaged_json_is_refused_as_by_the_standard_library(text: str, at: int, damage: str, step: int) -> None:
    text = f'{{"data": [{text}, 1], "paging": null}}'
    body = (text[:at] + damage + text[at + 1 :]).encode()
    assert repr(parsed(body, step)) == repr(loaded(body))


@given(st.binary(max_size=60), STEPS)
def test_any_bytes_give_a_value_or_no_json(body: bytes, step: int) -> None:
    assert repr(parsed(b'{"data": [' + body, step)) == repr(loaded(b'{"data": [' + body))


@pytest.mark.parametrize("digits", [101, 4300, 5000, 100_000])
def test_a_huge_number_is_read_at_once_and_breaks_nothing(digits: int) -> None:
    number = b"9" * digits
    assert parse(b'{"data": [{"x": ' + number + b', "id": "a"}]}') == {"data": [{"x": float(number), "id": "a"}]}


@pytest.mark.parametrize(
    ("piece", "mebibytes"),
    [("{},", 1), ("[],", 1), ("0,", 1), ("{},", 16), ("null,", 16), ('"",', 16), ("[[]],", 16), ('{"a":0},', 16)],
)
def test_a_body_of_too_many_values_is_refused_before_anything_is_built(piece: str, mebibytes: int) -> None:
    body = b'{"data": [' + piece.encode() * (mebibytes * MIB // len(piece)) + b"null]}"
    tracemalloc.start()
    try:
        with pytest.raises(BadResponseError, match="500000 values"):
            parse(body, on_list=lambda _: pytest.fail("something was built"))
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_values_are_counted_as_an_upper_bound() -> None:
    for text in ('{"a": [1, {"b": []}], "c": "x,y"}', "[]", "1", '[[], "[{,"]', ""):
        assert count_values(text.encode()) >= text.count("1") + text.count("]") + text.count("}")


def elements(body: bytes) -> Iterator[int]:
    """The number of elements that were read before each one."""
    seen: list[int] = []
    parse(body, on_list=lambda found: seen.extend(number for number, _ in enumerate(found)))
    return iter(seen)


@pytest.mark.parametrize(
    "element",
    [json.dumps({"name": "x" * 1000}), '{"name": "' + "\U0001f600" * 250 + '"}', json.dumps({"a": [*range(200)]})],
    ids=["ascii", "four bytes a character", "numbers"],
)
def test_the_memory_for_a_long_list_is_that_of_its_elements(element: str) -> None:
    count = min(16 * MIB // len(element.encode()), MAX_VALUES // count_values(element.encode()) - 1)
    body = b'{"data": [' + b",".join([element.encode()] * count) + b"]}"
    tracemalloc.start()
    try:
        assert sum(1 for _ in elements(body)) == count
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [{"id": "' + b"x" * (16 * MIB) + b'"}]}',
        b'{"data": {"id": "' + "\U0001f600".encode() * (5 * MIB) + b'"}}',
        b'{"data": {"x": [' + b"[]," * 240_000 + b"[]]}}",
        b'{"data": [' + b'{"a":1},' * 10 + b"x" * (15 * MIB) + b"]}",
        b'{"data": [], "paging": {"next": "' + b"x" * (16 * MIB) + b'"}}',
    ],
    ids=["one text", "one text of four bytes a character", "one list in an object", "garbage", "paging"],
)
def test_an_object_that_is_too_large_is_refused_without_reading_all_of_it(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadResponseError, match="too large, or not JSON"):
            parse(body)
        assert tracemalloc.get_traced_memory()[1] < 12 * MAX_PIECE  # at most 4 bytes a character, and copies
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["f", "a_flag_with_a_long_name_"])
def test_a_state_of_a_hundred_thousand_flags_is_read(name: str) -> None:
    body = json.dumps({"data": {f"{name}{number}": True for number in range(100_000)}}).encode()
    assert len(Reader(State.parse).object(body).flags) == 100_000


def test_a_page_with_too_many_objects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_PAGE_ITEMS", 3)
    assert len(wire.parse_page(b'{"data": [{}, null, {}, null, {}]}').items) == 3
    with pytest.raises(BadResponseError, match="more than 50000 objects"):
        wire.parse_page(b'{"data": [{}, {}, {}, null, {}]}')


def test_sixty_thousand_ingestions_on_one_page_are_refused_and_cost_little_memory() -> None:
    ingestion = {"id": "x" * 36, "type": "collection", "state": "executing", "started_at": "2026-11-26T02:18:23Z"}
    body = b'{"data": [' + b",".join([json.dumps(ingestion).encode()] * 60_000) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(BadResponseError, match="objects"):
            Reader(Ingestion.parse).page(body)
        assert tracemalloc.get_traced_memory()[1] < 50 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("depth", [10, *range(sys.getrecursionlimit() - 200, sys.getrecursionlimit() + 20, 7), 100_000])
def test_nesting_of_any_depth_is_read_or_no_json(depth: int) -> None:
    # Objects without an id go by their content, for which they are written as JSON again.
    for nested in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"0" + b"}" * depth):
        for body in (b'{"data": [{"days": ' + nested + b"}]}", b'{"data": {"days": ' + nested + b"}}"):
            for read in (Reader(Ingestion.parse).page, Reader(State.parse).object):
                try:
                    read(body)
                except BadResponseError as error:
                    assert error.reason == "bad_response"  # noqa: PT017 - that it is raised is not required
