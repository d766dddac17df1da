"""Tests the schedules collector: when a schedule was last due, and when it is due next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.models import Schedule
from exporter.collectors.schedules import ENABLED, INFO, LAST_DUE, LAST_EXECUTED, NEXT_DUE, SchedulesCollector
from exporter.history.due_times import last_due, next_due
from exporter.history.shared import last_run
from tests.collectors.polls import Polls

DAILY = Schedule(
    "s",
    "collection",
    enabled=True,
    hour=7,
    days="",
    weekdays=frozenset(range(7)),
    last_executed_at=None,
    created_at=None,
)  # fmt: skip - as short as it can be
MONDAYS = replace(DAILY, weekdays=frozenset({0}))


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "now", "last", "following"),
    [
        (DAILY, "2026-09-01T06:59:59", "2026-08-31T07:00", "2026-09-01T07:00"),
        (DAILY, "2026-09-01T07:00", "2026-09-01T07:00", "2026-09-02T07:00"),
        (DAILY, "2026-09-01T23:59:59.999", "2026-09-01T07:00", "2026-09-02T07:00"),
        (DAILY, "2026-12-31T12:00", "2026-12-31T07:00", "2027-01-01T07:00"),
        (DAILY, "2028-02-29T06:00", "2028-02-28T07:00", "2028-02-29T07:00"),
        # The nights in which clocks change in the USA: UTC's do not.
        (DAILY, "2026-03-08T12:00", "2026-03-08T07:00", "2026-03-09T07:00"),
        (DAILY, "2026-11-01T06:30", "2026-10-31T07:00", "2026-11-01T07:00"),
        # 2026-08-31 is a Monday.
        (MONDAYS, "2026-08-31T06:59", "2026-08-24T07:00", "2026-08-31T07:00"),
        (MONDAYS, "2026-08-31T07:00", "2026-08-31T07:00", "2026-09-07T07:00"),
        (MONDAYS, "2026-09-06T12:00", "2026-08-31T07:00", "2026-09-07T07:00"),
        (replace(DAILY, hour=0), "2026-09-01T00:00", "2026-09-01T00:00", "2026-09-02T00:00"),
        (replace(DAILY, hour=23), "2026-09-01T00:00", "2026-08-31T23:00", "2026-09-01T23:00"),
        (replace(DAILY, weekdays=frozenset({4, 5})), "2026-09-01T12:00", "2026-08-29T07:00", "2026-09-04T07:00"),
    ],
)
def test_last_and_next_due_are_the_nearest_starts(schedule: Schedule, now: str, last: str, following: str) -> None:
    assert last_due(schedule, utc(now)) == utc(last)
    assert next_due(schedule, utc(now)) == utc(following)


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"enabled": None}, {"hour": None}, {"weekdays": None}, {"weekdays": frozenset()}],
    ids=str,
)
def test_a_schedule_that_is_off_or_unreadable_is_never_due(change: dict[str, Any]) -> None:
    schedule = replace(DAILY, **change)
    assert last_due(schedule, utc("2026-09-01T12:00")) is None
    assert next_due(schedule, utc("2026-09-01T12:00")) is None


def test_a_schedule_was_not_due_before_it_was_created() -> None:
    now = utc("2026-09-01T12:00")
    assert last_due(replace(DAILY, created_at=utc("2026-09-01T07:00:01")), now) is None
    assert last_due(replace(DAILY, created_at=utc("2026-09-01T07:00")), now) == utc("2026-09-01T07:00")
    assert next_due(replace(DAILY, created_at=utc("2026-09-01T11:00")), now) == utc("2026-09-02T07:00")


def test_over_weeks_each_start_is_next_until_it_is_last() -> None:
    schedule = replace(DAILY, weekdays=frozenset({0, 2, 4}), created_at=utc("2026-09-03T00:00"))
    hours = [utc("2026-09-01T00:30") + 3600 * hour for hour in range(24 * 28)]
    lasts = list(dict.fromkeys(last_due(schedule, hour) for hour in hours))
    assert lasts == [None, *sorted(moment for moment in lasts if moment is not None)]
    assert len(lasts) == 1 + 11
    assert all(
        next_due(schedule, hour - 3600) == last_due(schedule, hour)
        for hour in hours
        if last_due(schedule, hour) not in (None, last_due(schedule, hour - 3600))
    )  # fmt: skip - one thought


@given(
    now=st.floats(utc("1971-01-01"), utc("2200-01-01")),
    hour=st.integers(0, 23),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
)
def test_now_lies_between_last_and_next_and_nothing_else_does(now: float, hour: int, weekdays: frozenset[int]) -> None:
    schedule = replace(DAILY, hour=hour, weekdays=weekdays)
    last, following = last_due(schedule, now), next_due(schedule, now)
    assert last is not None
    assert following is not None
    assert last <= now < following

    def is_start(moment: datetime) -> bool:
        return moment.weekday() in weekdays and (moment.hour, moment.minute, moment.second) == (hour, 0, 0)

    begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (last, following))
    assert is_start(begin)
    assert is_start(end)
    assert not any(is_start(begin + timedelta(hours=after)) for after in range(1, int((following - last) // 3600)))


def polled(*schedules: Any, now: str = "2026-09-01T12:00") -> Polls:
    polls = Polls(SchedulesCollector())
    polls.poll({"/tenant/schedules": {"data": [None, *schedules]}}, utc(now))
    return polls


def fields(ident: str | None = "s", **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "type": "collection",
        "last_executed_at": None,
        "enabled": True,
        "hour": 7,
        "days": None,
    } | more


def test_a_schedule_shows_what_it_says() -> None:
    polls = polled(fields(days="mon,tue", last_executed_at="2026-09-01T07:00:01.500Z"))
    key = ("s", "collection")
    # The labels are sorted: days, hour, schedule_id, schedule_type.
    assert polls.series(INFO) == {("mon,tue", "7", *key): 1}
    assert polls.series(ENABLED) == {key: 1}
    assert polls.series(LAST_EXECUTED) == {key: utc("2026-09-01T07:00:01.5")}
    assert polls.series(LAST_DUE) == {key: utc("2026-09-01T07:00")}
    assert polls.series(NEXT_DUE) == {key: utc("2026-09-07T07:00")}


def test_what_a_schedule_does_not_say_has_no_sample() -> None:
    polls = polled(fields(enabled=None, hour=None, type=None, days="none that can be read"))
    assert polls.series(INFO) == {("none that can be read", "", "s", ""): 1}
    for family in (ENABLED, LAST_EXECUTED, LAST_DUE, NEXT_DUE):
        assert polls.series(family) == {}


@pytest.mark.parametrize("text", ["2026-09-01T07:00:01z", "2026-09-01 07:00:01 UTC", "2026-W36-2T09:00:01+02"])
def test_a_start_is_read_in_every_form_of_iso_8601(text: str) -> None:
    polls = polled(fields(last_executed_at=text))
    assert polls.series(LAST_EXECUTED) == {("s", "collection"): utc("2026-09-01T07:00:01")}
    assert polls.series(LAST_DUE) == {("s", "collection"): utc("2026-09-01T07:00")}


@pytest.mark.parametrize(
    "told", ["", "never", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", 1788246001, True, {}]
)
def test_a_start_that_can_not_be_parsed_is_unknown_and_not_never(told: Any) -> None:
    polls = polled(fields(last_executed_at=told))
    for family in (LAST_EXECUTED, LAST_DUE, NEXT_DUE):
        assert polls.series(family) == {}
    assert last_run(polls.history) is None


@pytest.mark.parametrize("hour", [7, 7.0, "7", "07"])
def test_an_hour_is_read_as_a_number_of_any_kind(hour: Any) -> None:
    polls = polled(fields(hour=hour))
    assert set(polls.series(INFO)) == {("", "7", "s", "collection")}
    assert polls.series(LAST_DUE) == {("s", "collection"): utc("2026-09-01T07:00")}


@pytest.mark.parametrize("hour", [24, -1, 7.5, "07:00", "7 am", True, [7], 10**400])
def test_an_hour_that_can_not_be_parsed_is_unknown(hour: Any) -> None:
    polls = polled(fields(hour=hour))
    assert polls.series(LAST_DUE) == polls.series(NEXT_DUE) == {}


@pytest.mark.parametrize("member", ["last_executed_at", "metadata"])
def test_a_schedule_with_a_time_that_can_not_be_read_is_never_due(member: str) -> None:
    invalid = "soon" if member == "last_executed_at" else {"created": "soon"}
    polls = polled(fields("s", **{member: invalid}), fields("t", metadata={"created": None}))
    assert polls.series(LAST_DUE).keys() == polls.series(NEXT_DUE).keys() == {("t", "collection")}


def test_schedules_without_ids_go_by_type_and_hour_in_any_order() -> None:
    night, day, unknown = fields(None, hour=2), fields(None, hour=14), fields(None, hour=None, type=None)
    forth, back = polled(night, day, unknown), polled(unknown, day, night)
    assert set(forth.series(ENABLED)) == {("collection@2", "collection"), ("collection@14", "collection"), ("@", "")}
    assert forth.series(INFO) == back.series(INFO)


def test_a_schedule_listed_twice_gives_one_series() -> None:
    assert polled(fields(None), fields(None, enabled=False)).series(ENABLED) == {("collection@7", "collection"): 0}
