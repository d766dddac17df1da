"""Tests that the fleet alerts fire when the hub itself fails, and not when single tenants do.

The fleet's ingestions end at an even pace, one a minute, unless a story says otherwise.
"""

from __future__ import annotations

import pytest

from tests.alerts.hub import (
    BEGIN,
    BURNS,
    FAILING,
    FOR_EVER,
    NAME,
    SMOULDERS,
    STEP,
    TENANTS,
    ended,
    ends,
    failing_ones,
    fleet,
    others,
)
from tests.alerts.stories import DAY, HOUR, Expected, Page, always, exporter, over_time, replica, without

pytestmark = pytest.mark.slow


def told(series: Page, expected: Expected) -> None:
    over_time(series, expected, STEP, (NAME,))


def never(until: int) -> Expected:
    return {minute: [] for minute in range(0, until, HOUR)}


# How soon


def test_nearly_all_bad_wakes_somebody_within_the_hour_and_an_hour_after_the_end_it_is_over() -> None:
    end = BEGIN + 2 * HOUR
    told(
        fleet(0.9, range(BEGIN, end)),
        {
            BEGIN - STEP: [],
            BEGIN + 44: [SMOULDERS],
            BEGIN + 54: [BURNS, SMOULDERS],
            end: [BURNS, SMOULDERS],
            end + 54: [BURNS],
            end + 66: [],
        },
    )


def test_half_of_all_bad_wakes_somebody_after_some_hours() -> None:
    """Six times the budget over six hours, of which the first were good."""
    trouble = range(BEGIN, BEGIN + 6 * HOUR)
    due = BEGIN + 216
    told(fleet(0.5, trouble), {due - 16: [SMOULDERS], due + 16: [BURNS, SMOULDERS]})


def test_a_fifth_bad_is_for_working_hours() -> None:
    trouble = range(BEGIN, FOR_EVER)
    told(fleet(0.2, trouble), {BEGIN + 40: [], BEGIN + 80: [SMOULDERS], BEGIN + 10 * HOUR: [SMOULDERS]})


def test_a_slow_burn_is_told_of_and_ends_when_the_tenants_are_well() -> None:
    end = BEGIN + 8 * HOUR
    told(fleet(0.08, range(BEGIN, end)), {BEGIN + 4 * HOUR: [], end: [SMOULDERS], end + 12: [SMOULDERS], end + 22: []})


def test_what_is_within_the_budget_is_nobodys_business() -> None:
    told(fleet(0.04, range(FOR_EVER)), never(DAY // 2))


def test_timeouts_are_as_bad() -> None:
    told(fleet(0.9, range(BEGIN, FOR_EVER), state="timeout"), {BEGIN + 54: [BURNS, SMOULDERS]})


@pytest.mark.parametrize("state", ["cancelled", "postponed"])
def test_what_a_person_cancelled_or_nobody_knows_is_not_bad(state: str) -> None:
    told(fleet(1, range(BEGIN, FOR_EVER), state=state), never(BEGIN + 3 * HOUR))


def test_a_hub_that_has_never_ended_anything_well_is_told_of() -> None:
    series = fleet(1, range(FOR_EVER))
    told({name: value for name, value in series.items() if "success" not in name}, {HOUR: [BURNS, SMOULDERS]})


# Who counts


def test_a_tenant_that_tries_again_and_again_wakes_nobody() -> None:
    told(fleet(0.95, range(BEGIN, FOR_EVER), failing=1), never(BEGIN + 8 * HOUR))


@pytest.mark.parametrize(("failing", "expected"), [(4, []), (5, [BURNS, SMOULDERS])])
def test_a_few_tenants_are_not_the_fleet(failing: int, expected: list) -> None:
    told(fleet(0.9, range(BEGIN, FOR_EVER), failing), {BEGIN + HOUR: expected})


@pytest.mark.parametrize(("failing", "expected"), [(20, []), (21, [BURNS, SMOULDERS])])
def test_of_a_large_fleet_it_takes_more_tenants_than_the_budget_allows(failing: int, expected: list) -> None:
    told(fleet(0.9, range(BEGIN, FOR_EVER), failing, tenants=400), {BEGIN + HOUR: expected})


def test_bad_ends_that_the_next_run_makes_good_wake_nobody() -> None:
    told(fleet(0.9, range(BEGIN, FOR_EVER), failing=0), never(BEGIN + 3 * HOUR))


def test_the_trouble_of_one_job_is_not_that_of_another() -> None:
    """Over there one tenant tries again and again."""
    trouble = range(BEGIN, FOR_EVER)
    elsewhere = replica(exporter() | ends(0.9, trouble), job="elsewhere")
    elsewhere |= failing_ones(1, trouble, job="elsewhere")
    told(fleet(0.9, trouble) | elsewhere, {BEGIN + HOUR: [BURNS, SMOULDERS]})


# When nothing runs


def test_a_fleet_in_which_nothing_runs_has_no_verdict() -> None:
    asleep = {ended("success"): always(900), ended("failed"): always(300)}
    told(replica(exporter() | asleep) | failing_ones(4, range(FOR_EVER)), never(8 * HOUR))


def test_when_the_runs_of_the_night_are_over_so_is_the_alert() -> None:
    """The tenants stay as they are until the next night; the warning's windows see the trouble for hours."""
    end = BEGIN + 2 * HOUR
    series = fleet(0.9, range(BEGIN, FOR_EVER))
    for state in ("failed", "success"):
        (name,) = replica({ended(state): always(0)})
        series[name] = lambda minute, value=series[name]: value(min(minute, end))
    told(series, {end: [BURNS, SMOULDERS], end + 84: [BURNS, SMOULDERS], end + 104: [SMOULDERS], end + 7 * HOUR: []})


def test_between_the_full_hours_nothing_ends_and_the_alert_stays() -> None:
    def waves(minute: int) -> float:
        return minute // HOUR * 8 + min(minute % HOUR, 8)

    series = failing_ones(FAILING, range(BEGIN, FOR_EVER))
    counts = {
        ended("failed"): lambda minute: max(0, waves(minute) - waves(BEGIN)),
        ended("success"): lambda minute: min(waves(minute), waves(BEGIN)),
    }
    series |= replica(exporter() | counts)
    first = BEGIN + HOUR + 10
    told(series, {minute: [BURNS, SMOULDERS] for minute in range(first, first + 4 * HOUR, 4)})


# Replicas, gaps and restarts


def test_two_replicas_raise_one_alert_and_one_that_has_just_started_does_not_lower_the_share() -> None:
    trouble = range(BEGIN, FOR_EVER)
    young = ends(0, trouble) | {ended("success"): lambda minute: max(0, minute - BEGIN) / 20}
    series = fleet(0.9, trouble) | replica(exporter() | young, "two")
    told(series | failing_ones(FAILING, trouble, "two"), {BEGIN + 44: [SMOULDERS], BEGIN + 54: [BURNS, SMOULDERS]})


def test_two_replicas_that_see_the_same_do_not_count_it_twice() -> None:
    trouble = range(BEGIN, BEGIN + HOUR)
    series = fleet(0.9, trouble, failing=4)
    other = replica(exporter() | ends(0.9, trouble), "two") | failing_ones(4, trouble, "two")
    told(series | other, never(BEGIN + 3 * HOUR))


def test_a_gap_and_a_restart_do_not_end_it_and_begin_it_again() -> None:
    restart = BEGIN + 80
    trouble = range(BEGIN, FOR_EVER)
    page = exporter() | ends(0.9, trouble)
    for name in (ended("failed"), ended("success")):
        page[name] = lambda minute, value=page[name]: value(minute) - (value(restart) if minute >= restart else 0)
    series = without(replica(page) | failing_ones(FAILING, trouble), [range(restart - 10, restart + 4)])
    told(series, {minute: [BURNS, SMOULDERS] for minute in range(BEGIN + 54, restart + 2 * HOUR, 4)})


def test_an_exporter_that_comes_back_under_another_name_goes_on_where_the_old_one_ended() -> None:
    """Forty minutes of trouble before the restart and ten after are enough, as without it."""
    restart = BEGIN + 40
    trouble = range(BEGIN, FOR_EVER)
    old, new = ends(0.9, trouble), ends(0.9, range(FOR_EVER))
    new = {name: lambda minute, value=value: value(minute - restart) for name, value in new.items()}
    series = without(replica(exporter() | old) | failing_ones(FAILING, trouble), [range(restart, FOR_EVER)]) | without(
        replica(exporter() | new, "two") | failing_ones(FAILING, trouble, "two"), [range(restart)]
    )
    series |= others(trouble, range(FAILING, TENANTS))
    told(series, {restart: [SMOULDERS], BEGIN + 60: [BURNS, SMOULDERS]})


def test_a_restart_in_a_healthy_fleet_is_not_told_of() -> None:
    page = exporter() | {ended("success"): lambda minute: minute % 200, ended("failed"): lambda _: 0}
    told(without(replica(page), [range(200, 206)]), never(8 * HOUR))
