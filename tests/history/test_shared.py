"""Tests the history as a whole: collectors in any order, repeated polls, restarts, clocks, and what is unknown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from exporter.history import SHARED, History, application, flags, ingestions, rollovers, schedules
from exporter.history.schedules import ACTIVE_SINCE, DUE_SINCE, MISSED_SINCE
from exporter.history.shared import LAST_RUN
from exporter.history.unfinished import OLDEST_SEEN
from tests.history.tenant import DAY, HOUR, MINUTE, OFF, START, SUSPENDED, Tenant, daily, rollover, run

ACTIVE = {ACTIVE_SINCE, MISSED_SINCE}
# Families whose times are of polls, or of due times that a poll found missed.
SEEN = ACTIVE | {*flags.FAMILIES, *schedules.FAMILIES, *rollovers.FAMILIES, *application.FAMILIES}
SEEN |= {OLDEST_SEEN, ingestions.FAILING_SINCE}
_JSON: TypeAdapter[History] = TypeAdapter(History)
Poll = Callable[[Tenant, float], None]


def test_whether_schedules_are_active_is_known_while_both_are_and_the_last_run_while_one_is() -> None:
    active, last_run = SHARED
    assert active.families == (ACTIVE_SINCE, MISSED_SINCE)
    assert active.known_until([5.0, math.inf]) == 5.0
    assert last_run.families == (LAST_RUN,)
    assert last_run.known_until([5.0, -math.inf]) == 5.0


def test_a_tenant_without_a_poll_has_no_series() -> None:
    assert Tenant().everything() == {}


def test_without_a_collectors_part_the_others_stay() -> None:
    tenant = Tenant()
    tenant.flags(START, SUSPENDED)
    tenant.runs(START, run("a", began=START))
    tenant.schedules(START, daily())
    history = tenant.history.failed("state", START).without("state")
    assert history.state == History().state
    assert history.failing_since == {}
    assert (history.ingestions, history.schedules) == (tenant.history.ingestions, tenant.history.schedules)


def test_a_schedule_is_not_active_over_a_time_in_which_pauses_were_not_looked_for() -> None:
    tenant = Tenant()
    tenant.flags(START)
    tenant.schedules(START, daily())
    tenant.history = tenant.history.without("state")
    tenant.schedules(START + DAY, daily())
    assert tenant.series(ACTIVE_SINCE) == {}
    tenant.flags(START + DAY)
    assert tenant.series(ACTIVE_SINCE) == {("s", "collection"): START + DAY}
    assert tenant.series(MISSED_SINCE) == {}


def test_a_collector_fails_since_its_first_failure_and_never_in_the_future() -> None:
    history = History().failed("state", START + DAY).failed("state", START + 2 * DAY).failed("schedules", START + DAY)
    assert history.failing_since == {"state": START + DAY, "schedules": START + DAY}
    assert history.failed("state", START).failing_since["state"] == START
    assert history.recovered("state").failing_since == {"schedules": START + DAY}
    assert history.recovered("rollovers") is history


# Any polls

FLAGS = st.sampled_from((OFF, SUSPENDED, {}, OFF | {"mass_change_pending": True, "new_mode": True}))
_TIMES = st.one_of(st.none(), st.builds(lambda hours: START + hours * HOUR, st.floats(-200, 200)))
_IDENTS = st.sampled_from(("a", "b", "c", None))
RUNS = st.lists(
    st.builds(
        run,
        _IDENTS,
        st.sampled_from(("scheduled", "executing", "success", "failed", "timeout", "cancelled", "odd", "")),
        _TIMES,
        type=st.sampled_from(("collection", "mirror", "")),
        has_pending_task=st.sampled_from((True, False, None)),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)
SCHEDULES = st.lists(
    st.builds(
        daily,
        st.sampled_from((2, 9, None)),
        _TIMES,
        _IDENTS,
        type=st.sampled_from(("collection", "mirror")),
        enabled=st.sampled_from((True, True, False, None)),
        created_at=_TIMES,
        days=st.sampled_from(("", "mon", "someday")),
    ),
    max_size=3,
)
ROLLOVERS = st.lists(
    st.builds(
        rollover,
        _IDENTS,
        st.sampled_from(("upcoming", "ongoing", None)),
        status_change_failures=st.sampled_from((0, 1, 2, None)),
        failure_reason=st.sampled_from((None, "no_space")),
    ),
    max_size=2,
)
POLLS: st.SearchStrategy[Poll] = st.one_of(
    FLAGS.map(lambda facts: lambda tenant, at: tenant.flags(at, facts)),
    RUNS.map(lambda facts: lambda tenant, at: tenant.runs(at, *facts)),
    SCHEDULES.map(lambda facts: lambda tenant, at: tenant.schedules(at, *facts)),
    ROLLOVERS.map(lambda facts: lambda tenant, at: tenant.rollovers(at, *facts)),
    st.sampled_from(("confirmed", "error", None)).map(lambda facts: lambda tenant, at: tenant.application(at, facts)),
)
# When none of these times is in the future.
LATER = START + 200 * HOUR
# Minutes from one poll to the next; clocks are set back and forward.
STEPS = st.sampled_from((0, 1, 5, 60, 400, 3000, -30, -5000))


@settings(max_examples=100)
@given(st.lists(st.tuples(POLLS, STEPS), max_size=15))
def test_whatever_polls_see_and_clocks_do_no_time_is_in_the_future_and_facts_agree(
    polls: list[tuple[Poll, int]],
) -> None:
    tenant, at = Tenant(), START
    for poll, minutes in polls:
        at += minutes * MINUTE
        tenant.samples = {}
        poll(tenant, at)
        shown = tenant.everything()
        polled_active = tenant.samples.keys() & {"state", "schedules"}
        for family in SEEN if polled_active else SEEN - ACTIVE:
            assert all(value <= at for value in shown.get(family, {}).values()), family.name
        active, missed = shown.get(ACTIVE_SINCE, {}), shown.get(MISSED_SINCE, {})
        assert missed.keys() <= active.keys()
        assert all(active[key] <= since for key, since in missed.items())
        assert tenant.history.state.paused is False or not active
        runs = tenant.history.ingestions
        for ident in runs.ended.keys() & runs.unfinished.keys():  # an id that is used again
            assert (runs.unfinished[ident].started_at or 0) > runs.ended_starts[ident]


@settings(max_examples=60)
@given(st.lists(st.tuples(POLLS, STEPS), min_size=1, max_size=12))
def test_the_same_poll_again_changes_nothing(polls: list[tuple[Poll, int]]) -> None:
    tenant, at = Tenant(), START
    for poll, minutes in polls:
        at += minutes * MINUTE
        poll(tenant, at)
        before = tenant.everything()
        poll(tenant, at)
        assert tenant.everything() == before


@settings(max_examples=60)
@given(st.lists(st.tuples(POLLS, STEPS), min_size=1, max_size=12))
def test_a_history_read_back_is_the_one_that_was_written(polls: list[tuple[Poll, int]]) -> None:
    tenant, at = Tenant(), START
    for poll, minutes in polls:
        at += minutes * MINUTE
        poll(tenant, at)
    written = _JSON.dump_json(tenant.history)
    assert _JSON.dump_json(_JSON.validate_json(written)) == written
    restored = _JSON.validate_json(written)
    assert restored == replace(
        tenant.history,
        state=replace(tenant.history.state, paused=None, flags={}),
        ingestions=replace(tenant.history.ingestions, exposed=False, running=()),
        schedules=replace(tenant.history.schedules, listed={}, polled_at=0.0),
        rollovers=replace(tenant.history.rollovers, listed={}),
        application=replace(tenant.history.application, given=None),
    )


WORLDS = st.tuples(FLAGS, RUNS, SCHEDULES, ROLLOVERS)


def _polled(tenant: Tenant, world: Any, at: float, order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    polls: tuple[Callable[[], None], ...] = (
        lambda: tenant.flags(at, world[0]),
        lambda: tenant.runs(at, *world[1]),
        lambda: tenant.schedules(at, *world[2]),
        lambda: tenant.rollovers(at, *world[3]),
    )
    for number in order:
        polls[number]()


def _later(worlds: list[Any], minutes: list[int]) -> Iterator[tuple[Any, float]]:
    return zip(worlds, (START + each * MINUTE for each in itertools.accumulate(minutes)), strict=False)


_GAPS = st.lists(st.sampled_from((1, 5, 60, 400, 3000)), min_size=8, max_size=8)


@settings(max_examples=50)
@given(st.lists(WORLDS, min_size=1, max_size=5), _GAPS, st.integers(0, 5))
def test_a_restart_with_a_state_file_changes_no_series_of_the_polls_after_it(
    worlds: list[Any], gaps: list[int], restart_before: int
) -> None:
    steady, restarted = Tenant(), Tenant()
    for number, (world, at) in enumerate(_later(worlds, gaps)):
        if number == restart_before:
            restarted.restart()
        _polled(steady, world, at)
        _polled(restarted, world, at)
        assert steady.everything() == restarted.everything()


@settings(max_examples=50)
@given(st.lists(WORLDS, min_size=1, max_size=4), _GAPS, st.lists(st.permutations(range(4)), min_size=4, max_size=4))
def test_collectors_may_poll_in_any_order(worlds: list[Any], gaps: list[int], orders: list[tuple[int, ...]]) -> None:
    """The schedules come twice, as they learn of runs at their next poll."""
    one, other = Tenant(), Tenant()
    for number, (world, at) in enumerate(_later(worlds, gaps)):
        _polled(one, world, at)
        _polled(other, world, at, orders[number])
        for tenant in (one, other):
            tenant.schedules(at, *world[2])
        assert one.everything() == other.everything()


@settings(max_examples=50)
@given(WORLDS, st.sampled_from((MINUTE, HOUR, 9 * HOUR)), st.booleans())
def test_an_outage_in_which_nothing_changed_changes_no_time(world: Any, lasts: float, restart: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    tenant, at = Tenant(), LATER
    for each in (at, at + MINUTE):
        _polled(tenant, world, each)
    before = tenant.everything()
    if restart:
        tenant.restart()
    _polled(tenant, world, at + MINUTE + lasts)
    after = tenant.everything()
    for family in (flags.ON_SINCE, ACTIVE_SINCE, OLDEST_SEEN, LAST_RUN, *rollovers.FAMILIES):
        # Those in an unknown state are unfinished for some hours only.
        assert after.get(family, {}).items() <= before.get(family, {}).items()
    for family in (MISSED_SINCE, DUE_SINCE, ingestions.FAILING_SINCE, ingestions.FINISHED, LAST_RUN):
        # More may be missed by then.
        assert before.get(family, {}).items() <= after.get(family, {}).items()


def test_the_last_run_is_unknown_while_a_schedule_has_started_at_a_time_that_can_not_be_parsed() -> None:
    tenant = Tenant()
    tenant.flags(START)
    tenant.runs(START, run("a", "success", START - HOUR))
    tenant.schedules(START, daily(executed=START - 2 * HOUR), daily(ident="t"))
    assert tenant.series(LAST_RUN) == {(): START - HOUR}
    later = START + 9 * DAY
    tenant.runs(later)
    tenant.schedules(later, daily(has_unknown_start=True, weekdays=None), daily(ident="t"))
    assert tenant.series(LAST_RUN) == tenant.series(DUE_SINCE) == {}
    tenant.schedules(later + MINUTE, daily(executed=later), daily(ident="t"))
    assert tenant.series(LAST_RUN) == {(): later}
