"""Tests that one tenant can't fill the page: 1,000 samples of a family, always the same ones, and the rest counted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from exporter.api.models import STATE_FLAGS
from exporter.collectors import COLLECTORS, Collector
from exporter.collectors.collector import MOST_SAMPLES
from exporter.collectors.ingestions import DURATION, IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import STATE, StateCollector
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
    assert set(polls.dropped) <= {family.name for family in kind.families}
    ids = [family for family in kind.families if f"{kind.name[:-1]}_id" in family.labels]
    shown = [set(polls.labels(family, f"{kind.name[:-1]}_id")) for family in ids]
    # Some families have samples of some objects only.
    assert all(each <= max(shown, key=len) for each in shown)


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
