"""Tests that alerts fire when a tenant's data stop flowing, and otherwise not."""

from __future__ import annotations

from functools import partial

import pytest

from tests.alerts.pages import (
    FAILING,
    FAILING_LONG,
    FAILING_SINCE,
    MISSED,
    OVERDUE,
    PAUSES,
    SEEN,
    STALE,
    STALE_FROM,
    STALLED,
    STARTED,
    failed,
    missed,
    mode,
    old,
    paused,
    running,
    silent,
    stalled,
)
from tests.alerts.stories import (
    CHANGED,
    DAY,
    DUE,
    DUE_SINCE,
    ENABLED,
    HOUR,
    LAST_DUE,
    LAST_EXECUTED,
    LAST_LONG_PAUSE,
    LAST_PAUSED,
    LAST_RUN,
    LAST_SUCCESS,
    MISSED_SINCE,
    NEXT_DUE,
    SCHEDULE,
    TICK,
    Value,
    always,
    check,
    due,
    exporter,
    healthy,
    never,
    now,
    polled,
    replica,
    scraped,
    since,
    steps,
    without,
)

# A range selector of Prometheus 2 has its left edge, and one of Prometheus 3 has not: no test asks at a sample there.
NOT_AT_EDGE = 2 * TICK

check_overdue = partial(check, about=("KimonoSyncOverdue",))
check_stale = partial(check, about=("KimonoSyncStale",))
check_stalled = partial(check, about=("KimonoIngestionStalled",))
check_failing = partial(check, about=("KimonoIngestionsFailing",))
ALL_PAUSES = (*PAUSES, "mass_change_pending")


# Overdue


def test_a_schedule_that_has_not_run_is_overdue_when_its_grace_has_passed() -> None:
    check_overdue(missed(), {MISSED: [], MISSED + TICK: [OVERDUE], DAY: [OVERDUE], 3 * DAY: [OVERDUE]})


def test_a_run_ends_it() -> None:
    end = MISSED + HOUR
    check_overdue(missed() | {MISSED_SINCE: since(DUE, end)}, {end - TICK: [OVERDUE], end + 18: []})


def test_a_long_run_that_blocks_the_schedule_is_waited_for_and_the_grace_begins_at_its_end() -> None:
    """It began before the schedule was due, and fails only after the grace."""
    end = MISSED + 2 * HOUR
    page = missed() | running(DUE - HOUR, end)
    expected = {MISSED + TICK: [], end - TICK: [], end + 2 * HOUR - NOT_AT_EDGE: [], end + 2 * HOUR + TICK: [OVERDUE]}
    check_overdue(page, expected, history=2 * HOUR)


def test_the_run_after_the_one_that_blocked_the_schedule_does_not_end_the_grace() -> None:
    """Both are in the same series, which has the second one's time as soon as the first one has ended."""
    end = MISSED + 2 * HOUR
    seen = 'kimono_ingestion_oldest_unfinished_seen_timestamp_seconds{ingestion_type="collection",state="executing"}'
    page = missed() | {seen: lambda minute: (DUE - HOUR if minute < end else end) * 60}
    expected = {end - TICK: [], end + TICK: [], end + 2 * HOUR - NOT_AT_EDGE: [], end + 2 * HOUR + TICK: [OVERDUE]}
    check_overdue(page, expected, history=2 * HOUR)


def test_an_outage_of_prometheus_in_which_the_blocking_run_ends_does_not_end_the_grace() -> None:
    """The exporter knows for two hours which run blocked the schedule."""
    end, back = MISSED + 2 * HOUR, MISSED + 3 * HOUR
    known = {"kimono_ingestion_blocking_seen_timestamp_seconds": since(DUE - HOUR, end + 2 * HOUR)}
    page = {"kimono_exporter_build_info": always(1), **missed(), **running(DUE - HOUR, end), **known}
    page[SEEN] = steps((DUE - HOUR, (DUE - HOUR) * 60), (DUE + HOUR, None))  # what Prometheus has scraped
    expected = {back: [], end + 2 * HOUR - TICK: [], end + 2 * HOUR + 2 * TICK: [OVERDUE]}
    check_overdue(page, expected, history=2 * HOUR)


def test_a_run_that_begins_when_the_grace_is_over_excuses_nothing() -> None:
    check_overdue(missed() | running(MISSED + TICK), {MISSED + HOUR: [OVERDUE]}, history=2 * HOUR)


def test_a_bundle_of_events_that_is_under_way_excuses_nothing() -> None:
    check_overdue(missed() | running(DUE - HOUR, kind="event_bundle"), {MISSED + TICK: [OVERDUE]})


@pytest.mark.parametrize("collector", ["schedules", "state", "ingestions"])
def test_facts_that_are_old_raise_no_overdue(collector: str) -> None:
    page = missed() | old(collector, MISSED - HOUR)
    check_overdue(page, {MISSED + TICK: []})
    recent = missed() | old(collector, MISSED - 18)
    check_overdue(recent, {MISSED + TICK: [OVERDUE], MISSED + HOUR: []})


def test_facts_that_nobody_has_renewed_for_hours_are_old_though_nothing_fails() -> None:
    name = 'kimono_collector_last_success_timestamp_seconds{collector="schedules"}'
    page = missed() | {name: lambda minute: min(minute, DUE) * 60}
    check_overdue(page, {MISSED + HOUR: []})


def test_overdue_does_not_go_and_come_again_with_a_restart_of_the_exporter() -> None:
    down = range(MISSED + 30, MISSED + 40)
    check_overdue(without(missed(), [down]), {MISSED + at: [OVERDUE] for at in (28, 30, 35, 39, 40, 50)}, step=1)


# Stalled


def test_an_ingestion_that_does_not_end_is_stalled_after_six_hours() -> None:
    check_stalled(stalled(), {7 * HOUR: [], 7 * HOUR + TICK: [STALLED]})


def test_a_stall_that_ends_is_over() -> None:
    check_stalled(stalled(8 * HOUR), {8 * HOUR - TICK: [STALLED], 8 * HOUR + 18: []})


@pytest.mark.parametrize("kind", ["bulk_load", "mirror"])
def test_a_bulk_load_may_take_a_day(kind: str) -> None:
    page = healthy() | running(HOUR, kind=kind)
    check_stalled(page, {12 * HOUR: [], 25 * HOUR: [], 25 * HOUR + TICK: [STALLED]})


def test_an_ingestion_without_a_start_is_stalled_too() -> None:
    check_stalled(stalled() | {STARTED: never}, {7 * HOUR: [], 7 * HOUR + TICK: [STALLED]})


def test_an_ingestion_without_a_start_is_not_hidden_behind_one_with_a_start() -> None:
    page = stalled() | {STARTED: since(6 * HOUR)}
    check_stalled(page, {7 * HOUR + TICK: [STALLED]})


def test_an_ingestion_that_was_first_seen_late_is_stalled_from_its_start_on() -> None:
    page = stalled() | {SEEN: since(6 * HOUR)}
    check_stalled(page, {7 * HOUR + TICK: [STALLED]})


@pytest.mark.parametrize("flag", ALL_PAUSES)
def test_a_paused_tenant_does_not_stall_and_has_its_time_anew_afterwards(flag: str) -> None:
    page = mode(flag, 8 * HOUR) | running(HOUR)
    expected = {7 * HOUR + TICK: [], 8 * HOUR + TICK: [], 14 * HOUR - TICK: [], 14 * HOUR: [STALLED]}
    check_stalled(page, expected)


@pytest.mark.parametrize("collector", ["ingestions", "state"])
def test_facts_that_are_old_raise_no_stall(collector: str) -> None:
    check_stalled(stalled() | old(collector, 6 * HOUR), {7 * HOUR + TICK: []})


def test_a_paused_tenant_is_not_stalled_when_its_flags_expire() -> None:
    """If only its flags can't be polled, the last pause expires sooner than the facts of ingestions are old."""
    begin, page = 7 * HOUR - TICK, mode("synchronization_suspended", 30 * HOUR) | running(HOUR)
    flags = {name: value for name, value in page.items() if name.startswith(("kimono_tenant_state", LAST_PAUSED))}
    page |= old("state", begin) | without(flags, [range(begin, 30 * HOUR)])
    check_stalled(page, {minute: [] for minute in range(begin, begin + 40, TICK)})


# Failing

SEEN_FAILED = DUE + 30


def test_a_bad_end_that_no_good_one_follows_alerts_after_half_an_hour_and_pages_after_a_day() -> None:
    expected = {
        SEEN_FAILED + 30: [],
        SEEN_FAILED + 36: [FAILING],
        SEEN_FAILED + 26 * HOUR: [FAILING],
        SEEN_FAILED + 26 * HOUR + TICK: [FAILING, FAILING_LONG],
    }
    check_failing(failed(DUE), expected)


def test_a_good_end_is_the_end_of_it() -> None:
    end = 10 * HOUR
    check_failing(failed(DUE, end), {end - TICK: [FAILING], end + 18: []})


def test_a_run_under_way_is_waited_for() -> None:
    """It fails, too, and does so after six hours, when a run counts as stalled."""
    page = failed(DUE) | running(DUE + 40)
    check_failing(page, {SEEN_FAILED + 36: [], DUE + 40 + 6 * HOUR - TICK: [], DUE + 40 + 6 * HOUR: [FAILING]})


def test_a_nightly_run_that_fails_once_does_not_page_while_the_next_is_under_way() -> None:
    """The next begins in time, and takes until after the 26 hours."""
    next_run = running(DUE + DAY, DUE + DAY + 4 * HOUR)
    page = failed(DUE, DUE + DAY + 4 * HOUR) | next_run
    check_failing(page, {SEEN_FAILED + 26 * HOUR + TICK: [FAILING], DUE + DAY + 4 * HOUR - TICK: [FAILING]})


def test_runs_under_way_one_after_the_other_do_not_hide_failures_for_ever() -> None:
    page = failed(DUE) | running(DUE + 40) | {SEEN: lambda minute: (minute // HOUR * HOUR) * 60}
    expected = {SEEN_FAILED + 384: [], SEEN_FAILED + 390: [FAILING], SEEN_FAILED + 32 * HOUR - TICK: [FAILING]}
    check_failing(page, expected | {SEEN_FAILED + 32 * HOUR + TICK: [FAILING, FAILING_LONG]})


def test_a_run_of_another_kind_is_not_waited_for() -> None:
    check_failing(failed(DUE) | running(DUE + 40, kind="event_bundle"), {SEEN_FAILED + 36: [FAILING]})
    check_failing(failed(DUE, kind="mirror") | running(DUE + 40), {SEEN_FAILED + 36: []})


def test_a_good_collection_that_started_later_makes_the_other_types_good() -> None:
    page = failed(HOUR, kind="mirror") | {LAST_SUCCESS: lambda minute: due(minute - 30) + 60}
    check_failing(page, {2 * HOUR + TICK: [FAILING], DUE + 24: [FAILING], DUE + 54: []})


def test_a_good_one_of_another_kind_does_not_make_a_collection_good() -> None:
    page = failed(DUE) | {LAST_SUCCESS.replace("collection", "event_bundle"): steps((8 * HOUR, 8 * 3600.0))}
    check_failing(page, {10 * HOUR: [FAILING]})


@pytest.mark.parametrize("flag", ALL_PAUSES)
def test_failures_of_a_paused_tenant_page_nobody(flag: str) -> None:
    at = SEEN_FAILED + 26 * HOUR
    page = mode(flag, begin=DUE + 90, end=at + HOUR) | {
        FAILING_SINCE: since(SEEN_FAILED),
        LAST_SUCCESS: always(due(0) + 60),
    }
    expected = {at + TICK: [FAILING], at + 3 * HOUR - TICK: [FAILING], at + 3 * HOUR: [FAILING, FAILING_LONG]}
    check_failing(page, expected)


def test_a_person_who_cancels_a_run_pages_nobody() -> None:
    cancelled = LAST_SUCCESS.replace("success", "cancelled")
    check_failing(healthy() | {cancelled: steps((DUE, DUE * 60.0))}, {SEEN_FAILED + 36: [], 2 * DAY: []})


def test_facts_that_are_old_raise_no_failures() -> None:
    check_failing(failed(DUE) | old("ingestions", 8 * HOUR), {9 * HOUR: []})


def test_failures_do_not_page_while_it_is_unknown_whether_the_tenant_is_paused() -> None:
    at = SEEN_FAILED + 27 * HOUR
    check_failing(failed(DUE) | old("state", at - HOUR), {at: [FAILING]})


# Stale


def test_a_tenant_for_which_nothing_runs_for_five_days_is_stale() -> None:
    check_stale(silent(), {STALE_FROM: [], STALE_FROM + TICK: [STALE]})


def test_a_run_of_any_kind_ends_it() -> None:
    end = STALE_FROM + HOUR
    page = silent() | {LAST_RUN: lambda minute: (DUE if minute < end else end) * 60}
    check_stale(page, {end - TICK: [STALE], end + 18: []})


def test_a_tenant_for_which_nothing_has_ever_run_is_not_stale() -> None:
    check_stale(silent() | {LAST_RUN: never}, {STALE_FROM + DAY: []})


def test_a_tenant_that_was_turned_off_and_forgotten_is_stale_too() -> None:
    check_stale(silent() | {ENABLED: always(0)}, {STALE_FROM + TICK: [STALE]})


def test_a_tenant_without_schedules_is_not_stale() -> None:
    none = dict.fromkeys((SCHEDULE, ENABLED, LAST_DUE, NEXT_DUE, LAST_EXECUTED), never)
    check_stale(silent() | none, {STALE_FROM + DAY: []})


def test_a_tenant_of_whose_schedules_nothing_is_known_is_stale() -> None:
    """Their collector is off."""
    none = dict.fromkeys((SCHEDULE, ENABLED, LAST_DUE, NEXT_DUE, LAST_EXECUTED), never)
    off = ("kimono_collector_last_success_timestamp_seconds", "kimono_exporter_poll_lag_seconds")
    none |= {f'{name}{{collector="schedules"}}': never for name in off}
    series = replica({**exporter(), **silent(), **none})
    scraped(series, {STALE_FROM + TICK: [STALE]}, about=("KimonoSyncStale",))


def weekly(first: int = DUE) -> dict[str, Value]:
    """A schedule that is due once a week, and ran the first time."""
    return silent() | {
        LAST_DUE: lambda minute: ((minute - first) // (7 * DAY) * 7 * DAY + first) * 60,
        NEXT_DUE: lambda minute: ((minute - first) // (7 * DAY) * 7 * DAY + first + 7 * DAY) * 60,
    }


def test_a_schedule_that_is_due_once_a_week_is_not_stale_until_it_has_missed_a_week() -> None:
    again = DUE + 7 * DAY
    page = weekly() | {DUE_SINCE: since(again)}
    check_stale(page, {STALE_FROM + DAY: [], again + 2 * HOUR - TICK: [], again + 2 * HOUR: [STALE]})


def test_a_daily_schedule_that_does_not_run_is_stale_too() -> None:
    page = missed(DUE + DAY) | {LAST_RUN: always(DUE * 60), DUE_SINCE: since(DUE + DAY)}
    check_stale(page, {STALE_FROM: [], STALE_FROM + TICK: [STALE]})


def test_runs_too_short_for_any_poll_do_not_make_a_tenant_stale() -> None:
    """No ingestion is ever seen, but the schedule tells of its runs."""
    page = healthy() | {LAST_SUCCESS: always(due(0) + 60), LAST_RUN: lambda minute: due(minute) + 60}
    check_stale(page, {STALE_FROM + TICK: [], STALE_FROM + 5 * DAY: []})


def test_a_schedule_that_was_moved_to_an_hour_that_has_passed_is_not_stale() -> None:
    edit = STALE_FROM + 10 * HOUR
    moved = weekly() | {LAST_DUE: lambda minute: (DUE if minute < edit else edit - HOUR) * 60, CHANGED: now}
    check_stale(moved, {edit - TICK: [], edit + 6 * HOUR: []})


@pytest.mark.parametrize("flag", ALL_PAUSES)
def test_a_tenant_that_is_paused_for_long_is_not_stale_and_has_its_days_anew_afterwards(flag: str) -> None:
    page = silent() | {name: value for name, value in mode(flag, STALE_FROM).items() if flag in name}
    page |= paused(HOUR, STALE_FROM)
    again = STALE_FROM + 5 * DAY
    check_stale(page, {STALE_FROM - TICK: [], STALE_FROM + DAY: [], again - TICK: [], again: [STALE]})


def test_a_nightly_suspension_of_three_hours_delays_it_by_hours_and_not_for_ever() -> None:
    page = silent() | {LAST_LONG_PAUSE: never, LAST_PAUSED: lambda minute: _last_night(minute) * 60}
    night = STALE_FROM // DAY * DAY + DAY
    expected = {STALE_FROM: [], STALE_FROM + TICK: [STALE], night + 2 * HOUR: []}
    check_stale(page, expected | {night + 5 * HOUR - TICK: [], night + 5 * HOUR: [STALE]})


def _last_night(minute: int) -> int:
    """The last minute of a suspension from midnight to three."""
    night = minute // DAY * DAY
    return min(minute, night + 3 * HOUR)


@pytest.mark.parametrize("collector", ["ingestions", "schedules", "state"])
def test_facts_that_are_old_make_nothing_stale(collector: str) -> None:
    check_stale(silent() | old(collector, STALE_FROM - HOUR), {STALE_FROM + TICK: []})


# The contract's metrics alone


@pytest.mark.parametrize("name", [CHANGED, DUE_SINCE, LAST_LONG_PAUSE])
def test_without_the_metrics_that_are_not_in_the_contract_a_tenant_is_stale(name: str) -> None:
    page = missed(DUE + DAY) | {LAST_RUN: always(DUE * 60), name: never}
    check_stale(page, {STALE_FROM + TICK: [STALE]})


def test_until_the_schedules_are_polled_after_a_start_nothing_is_stale() -> None:
    begin, end = 7 * DAY, 7 * DAY + 4 * TICK
    page = silent(**{NEXT_DUE: always(9 * DAY * 60)})
    later = [name for name in page if "schedule_id" in name or name in ("kimono_tenant_up", polled("schedules"))]
    started = page | {
        name: lambda minute, value=page[name]: None if begin <= minute < end else value(minute) for name in later
    }
    check_stale(started, {begin - TICK: [], begin: [], begin + TICK: [], end - TICK: [], end + TICK: []})
