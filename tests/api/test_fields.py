"""Tests that an object of any content gives typed members, and that invalid ones are reported by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.fields import Fields
from tests.api.fakes import json_values

TIME = 1_755_262_726.28  # 2025-08-15T12:58:46.280Z
LAST = math.nextafter(253_402_300_800.0, 0)


def fields(raw: dict[str, Any]) -> tuple[Fields, list[str]]:
    """An object, and the names that it has reported."""
    reported: list[str] = []
    return Fields(raw, reported.append), reported


READERS: dict[str, tuple[Callable[[Fields, str], Any], type]] = {
    "text": (Fields.text, str),
    "secret": (Fields.secret, str),
    "ident": (Fields.ident, str),
    "word": (Fields.word, str),
    "flag": (Fields.flag, bool),
    "count": (Fields.count, int),
    "time": (Fields.time, float),
}


@pytest.mark.parametrize("reader", READERS)
def test_null_and_missing_are_none_and_nothing_to_report(reader: str) -> None:
    read, _ = READERS[reader]
    for raw in ({}, {"x": None}):
        one, reported = fields(raw)
        assert read(one, "x") is None
        assert reported == []


@pytest.mark.parametrize(
    ("reader", "value", "result"),
    [
        ("text", "Ünïted 学区", "Ünïted 学区"),
        ("text", "", ""),
        ("text", "x" * 1024, "x" * 1024),
        ("ident", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("ident", 17, "17"),
        ("ident", 0, "0"),
        ("ident", -1, "-1"),
        ("ident", 653247040368672768, "653247040368672768"),
        ("ident", 2**128 - 1, "340282366920938463463374607431768211455"),  # a UUID as a number
        ("ident", 17.0, "17"),
        ("ident", 1.5, "1.5"),
        ("text", 4711, "4711"),
        ("text", 2.1, "2.1"),
        ("text", 3.0, "3"),
        ("text", "e\u0301cole", "\xe9cole"),
        ("secret", "x" * 1400, "x" * 1400),
        ("secret", "x" * 65_536, "x" * 65_536),
        ("secret", " e\u0301 ", " e\u0301 "),  # as it is
        ("secret", 4711, "4711"),
        ("word", 7, "7"),
        ("word", 7.0, "7"),
        ("word", "alreadyInRolloverMode", "alreadyInRolloverMode"),
        ("word", "a_new_state", "a_new_state"),
        ("word", "", None),
        ("flag", True, True),
        ("flag", False, False),
        ("count", 0, 0),
        ("count", 2**53, 2**53),
        ("count", 7.0, 7),
        ("count", -0.0, 0),
        ("count", "7", 7),
        ("count", " 07 ", 7),
        ("count", "7.0", 7),
        ("time", "2025-08-15T12:58:46.280Z", TIME),
        ("time", " 2025-08-15T12:58:46.280Z ", TIME),
        ("time", "2025-08-15T12:58:46.2800000001Z", TIME),
        ("time", "2025-08-15T14:58:46.280+02:00", TIME),
        ("time", "2025-08-15T12:58:46.280", TIME),
        ("time", "2025-08-15", 1_755_216_000.0),
        ("time", "9999-12-31T23:59:59Z", 253_402_300_799.0),
        ("time", "9999-12-31T23:59:59.9999999Z", LAST),  # the last time that .NET knows
        ("time", "9999-12-31T23:59:59.9999999", LAST),
        ("time", "2020-W53-7", 1_609_632_000.0),
        ("time", "1970-01-01T24:00:00Z", 86_400.0),
        ("time", "1969-12-31T24:00:00-00:01", 60.0),
    ],
)
def test_good_members_are_read(reader: str, value: Any, result: Any) -> None:
    one, reported = fields({"x": value})
    assert READERS[reader][0](one, "x") == result
    assert reported == []


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", True),
        ("text", 1e300),
        ("text", float("nan")),
        ("text", 2**129),
        ("text", ["a"]),
        ("secret", True),
        ("secret", "x" * 65_537),
        ("secret", "half \ud83d of a pair"),
        ("text", "x" * 1025),
        ("text", "half \ud83d of a pair"),
        ("ident", ""),
        ("ident", ".."),
        ("ident", "a/b"),
        ("ident", "a b"),
        ("ident", "x" * 129),
        ("ident", "ï"),
        ("ident", True),
        ("ident", "--1"),
        ("ident", 10**4000),
        ("ident", 6.53247040368672768e17),  # not exact: two IDs could look the same
        ("ident", float("inf")),
        ("ident", {}),
        ("word", "someone@district.example"),
        ("word", "x" * 65),
        ("word", "line\nbreak"),
        ("word", "success\n"),
        ("word", 1e300),
        ("word", False),
        ("flag", 1),
        ("flag", 0),
        ("flag", "true"),
        ("flag", "false"),
        ("count", -1),
        ("count", 1.5),
        ("count", float("nan")),
        ("count", float("inf")),
        ("count", -1.0),
        ("count", "-3"),
        ("count", "3.5"),
        ("count", "07:00"),
        ("count", "\u0667"),
        ("count", ""),
        ("count", True),
        ("count", 2**53 + 1),
        ("count", 10**400),  # no floating-point number can hold it, so no metric can
        ("time", ""),
        ("time", "yesterday"),
        ("time", "0001-01-01T00:00:00Z"),
        ("time", "0001-01-01T00:00:00+14:00"),
        ("time", "9999-12-31T23:59:59-23:00x"),
        ("time", "1970-01-01T00:00:00Z"),
        ("time", "1969-12-31T23:59:59Z"),
        ("time", "2025-02-30T00:00:00Z"),
        ("time", "2025-08-15T12:58:46Z; drop"),
        ("time", "２０２５-08-15"),  # noqa: RUF001 - digits that are not ASCII
        ("time", "\ud800" * 20),
        ("time", "9999-12-31T23:59:59-12:00"),
        ("time", "9999-12-31T23:59:60Z"),
        ("time", "2025-08-15T12:58:61Z"),
        ("time", "2025-08-15T24:00:01Z"),
        ("time", "2025-08-15T24:00:00.001Z"),
        ("time", "2025-08-15T24:01Z"),
        ("time", "2025-08-15T24:00:60Z"),
        ("time", "2025-08-15T25:00:00Z"),
        ("time", "2025-02-30T24:00:00Z"),
        ("time", "9999-12-31T24:00:00Z"),
        ("time", "9999-12-31T24:00:00.000Z"),
        ("time", "1969-12-31T24:00:00Z"),
        ("time", "2025-08-15T12:58.5Z"),
        ("time", "2025-227"),
        ("time", "2025-08"),
        ("time", "2025-08-15T12:58:46.Z"),
        ("time", "2025-08-15T12:58:46 PM"),
        ("time", "Fri, 15 Aug 2025 12:58:46 GMT"),
        ("time", "+002025-08-15T12:58:46Z"),
        ("time", "2025-08-15T12:58:46+25:00"),
        ("time", "2025-08-15T12:58:46 EST"),
        ("time", "20250815112"),  # not a date, a one and twelve o'clock
        ("time", "1755262726280"),
        ("time", "0000-00-00T00:00:00Z"),
        ("time", "2025-W54-1"),
        ("time", " " * 1_000_000 + "2025-08-15"),
        ("time", 1_755_262_726),
        ("time", float("inf")),
        ("time", True),
        ("time", {}),
    ],
)
def test_bad_members_are_none_and_reported_once_by_name(reader: str, value: Any) -> None:
    one, reported = fields({"x": value})
    assert READERS[reader][0](one, "x") is None
    assert reported == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "2025-08-15T12:58:46z",
        "2025-08-15t12:58:46Z",
        "2025-08-15 12:58:46+00:00",
        "2025-08-15 12:58:46 +0000",
        "2025-08-15T12:58:46-00:00",
        "2025-08-15T12:58:46-0000",
        "2025-08-15  12:58:46 UTC",
        "2025-08-15T14:58:46+02",
        "2025-08-15T07:58:46\N{MINUS SIGN}05:00",
        "20250815T125846Z",
        "2025-W33-5T12:58:46Z",
        "2025W335T125846Z",
        "2025-08-15T12:58:46.000000000Z",
        "2025-08-15T12:58:46,0Z",
        "2025-08-15T14:58:46+02:00[Europe/Berlin]",
        "\t2025-08-15T12:58:46Z\n",
    ],
)
def test_a_time_is_read_however_iso_8601_writes_it(text: str) -> None:
    one, reported = fields({"x": text})
    assert one.time("x") == 1_755_262_726.0
    assert reported == []


@pytest.mark.parametrize("digits", range(1, 13))
def test_a_fraction_has_any_number_of_digits(digits: int) -> None:
    text = f"2025-08-15T12:58:46.{'280000000000'[:digits]}Z"
    assert fields({"x": text})[0].time("x") == pytest.approx(TIME - 0.08 * (digits == 1), abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T24:00:00Z",
        "2016-12-31T24:00:00.000Z",
        "2016-12-31t24:00:00,0z",
        "2016-12-31 24:00 UTC",
        "2016-12-31T24Z",
        "20161231T240000",
        "2016-12-31T2400Z",
        "2016-W52-6T24:00:00Z",
        "2016-12-31T24:00:00+00:00",
        "2016-12-31T24:00:00+00:00[UTC]",
    ],
)
def test_the_end_of_a_day_is_midnight_of_the_next_one(text: str) -> None:
    assert fields({"x": text})[0].time("x") == 1_483_228_800.0


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "20161231T235960Z", "2017-01-01T01:59:60+02:00"])
def test_a_leap_second_is_the_first_of_the_next_minute(text: str) -> None:
    assert fields({"x": text})[0].time("x") == 1_483_228_800.0


@pytest.mark.parametrize(
    "blank",
    ["", "  ", "\t\n", "\xa0", "\u200b", "\ufeff", "\u2060\u200d", "\u3000", "\u3164", "\u2800", "\ufe0f", "\x00"],
)
def test_blank_text_is_empty(blank: str) -> None:
    one, reported = fields({"x": blank, "y": blank + "a"})
    assert (one.text("x"), one.text("y"), reported) == ("", blank + "a", [])


def test_a_count_has_a_highest_value() -> None:
    one, reported = fields({"hour": 24})
    assert one.count("hour", 23) is None
    assert reported == ["hour"]


def test_a_nested_object_is_named_with_its_place() -> None:
    one, reported = fields({"auth": {"inner": {"updated_at": "never"}}})
    assert one.nested("auth").nested("inner").time("updated_at") is None
    assert reported == ["auth.inner.updated_at"]


@pytest.mark.parametrize(("value", "report"), [(None, []), ("text", ["a"]), ([], ["a"]), (0, ["a"]), (False, ["a"])])
def test_a_nested_object_that_is_none_is_empty(value: Any, report: list[str]) -> None:
    one, reported = fields({"a": value})
    assert one.nested("a").text("b") is None
    assert reported == report


@given(json_values())
def test_any_value_is_of_the_right_type_or_none_and_reported(value: Any) -> None:
    for name, (read, kind) in READERS.items():
        one, reported = fields({"x": value})
        result = read(one, "x")
        unreadable = result is None and value is not None and (name, value) != ("word", "")
        assert type(result) in (kind, type(None))
        assert reported == (["x"] if unreadable else [])
        if isinstance(result, str):
            result.encode()
        elif result is not None:
            float(result)


@given(
    st.text(st.characters(codec=None), max_size=40)
    | st.datetimes().map(str)
    | st.datetimes().map(lambda t: f"{t.isoformat()}Z")
)
def test_any_text_is_a_time_after_1970_or_none(text: str) -> None:
    one, _ = fields({"x": text})
    seconds = one.time("x")
    assert seconds is None or 0 < seconds < 1e12
