"""Tests the alerts about modes that last too long, rollovers that fail, and applications that reject the hub."""

from __future__ import annotations

from functools import partial

import pytest

from tests.alerts.pages import (
    AUTH_CONFIRMED,
    AUTH_ERROR,
    BEGUN,
    CHANGE_FAILS,
    FAILURES,
    LONG_SETUP,
    LONG_SUSPENDED,
    NOT_STARTED,
    PENDING,
    PENDING_LONG,
    REASON,
    REJECTED,
    SETUP,
    STUCK,
    SUSPENDED,
    mode,
    old,
    window,
)
from tests.alerts.stories import (
    DAY,
    HOUR,
    TICK,
    alert,
    always,
    check,
    exporter,
    flag,
    healthy,
    never,
    replica,
    scraped,
    steps,
    without,
)

pytestmark = pytest.mark.slow

BLIND = alert("KimonoTenantUnreachable", "warning")


MASS_CHANGE = ("KimonoMassChangePending",)
check_suspended = partial(check, about=("KimonoSyncSuspended",))
check_mass_change = partial(check, about=MASS_CHANGE)
check_setup = partial(check, about=("KimonoSetupModeLingering",))
check_rollovers = partial(check, about=("KimonoRolloverStuck", "KimonoRolloverNotStarted", "KimonoRolloverFailing"))
check_application = partial(check, about=("KimonoApplicationAuthFailing",))


# Suspended


def test_a_suspension_that_nothing_explains_is_told_of_after_a_day_and_ends() -> None:
    end = BEGUN + DAY + 2 * HOUR
    expected = {LONG_SUSPENDED - 15: [], LONG_SUSPENDED + 9: [SUSPENDED], end - TICK: [SUSPENDED], end + 24: []}
    check_suspended(mode("synchronization_suspended", end), expected)


@pytest.mark.parametrize(("start", "end"), [(-DAY, 9 * DAY), (2 * DAY, 9 * DAY), (-9 * DAY, 2 * HOUR)])
def test_a_rollover_that_is_near_explains_a_suspension(start: int, end: int) -> None:
    near = mode("synchronization_suspended") | window(start, end, "planned")
    check_suspended(near, {LONG_SUSPENDED + 9: []})


def test_a_rollover_that_is_far_explains_nothing() -> None:
    far = mode("synchronization_suspended") | window(9 * DAY, 19 * DAY)
    check_suspended(far, {LONG_SUSPENDED + 9: [SUSPENDED]})


def test_rollover_mode_explains_a_suspension() -> None:
    both = mode("synchronization_suspended") | window(-DAY, 9 * DAY, "ongoing")
    check_suspended(both | {flag("rollover_mode_enabled"): always(1)}, {LONG_SUSPENDED + 9: []})


@pytest.mark.parametrize("collector", ["state", "rollovers"])
def test_an_old_picture_raises_no_suspension(collector: str) -> None:
    check_suspended(mode("synchronization_suspended") | old(collector, 3 * HOUR), {LONG_SUSPENDED + 9: [BLIND]})


def test_since_when_a_mode_is_on_is_remembered_when_the_exporter_restarts() -> None:
    restarted = without(mode("synchronization_suspended"), [range(20 * HOUR, 20 * HOUR + 30)])
    check_suspended(restarted, {LONG_SUSPENDED - 15: [], LONG_SUSPENDED + 9: [SUSPENDED]})


def test_a_second_suspension_has_its_own_day() -> None:
    twice = mode("synchronization_suspended") | {
        flag("synchronization_suspended"): steps((0, 1), (20 * HOUR, 0), (23 * HOUR, 1)),
    }
    check_suspended(twice, {DAY + HOUR: [], 46 * HOUR: [], 48 * HOUR: [SUSPENDED]})


# Mass change


def test_a_mass_change_is_a_warning_after_an_hour_and_critical_after_a_day() -> None:
    expected = {
        BEGUN + HOUR - TICK: [],
        BEGUN + HOUR + TICK: [PENDING],
        BEGUN + DAY - TICK: [PENDING],
        BEGUN + DAY + TICK: [PENDING, PENDING_LONG],
    }
    check_mass_change(mode("mass_change_pending"), expected)


def test_an_approved_mass_change_is_over() -> None:
    end = BEGUN + 3 * HOUR
    check_mass_change(mode("mass_change_pending", end), {end - TICK: [PENDING], end + 24: []})


def test_an_old_picture_raises_no_mass_change() -> None:
    check_mass_change(mode("mass_change_pending") | old("state", BEGUN + 6), {BEGUN + 2 * HOUR: [BLIND]})


def test_a_mass_change_does_not_go_and_come_again_with_a_restart_of_the_exporter() -> None:
    restarted = without(mode("mass_change_pending"), [range(3 * HOUR, 3 * HOUR + 9)])
    check_mass_change(restarted, {minute: [PENDING] for minute in range(2 * HOUR + 1, 4 * HOUR)}, step=1)


def test_two_replicas_raise_one_mass_change() -> None:
    page = exporter() | mode("mass_change_pending")
    scraped(replica(page, "one") | replica(page, "two"), {3 * HOUR: [PENDING]}, about=MASS_CHANGE)


# Setup


def test_setup_mode_is_told_of_after_three_days_and_ends() -> None:
    end = LONG_SETUP + HOUR
    expected = {LONG_SETUP - TICK: [], LONG_SETUP + TICK: [SETUP], end + 24: []}
    check_setup(mode("setup_mode_enabled", end), expected)


def test_an_old_picture_raises_no_setup_mode() -> None:
    check_setup(mode("setup_mode_enabled") | old("state", 2 * HOUR), {LONG_SETUP + TICK: [BLIND]})


# Rollovers


def test_rollover_mode_that_outlives_its_window_is_stuck_after_an_hour_and_a_quarter() -> None:
    end = 3 * HOUR
    page = mode("rollover_mode_enabled", 6 * HOUR) | window(0, end, "ongoing")
    check_rollovers(page, {end + HOUR + 12: [], end + HOUR + 24: [STUCK], 6 * HOUR - TICK: [STUCK], 6 * HOUR + 24: []})


def test_rollover_mode_within_its_window_is_not_stuck() -> None:
    check_rollovers(mode("rollover_mode_enabled") | window(0, 9 * DAY, "ongoing"), {HOUR: [], 3 * DAY: []})


def test_rollover_mode_that_no_window_explains_is_stuck_after_a_day() -> None:
    page = mode("rollover_mode_enabled") | window(-380 * DAY, -370 * DAY, "completed")
    check_rollovers(page, {BEGUN + DAY: [], BEGUN + DAY + 24: [STUCK]})


@pytest.mark.parametrize("collector", ["state", "rollovers"])
def test_an_old_picture_raises_no_stuck_rollover(collector: str) -> None:
    page = mode("rollover_mode_enabled") | window(0, 3 * HOUR, "ongoing") | old(collector, 2 * HOUR)
    check_rollovers(page, {5 * HOUR: [BLIND]})


def test_a_window_that_opened_an_hour_ago_without_a_rollover_has_not_started() -> None:
    page = healthy() | window(2 * HOUR, 9 * DAY)
    page[flag("rollover_mode_enabled")] = steps((0, 0), (5 * HOUR, 1))
    check_rollovers(
        page, {3 * HOUR - TICK: [], 3 * HOUR + TICK: [NOT_STARTED], 5 * HOUR - TICK: [NOT_STARTED], 5 * HOUR + 24: []}
    )


@pytest.mark.parametrize("status", ["ongoing", "completed", "something new"])
def test_a_rollover_that_has_another_status_has_started(status: str) -> None:
    check_rollovers(healthy() | window(2 * HOUR, 9 * DAY, status), {4 * HOUR: []})


def test_a_rollover_of_last_year_that_never_started_is_forgotten() -> None:
    check_rollovers(healthy() | window(-20 * DAY, -8 * DAY), {4 * HOUR: []})


def test_an_old_picture_raises_no_rollover_that_has_not_started() -> None:
    check_rollovers(healthy() | window(2 * HOUR, 9 * DAY) | old("rollovers", HOUR), {4 * HOUR: [BLIND]})


def test_status_changes_that_fail_are_told_of_after_half_an_hour_and_alone() -> None:
    page = (
        healthy()
        | window(2 * HOUR, 9 * DAY)
        | {
            FAILURES: steps((0, 0), (2 * HOUR, 1), (3 * HOUR, 2), (6 * HOUR, 0)),
            REASON: lambda minute: 1 if 2 * HOUR <= minute < 6 * HOUR else None,
            flag("rollover_mode_enabled"): steps((0, 0), (6 * HOUR, 1)),
        }
    )
    check_rollovers(
        page, {2 * HOUR + 24: [], 2 * HOUR + 36: [CHANGE_FAILS], 5 * HOUR: [CHANGE_FAILS], 6 * HOUR + 24: []}
    )


def test_a_reason_alone_is_a_failure_too() -> None:
    check_rollovers(healthy() | window(DAY, 9 * DAY) | {REASON: always(1), FAILURES: never}, {HOUR: [CHANGE_FAILS]})


def test_a_rollover_that_got_over_its_failures_is_not_failing() -> None:
    page = (
        healthy() | window(-HOUR, 9 * DAY, "ongoing") | {FAILURES: always(2), flag("rollover_mode_enabled"): always(1)}
    )
    check_rollovers(page, {2 * HOUR: []})


def test_a_completed_rollover_is_not_failing() -> None:
    check_rollovers(healthy() | window(-9 * DAY, -DAY, "completed") | {FAILURES: always(2)}, {2 * HOUR: []})


def test_an_old_picture_raises_no_failing_rollover() -> None:
    page = healthy() | window(DAY, 9 * DAY) | {FAILURES: always(2)} | old("rollovers", 0)
    check_rollovers(page, {2 * HOUR: [BLIND]})


# Application


def test_an_application_that_rejects_us_is_told_of_after_half_an_hour_and_ends() -> None:
    page = healthy() | {
        AUTH_CONFIRMED: lambda minute: None if HOUR <= minute < 3 * HOUR else 1,
        AUTH_ERROR: lambda minute: 1 if HOUR <= minute < 3 * HOUR else None,
    }
    check_application(page, {HOUR + 24: [], HOUR + 36: [REJECTED], 3 * HOUR - TICK: [REJECTED], 3 * HOUR + 24: []})


def test_other_states_of_the_access_are_no_failure() -> None:
    updating = AUTH_ERROR.replace("error", "updating")
    check_application(healthy() | {AUTH_CONFIRMED: never, updating: always(1)}, {3 * HOUR: []})


def test_an_old_picture_raises_no_rejection_by_the_application() -> None:
    page = healthy() | {AUTH_CONFIRMED: never, AUTH_ERROR: always(1)} | old("application", 0)
    check_application(page, {2 * HOUR: [BLIND]})
