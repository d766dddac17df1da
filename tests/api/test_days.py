"""Are the days of a schedule read where they have one meaning, and left alone where they have two?"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.api.days import EVERY_DAY, read_days
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
    "every other day",
    "first monday",
    "2nd tuesday",
    "weekdays except friday",
    "not monday",
    "none",
    "never",
    "FREQ=MONTHLY;BYDAY=1MO",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
    True,
    False,
    1.0,
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
    assert read_days(value) == days


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value)[:40])
def test_days_with_two_meanings_or_none_are_not_read(value: Any) -> None:
    assert read_days(value) is None


def check(value: Any) -> None:
    days = read_days(value)
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
        assert read_days(form) == expected


@pytest.mark.parametrize(
    "value", ["," * 10**7, "mon " * 10**6, " " * 10**7, [""] * 10**6, {str(n): True for n in range(10**5)}, "[" * 10**7]
)
def test_a_reply_as_large_as_is_let_through_does_not_hold_up_the_loop(value: Any) -> None:
    begun = time.process_time()
    assert read_days(value) is None
    assert time.process_time() - begun < 0.1
