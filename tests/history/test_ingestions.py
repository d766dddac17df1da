"""Tests what is known of ingestions from poll to poll: first sights, ends, failures, and the last run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.models import FINAL_STATES, UNFINISHED_STATES
from exporter.history.ingestions import FAILING_SINCE, FINISHED, LAST_STARTED
from exporter.history.shared import LAST_RUN
from exporter.history.unfinished import BLOCKING_SEEN, OLDEST_SEEN, OLDEST_STARTED
from tests.history.tenant import DAY, HOUR, MINUTE, START, Tenant, daily, run

EXECUTING = ("collection", "executing")


def ends(tenant: Tenant) -> dict[str, float]:
    return {state: count for (_, state), count in tenant.series(FINISHED).items() if count}


# Unfinished ones


def test_the_oldest_unfinished_one_has_a_first_sight_with_and_without_a_start() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a"))
    tenant.runs(START + MINUTE, run("b", began=START - HOUR), run("a"))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START}
    assert tenant.series(OLDEST_STARTED) == {EXECUTING: START - HOUR}
    tenant.runs(START + 2 * MINUTE, run("b", began=START - HOUR))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START + MINUTE}


@pytest.mark.parametrize("gap", [5 * MINUTE, 1.5 * HOUR, DAY])
def test_a_full_run_that_may_have_blocked_a_schedule_is_known_for_two_hours_after_its_end_was_seen(gap: float) -> None:
    """It may have ended at the end of the gap between two polls."""
    tenant, end = Tenant(), START + HOUR + gap
    tenant.runs(START, run("a"), run("b", type="mirror"))
    tenant.runs(START + HOUR, run("a"))
    tenant.runs(end, left=[run("a", "success", START)])
    tenant.runs(end + HOUR)
    tenant.runs(end + 2 * HOUR - 1)
    assert tenant.series(BLOCKING_SEEN) == {(): START}
    tenant.runs(end + 2 * HOUR)
    assert tenant.series(BLOCKING_SEEN) == {}


def test_a_full_run_whose_end_is_never_told_blocks_schedules_for_two_hours_after_it_left_the_list() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a"))
    for hours in (1.0, 1.9):
        tenant.runs(START + hours * HOUR)
        assert tenant.series(BLOCKING_SEEN) == {(): START}
    tenant.runs(START + 2 * HOUR)
    assert tenant.series(BLOCKING_SEEN) == {}


def test_a_first_sight_is_of_the_ingestion_and_not_of_its_state() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", "scheduled"))
    tenant.runs(START + HOUR, run("a", "executing", START + HOUR))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START}


@pytest.mark.parametrize("state", UNFINISHED_STATES)
def test_one_in_a_known_state_is_unfinished_until_it_ends_however_long_that_takes(state: str) -> None:
    tenant = Tenant()
    for at in (START, START + 30 * DAY):
        tenant.runs(at, run("a", state, START))
        assert tenant.series(OLDEST_SEEN) == tenant.series(OLDEST_STARTED) == {("collection", state): START}


@pytest.mark.parametrize("state", FINAL_STATES)
def test_one_in_a_final_state_is_finished_with_a_pending_task_too(state: str) -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", state, START, has_pending_task=True))
    assert tenant.series(OLDEST_SEEN) == tenant.series(OLDEST_STARTED) == {}


@pytest.mark.parametrize("state", ["partially_applied", ""], ids=["unknown", "null"])
@pytest.mark.parametrize(
    ("began", "hours", "pending", "unfinished"),
    [
        (0.0, 2.9, False, True),
        (0.0, 3.0, False, False),
        (0.0, 3.0, None, False),
        (0.0, 300.0, True, True),
        (-2.0, 0.9, False, True),
        (-2.0, 1.0, False, False),
        (None, 2.9, False, True),
        (None, 3.0, False, False),
    ],
)
def test_one_in_a_state_that_is_not_known_is_unfinished_for_three_hours_or_while_a_task_is_pending(
    state: str, began: float | None, hours: float, *, pending: bool | None, unfinished: bool
) -> None:
    """A list may keep what has ended."""
    tenant = Tenant()
    odd = run("a", state, None if began is None else START + began * HOUR, has_pending_task=pending)
    tenant.runs(START, odd)
    assert tenant.series(OLDEST_SEEN) == {("collection", state): START}
    tenant.runs(START + hours * HOUR, odd)
    assert (tenant.series(OLDEST_SEEN) != {}) is unfinished
    assert (tenant.series(OLDEST_STARTED) != {}) is (unfinished and began is not None)


def test_one_that_is_missing_from_a_list_and_has_not_ended_keeps_its_first_sight() -> None:
    tenant = Tenant()
    for minute, listed in enumerate(([run("a")], [], [], [run("a")])):
        tenant.runs(START + minute * MINUTE, *listed)
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START}


def test_those_without_ids_go_by_type_and_start_in_any_order_of_the_list() -> None:
    one, other = run(None, began=START - HOUR), run(None, began=START - DAY)
    tenant = Tenant()
    tenant.runs(START, one)
    tenant.runs(START + MINUTE, other, one)
    tenant.runs(START + 2 * MINUTE, one, other)
    tenant.runs(START + 3 * MINUTE, other)
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START + MINUTE}


def test_a_first_sight_outlives_an_outage_and_a_restart_and_is_new_without_a_state_file() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a"))
    tenant.restart()
    tenant.runs(START + DAY, run("a"))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START}
    tenant.restart(with_state_file=False)
    tenant.runs(START + DAY + MINUTE, run("a"))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START + DAY + MINUTE}


# Ends


def test_an_end_during_an_outage_is_counted_after_the_restart_and_never_again() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", began=START))
    tenant.restart()
    for minute in range(3):
        tenant.runs(START + DAY + minute * MINUTE, left=[run("a", "success", START)])
        assert ends(tenant) == {"success": 1}
    tenant.restart()
    tenant.runs(START + DAY + HOUR, run("a", "success", START))
    assert ends(tenant) == {"success": 1}


def test_a_run_that_began_and_ended_during_an_outage_is_counted_where_the_list_keeps_it() -> None:
    tenant = Tenant()
    tenant.runs(START, run("old", "failed", START - 30 * DAY))
    tenant.restart()
    for minute in range(3):
        tenant.runs(
            START + DAY + minute * MINUTE, run("old", "failed", START - 30 * DAY), run("a", "success", START + HOUR)
        )
    assert ends(tenant) == {"success": 1}


def test_a_clock_that_was_ahead_for_a_poll_makes_no_end_count_twice() -> None:
    tenant, done = Tenant(), run("a", "success", START)
    tenant.runs(START, run("a", began=START))
    tenant.runs(START + 300 * DAY, done)
    for minute in range(1, 100, 9):
        tenant.runs(START + minute * MINUTE, *([done] if minute % 2 else []))
    assert ends(tenant) == {"success": 1}
    assert max(tenant.history.ingestions.ended.values()) <= tenant.now
    tenant.runs(START + DAY)
    assert tenant.history.ingestions.ended == {}


_LIVES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 6), st.sampled_from(FINAL_STATES), st.booleans()),
    max_size=6,
)


@settings(max_examples=60)
@given(
    _LIVES, st.lists(st.sets(st.integers(0, 5)), min_size=20, max_size=20), st.sets(st.integers(0, 16)), st.booleans()
)
def test_each_end_counts_once_over_restarts_and_outages_and_however_the_list_flickers(
    lives: list[tuple[int, int, str, bool]],
    hidden: list[set[int]],
    restarts: set[int],
    lists_finished: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Each is seen by the poll at which it begins; an outage of hours, in which it may end, comes with each restart."""
    tenant, at, began = Tenant(), START, dict[int, float]()
    for poll in range(20):
        at += MINUTE
        if poll in restarts:
            tenant.restart()
            at += 5 * HOUR
        now = {}
        for number, (begins, lasts, state, told) in enumerate(lives):
            if begins <= poll:
                start = began.setdefault(number, at) if told else None
                now[f"{number}"] = run(f"{number}", state if poll >= begins + lasts else "executing", start)
        starts = {number for number, (begins, *_) in enumerate(lives) if begins == poll}
        shown = [
            each
            for ident, each in now.items()
            if int(ident) in starts or (int(ident) not in hidden[poll] and (lists_finished or not each.finished))
        ]
        tenant.runs(at, *shown, left=now.values())
    assert ends(tenant) == Counter(state for _, _, state, _ in lives)


# Failing since


def failing(*states: tuple[str, float | None], together: bool = False) -> tuple[Tenant, float | None]:
    """Runs end so, each with its start: at a poll each, seen before; or all between two polls."""
    tenant = Tenant()
    tenant.runs(START)
    done = [run(f"{number}", state, began) for number, (state, began) in enumerate(states)]
    if together:
        tenant.runs(START + HOUR, *done)
    for number, each in enumerate([] if together else done):
        tenant.runs(START + number * HOUR + MINUTE, run(each.id, began=each.started_at))
        tenant.runs(START + (number + 1) * HOUR, left=[each])
    return tenant, tenant.value(FAILING_SINCE)


FIRST, SECOND, THIRD = START + HOUR, START + 2 * HOUR, START + 3 * HOUR


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ("success", None),
        ("failed", FIRST),
        ("timeout", FIRST),
        ("cancelled", None),
        ("partially_applied", None),
        ("failed failed", FIRST),
        ("failed timeout failed", FIRST),
        ("success failed", SECOND),
        ("failed success", None),
        ("failed success failed", THIRD),
        ("failed cancelled", FIRST),
        ("failed cancelled failed", FIRST),
        ("cancelled failed", SECOND),
        ("failed partially_applied", FIRST),
    ],
)
@pytest.mark.parametrize("starts", [True, False], ids=["with starts", "without starts"])
def test_it_fails_since_the_first_bad_end_that_no_good_one_has_followed(
    states: str, since: float | None, *, starts: bool
) -> None:
    ended = [(state, START + number * HOUR if starts else None) for number, state in enumerate(states.split())]
    assert failing(*ended)[1] == since


@pytest.mark.parametrize(
    ("ended", "fails"),
    [
        ([("failed", 1.0), ("success", 2.0)], False),
        ([("success", 2.0), ("failed", 1.0)], False),
        ([("success", 1.0), ("failed", 2.0)], True),
        ([("failed", 2.0), ("success", 1.0)], True),
        ([("failed", 1.0), ("success", 1.0)], False),
        ([("failed", 1.0), ("success", 2.0), ("timeout", 3.0)], True),
        ([("failed", 1.0), ("cancelled", 2.0)], True),
        ([("failed", None), ("success", None)], False),
        ([("failed", None), ("success", 1.0)], True),
        ([("failed", 1.0), ("success", None)], False),
    ],
)
def test_ends_seen_by_one_poll_go_by_their_starts_and_the_good_one_last_if_these_say_nothing(
    ended: list[tuple[str, float | None]], *, fails: bool
) -> None:
    starts = [(state, None if minutes is None else START + minutes * MINUTE) for state, minutes in ended]
    assert failing(*starts, together=True)[1] == (START + HOUR if fails else None)


def test_each_type_fails_by_itself() -> None:
    tenant = Tenant()
    tenant.runs(START)
    tenant.runs(FIRST, run("a", "failed", START), run("b", "success", START, type="mirror"))
    tenant.runs(SECOND, run("c", "success", FIRST, type="bulk_load"), run("d", "timeout", FIRST, type="mirror"))
    assert tenant.series(FAILING_SINCE) == {"collection": FIRST, "mirror": SECOND}


@pytest.mark.parametrize("starts", [True, False], ids=["with starts", "without starts"])
def test_a_late_bad_end_of_a_run_that_a_good_one_has_overtaken_is_none(*, starts: bool) -> None:
    tenant, hangs = Tenant(), run("hangs", began=START if starts else None)
    tenant.runs(START, hangs)
    tenant.runs(FIRST, hangs, run("a", "success", START + MINUTE if starts else None))
    tenant.restart()
    tenant.runs(SECOND, replace(hangs, state="timeout"))
    assert tenant.series(FAILING_SINCE) == {}


def test_a_long_good_run_ends_the_failures_of_those_that_started_after_it() -> None:
    tenant = Tenant()
    tenant.runs(START, run("long", began=START))
    tenant.runs(FIRST, run("long", began=START), run("a", "failed", START + MINUTE))
    tenant.runs(SECOND, left=[run("long", "success", START)])
    assert tenant.series(FAILING_SINCE) == {}


def test_an_old_good_run_that_comes_into_the_list_late_ends_no_newer_failure() -> None:
    tenant = Tenant()
    tenant.runs(START, run("hangs", began=START - DAY))
    tenant.runs(FIRST, run("hangs", began=START - DAY), run("a", "failed", START + 20 * MINUTE))
    tenant.runs(SECOND, run("hangs", "timeout", START - DAY), run("a", "failed", START + 20 * MINUTE))
    tenant.runs(THIRD, run("old", "success", START - HOUR))
    assert tenant.series(FAILING_SINCE) == {"collection": FIRST}


def test_a_good_run_that_starts_in_the_future_does_not_hide_the_failures_to_come() -> None:
    tenant = Tenant()
    tenant.runs(START)
    tenant.runs(FIRST, run("a", "success", START + 300 * DAY))
    tenant.runs(SECOND, run("b", "failed", FIRST + MINUTE))
    assert tenant.series(FAILING_SINCE) == {"collection": SECOND}
    assert tenant.series(LAST_STARTED) == {("collection", "failed"): FIRST + MINUTE}


def test_a_bad_end_that_stays_in_the_list_begins_no_failure_again() -> None:
    tenant, bad = Tenant(), run("a", "failed", START)
    tenant.runs(START)
    tenant.runs(FIRST, bad)
    tenant.runs(SECOND, bad, run("b", "success", FIRST))
    for hours in range(3, 30):
        tenant.runs(START + hours * HOUR, bad)
        assert tenant.series(FAILING_SINCE) == {}


def test_a_list_that_shows_a_bad_end_again_after_hours_begins_no_failure_that_a_good_run_has_ended() -> None:
    tenant, bad = Tenant(), run("a", "failed", START)
    tenant.runs(START)
    tenant.runs(FIRST, bad)
    tenant.runs(SECOND, run("b", "success", FIRST))
    tenant.runs(START + DAY)
    tenant.runs(START + 2 * DAY, bad)
    assert tenant.series(FAILING_SINCE) == {}


def test_a_failure_goes_on_after_an_outage_and_a_restart() -> None:
    tenant, since = failing(("failed", START))
    tenant.restart()
    tenant.runs(START + DAY)
    assert tenant.series(FAILING_SINCE) == {"collection": since}
    tenant.runs(START + DAY + MINUTE, run("b", "success", START + DAY))
    assert tenant.series(FAILING_SINCE) == {}


# Last run


def last_run(tenant: Tenant) -> float | None:
    return tenant.value(LAST_RUN)


def test_a_run_seen_while_the_clock_was_ahead_is_not_the_last_one_for_ever() -> None:
    tenant = Tenant()
    tenant.runs(START + 300 * DAY, run("a"))
    tenant.runs(START + DAY, left=[run("a", "success")])
    assert (last_run(tenant) or 0.0) <= START + DAY + HOUR
    tenant.runs(START + 7 * DAY, run("b", began=START + 7 * DAY))
    assert last_run(tenant) == START + 7 * DAY


@pytest.mark.parametrize("state", ["executing", "unspecified", "partially_applied", *FINAL_STATES])
def test_the_last_run_is_the_newest_start_of_any_type_in_any_state(state: str) -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", state, START - HOUR, type="mirror"), run("b", "failed", START - DAY))
    assert last_run(tenant) == START - HOUR
    tenant.runs(START + DAY, run("b", "failed", START - DAY))
    assert last_run(tenant) == START - HOUR


def test_a_schedule_tells_of_a_run_that_no_poll_saw() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", "success", START - HOUR))
    tenant.schedules(START, daily(executed=START - MINUTE), daily(executed=START - DAY, ident="t"))
    assert last_run(tenant) == START - MINUTE
    tenant.schedules(START + MINUTE)
    assert last_run(tenant) == START - MINUTE


@pytest.mark.parametrize(
    ("state", "expected"),
    [("executing", START), ("unspecified", START), ("preparing", None), ("scheduled", None), ("cancelled", None)],
)
def test_a_run_without_a_start_had_started_at_its_first_sight_if_it_does_not_wait(
    state: str, expected: float | None
) -> None:
    tenant = Tenant()
    for minute in range(3):
        tenant.runs(START + minute * MINUTE, run("a", state))
        assert last_run(tenant) == expected


def test_a_finished_run_without_a_start_that_stays_in_the_list_is_no_new_run() -> None:
    tenant = Tenant()
    for hours in range(10):
        tenant.runs(START + hours * HOUR, run("a", "success"))
    assert last_run(tenant) == START


@pytest.mark.parametrize("ahead", [2 * HOUR, 300 * DAY])
def test_a_start_in_the_future_is_a_run_of_now_and_hides_nothing_later(ahead: float) -> None:
    tenant = Tenant()
    tenant.schedules(START, daily(executed=START + ahead))
    assert last_run(tenant) == START
    tenant.runs(START, run("a", began=START + ahead))
    tenant.runs(START + MINUTE, run("a", "success", START + ahead))
    assert last_run(tenant) == START
    tenant.runs(START + HOUR, run("b", "success", START + 30 * MINUTE))
    assert last_run(tenant) == START + 30 * MINUTE


# Bounds


def test_a_server_that_keeps_inventing_ids_types_and_states_leaves_a_bounded_history() -> None:
    tenant = Tenant()
    for number in range(0, 4000, 50):
        listed = [
            run(
                f"{each}", ("failed", "success", f"s{each}", "executing")[each % 4], START + each, type=f"t{each % 999}"
            )
            for each in range(number, number + 50)
        ]
        tenant.runs(
            START + number, *listed, left=[run(f"{each}", "success") for each in range(max(0, number - 50), number)]
        )
    history = tenant.history.ingestions
    kept = (history.last_started, history.finished, history.failing, history.good_starts)
    assert [len(each) <= 200 for each in kept] == [True] * 4
    assert len(history.unfinished) <= 50
    assert len(history.seen) <= 50
    assert len(history.ended) <= 1100


# An id that is used again


def test_a_run_under_the_id_of_an_earlier_one_is_another_run() -> None:
    tenant = Tenant()
    tenant.runs(START)
    tenant.runs(START + MINUTE, run("x", "success", START))
    tenant.runs(START + 2 * MINUTE, run("x", "executing", START + 90))
    assert tenant.series(OLDEST_SEEN) == {EXECUTING: START + 2 * MINUTE}
    tenant.runs(START + 3 * MINUTE, run("x", "failed", START + 90))
    assert ends(tenant) == {"success": 1, "failed": 1}
    assert tenant.series(FAILING_SINCE) == {"collection": START + 3 * MINUTE}


@pytest.mark.parametrize("restarts", [False, True])
def test_runs_under_one_id_that_only_lists_unfinished_ones_each_end_once(*, restarts: bool) -> None:
    tenant = Tenant()
    for at, state in ((START, "success"), (START + 10 * MINUTE, "timeout"), (START + 20 * MINUTE, "success")):
        tenant.runs(at, run("x", began=at))
        if restarts:
            tenant.restart()
        tenant.runs(at + MINUTE, left=[run("x", state, at)])
        tenant.runs(at + 2 * MINUTE)
    assert ends(tenant) == {"success": 2, "timeout": 1}


def test_a_run_under_a_known_id_that_leaves_the_list_unfinished_is_awaited() -> None:
    tenant = Tenant()
    tenant.runs(START, run("x", began=START))
    tenant.runs(START + MINUTE, left=[run("x", "success", START)])
    tenant.runs(START + 2 * MINUTE, run("x", began=START + 90))
    tenant.runs(START + 3 * MINUTE, left=[run("x", "executing", START + 90)])
    tenant.runs(START + 4 * MINUTE, left=[run("x", "failed", START + 90)])
    assert ends(tenant) == {"success": 1, "failed": 1}


@pytest.mark.parametrize("began", [None, START - HOUR, START])
def test_a_list_that_lags_shows_no_other_run_without_a_later_start(began: float | None) -> None:
    tenant = Tenant()
    tenant.runs(START, run("x", began=START))
    tenant.runs(START + MINUTE, run("x", "success", START))
    tenant.runs(START + 2 * MINUTE, run("x", "executing", began))
    tenant.runs(START + 3 * MINUTE, run("x", "failed", began))
    assert ends(tenant) == {"success": 1}


def test_a_history_saved_without_starts_goes_by_the_id_alone() -> None:
    tenant = Tenant()
    tenant.runs(START, run("x", began=START))
    tenant.runs(START + MINUTE, run("x", "success", START))
    tenant.history = replace(tenant.history, ingestions=replace(tenant.history.ingestions, ended_starts={}))
    tenant.runs(START + 2 * MINUTE, run("x", "failed", START + 90))
    assert ends(tenant) == {"success": 1}
