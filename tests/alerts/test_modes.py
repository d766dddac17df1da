"""Tests the alerts about modes that last too long, rollovers that fail, and applications that reject the hub."""

from __future__ import annotations

from functools import partial

import pytest

from exporter.thresholds import AUTH_FAILED, ROLLOVER_BEGUN, ROLLOVER_OVER
from tests.alerts.pages import (
    BEGUN,
    CHANGE_FAILS,
    NOT_STARTED,
    PENDING,
    PENDING_LONG,
    REASON,
    REJECTED,
    SETUP,
    STUCK,
    SUSPENDED,
    changes_fail,
    mode,
    old,
    rejected,
    window,
)
from tests.alerts.stories import (
    DAY,
    HOUR,
    TICK,
    Value,
    always,
    check,
    exporter,
    failing_since,
    flag_since,
    healthy,
    over_time,
    polled,
    replica,
    since,
    steps,
    without,
)

check_suspended = partial(check, about=("KimonoSyncSuspended",))
check_mass_change = partial(check, about=("KimonoMassChangePending",))
check_setup = partial(check, about=("KimonoSetupModeLingering",))
check_rollovers = partial(check, about=("KimonoRolloverStuck", "KimonoRolloverNotStarted", "KimonoRolloverFailing"))
check_application = partial(check, about=("KimonoApplicationAuthFailing",))
LONG_SUSPENDED = BEGUN + DAY


# Suspended


def test_a_suspension_that_nothing_explains_alerts_after_a_day_and_ends() -> None:
    end = LONG_SUSPENDED + 2 * HOUR
    expected = {LONG_SUSPENDED: [], LONG_SUSPENDED + TICK: [SUSPENDED], end - TICK: [SUSPENDED], end + 18: []}
    check_suspended(mode("synchronization_suspended", end), expected)


@pytest.mark.parametrize(("start", "end"), [(-DAY, 9 * DAY), (2 * DAY, 9 * DAY), (-9 * DAY, 2 * HOUR)])
@pytest.mark.parametrize("status", ["planned", "something new"])
def test_a_rollover_that_is_near_explains_a_suspension(start: int, end: int, status: str) -> None:
    near = mode("synchronization_suspended") | window(start, end, status)
    check_suspended(near, {LONG_SUSPENDED + TICK: []})


def test_a_rollover_that_is_far_explains_nothing() -> None:
    far = mode("synchronization_suspended") | window(9 * DAY, 19 * DAY)
    check_suspended(far, {LONG_SUSPENDED + TICK: [SUSPENDED]})


@pytest.mark.parametrize("status", ["cancelled", "Completed", "FAILED"])
def test_a_rollover_that_is_over_explains_nothing(status: str) -> None:
    over = mode("synchronization_suspended") | window(-DAY, 9 * DAY, status)
    check_suspended(over, {LONG_SUSPENDED + TICK: [SUSPENDED]})


def unknown(page: dict[str, Value], *which: str) -> dict[str, Value]:
    """The page with times of the rollover that can't be parsed."""
    for each in which:
        page = {name: value for name, value in page.items() if f"rollover_{each}_timestamp" not in name}
        page[f'kimono_rollover_{each}_unknown{{rollover_id="r"}}'] = always(1)
    return page


@pytest.mark.parametrize("which", [("start",), ("end",), ("start", "end")])
def test_a_window_that_can_not_be_parsed_may_explain_a_mode(which: tuple[str, ...]) -> None:
    suspended = mode("synchronization_suspended") | window(0, 9 * DAY)
    check_suspended(unknown(suspended, *which), {LONG_SUSPENDED + TICK: []})
    in_mode = mode("rollover_mode_enabled") | window(0, 9 * DAY, "ongoing")
    check_rollovers(unknown(in_mode, *which), {LONG_SUSPENDED + TICK: []})


def test_the_time_of_a_window_that_can_be_parsed_may_show_that_it_explains_no_mode() -> None:
    for which, page in (("start", window(-380 * DAY, -370 * DAY)), ("end", window(8 * DAY, 9 * DAY))):
        suspended = mode("synchronization_suspended") | page
        check_suspended(unknown(suspended, which), {LONG_SUSPENDED + TICK: [SUSPENDED]})
        check_rollovers(
            unknown(mode("rollover_mode_enabled") | page, which), {LONG_SUSPENDED: [], LONG_SUSPENDED + TICK: [STUCK]}
        )


def test_rollover_mode_explains_a_suspension() -> None:
    both = mode("synchronization_suspended") | {flag_since("rollover_mode_enabled"): since(0)}
    check_suspended(both, {LONG_SUSPENDED + TICK: []})


@pytest.mark.parametrize("collector", ["state", "rollovers"])
def test_facts_that_are_old_raise_no_suspension(collector: str) -> None:
    check_suspended(mode("synchronization_suspended") | old(collector, DAY), {LONG_SUSPENDED + TICK: []})


UP = "kimono_tenant_up"
ROLLOVERS_POLLED = polled("rollovers")


def starting(page: dict[str, Value], begin: int, end: int, reason: str = "") -> dict[str, Value]:
    """The exporter starts at `begin` and polls the rollovers at `end`; until then they fail, if there is a reason."""
    later = [name for name in page if "rollover_id" in name or name in (UP, ROLLOVERS_POLLED)]
    started = page | {name: after(page[name], begin, end) for name in later}
    if reason:
        started |= {UP: always(0), failing_since("rollovers", reason): since(begin, end)}
    return started


def after(value: Value, begin: int, end: int) -> Value:
    return lambda minute: None if begin <= minute < end else value(minute)


@pytest.mark.parametrize("reason", ["", "server"])
def test_until_the_rollovers_are_polled_after_a_start_no_mode_is_unexplained(reason: str) -> None:
    begin = LONG_SUSPENDED + 6 * HOUR
    expected = {begin + at: [] for at in (0, TICK, 3 * TICK, 5 * TICK)}
    near = mode("synchronization_suspended") | window(0, 9 * DAY)
    check_suspended(starting(near, begin, begin + 4 * TICK, reason), expected)
    within = mode("rollover_mode_enabled") | window(0, 9 * DAY)
    check_rollovers(starting(within, begin, begin + 4 * TICK, reason), expected)


# Mass change and setup


def test_a_mass_change_is_a_warning_after_an_hour_and_critical_after_a_day() -> None:
    expected = {
        BEGUN + HOUR: [],
        BEGUN + HOUR + TICK: [PENDING],
        BEGUN + DAY: [PENDING],
        BEGUN + DAY + TICK: [PENDING, PENDING_LONG],
    }
    check_mass_change(mode("mass_change_pending"), expected)


def test_an_approved_mass_change_is_over() -> None:
    end = BEGUN + 3 * HOUR
    check_mass_change(mode("mass_change_pending", end), {end - TICK: [PENDING], end + 18: []})


def test_facts_that_are_old_raise_no_mass_change() -> None:
    check_mass_change(mode("mass_change_pending") | old("state", BEGUN + 6), {BEGUN + HOUR + TICK: []})


def test_setup_mode_alerts_after_three_days_and_ends() -> None:
    begin, end = BEGUN + 3 * DAY, BEGUN + 3 * DAY + HOUR
    check_setup(mode("setup_mode_enabled", end), {begin: [], begin + TICK: [SETUP], end + 18: []})


def test_facts_that_are_old_raise_no_setup_mode() -> None:
    check_setup(mode("setup_mode_enabled") | old("state", 3 * DAY), {BEGUN + 3 * DAY + TICK: []})


# Rollover mode


def test_rollover_mode_that_outlives_its_window_is_stuck_after_an_hour() -> None:
    end = 3 * HOUR
    page = mode("rollover_mode_enabled", 6 * HOUR) | window(0, end, "ongoing")
    check_rollovers(page, {end + HOUR: [], end + HOUR + TICK: [STUCK], 6 * HOUR - TICK: [STUCK], 6 * HOUR + 18: []})


@pytest.mark.parametrize("status", ["ongoing", "something new", *ROLLOVER_BEGUN])
def test_rollover_mode_within_its_window_is_not_stuck(status: str) -> None:
    check_rollovers(mode("rollover_mode_enabled") | window(0, 9 * DAY, status), {3 * DAY: []})


def test_rollover_mode_that_no_window_explains_is_stuck_after_a_day() -> None:
    page = mode("rollover_mode_enabled") | window(-380 * DAY, -370 * DAY, "completed")
    check_rollovers(page, {BEGUN + DAY: [], BEGUN + DAY + TICK: [STUCK]})


def test_rollover_mode_is_explained_for_an_hour_after_its_rollover_was_removed() -> None:
    """The flag may have gone with it: it is polled at another moment."""
    removed = 2 * DAY
    told = {name: steps((-9 * DAY, value(0)), (removed, None)) for name, value in window(0, 9 * DAY, "ongoing").items()}
    expected = {removed: [], removed + 6: [], removed + 54: [], removed + HOUR + TICK: [STUCK]}
    check_rollovers(mode("rollover_mode_enabled") | told, expected, history=HOUR + TICK)
    gone = mode("rollover_mode_enabled", removed + 4)
    check_rollovers(gone | told, {removed + minute: [] for minute in (2, 4, 6, 20)}, step=2, history=HOUR)


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed", "Error", "Aborted"])
def test_rollover_mode_that_outlives_a_rollover_that_is_over_early_is_stuck(status: str) -> None:
    """The hub has an hour, as at the end of the window."""
    over = 2 * DAY
    page = mode("rollover_mode_enabled") | window(0, 9 * DAY, "ongoing")
    begun, ended = (f'kimono_rollover_status{{rollover_id="r",status="{word}"}}' for word in ("ongoing", status))
    page |= {begun: steps((-9 * DAY, 1), (over, None)), ended: steps((over, 1))}
    expected = {over + TICK: [], over + 54: [], over + HOUR + TICK: [STUCK]}
    check_rollovers(page, expected, history=HOUR + TICK)


@pytest.mark.parametrize("replicas", [("a", "a"), ("a", "b"), ("ab", "b")], ids=["removed", "replaced", "one died"])
def test_stuck_after_a_rollover_that_is_over_does_not_go_and_come_again(replicas: tuple[str, str]) -> None:
    """What is gone from the page was over: it explains nothing, even if it is still listed elsewhere."""
    page = mode("rollover_mode_enabled") | window(-2 * DAY, 9 * DAY, "completed")
    at = BEGUN + 30 * HOUR
    before, after = replicas
    series: dict[str, Value] = {}
    for instance in sorted({*before, *after}):
        told = exporter() | page
        if instance not in after:
            told = without(told, [range(at, 100 * DAY)])
        if instance not in before:
            told = without(told, [range(at)])
        if before == after:
            told |= {
                name: steps((-9 * DAY, value(0)), (at, None)) for name, value in told.items() if "rollover_id" in name
            }
        series |= replica(told, instance)
    over_time(series, {at - 12: [STUCK], at + 36: [STUCK], at + 78: [STUCK]}, TICK, ("KimonoRolloverStuck",))


def test_rollover_mode_that_ends_soon_after_its_window_is_not_stuck() -> None:
    """It was on for a week, and the status says at once that it is over."""
    end = 7 * DAY
    page = mode("rollover_mode_enabled", end + 30, begin=0) | window(0, end, "ongoing")
    begun, over = (f'kimono_rollover_status{{rollover_id="r",status="{word}"}}' for word in ("ongoing", "completed"))
    page |= {begun: steps((-9 * DAY, 1), (end, None)), over: steps((end, 1))}
    check_rollovers(page, {end + at: [] for at in range(-TICK, HOUR, TICK)}, history=HOUR)


@pytest.mark.parametrize("collector", ["state", "rollovers"])
def test_facts_that_are_old_raise_no_stuck_rollover(collector: str) -> None:
    page = mode("rollover_mode_enabled") | window(0, 3 * HOUR, "ongoing") | old(collector, 3 * HOUR + 24)
    check_rollovers(page, {4 * HOUR + TICK: []})


# Rollovers that do not begin


@pytest.mark.parametrize("status", ["upcoming", "Upcoming", "scheduled"])
def test_a_window_that_opened_an_hour_ago_without_a_rollover_has_not_started(status: str) -> None:
    start, begun = 2 * HOUR, 5 * HOUR
    page = healthy() | window(start, 9 * DAY, status) | {flag_since("rollover_mode_enabled"): since(begun)}
    expected = {start + HOUR: [], start + HOUR + TICK: [NOT_STARTED], begun - TICK: [NOT_STARTED], begun + 18: []}
    check_rollovers(page, expected)


@pytest.mark.parametrize("status", ["something new", *ROLLOVER_BEGUN[:6], *ROLLOVER_OVER[:6]])
def test_a_rollover_that_has_another_status_has_started(status: str) -> None:
    check_rollovers(healthy() | window(2 * HOUR, 9 * DAY, status), {4 * HOUR: []})


def test_a_rollover_of_last_year_that_never_started_does_not_matter() -> None:
    check_rollovers(healthy() | window(-20 * DAY, -8 * DAY), {4 * HOUR: []})


def test_an_end_that_can_not_be_parsed_may_be_long_ago() -> None:
    """A window that opened a week ago may be of last year."""
    start = -7 * DAY + 4 * HOUR
    page = unknown(healthy() | window(start, 9 * DAY), "end")
    check_rollovers(page, {4 * HOUR: [NOT_STARTED], 4 * HOUR + 24: []})


def test_facts_that_are_old_raise_no_rollover_that_has_not_started() -> None:
    check_rollovers(healthy() | window(2 * HOUR, 9 * DAY) | old("rollovers", 2 * HOUR), {3 * HOUR + TICK: []})


# Rollovers that fail


def test_status_changes_that_fail_alert_after_half_an_hour_and_alone() -> None:
    begin, end = 2 * HOUR, 6 * HOUR
    page = healthy() | window(begin, 9 * DAY) | changes_fail(begin, end)
    reason: dict[str, Value] = {REASON: steps((begin, 1), (end, None)), flag_since("rollover_mode_enabled"): since(end)}
    expected = {begin + 30: [], begin + 36: [CHANGE_FAILS], 5 * HOUR: [CHANGE_FAILS], end + 18: []}
    check_rollovers(page | reason, expected)


@pytest.mark.parametrize("status", [*ROLLOVER_BEGUN, *ROLLOVER_OVER, "Completed", "IN_PROGRESS"])
def test_a_rollover_that_got_over_its_failures_is_not_failing(status: str) -> None:
    page = healthy() | window(-HOUR, 9 * DAY, status) | changes_fail(0)
    check_rollovers(page, {2 * HOUR: []})


def test_failures_of_a_rollover_in_a_status_that_nobody_knows_alert() -> None:
    check_rollovers(healthy() | window(DAY, 9 * DAY, "something new") | changes_fail(0), {2 * HOUR: [CHANGE_FAILS]})


def test_facts_that_are_old_raise_no_failing_rollover() -> None:
    check_rollovers(healthy() | window(DAY, 9 * DAY) | changes_fail(0) | old("rollovers", HOUR), {2 * HOUR: []})


# Application


@pytest.mark.parametrize("state", [*AUTH_FAILED, "Error", "UNAUTHORIZED"])
def test_an_application_that_rejects_the_hub_alerts_after_half_an_hour_and_ends(state: str) -> None:
    end = 3 * HOUR
    page = rejected(HOUR, end, state)
    check_application(page, {HOUR + 30: [], HOUR + 36: [REJECTED], end - TICK: [REJECTED], end + 18: []})


@pytest.mark.parametrize("state", ["updating", "confirmed", "awaiting_consent", "something new"])
def test_other_states_of_the_access_are_no_failure(state: str) -> None:
    check_application(rejected(HOUR, state=state), {3 * HOUR: []})


def test_facts_that_are_old_raise_no_rejection_by_the_application() -> None:
    check_application(rejected(HOUR) | old("application", HOUR), {2 * HOUR: []})
