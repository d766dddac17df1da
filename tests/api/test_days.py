"""Tests that days with one meaning are parsed, and that days with two are not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.api.days import EVERY_DAY, parse_days
from tests.api.fakes import json_values

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEKDAYS = {MON, TUE, WED, THU, FRI}
WEEKEND = {SAT, SUN}
ALL = set(range(7))

READABLE: list[tuple[Any, set[int]]] = [
    (None, ALL),
    ("", ALL),
    ("  ", ALL),
    ([], ALL),
    ("[]", ALL),
    ("*", ALL),
    ("?", ALL),
    ("all", ALL),
    ("any", ALL),
    ("daily", ALL),
    ("Every Day", ALL),
    ("everyday", ALL),
    ("all days", ALL),
    ("0-6", ALL),
    ("1-7", ALL),
    ("0123456", ALL),
    ("1234567", ALL),
    ("SMTWTFS", ALL),
    ("MTWTFSS", ALL),
    ("monday", {MON}),
    ("Mondays", {MON}),
    ("every monday", {MON}),
    ("MON", {MON}),
    ("mo", {MON}),
    ("Tues", {TUE}),
    ("thurs.", {THU}),
    ("0", {SUN}),
    ("7", {SUN}),
    ("1", {MON}),
    (5, {FRI}),
    ("SU", {SUN}),
    ("weekdays", WEEKDAYS),
    ("week days", WEEKDAYS),
    ("business days", WEEKDAYS),
    ("workdays", WEEKDAYS),
    ("Weekend", WEEKEND),
    ("12345", WEEKDAYS),
    ("1,2,3,4,5", WEEKDAYS),
    ("1-5", WEEKDAYS),
    ("1..5", WEEKDAYS),
    ("Mon-Fri", WEEKDAYS),
    ("monday to friday", WEEKDAYS),
    ("Monday through Friday", WEEKDAYS),
    ("Mon – Fri", WEEKDAYS),  # noqa: RUF001 - the long dash is meant
    ("M-F", WEEKDAYS),
    ("MTWRF", WEEKDAYS),
    ("MTuWThF", WEEKDAYS),
    ("mtwrf", WEEKDAYS),
    ("MTWTF", WEEKDAYS),
    ("MWF", {MON, WED, FRI}),
    ("TR", {TUE, THU}),
    ("TTh", {TUE, THU}),
    ("TT", {TUE, THU}),
    ("WT", {WED, THU}),
    ("TuF", {TUE, FRI}),
    ("MSa", {MON, SAT}),
    ("MSu", {MON, SUN}),
    ("M,W,F", {MON, WED, FRI}),
    ("M W F", {MON, WED, FRI}),
    ("Mon, Wed and Fri", {MON, WED, FRI}),
    ("mon;wed|fri", {MON, WED, FRI}),
    ("mon/wed/fri", {MON, WED, FRI}),
    ("monday wednesday friday", {MON, WED, FRI}),
    ("mon & wed", {MON, WED}),
    ("mon-wed, sat", {MON, TUE, WED, SAT}),
    ("weekends and friday", {FRI, SAT, SUN}),
    ("fri-mon", {FRI, SAT, SUN, MON}),
    ("6-1", {SAT, SUN, MON}),
    ("*/2", {SUN, TUE, THU, SAT}),
    ("1-5/2", {MON, WED, FRI}),
    ("0 5 * * 1-5", WEEKDAYS),
    ("0 5 * * *", ALL),
    ("0 5 * * mon,wed", {MON, WED}),
    ("0 0 5 ? * MON-FRI", WEEKDAYS),
    ("0 0 5 ? * MON-FRI *", WEEKDAYS),
    ("FREQ=WEEKLY;BYDAY=MO,WE", {MON, WED}),
    ("RRULE:FREQ=WEEKLY;BYDAY=SA,SU", WEEKEND),
    ("FREQ=DAILY", ALL),
    ("BYDAY=TU", {TUE}),
    ("M,T,W,Th,F", WEEKDAYS),
    ("M T W Th F", WEEKDAYS),
    ("M/W/F", {MON, WED, FRI}),
    ("Tu,Th", {TUE, THU}),
    ("t, th", {TUE, THU}),
    ("M,Tu,W,Th,F,Sa,Su", ALL),
    ("Su,M,Tu", {SUN, MON, TUE}),
    ("S,M,T,W,T,F,S", ALL),
    (["M", "T", "W", "Th", "F"], WEEKDAYS),
    ("MoTuWeThFr", WEEKDAYS),
    ("MoWeFr", {MON, WED, FRI}),
    ("SaSu", WEEKEND),
    ("SuMoTu", {SUN, MON, TUE}),
    ("mowefr", {MON, WED, FRI}),
    ("SASU", WEEKEND),
    ("SuMTWThFSa", ALL),
    ("UMTWRFS", ALL),
    ("UMWF", {SUN, MON, WED, FRI}),
    ("MTWRFSU", ALL),
    ("FSU", {FRI, SAT, SUN}),
    ("0-7/3", {SUN, WED, SAT}),
    ("1-5/2,0", {SUN, MON, WED, FRI}),
    ("1-5/2,sat", {MON, WED, FRI, SAT}),
    ("1 / 3", {MON, WED}),
    ("M,,W", {MON, WED}),
    ("FREQ=WEEKLY;WKST=SU;BYDAY=MO,WE", {MON, WED}),
    ("FREQ=WEEKLY;BYDAY=MO,WE;WKST=MO", {MON, WED}),
    ("RRULE:WKST=SU;INTERVAL=1;FREQ=WEEKLY;BYDAY=MO", {MON}),
    ("INTERVAL=1;BYDAY=TU,TH;FREQ=WEEKLY", {TUE, THU}),
    ("RRULE:FREQ=DAILY;INTERVAL=1", ALL),
    ("0 7 ? * MON-FRI *", WEEKDAYS),
    ("cron(0 7 ? * MON-FRI *)", WEEKDAYS),
    ("cron(0/15 7 ? * TUE,THU *)", {TUE, THU}),
    ("cron(0 7 * * ? *)", ALL),
    ("cron(0 7 ? * * *)", ALL),
    (["mon", "wed"], {MON, WED}),
    (["1", "2"], {MON, TUE}),
    ([1, 2, 3], {MON, TUE, WED}),
    ([0, 6], {SAT, SUN}),
    ([None, "mon"], {MON}),
    ([None], ALL),
    ('["mon", "wed"]', {MON, WED}),
    ('"mon-fri"', WEEKDAYS),
    ("[1,2,3]", {MON, TUE, WED}),
    ({"monday": True, "tuesday": False}, {MON}),
    ('{"sat": true, "sun": true}', WEEKEND),
    (dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), True), ALL),
]

UNREADABLE: list[Any] = [
    "text",
    "S",
    "FS",
    "T",  # Tuesday or Thursday
    "MTF",
    "M,T,F",
    "T-F",
    "T,F",
    "S,M",
    "M,S",
    "SMWF",  # a week may begin on Saturday
    "SUM",
    "SMTWTF",
    "MTS",
    "MM",
    "FM",
    "MTUW",
    "motues",
    "M,T-F",
    ["T", "F"],
    {"T": True, "F": True},
    "1111100",
    "0000011",
    "1,1,1,1,1,0,0",
    [1, 1, 1, 1, 1, 0, 0],
    "12",  # Monday and Tuesday, or bits for two other days
    "127",
    127,
    "54321",
    "1 2 3",
    "8",
    "-1",
    "1.5",
    "mon-",
    "mon--fri",
    "S-F",
    "*/8",
    "*/0",
    "*,mon-xyz",
    "0 5 1 * *",  # the first of the month
    "0 5 * 6 1-5",  # in June alone
    "0 0 5 ? * 2-6",  # Quartz counts from Sunday
    "0 7 ? * 2-6 *",
    "cron(0 7 ? * 2-6 *)",
    "cron(0 7 ? * MON#1 *)",
    "cron(0 7 ? * FRIL *)",
    "cron(0 7 ? * MON-FRI 2026)",  # in one year alone
    "cron(0 7 1 * ? *)",
    "cron(0 7 ? 6 MON *)",
    "cron(0 5 * * 1-5)",  # AWS needs six fields, and counts from Sunday
    "every other day",
    "first monday",
    "2nd tuesday",
    "weekdays except friday",
    "not monday",
    "none",
    "never",
    "FREQ=MONTHLY;BYDAY=1MO",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
    "FREQ=WEEKLY;INTERVAL=10;BYDAY=MO",
    "FREQ=WEEKLY;BYDAY=MO;COUNT=3",
    "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260901",
    "FREQ=WEEKLY;BYDAY=MO;WKST=SU;INTERVAL=2",
    "FREQ=WEEKLY;BYDAY=1MO",
    "FREQ=WEEKLY",  # on the day of its start, which is elsewhere
    "FREQ=WEEKLY;INTERVAL=1",
    "INTERVAL=1",
    "WKST=SU",
    "1/3/5",  # three days, or steps of five
    [[]],
    [[1]],
    True,
    False,
    1.5,
    float("nan"),
    ["mon", "x"],
    ["mon", ""],
    ["mon", True],
    ["mon", ["tue"]],
    {},
    {"monday": 1},
    {"monday": False},
    {"someday": True},
    {"someday": True, "monday": True},
    "[1, 2",
    "{broken",
    "[" * 150,
    "mon," * 60,
    ["mon"] * 201,
    "\ud800",
    "mon\x00",
]


@pytest.mark.parametrize(("value", "days"), READABLE, ids=lambda value: repr(value)[:40])
def test_days_with_one_meaning_are_read(value: Any, days: set[int]) -> None:
    assert parse_days(value) == days


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value)[:40])
def test_days_with_two_meanings_or_none_are_not_read(value: Any) -> None:
    assert parse_days(value) is None


def check(value: Any) -> None:
    days = parse_days(value)
    assert days is None or (isinstance(days, frozenset) and days and days <= EVERY_DAY)


@given(json_values(st.sampled_from(["monday", "tue", "weekend"])))
def test_any_json_value_gives_days_or_none(value: Any) -> None:
    check(value)


@given(st.text(alphabet='MTWRFSUmtwrfsuhaoné0123456789 ,;-–/*?[]{}":.', max_size=30))  # noqa: RUF001 - likewise
@example('"' + "\\" * 40)
def test_any_text_that_looks_like_days_gives_days_or_none(text: str) -> None:
    check(text)
    check([text])


@given(st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1, unique=True))
def test_a_list_of_names_reads_the_same_in_every_form(names: list[str]) -> None:
    expected = {("mon", "tue", "wed", "thu", "fri", "sat", "sun").index(name) for name in names}
    for form in (
        names,
        json.dumps(names),
        ",".join(names),
        " ".join(names),
        " and ".join(names),
        dict.fromkeys(names, True),
    ):
        assert parse_days(form) == expected


SHORT = ("M", "Tu", "W", "Th", "F", "Sa", "Su")
TWO_LETTERS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ONE_LETTER = ("M", "T", "W", "R", "F", "S", "U")
ICALENDAR = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def two_or_three(name: str) -> list[str]:
    return [name[:2], name[:3].upper(), name.lower()]


@given(st.sets(st.sampled_from(range(7)), min_size=1), st.sampled_from([MON, SUN]), st.data())
def test_the_days_survive_every_spelling(days: set[int], first: int, data: st.DataObject) -> None:
    week = [day for day in (*range(first, 7), *range(first)) if day in days]
    for spelling in (SHORT, TWO_LETTERS, ICALENDAR, NAMES):
        names = [spelling[day] for day in week]
        for separator in (",", ", ", " ", "/", " / ", ";", "|", " and ", ", and ", "&", "+"):
            assert parse_days(separator.join(names)) == days
        assert parse_days(names) == days
    for spelling in (SHORT, TWO_LETTERS, ICALENDAR):
        assert parse_days("".join(spelling[day] for day in week)) == days
    assert parse_days(",".join(str((day + 1) % 7) for day in week)) == days
    shuffled = data.draw(st.permutations(week))
    assert parse_days(", ".join(data.draw(st.sampled_from(two_or_three(NAMES[day]))) for day in shuffled)) == days


@given(st.sets(st.sampled_from(range(7)), min_size=1), st.sampled_from([MON, SUN]))
def test_single_letters_mean_those_days_or_are_unclear(days: set[int], first: int) -> None:
    week = [day for day in (*range(first, 7), *range(first)) if day in days]
    for text in ("".join(ONE_LETTER[day] for day in week), ",".join(ONE_LETTER[day] for day in week)):
        unclear = (SAT in days and SUN not in days) or (TUE in days and not days & {WED, THU})
        if text.title() in TWO_LETTERS:  # the name of one day, such as SU and TU
            continue
        assert parse_days(text) == (None if unclear else days)


@given(
    st.sets(st.sampled_from(range(7)), min_size=1),
    st.permutations(["FREQ=WEEKLY", "BYDAY", "WKST=SU", "INTERVAL=1"]),
    st.integers(1, 4),
    st.sampled_from(["", "RRULE:"]),
    st.sampled_from(["", "INTERVAL=2", "COUNT=3", "UNTIL=20260901T000000Z", "BYMONTH=6", "BYSETPOS=1"]),
)
def test_parts_of_a_rule_that_change_nothing_may_stand_anywhere(
    days: set[int], parts: list[str], size: int, prefix: str, more: str
) -> None:
    by_day = "BYDAY=" + ",".join(ICALENDAR[day] for day in sorted(days))
    kept = [by_day if part == "BYDAY" else part for part in parts[:size] if part != "BYDAY"] + [by_day]
    assert parse_days(prefix + ";".join(kept)) == days
    whole = [by_day if part == "BYDAY" else part for part in parts]
    assert parse_days(prefix + ";".join(whole)) == days
    if more:
        assert parse_days(prefix + ";".join([*whole, more])) is None
        assert parse_days(prefix + ";".join([more, *whole])) is None


@given(
    st.sets(st.sampled_from(range(7)), min_size=1),
    st.sampled_from(["0 7 * * {}", "0 7 ? * {} *", "cron(0 7 ? * {} *)", "0 0 7 ? * {}", "0 0 7 ? * {} *"]),
)
def test_names_in_a_cron_line_of_every_kind_mean_those_days(days: set[int], line: str) -> None:
    assert parse_days(line.format(",".join(NAMES[day][:3].upper() for day in sorted(days)))) == days
    numbers = line.format(",".join(str(day + 1) for day in sorted(days)))
    assert parse_days(numbers) == (days if line == "0 7 * * {}" else None)


@pytest.mark.parametrize(
    "value", ["," * 10**7, "mon " * 10**6, " " * 10**7, [""] * 10**6, {str(n): True for n in range(10**5)}, "[" * 10**7]
)
def test_a_reply_as_large_as_is_let_through_does_not_hold_up_the_loop(value: Any) -> None:
    begun = time.process_time()
    assert parse_days(value) is None
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("value", "days"),
    [(5.0, {4}), ([1.0, 2.0], {0, 1}), (1.5, None), (float("nan"), None), (True, None), ([True], None)],
)
def test_whole_floating_point_numbers_are_days(value: object, days: set[int] | None) -> None:
    assert parse_days(value) == days


@pytest.mark.parametrize("value", ["mon " * 51, ["mon", "x," * 101], {"tue" * 100: True}])
def test_what_is_too_long_to_be_days_is_unclear(value: object) -> None:
    assert parse_days(value) is None
