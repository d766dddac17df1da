"""Tests that every value is parsed as documented, and everything else refused with the reason."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import load, split_address
from exporter.settings.values import parse_boolean, parse_duration, parse_list, parse_size
from tests.support.settings import KEY, only_problem


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        (".5", 0.5),
        (90, 90),
        (0.25, 0.25),
        ("30s", 30),
        (" 5m ", 300),
        ("1h30m", 5400),
        ("1d", 86400),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1y1w1d1h1m1s1ms", 31_536_000 + 604_800 + 86_400 + 3600 + 60 + 1 + 0.001),
    ],
)
def test_durations_are_seconds_or_what_prometheus_writes(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0s",
        "-1",
        "-5m",
        "nan",
        "inf",
        "1e3",
        "1.5h",
        "30m1h",
        "5 m",
        "1_0",
        "٣s",
        "9" * 400,
        "s",
        "9" * 400 + "s",
        True,
        None,
        0,
        -1,
        math.nan,
        math.inf,
        10**400,
        [1],
        {"s": 1},
    ],
)
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a duration such as|must be more than 0"):
        parse_duration(text)


UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(1, 10_000), min_size=1))
def test_any_units_in_prometheus_order_add_up(amounts: dict[str, int]) -> None:
    text = "".join(f"{amounts[unit]}{unit}" for unit in UNITS if unit in amounts)

    assert parse_duration(text) == pytest.approx(sum(amount * UNITS[unit] for unit, amount in amounts.items()))


@given(st.text() | st.floats() | st.integers() | st.from_regex(r"[0-9]{1,4}(y|w|d|h|m|s|ms){0,3}"))
def test_any_duration_is_finite_and_above_zero_or_refused(value: object) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 < seconds < math.inf


@given(st.text() | st.lists(st.text() | st.integers()))
def test_any_list_is_trimmed_texts_or_refused(value: object) -> None:
    try:
        items = parse_list(value)
    except ValueError:
        return
    assert all(item and item == item.strip() for item in items)


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool)))
def test_a_list_survives_json_and_yaml(items: list[str]) -> None:
    assert parse_list(json.dumps(items)) == tuple(items)
    assert parse_list(items) == tuple(items)


@given(st.text())
def test_any_address_gives_a_port_in_range_or_is_refused(text: str) -> None:
    try:
        host, port = split_address(text)
    except ValueError:
        return
    assert host is None or host
    assert 0 <= port <= 65_535


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16777216", 2**24),
        (16777216, 2**24),
        ("16MiB", 2**24),
        ("10MB", 10**7),
        ("512KiB", 2**19),
        ("1 gib", 2**30),
        ("7B", 7),
        ("3kb", 3000),
        ("2GB", 2 * 10**9),
    ],
)
def test_sizes_are_bytes_with_or_without_a_unit(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0MiB", "-1", "1.5MiB", "MiB", "16Mi", "16TiB", "16\u212aiB", "nan", True, None, 1.5, [1]]
)
def test_what_is_not_a_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a size|must be more than 0"):
        parse_size(text)


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("a,b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ("", ()),
        ('["a", "b,c"]', ("a", "b,c")),
        ("[]", ()),
        (["a", " b "], ("a", "b")),
        ("[ab]*,c", ("[ab]*", "c")),
        ("one", ("one",)),
    ],
)
def test_lists_are_comma_separated_json_or_yaml(value: object, items: tuple[str, ...]) -> None:
    assert parse_list(value) == items


@pytest.mark.parametrize("value", ['["a"', "[1, 2]", [1], 7, None, {"a": 1}, True])
def test_what_is_not_a_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"not a list|not text|is not one"):
        parse_list(value)


def test_booleans_are_the_usual_words() -> None:
    assert all(parse_boolean(value) for value in ("true", "True", " yes ", "on", "1", 1, True))
    assert not any(parse_boolean(value) for value in ("false", "NO", "off", "0", 0, False))
    for value in ("", "maybe", 2, None, [True], 1.0):
        with pytest.raises(ValueError, match="not true or false"):
            parse_boolean(value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:10120", ("0.0.0.0", 10120)),  # noqa: S104 - the contract's default
        (":10120", (None, 10120)),
        ("[::]:10120", (None, 10120)),
        ("[::1]:9", ("::1", 9)),
        ("localhost:0", ("localhost", 0)),
        ("host-1.example.org:65535", ("host-1.example.org", 65535)),
    ],
)
def test_listen_addresses_are_read(text: str, address: tuple[str | None, int]) -> None:
    settings = load({"web.listen_address": text}, KEY)

    assert settings.web.listen() == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("::1:10120", "an IPv6 address needs brackets"),
        ("fe80::1:10120", "an IPv6 address needs brackets"),
        ("10120", "no port between 0 and 65535"),
        ("localhost", "no port between 0 and 65535"),
        ("localhost:http", "no port between 0 and 65535"),
        (":65536", "no port between 0 and 65535"),
        (":-1", "no port between 0 and 65535"),
        ("[127.0.0.1]:1", "no IPv6 address in its brackets"),
        ("300.1.1.1:1", "no host name or IP address"),
        ("a b:1", "no host name or IP address"),
        ("http://x:1", "an IPv6 address needs brackets"),
        ("", "is not an address such as"),
    ],
)
def test_what_is_no_listen_address_is_refused_with_the_reason(text: str, said: str) -> None:
    line = only_problem({"web.listen_address": text}, KEY)

    assert line.startswith("web.listen_address: ")
    assert said in line
    assert line.endswith("set --web.listen-address, KIMONO_WEB_LISTEN_ADDRESS or web.listen_address in the file")


def test_words_are_read_whatever_their_case() -> None:
    settings = load({"log.level": "WARN", "log.format": "Json"}, KEY)

    assert (settings.log.level, settings.log.format) == ("warning", "json")
