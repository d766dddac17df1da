"""Tests that one tenant can't fill the page: 1,000 samples of a family, always the same ones, and the rest counted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.api.models import STATE_FLAGS
from exporter.collectors import COLLECTORS, Collector
from exporter.collectors.collector import MOST_SAMPLES
from exporter.collectors.ingestions import DURATION, IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import STATE, StateCollector
from exporter.history import flags as flags_history
from exporter.history import ingestions as ingestions_history
from exporter.history import rollovers as rollovers_history
from exporter.history import schedules as schedules_history
from exporter.history import unfinished
from exporter.history.flags import FlagsHistory
from exporter.metrics import Family
from exporter.totals import Totals
from tests.collectors.polls import Polls
from tests.support.virtual_time import START

MANY = 2500
NOW = "2026-09-01T00:00:00Z"

# Each gives what collectors get of a tenant that has `MANY` of something, in any order.
Answers = Callable[[random.Random], dict[str, Any]]


def shuffled(order: random.Random, listed: list[Any]) -> list[Any]:
    order.shuffle(listed)
    return listed


def flags(order: random.Random) -> dict[str, Any]:
    names = shuffled(order, [*STATE_FLAGS, *(f"a-flag-{number}" for number in range(MANY))])
    return {"/tenant/state": {"data": dict.fromkeys(names, True)}}


def types(order: random.Random) -> dict[str, Any]:
    listed = [{"id": f"i{n}", "type": f"t{n}", "state": "executing", "started_at": NOW} for n in range(MANY)]
    return {"/ingestions": {"data": shuffled(order, listed)}}


def schedules(order: random.Random, ident: str | None = "s") -> dict[str, Any]:
    listed = [
        {"id": ident and f"{ident}{n}", "type": f"t{n}", "hour": n % 24, "enabled": True, "last_executed_at": NOW}
        for n in range(MANY)
    ]
    return {"/tenant/schedules": {"data": shuffled(order, listed)}}


def rollovers(order: random.Random) -> dict[str, Any]:
    known = {"type": "full", "status": "upcoming", "failure_reason": "broken", "status_change_failure_count": 1}
    listed = [{"name": f"r{n}", "start_date": NOW, "end_date": NOW, **known} for n in range(MANY)]
    return {"/tenant/rollovers": {"data": shuffled(order, listed)}}


CASES: list[tuple[type[Collector[Any]], Answers]] = [
    (StateCollector, flags),
    (IngestionsCollector, types),
    (SchedulesCollector, schedules),
    (SchedulesCollector, lambda order: schedules(order, None)),
    (RolloversCollector, rollovers),
]


@pytest.mark.parametrize(("kind", "answers"), CASES)
def test_a_tenant_shows_the_same_thousand_of_many_in_whatever_order_they_come(
    kind: type[Collector[Any]], answers: Answers
) -> None:
    shown = []
    for seed in range(3):
        polls = Polls(kind())
        polls.poll(answers(random.Random(seed)))  # noqa: S311 - an order, not a secret
        shown.append({family: polls.series(family) for family in kind.families})
    assert shown[0] == shown[1] == shown[2]
    assert max(map(len, shown[0].values())) == MOST_SAMPLES == 1000


@pytest.mark.parametrize(("kind", "answers"), CASES)
def test_the_samples_of_one_object_are_shown_or_left_out_together_and_counted(
    kind: type[Collector[Any]], answers: Answers
) -> None:
    polls = Polls(kind())
    polls.poll(answers(random.Random(1)))  # noqa: S311 - likewise
    first = kind.families[0]
    assert polls.dropped[first.name] == MANY + (4 if kind is StateCollector else 0) - MOST_SAMPLES
    ids = [family for family in kind.families if f"{kind.name[:-1]}_id" in family.labels]
    shown = [set(polls.labels(family, f"{kind.name[:-1]}_id")) for family in ids]
    # Some families have samples of some objects only.
    assert all(each <= max(shown, key=len) for each in shown)


# The families of the history, and how many samples each would have if the history kept all.
HISTORIES: list[tuple[type[Collector[Any]], Answers, dict[Family, int]]] = [
    (StateCollector, flags, {flags_history.ON_SINCE: MANY + 4}),
    (
        IngestionsCollector,
        types,
        {
            ingestions_history.LAST_STARTED: MANY,
            ingestions_history.FINISHED: 4 * MANY,
            unfinished.OLDEST_STARTED: MANY,
            unfinished.OLDEST_SEEN: MANY,
        },
    ),
    (SchedulesCollector, schedules, dict.fromkeys(schedules_history.FAMILIES, MANY)),
    (RolloversCollector, rollovers, {rollovers_history.FAILING_SINCE: MANY}),
]


@pytest.mark.parametrize(("kind", "answers", "expected"), HISTORIES)
def test_samples_that_the_history_does_not_keep_are_counted(
    kind: type[Collector[Any]], answers: Answers, expected: dict[Family, int]
) -> None:
    polls = Polls(kind())
    for seed in range(2):
        polls.poll(answers(random.Random(seed)), START + 60 * seed)  # noqa: S311 - likewise
        # Of those that are kept, some have no sample of some families; of the others that is unknown.
        shown = {each: 1000 if each in schedules_history.FAMILIES else len(polls.series(each)) for each in expected}
        assert {each: shown[each] + polls.dropped[each.name] for each in expected} == expected


@pytest.mark.parametrize(("paused", "counted"), [(False, MANY - MOST_SAMPLES), (True, 0), (None, 0)])
def test_schedules_that_are_active_and_not_kept_are_counted(*, paused: bool | None, counted: int) -> None:
    polls = Polls(SchedulesCollector())
    polls.history = replace(polls.history, state=FlagsHistory(paused=paused))
    polls.poll(schedules(random.Random(1)))  # noqa: S311 - likewise
    assert [polls.dropped.get(family.name, 0) for family in schedules_history.ACTIVE_FAMILIES] == [counted, counted]


def test_what_certainly_has_no_sample_is_not_counted() -> None:
    off = {"/tenant/state": {"data": {f"flag-{number}": False for number in range(MANY)}}}
    calm = [{"id": f"r{number}", "status_change_failure_count": 0} for number in range(MANY)]
    idle = [{"id": f"s{number}", "enabled": False, "hour": 7} for number in range(MANY)]
    for kind, answers, family in (
        (StateCollector, off, flags_history.ON_SINCE),
        (RolloversCollector, {"/tenant/rollovers": {"data": calm}}, rollovers_history.FAILING_SINCE),
        (SchedulesCollector, {"/tenant/schedules": {"data": idle}}, schedules_history.DUE_SINCE),
    ):
        polls = Polls(kind())
        polls.poll(answers)
        assert family.name not in polls.dropped
        assert polls.dropped


def test_the_flags_that_alerts_are_about_are_always_shown() -> None:
    polls = Polls(StateCollector())
    polls.poll(flags(random.Random(2)))  # noqa: S311 - likewise
    assert {(flag,) for flag in STATE_FLAGS} <= polls.series(STATE).keys()


def test_few_samples_are_all_shown_and_none_is_counted() -> None:
    polls = Polls(StateCollector())
    polls.poll({"/tenant/state": {"data": {f"flag-{number}": True for number in range(MOST_SAMPLES)}}})
    assert len(polls.series(STATE)) == MOST_SAMPLES
    assert polls.dropped == {}


def test_tenants_that_keep_inventing_types_leave_a_bounded_histogram() -> None:
    dropped: Counter[str] = Counter()

    def count(name: str, samples: int) -> None:
        dropped[name] += samples

    totals = Totals(count)
    for tenant in range(30):
        polls = Polls(IngestionsCollector(), totals)
        for at in range(2):
            ended = [
                {"id": f"{n}", "type": f"t{tenant}-{n}", "state": "success", "started_at": NOW} for n in range(300)
            ]
            polls.poll({"/ingestions": {"data": ended if at else []}}, START + 60 * at)
    assert len(polls.fleet(DURATION)) == 2 * 1000  # a count and a sum
    assert dropped[DURATION.name] > 0


@pytest.mark.parametrize("kind", COLLECTORS)
def test_collectors_of_lists_say_how_many_objects_they_got(kind: type[Collector[Any]]) -> None:
    assert (kind.size is Collector.size) == (kind.name == "application")
