"""Tests when each kind of problem begins, when it does not yet, what suppresses it, and that old facts say nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.models import STATE_FLAGS, Rollover, Schedule
from exporter.history import History, application, flags, rollovers, schedules
from exporter.history.due_times import DAY
from exporter.history.ingestions import Failing, IngestionsHistory
from exporter.history.problems import KINDS, Found, Health, counts_as_unreachable, find
from exporter.history.unfinished import FullRun, Running
from exporter.status import PROBLEMS, Failure, Problem
from exporter.thresholds import ROLLOVER_BEGUN, ROLLOVER_OVER, threshold
from tests.support.virtual_time import START

HOUR = 3600.0
NOW = START + 12 * HOUR
COLLECTORS = ("state", "ingestions", "schedules", "rollovers", "application")


def health(failures: Mapping[str, tuple[str, float]] | None = None, **more: Any) -> Health:
    """All collectors succeeded now but those that have failed for a reason and so many seconds."""
    failed = {name: Failure(name, reason, "", NOW - age) for name, (reason, age) in (failures or {}).items()}
    succeeded = dict.fromkeys(COLLECTORS, NOW) | {name: failure.since for name, failure in failed.items()}
    return Health(**{"enabled": COLLECTORS, "succeeded_at": succeeded, "failures": failed, **more})


def kinds(history: History, of: Health | None = None, now: float = NOW) -> set[str]:
    return {problem.kind for problem in find(history, of or health(), now).problems}


# A tenant with one problem that began so many seconds ago, of each kind.


def calm() -> History:
    """A tenant that is not paused and has run lately."""
    state = flags.advance(flags.FlagsHistory(), dict.fromkeys(STATE_FLAGS, False), NOW)
    return History(state=state, ingestions=IngestionsHistory(last_run=NOW - HOUR))


def flagged(*on: str, since: float) -> History:
    told = {flag: flag in on for flag in STATE_FLAGS}
    state = flags.advance(flags.FlagsHistory(), told, since)
    return replace(calm(), state=flags.advance(state, told, NOW))


def unfinished(age: float, kind: str = "collection", *, started: bool = True) -> History:
    begin = NOW - age
    running = Running("a", kind, "executing", begin if started else None, NOW - 1 if started else begin)
    return replace(calm(), ingestions=IngestionsHistory(running=(running,), last_run=NOW))


def failed(age: float, kind: str = "collection", **more: Any) -> History:
    return replace(calm(), ingestions=IngestionsHistory(failing={kind: Failing(NOW - age, NOW - age)}, **more))


def missed(age: float, **more: Any) -> History:
    """A schedule that is due once a day, and has been missed since so many seconds ago, in whole hours."""
    due = NOW - age
    schedule = daily(int(due % DAY // HOUR), due % HOUR)
    history = schedules.SchedulesHistory()
    for at in (due - 60, NOW):
        history = schedules.advance(history, {"s": schedule}, at, paused=False)
    return replace(calm(), schedules=history, ingestions=IngestionsHistory(last_run=due - DAY, **more))


def daily(hour: int, remainder: float = 0.0, **more: Any) -> Schedule:
    assert not remainder, "schedules are due at whole hours"
    told = {"last_executed_at": None, "created_at": None, "enabled": True, "weekdays": frozenset(range(7)), **more}
    return Schedule(id="s", type="collection", hour=hour, days="", **told)


def last_ran(age: float) -> History:
    return replace(calm(), ingestions=IngestionsHistory(last_run=NOW - age))


def window(
    starts: float, ends: float, status: str = "upcoming", failures: int = 0, reason: str | None = None
) -> Rollover:
    """A rollover whose window is from so many seconds ago to so many seconds ago."""
    return Rollover("r", "r", "r", status, NOW - starts, NOW - ends, failures, reason)


def unknown_start(*args: Any) -> Rollover:
    """The same with a start that can't be parsed."""
    return replace(window(*args), start=None, has_unknown_start=True)


def unknown_end(*args: Any) -> Rollover:
    """The same with an end that can't be parsed."""
    return replace(window(*args), end=None, has_unknown_end=True)


def unknown(*args: Any) -> Rollover:
    """A rollover neither of whose times can be parsed."""
    return replace(unknown_start(*args), end=None, has_unknown_end=True)


def with_rollovers(history: History, *listed: Rollover, at: float = NOW) -> History:
    by_key = {str(number): each for number, each in enumerate(listed)}
    return replace(history, rollovers=rollovers.advance(history.rollovers, by_key, at))


def rolling_over(*listed: Rollover, since: float = 2 * HOUR) -> History:
    return with_rollovers(flagged("rollover_mode_enabled", since=NOW - since), *listed)


def rollover_failing(age: float, status: str = "upcoming") -> History:
    listed = window(-DAY, -2 * DAY, status, failures=2)
    return with_rollovers(with_rollovers(calm(), listed, at=NOW - age), listed)


def access(state: str | None, age: float) -> History:
    told = application.advance(application.ApplicationHistory(), state, NOW - age)
    return replace(calm(), application=application.advance(told, state, NOW))


# The history of a tenant whose problem began so many seconds ago; after how many seconds it is one; its severity.
BEGINS: Mapping[str, tuple[Callable[[float], History], float, str]] = {
    "stalled": (unfinished, 6 * HOUR, "critical"),
    "failing": (failed, 0.5 * HOUR, "warning"),
    "overdue": (missed, 2 * HOUR, "critical"),
    "stale": (last_ran, 5 * DAY, "warning"),
    "suspended": (lambda age: flagged("synchronization_suspended", since=NOW - age), DAY, "warning"),
    "mass_change": (lambda age: flagged("mass_change_pending", since=NOW - age), HOUR, "warning"),
    "setup": (lambda age: flagged("setup_mode_enabled", since=NOW - age), 3 * DAY, "info"),
    "rollover_stuck": (lambda age: rolling_over(window(2 * DAY, age, "ongoing")), HOUR, "warning"),
    "rollover_not_started": (lambda age: with_rollovers(calm(), window(age, -DAY)), HOUR, "warning"),
    "rollover_failing": (rollover_failing, 0.5 * HOUR, "warning"),
    "application_auth": (lambda age: access("Error", age), 0.5 * HOUR, "warning"),
}
OF_POLLS = {"unreachable": "network", "credentials_rejected": "auth"}


def test_every_kind_is_tested_and_explained() -> None:
    assert {*BEGINS, *OF_POLLS} == {*KINDS} == PROBLEMS.keys()


@pytest.mark.parametrize("kind", BEGINS)
def test_a_problem_begins_after_its_threshold_and_says_since_when(kind: str) -> None:
    history, limit, severity = BEGINS[kind]
    step = HOUR if kind == "overdue" else 60.0
    assert find(history(limit + step), health(), NOW).problems == (Problem(kind, severity, NOW - limit - step),)
    assert find(history(limit - step), health(), NOW).problems == ()
    assert find(history(limit), health(), NOW).problems == ()
    assert find(calm(), health(), NOW) == Found((), frozenset(), NOW)


@pytest.mark.parametrize("kind", OF_POLLS)
def test_a_tenant_that_cannot_be_polled_has_one_problem(kind: str) -> None:
    late = health({"schedules": (OF_POLLS[kind], 41 * 60), "state": ("network", 60)})
    assert find(calm(), late, NOW).problems == (Problem(kind, "warning", NOW - 41 * 60),)
    assert kinds(calm(), health({"schedules": (OF_POLLS[kind], 39 * 60)})) == set()
    many = find(calm(), late, NOW, many_unreachable=True)
    assert many.problems == ()
    assert {*OF_POLLS} <= many.unknown


@pytest.mark.parametrize(
    ("failures", "counts"),
    [
        ({}, False),
        ({"schedules": ("network", 9 * 60)}, False),
        ({"schedules": ("network", 11 * 60)}, False),  # the others succeed
        ({"schedules": ("network", 41 * 60)}, True),
        (dict.fromkeys(COLLECTORS, ("network", 9 * 60)), False),
        (dict.fromkeys(COLLECTORS, ("network", 11 * 60)), True),
    ],
)
def test_a_tenant_counts_as_unreachable_early_if_nothing_of_it_can_be_polled(
    failures: Mapping[str, tuple[str, float]], *, counts: bool
) -> None:
    assert counts_as_unreachable(health(failures), NOW) is counts


# Severity


def test_failing_and_mass_change_become_critical() -> None:
    assert [each.severity for each in find(failed(25 * HOUR), health(), NOW).problems] == ["warning"]
    assert [each.severity for each in find(failed(27 * HOUR), health(), NOW).problems] == ["critical"]
    pending = [flagged("mass_change_pending", since=NOW - hours * HOUR) for hours in (23, 25)]
    assert [find(each, health(), NOW).problems[0].severity for each in pending] == ["warning", "critical"]


def test_failing_is_not_critical_while_the_tenant_is_or_may_be_paused() -> None:
    paused = replace(failed(27 * HOUR), state=flagged("setup_mode_enabled", since=NOW - HOUR).state)
    assert [each.severity for each in find(paused, health(), NOW).problems] == ["warning"]
    old = health({"state": ("network", 31 * 60)})
    assert [each.severity for each in find(failed(27 * HOUR), old, NOW).problems] == ["warning"]


# What suppresses a problem, and what does not.


def paused_before(history: History, age: float) -> History:
    return replace(history, state=replace(history.state, last_paused=NOW - age))


def long_paused_before(history: History, age: float) -> History:
    return replace(history, state=replace(history.state, last_long_pause=NOW - age))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (unfinished(7 * HOUR, started=False), True),
        (unfinished(7 * HOUR, "bulk_load"), False),
        (unfinished(25 * HOUR, "bulk_load"), True),
        (unfinished(25 * HOUR, "mirror"), True),
        (paused_before(unfinished(7 * HOUR), 5 * HOUR), False),
        (paused_before(unfinished(7 * HOUR), 6 * HOUR), True),
    ],
)
def test_a_stall_depends_on_type_and_pauses(history: History, *, expected: bool) -> None:
    assert ("stalled" in kinds(history)) is expected


def running(age: float, kind: str = "collection") -> tuple[Running, ...]:
    return (Running("b", kind, "executing", None, NOW - age),)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (failed(HOUR, last_started={("collection", "success"): NOW - 0.5 * HOUR}), False),
        (failed(HOUR, last_started={("collection", "success"): NOW - 2 * HOUR}), True),
        (failed(HOUR, "mirror", last_started={("bulk_load", "success"): NOW - 0.5 * HOUR}), False),
        (failed(HOUR, last_started={("mirror", "success"): NOW - 0.5 * HOUR}), True),
        (failed(HOUR, running=running(60)), False),
        (failed(6 * HOUR, running=running(60)), False),
        (failed(6.6 * HOUR, running=running(60)), True),
        (failed(HOUR, running=running(7 * HOUR)), True),
        (failed(HOUR, running=running(60, "mirror")), True),
        (failed(HOUR, "mirror", running=running(60, "mirror")), False),
    ],
)
def test_failing_ends_with_a_good_run_and_waits_for_one_under_way(history: History, *, expected: bool) -> None:
    assert ("failing" in kinds(history)) is expected


def blocked(seen: float, unfinished_at: float) -> History:
    """A schedule was missed three hours ago, and a run was seen from so many to so many seconds ago."""
    return missed(3 * HOUR, full_runs={"a": FullRun(NOW - seen, NOW - unfinished_at)})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (blocked(4 * HOUR, HOUR), False),
        (blocked(4 * HOUR, 2 * HOUR + 60), True),  # it ended two hours ago: so long is the grace
        (blocked(2 * HOUR, HOUR), False),
        (blocked(0.5 * HOUR, 0), True),  # it began after the grace
    ],
)
def test_a_long_run_blocks_a_schedule_and_the_grace_begins_at_its_end(history: History, *, expected: bool) -> None:
    assert ("overdue" in kinds(history)) is expected


def test_nothing_is_overdue_while_it_is_unknown_whether_the_tenant_is_paused() -> None:
    assert kinds(replace(missed(3 * HOUR), state=flags.FlagsHistory())) == set()


def stale(schedule: Schedule | None, seen: float = 6 * DAY, age: float = 5.5 * DAY) -> History:
    """A tenant whose last run was so long ago, with one schedule, seen as it is since so long ago, or none."""
    listed = {} if schedule is None else {"s": schedule}
    history = last_ran(age)
    return replace(history, schedules=schedules.advance(history.schedules, listed, NOW - seen, paused=None))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (last_ran(6 * DAY), True),
        (stale(None), False),
        (stale(daily(3)), True),
        (stale(daily(3, weekdays=None)), True),
        (stale(daily(3, enabled=None)), False),
        (stale(daily(3, enabled=False)), True),
        (stale(daily(int(NOW % DAY // HOUR) - 1), seen=2 * DAY), True),
        (stale(daily(int(NOW % DAY // HOUR) - 1), seen=HOUR + 60), False),  # due an hour ago for the first time
        (stale(daily(3), seen=60), False),  # not due since it was changed
        (paused_before(last_ran(6 * DAY), HOUR), False),
        (paused_before(last_ran(6 * DAY), 3 * HOUR), True),
        (long_paused_before(last_ran(6 * DAY), 4 * DAY), False),
        (long_paused_before(last_ran(6 * DAY), 5 * DAY), True),
    ],
)
def test_a_tenant_is_stale_only_if_something_was_due_or_that_is_unknown(history: History, *, expected: bool) -> None:
    assert ("stale" in kinds(history)) is expected


def suspended(*listed: Rollover, also: str = "synchronization_suspended") -> History:
    return with_rollovers(flagged("synchronization_suspended", also, since=NOW - 2 * DAY), *listed)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (suspended(), True),
        (suspended(also="rollover_mode_enabled"), False),
        (suspended(window(-23 * HOUR, -DAY)), False),
        (suspended(window(-25 * HOUR, -2 * DAY)), True),
        (suspended(window(2 * DAY, 23 * HOUR)), False),
        (suspended(window(2 * DAY, 25 * HOUR)), True),
        (suspended(window(HOUR, -HOUR, "Cancelled")), True),
        # A window that may be near may explain it.
        (suspended(unknown(HOUR, -HOUR)), False),
        (suspended(unknown(HOUR, -HOUR, "Cancelled")), True),
        (suspended(unknown_start(HOUR, 23 * HOUR)), False),
        (suspended(unknown_start(HOUR, 25 * HOUR)), True),
        (suspended(unknown_end(-23 * HOUR, -DAY)), False),
        (suspended(unknown_end(-25 * HOUR, -DAY)), True),
        (suspended(replace(window(HOUR, -HOUR), start=None)), True),
        (suspended(replace(window(HOUR, -HOUR), end=None)), True),
    ],
)
def test_a_rollover_explains_a_suspension(history: History, *, expected: bool) -> None:
    assert ("suspended" in kinds(history)) is expected


def completed(over: float) -> History:
    """In rollover mode, within the window of a rollover that was completed so many seconds ago."""
    begun, since = window(3 * HOUR, -5 * HOUR, "ongoing"), NOW - 25 * HOUR
    history = with_rollovers(flagged("rollover_mode_enabled", since=since), begun, at=NOW - over - 60)
    return with_rollovers(history, replace(begun, status="Completed"), at=NOW - over)


@pytest.mark.parametrize(
    ("removed", "window_of", "stuck"),
    [
        (60, window(2 * DAY, -DAY, "ongoing"), False),
        (HOUR - 60, window(2 * DAY, -DAY, "ongoing"), False),
        (HOUR + 60, window(2 * DAY, -DAY, "ongoing"), True),
        # These explained nothing any more.
        (60, window(2 * DAY, -DAY, "completed"), True),
        (60, window(9 * DAY, 8 * DAY, "ongoing"), True),
        (HOUR - 60, unknown(2 * DAY, -DAY, "ongoing"), False),
        (HOUR + 60, unknown(2 * DAY, -DAY, "ongoing"), True),
    ],
)
def test_rollover_mode_is_explained_for_a_while_after_its_rollover_was_removed(
    removed: float,
    window_of: Rollover,
    stuck: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The flag may have gone with it: it is polled at another moment."""
    history = with_rollovers(rolling_over(since=5 * DAY), window_of, at=NOW - removed - 60)
    for at in (NOW - removed, NOW):
        history = with_rollovers(history, at=at)
    kinds = {each.kind for each in find(history, health(), NOW).problems}
    assert kinds == ({"rollover_stuck"} if stuck else set())


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (rolling_over(since=23 * HOUR), False),
        (rolling_over(since=25 * HOUR), True),
        (rolling_over(window(3 * HOUR, -HOUR, "ongoing"), since=25 * HOUR), False),
        (rolling_over(window(-23 * HOUR, -DAY), since=25 * HOUR), False),
        (rolling_over(window(3 * HOUR, -HOUR, "failed"), since=25 * HOUR), True),
        (rolling_over(window(70 * DAY, 61 * DAY, "done")), False),
        (rolling_over(window(9 * DAY, 8 * DAY, "done"), window(2 * HOUR, -2 * HOUR, "ongoing")), False),
        (completed(0.5 * HOUR), False),
        (completed(1.5 * HOUR), True),
        (rolling_over(unknown(3 * HOUR, -HOUR, "ongoing"), since=25 * HOUR), False),
        (rolling_over(unknown(3 * HOUR, -HOUR, "failed"), since=25 * HOUR), True),
        (rolling_over(unknown_start(3 * HOUR, 0.5 * HOUR), since=25 * HOUR), False),
        (rolling_over(unknown_start(3 * HOUR, 1.5 * HOUR), since=25 * HOUR), True),
        (rolling_over(unknown_end(3 * HOUR, -HOUR), since=25 * HOUR), False),
        (rolling_over(unknown_end(-25 * HOUR, -2 * DAY), since=25 * HOUR), True),
        (rolling_over(window(9 * DAY, 8 * DAY), unknown(HOUR, HOUR), since=9 * DAY), False),
    ],
)
def test_a_window_that_is_not_over_explains_rollover_mode(history: History, *, expected: bool) -> None:
    assert ("rollover_stuck" in kinds(history)) is expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (with_rollovers(calm(), window(2 * HOUR, -HOUR, "Scheduled")), True),
        (with_rollovers(calm(), window(2 * HOUR, -HOUR, "ongoing")), False),
        (with_rollovers(calm(), window(2 * HOUR, -HOUR, failures=1)), False),
        (with_rollovers(calm(), window(2 * HOUR, -HOUR, reason="no_space")), False),
        (with_rollovers(calm(), window(8 * DAY, 6 * DAY)), True),
        (with_rollovers(calm(), window(9 * DAY, 8 * DAY)), False),
        (rolling_over(window(2 * HOUR, -HOUR)), False),
        (with_rollovers(calm(), unknown_start(2 * HOUR, -HOUR)), False),
        (with_rollovers(calm(), unknown_end(2 * HOUR, -HOUR)), True),
        (with_rollovers(calm(), unknown_end(6 * DAY, -HOUR)), True),
        (with_rollovers(calm(), unknown_end(8 * DAY, -HOUR)), False),
        (with_rollovers(calm(), replace(window(8 * DAY, -HOUR), end=None)), True),
    ],
)
def test_a_rollover_that_nothing_prevents_should_have_started(history: History, *, expected: bool) -> None:
    assert ("rollover_not_started" in kinds(history)) is expected


@pytest.mark.parametrize("status", [*ROLLOVER_BEGUN, *ROLLOVER_OVER])
def test_a_rollover_that_has_begun_or_is_over_does_not_fail_to_change(status: str) -> None:
    assert kinds(rollover_failing(HOUR, status.upper())) == set()


@pytest.mark.parametrize(("state", "expected"), [("EXPIRED", True), ("ok", False), ("no error", False), (None, False)])
def test_only_some_states_of_access_are_failures(state: str | None, *, expected: bool) -> None:
    assert ("application_auth" in kinds(access(state, HOUR))) is expected


def test_a_state_of_access_that_is_missing_now_is_no_problem() -> None:
    history = access("error", HOUR)
    assert kinds(replace(history, application=application.advance(history.application, None, NOW))) == set()


# Old facts

READS: Mapping[str, set[str]] = {
    "stalled": {"ingestions", "state"},
    "failing": {"ingestions"},
    "overdue": {"state", "schedules", "ingestions"},
    "stale": {"ingestions", "schedules", "state"},
    "suspended": {"state", "rollovers"},
    "mass_change": {"state"},
    "setup": {"state"},
    "rollover_stuck": {"state", "rollovers"},
    "rollover_not_started": {"state", "rollovers"},
    "rollover_failing": {"rollovers"},
    "application_auth": {"application"},
}


def present(kind: str) -> History:
    history, limit, _ = BEGINS[kind]
    return history(limit + HOUR)


@pytest.mark.parametrize("kind", BEGINS)
@pytest.mark.parametrize("collector", COLLECTORS)
def test_old_facts_of_what_it_depends_on_hide_a_problem_and_do_not_end_it(kind: str, collector: str) -> None:
    hidden = collector in READS[kind]
    for old in (
        health({collector: ("network", 31 * 60)}),
        health(succeeded_at={name: NOW - (2.1 * HOUR if name == collector else 0) for name in COLLECTORS}),
        health(succeeded_at={name: NOW for name in COLLECTORS if name != collector}),
    ):
        found = find(present(kind), old, NOW)
        assert (kind in {problem.kind for problem in found.problems}) is not hidden
        assert (kind in found.unknown) is hidden
    for fresh in (
        health({collector: ("network", 29 * 60)}),
        health(succeeded_at={name: NOW - (1.9 * HOUR if name == collector else 0) for name in COLLECTORS}),
    ):
        assert kind in kinds(present(kind), fresh)


@pytest.mark.parametrize("kind", BEGINS)
def test_expired_facts_hide_a_problem(kind: str) -> None:
    mine = {"overdue": "schedules", "rollover_not_started": "rollovers", "rollover_failing": "rollovers"}.get(kind)
    mine = mine or {"stalled": "ingestions", "failing": "ingestions", "application_auth": "application"}.get(kind)
    mine = mine or "state"
    failing = health({mine: ("network", 600)}, expired=[mine])
    found = find(present(kind), failing, NOW)
    if kind == "stale":
        assert kind in kinds(present(kind), failing), "it is told by two collectors"
    else:
        assert kind in found.unknown
        assert not found.problems


def test_a_collector_that_is_off_hides_nothing_that_others_tell() -> None:
    only = health(enabled=["ingestions"], succeeded_at={"ingestions": NOW})
    history = replace(unfinished(7 * HOUR), state=flags.FlagsHistory())
    assert kinds(history, only) == {"stalled"}


def test_after_a_restart_failures_are_unknown_until_a_poll_has_seen_them() -> None:
    history = calm().failed("state", NOW - HOUR)
    assert {*OF_POLLS} <= find(history, health(), NOW).unknown
    again = find(history, health({"state": ("auth", HOUR)}), NOW)
    assert [problem.kind for problem in again.problems] == ["credentials_rejected"]
    assert not {*OF_POLLS} & find(history.recovered("state"), health(), NOW).unknown


ages = st.floats(0, 90 * DAY)


@given(st.sampled_from([*BEGINS]), ages, st.floats(0, 30 * DAY), st.sets(st.sampled_from(STATE_FLAGS)))
def test_a_problem_began_in_the_past_and_is_there_once(kind: str, age: float, later: float, on: set[str]) -> None:
    age = age // HOUR * HOUR if kind == "overdue" else age
    history = BEGINS[kind][0](age)
    if kind in ("stalled", "failing", "stale"):
        history = replace(history, state=flagged(*on, since=NOW - age).state)
    now = NOW + later
    found = find(history, health(succeeded_at=dict.fromkeys(COLLECTORS, now)), now)
    assert len({problem.kind for problem in found.problems}) == len(found.problems)
    for problem in found.problems:
        assert problem.since <= now - min(threshold("ingestions_failing"), threshold("mass_change_pending"))
        assert problem.kind not in found.unknown
