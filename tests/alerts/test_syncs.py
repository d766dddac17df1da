"""Tests that alerts fire when a tenant's data stop flowing, and otherwise not."""

from __future__ import annotations

from functools import partial

import pytest

from tests.alerts.pages import (
    BULK,
    FAILING,
    FAILING_LONG,
    HOLDS,
    MISSED,
    OTHER_NAME,
    OVERDUE,
    RUNNING,
    STALE,
    STALE_FROM,
    STALLED,
    STARTED,
    failed,
    missed,
    silent,
    unreachable,
)
from tests.alerts.stories import (
    DAY,
    DUE,
    ENABLED,
    HOUR,
    LAST_DUE,
    LAST_EXECUTED,
    LAST_FAILURE,
    LAST_SUCCESS,
    NAME,
    SCHEDULE,
    TICK,
    Value,
    alert,
    always,
    check,
    due,
    exporter,
    failing,
    flag,
    healthy,
    never,
    now,
    polled,
    replica,
    scraped,
    steps,
    without,
)
from tests.support.rules import NAMES

pytestmark = pytest.mark.slow

PENDING = alert("KimonoMassChangePending", "warning")

OVERDUE_ALERT, STALE_ALERT = ("KimonoSyncOverdue",), ("KimonoSyncStale",)
check_overdue = partial(check, about=OVERDUE_ALERT)
check_stale = partial(check, about=STALE_ALERT)
check_stalled = partial(check, about=("KimonoIngestionStalled",))
check_failing = partial(check, about=("KimonoIngestionsFailing",))
# What a hold of five days raises itself.
EXPLAINED = {
    "rollover_mode_enabled": ("KimonoRolloverStuck", "warning"),
    "synchronization_suspended": ("KimonoSyncSuspended", "warning"),
    "setup_mode_enabled": ("KimonoSetupModeLingering", "info"),
}


# Overdue


def test_a_schedule_that_has_not_run_is_overdue_when_its_grace_has_passed() -> None:
    check_overdue(missed(), {MISSED - TICK: [], MISSED + TICK: [OVERDUE], DAY: [OVERDUE]})


def test_a_late_run_ends_it() -> None:
    late = healthy() | {
        LAST_EXECUTED: lambda minute: due(0) + 60 if minute < MISSED + 60 else (MISSED + 60) * 60.0,
        LAST_SUCCESS: always(due(0) + 60),
    }
    check_overdue(late, {MISSED + 54: [OVERDUE], MISSED + 84: []})


def test_a_collection_by_hand_that_went_well_ends_it() -> None:
    by_hand = missed() | {LAST_SUCCESS: lambda minute: due(0) + 60 if minute < MISSED + 60 else (MISSED + 10) * 60.0}
    check_overdue(by_hand, {MISSED + 54: [OVERDUE], MISSED + 84: []})


def test_a_schedule_that_has_never_run_is_overdue_as_well() -> None:
    check_overdue(missed() | {LAST_EXECUTED: never, LAST_SUCCESS: never}, {MISSED - TICK: [], MISSED + TICK: [OVERDUE]})


@pytest.mark.parametrize("hold", HOLDS)
def test_a_tenant_that_is_held_is_not_overdue(hold: str) -> None:
    check_overdue(missed() | {flag(hold): always(1)}, {MISSED - TICK: [], MISSED + TICK: [], DAY - 60: []})


@pytest.mark.parametrize("hold", HOLDS)
def test_what_was_due_in_a_hold_is_not_overdue_after_it_but_what_is_due_next_is(hold: str) -> None:
    released = missed() | {flag(hold): steps((0, 0), (DUE - 60, 1), (DUE + 60, 0))}
    check_overdue(
        released, {MISSED + TICK: [], MISSED + 180: [], DAY + MISSED - TICK: [], DAY + MISSED + TICK: [OVERDUE]}
    )


def test_a_schedule_that_is_off_is_not_overdue() -> None:
    check_overdue(missed() | {ENABLED: always(0), LAST_DUE: never}, {MISSED + TICK: [], DAY: []})


def test_a_schedule_that_was_off_when_it_was_due_is_not_overdue_when_it_is_turned_on() -> None:
    on_again = missed() | {
        ENABLED: steps((0, 0), (DUE + 60, 1)),
        LAST_DUE: lambda minute: due(minute) if minute >= DUE + 60 else None,
    }
    check_overdue(on_again, {MISSED + TICK: [], DAY + MISSED - TICK: [], DAY + MISSED + TICK: [OVERDUE]})


def test_a_schedule_that_is_moved_to_an_hour_that_has_passed_is_not_overdue() -> None:
    moved = healthy() | {
        SCHEDULE: steps((0, 1), (10 * HOUR, None)),
        SCHEDULE.replace('"6"', '"9"'): steps((10 * HOUR, 1)),
        LAST_DUE: lambda minute: due(minute) if minute < 10 * HOUR else 9 * 3600.0,
    }
    check_overdue(moved, {11 * HOUR + TICK: [], 20 * HOUR: []})


def test_a_new_schedule_without_a_date_of_creation_is_not_overdue() -> None:
    arrival = 10 * HOUR
    new = {series: steps((arrival, 1)) for series in (SCHEDULE, ENABLED)} | {
        LAST_DUE: lambda minute: due(minute) if minute >= arrival else None,
        LAST_EXECUTED: never,
    }
    check_overdue(
        healthy() | {LAST_SUCCESS: never} | new, {arrival + TICK: [], DAY: [], DAY + MISSED + TICK: [OVERDUE]}
    )


def test_days_that_nobody_can_read_are_not_overdue() -> None:
    check_overdue(missed() | {LAST_DUE: never}, {MISSED + TICK: [], DAY: []})


def test_what_waits_for_a_run_that_has_not_ended_is_not_overdue() -> None:
    check_overdue(missed() | {RUNNING: always(1), STARTED: always(DUE * 60 - 3600)}, {MISSED + TICK: []})


@pytest.mark.parametrize("collector", ["schedules", "state"])
def test_an_old_picture_raises_no_overdue(collector: str) -> None:
    check_overdue(
        missed() | unreachable(DUE - 60, collector),
        {MISSED - 300: [], MISSED + TICK: [alert("KimonoTenantUnreachable", "warning")]},
    )


def test_overdue_does_not_go_and_come_again_with_a_restart_of_the_exporter() -> None:
    down = range(MISSED + 30, MISSED + 40)
    check_overdue(without(missed(), [down]), {minute: [OVERDUE] for minute in range(MISSED + 1, MISSED + 60)}, step=1)


def test_overdue_is_there_again_after_hours_in_which_the_tenant_could_not_be_reached() -> None:
    begin, end = MISSED + 30, MISSED + 180
    rows = (LAST_DUE, LAST_EXECUTED, SCHEDULE, ENABLED)
    page = missed()
    page |= without({series: page[series] for series in rows}, [range(begin + 15, end)])
    page |= {
        polled("schedules"): lambda minute: begin * 60 if begin <= minute < end else now(minute),
        failing("schedules", "timeout"): steps((begin, 1), (end, None)),
    }
    blind = alert("KimonoTenantUnreachable", "warning")
    check_overdue(page, {begin - TICK: [OVERDUE], begin + 60: [blind], end - TICK: [blind], end + 30: [OVERDUE]})


def test_a_missed_scrape_changes_nothing() -> None:
    check_overdue(
        without(missed(), [range(MISSED + 10, MISSED + 11)]), {MISSED + 10: [OVERDUE], MISSED + 11: [OVERDUE]}, step=1
    )


# Stalled


def test_an_ingestion_that_does_not_end_is_stalled_after_six_hours() -> None:
    check_stalled(healthy() | {STARTED: steps((60, 3600.0))}, {7 * HOUR - TICK: [], 7 * HOUR + TICK: [STALLED]})


def test_a_stall_that_ends_is_over() -> None:
    ended = healthy() | {STARTED: lambda minute: 3600.0 if 60 <= minute < 8 * HOUR else None}
    check_stalled(ended, {8 * HOUR - TICK: [STALLED], 8 * HOUR + 24: []})


def test_a_bulk_load_may_take_a_day() -> None:
    check_stalled(
        healthy() | {BULK: steps((60, 3600.0))}, {12 * HOUR: [], 25 * HOUR - TICK: [], 25 * HOUR + TICK: [STALLED]}
    )


@pytest.mark.parametrize("hold", HOLDS)
def test_a_tenant_that_is_held_does_not_stall(hold: str) -> None:
    page = missed() | {STARTED: steps((60, 3600.0)), flag(hold): always(1)}
    check_stalled(page, {7 * HOUR + TICK: [], 12 * HOUR: []}, about=("KimonoIngestionStalled", *OVERDUE_ALERT))


def test_a_run_that_waits_for_a_mass_change_is_not_stalled_and_has_its_time_anew_afterwards() -> None:
    waiting = healthy() | {
        STARTED: steps((60, 3600.0)),
        flag("mass_change_pending"): steps((0, 0), (60, 1), (8 * HOUR, 0)),
    }
    expected = {
        60: [],
        7 * HOUR + TICK: [PENDING],
        8 * HOUR + 30: [],
        14 * HOUR - 2 * TICK: [],
        14 * HOUR + TICK: [STALLED],
    }
    check_stalled(waiting, expected)


def test_an_old_picture_raises_no_stall() -> None:
    page = healthy() | {STARTED: steps((60, 3600.0))} | unreachable(2 * HOUR, "ingestions")
    check_stalled(page, {7 * HOUR + TICK: [alert("KimonoTenantUnreachable", "warning")]})


def test_a_stall_does_not_go_and_come_again_with_a_restart_of_the_exporter() -> None:
    page = without(healthy() | {STARTED: steps((60, 3600.0))}, [range(8 * HOUR, 8 * HOUR + 10)])
    check_stalled(page, {minute: [STALLED] for minute in range(7 * HOUR + 1, 9 * HOUR)}, step=1)


# Failing


def test_a_bad_end_that_no_good_one_follows_is_told_after_half_an_hour_and_wakes_somebody_after_a_day() -> None:
    expected = {
        DUE + 30 + 24: [],
        DUE + 30 + 36: [FAILING],
        DUE + DAY + 24: [FAILING],
        DUE + DAY + 36: [FAILING, FAILING_LONG],
    }
    check_failing(failed(DUE), expected)


def test_a_good_end_is_the_end_of_it() -> None:
    mended = failed(DUE) | {LAST_SUCCESS: lambda minute: due(0) + 60 if minute < 10 * HOUR else 9.5 * 3600}
    check_failing(mended, {10 * HOUR - TICK: [FAILING], 10 * HOUR + 24: []})


def test_a_second_try_that_is_under_way_is_waited_for() -> None:
    again = failed(DUE) | {
        RUNNING: lambda minute: 1 if DUE + 50 <= minute < DUE + 120 else None,
        LAST_SUCCESS: lambda minute: due(0) + 60 if minute < DUE + 120 else (DUE + 50) * 60.0,
    }
    check_failing(again, {minute: [] for minute in range(DUE, DUE + 180, TICK)})


def test_tries_without_end_are_told_after_six_hours() -> None:
    check_failing(failed(DUE) | {RUNNING: always(1)}, {12 * HOUR + 24: [], 12 * HOUR + 36: [FAILING]})


def test_a_try_that_was_held_has_its_six_hours_anew() -> None:
    released = 14 * HOUR
    hold = {flag("synchronization_suspended"): steps((0, 0), (DUE + 60, 1), (released, 0))}
    expected = {12 * HOUR + 36: [], released + 6 * HOUR + 18: [], released + 6 * HOUR + 30: [FAILING]}
    check_failing(failed(DUE) | hold | {RUNNING: always(1)}, expected)


def test_a_good_collection_mends_the_other_types() -> None:
    page = healthy() | {LAST_FAILURE.replace("collection", "mirror"): steps((60, 3000.0))}
    check_failing(page, {96: [FAILING], DUE + 24: [FAILING], DUE + 60: []})


def test_a_good_one_of_another_kind_does_not_mend_a_collection() -> None:
    page = failed(DUE) | {LAST_SUCCESS.replace("collection", "event_bundle"): steps((8 * HOUR, 8 * 3600.0))}
    check_failing(page, {10 * HOUR: [FAILING]})


def test_nobody_is_woken_for_failures_of_a_tenant_that_is_held() -> None:
    held = failed(DUE) | {flag("synchronization_suspended"): steps((0, 0), (DUE + 90, 1))}
    check_failing(held, {DAY + DUE + 60: [FAILING]})


def test_failures_are_remembered_when_the_exporter_restarts_and_forgets_them() -> None:
    page = failed(DUE)
    page[LAST_FAILURE] = lambda minute: DUE * 60.0 if DUE + 30 <= minute < 8 * HOUR else None
    page[LAST_SUCCESS] = lambda minute: due(0) + 60 if minute < 8 * HOUR else None
    restarted = without(page, [range(8 * HOUR, 8 * HOUR + 12)])
    check_failing(restarted, {minute: [FAILING] for minute in range(7 * HOUR, 12 * HOUR, TICK)})


def test_an_old_picture_raises_no_failures() -> None:
    page = failed(DUE) | unreachable(DUE - 60, "ingestions")
    check_failing(page, {9 * HOUR: [alert("KimonoTenantUnreachable", "warning")]})


# Stale


def test_a_tenant_for_which_nothing_runs_for_five_days_is_stale() -> None:
    check_stale(silent(), {STALE_FROM - 2 * TICK: [], STALE_FROM + 2 * TICK: [STALE]})


def test_a_tenant_that_was_turned_off_and_forgotten_is_stale_too() -> None:
    check_stale(silent() | {ENABLED: always(0)}, {STALE_FROM + 2 * TICK: [STALE]})


def test_a_tenant_that_was_stale_before_anybody_watched_is_told_of_from_what_its_schedule_says() -> None:
    dormant = silent() | {LAST_SUCCESS: never, LAST_EXECUTED: always(-6 * 86400), ENABLED: always(0)}
    check_stale(dormant, {HOUR - TICK: [], HOUR + TICK: [STALE]})


def test_a_schedule_that_is_due_once_a_week_is_not_stale() -> None:
    check_stale(silent() | {LAST_DUE: always(DUE * 60)}, {STALE_FROM + DAY: []})


def test_a_weekly_schedule_that_is_moved_to_an_hour_that_has_passed_is_not_stale() -> None:
    edit = 5 * DAY + 10 * HOUR
    moved = silent() | {
        SCHEDULE: steps((0, 1), (edit, None)),
        SCHEDULE.replace('"6"', '"9"'): steps((edit, 1)),
        LAST_DUE: lambda minute: DUE * 60.0 if minute < edit else (5 * DAY + 9 * HOUR) * 60.0,
    }
    check_stale(moved, {STALE_FROM + DAY: []})


def test_a_schedule_that_has_not_been_due_yet_is_not_stale() -> None:
    following = LAST_DUE.replace("last_due", "next_due")
    waiting = silent() | {LAST_DUE: never, LAST_EXECUTED: never}
    check_stale(waiting | {following: always(30 * DAY * 60)}, {STALE_FROM + DAY: []})
    check_stale(waiting, {STALE_FROM + DAY: [STALE]})


def test_a_tenant_without_schedules_is_not_stale() -> None:
    none = dict.fromkeys((SCHEDULE, ENABLED, LAST_DUE, LAST_EXECUTED), never)
    check_stale(silent() | none, {STALE_FROM + DAY: []})


def test_a_tenant_for_which_nothing_has_ever_run_is_not_stale() -> None:
    check_stale(silent() | {LAST_SUCCESS: never, LAST_EXECUTED: never}, {STALE_FROM + DAY: []})


def test_a_tenant_that_is_held_is_not_stale_and_has_its_days_anew_afterwards() -> None:
    series: dict[str, Value] = {}
    for hold in HOLDS:
        held = {**exporter(), **silent(), flag(hold): steps((0, 1), (STALE_FROM, 0))}
        series |= replica(held, tenant_id=hold)
    stale = [alert("KimonoSyncStale", "warning", tenant_id=hold, **NAMES) for hold in HOLDS]
    explained = [alert(*EXPLAINED[hold], tenant_id=hold, **NAMES) for hold in HOLDS]
    raised = {STALE_FROM - 2 * TICK: explained, STALE_FROM + DAY: [], STALE_FROM + 5 * DAY + HOUR + 2 * TICK: stale}
    scraped(series, raised, about=STALE_ALERT)


def test_a_run_of_any_kind_ends_it() -> None:
    bundle = LAST_SUCCESS.replace("collection", "event_bundle")
    end = STALE_FROM + HOUR
    check_stale(silent() | {bundle: steps((end, end * 60.0))}, {end - TICK: [STALE], end + 24: []})


def test_what_the_exporter_forgets_in_a_restart_does_not_make_a_tenant_stale_or_fresh() -> None:
    page = silent() | {LAST_SUCCESS: steps((0, DUE * 60.0), (2 * DAY, None))}
    restarted = without(page, [range(2 * DAY, 2 * DAY + 12)])
    check_stale(restarted, {2 * DAY + HOUR: [], STALE_FROM - 2 * TICK: [], STALE_FROM + 2 * TICK: [STALE]})


# Replicas, names, and Prometheus itself


def test_two_replicas_raise_one_alert() -> None:
    page = {**exporter(), **missed()}
    late = page | {polled("schedules"): lambda minute: now(minute) - 240}
    scraped(replica(page, "one") | replica(late, "two"), {MISSED + TICK: [OVERDUE]}, about=OVERDUE_ALERT)


def test_one_of_two_replicas_may_be_away() -> None:
    page = {**exporter(), **missed()}
    away = without(page, [range(MISSED + 30, MISSED + 90)])
    expected = {MISSED + 24: [OVERDUE], MISSED + 60: [OVERDUE], MISSED + 96: [OVERDUE]}
    scraped(replica(page, "one") | replica(away, "two"), expected, about=OVERDUE_ALERT)


def test_two_replicas_that_know_different_names_raise_one_alert_under_the_old_name() -> None:
    renamed = {NAME: steps((0, 1), (MISSED + 30, None)), OTHER_NAME: steps((MISSED + 30, 1))}
    one, two = {**exporter(), **missed()}, {**exporter(), **missed(), **renamed}
    scraped(
        replica(one, "one") | replica(two, "two"),
        {MISSED + 24: [OVERDUE], MISSED + 32: [OVERDUE]},
        step=2,
        about=OVERDUE_ALERT,
    )


def test_replicas_that_never_agreed_on_a_name_raise_an_alert_under_the_id() -> None:
    one, two = {**exporter(), **missed()}, {**exporter(), **missed(), NAME: never, OTHER_NAME: always(1)}
    nameless = alert("KimonoSyncOverdue", "critical", tenant_id="t1", tenant_name="t1")
    scraped(replica(one, "one") | replica(two, "two"), {MISSED + TICK: [nameless]}, about=OVERDUE_ALERT)


def test_a_tenant_without_names_raises_its_alerts() -> None:
    nameless = alert("KimonoSyncOverdue", "critical", tenant_id="t1", tenant_name="t1")
    blank = 'kimono_tenant_info{tenant_name="",account_id="",account_name="",integration="",integration_version=""}'
    check_overdue(missed() | {NAME: never, blank: always(1)}, {MISSED + TICK: [nameless]})


def test_overdue_stays_when_the_schedule_is_due_again_and_does_not_run_again() -> None:
    nights = {minute: [OVERDUE] for minute in range(MISSED + TICK, MISSED + 2 * DAY, 2 * TICK)}
    check_overdue(missed(), nights)


def test_a_run_that_is_missed_after_one_that_was_not_has_its_own_grace() -> None:
    second = missed() | {
        LAST_EXECUTED: lambda minute: due(0) + 60 if minute < DAY + DUE - 30 else (DAY + DUE - 30) * 60.0
    }
    again = DAY + MISSED
    check_overdue(second, {DAY: [OVERDUE], again - TICK: [], again + TICK: [OVERDUE]})
