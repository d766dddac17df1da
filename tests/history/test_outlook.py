"""Tests which polls are worth more after what, and until when."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.history import History
from exporter.history.outlook import HIGH, LOW, MIDDLE, weights
from tests.history.tenant import DAY, HOUR, MINUTE, OFF, START, SUSPENDED, Tenant, daily, rollover, run
from tests.support.histories import HISTORIES

ROLLOVER_MODE = OFF | {"rollover_mode_enabled": True}


def found(tenant: Tenant, now: float) -> dict[str, float]:
    return dict(weights(tenant.history, now)[0])


def until(tenant: Tenant, now: float) -> float:
    return weights(tenant.history, now)[1]


def quiet() -> Tenant:
    """A tenant whose schedule is due at 07:00 and ran yesterday, of which nothing else is to be expected."""
    tenant = Tenant()
    tenant.flags(START)
    tenant.runs(START)
    tenant.schedules(START, daily(7, executed=START - 17 * HOUR))
    tenant.rollovers(START)
    return tenant


def test_nothing_is_known_of_a_new_tenant() -> None:
    assert weights(History(), START) == ({}, math.inf)


def test_until_its_schedule_is_due_a_quiet_tenant_is_like_any_other() -> None:
    assert weights(quiet().history, START + HOUR) == ({}, START + 7 * HOUR)


def test_an_unfinished_ingestion_may_end_until_it_counts_as_stalled_and_that_is_confirmed() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", "preparing"))
    tenant.runs(START + HOUR, run("a", "executing"))
    assert found(tenant, START + HOUR)["ingestions"] == MIDDLE
    assert found(tenant, START + 6.2 * HOUR)["ingestions"] == MIDDLE
    assert until(tenant, START + 6.2 * HOUR) == START + 6.25 * HOUR
    assert found(tenant, START + 6.25 * HOUR) == {}


def test_a_stalled_ingestion_hides_no_new_one() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a"))
    tenant.runs(START + 20 * HOUR, run("a"), run("b"))
    assert found(tenant, START + 21 * HOUR)["ingestions"] == MIDDLE


def test_another_run_may_follow_one() -> None:
    tenant = Tenant()
    tenant.runs(START, run("a", began=START - HOUR))
    tenant.runs(START + HOUR, left=[run("a", "success", began=START - HOUR)])
    assert found(tenant, START + HOUR) == {"ingestions": LOW}
    assert found(tenant, START + 4 * HOUR) == {}


@pytest.mark.parametrize("days", ["", "per district calendar"])
def test_a_schedule_that_is_due_may_start_within_half_an_hour(days: str) -> None:
    """If its days can't be parsed, it is most likely due every day."""
    tenant = quiet()
    tenant.schedules(START, daily(7, executed=START - 17 * HOUR, days=days))
    due = START + 7 * HOUR
    assert found(tenant, due - 1) == {}
    assert found(tenant, due) == {"schedules": HIGH, "ingestions": HIGH}
    assert until(tenant, due) == due + 30 * MINUTE
    assert found(tenant, due + 30 * MINUTE) == {}


def test_a_start_that_was_told_is_awaited_no_more_once_the_run_could_be_listed() -> None:
    tenant, due = quiet(), START + 7 * HOUR
    tenant.schedules(due + 2 * MINUTE, daily(7, executed=due + MINUTE))
    assert found(tenant, due + 2 * MINUTE) == {"ingestions": HIGH}
    tenant.runs(due + 1.5 * MINUTE)
    assert found(tenant, due + 2 * MINUTE) == {"ingestions": HIGH}, "the list may lag"
    tenant.runs(due + 2.5 * MINUTE)
    assert found(tenant, due + 3 * MINUTE) == {}


def test_a_good_run_stands_for_a_start() -> None:
    tenant, due = quiet(), START + 7 * HOUR
    tenant.runs(due + MINUTE, run("a", began=due + MINUTE))
    tenant.runs(due + 5 * MINUTE, left=[run("a", "success", began=due + MINUTE)])
    tenant.schedules(due + 6 * MINUTE, daily(7, executed=START - 17 * HOUR))
    assert "schedules" not in found(tenant, due + 7 * MINUTE)


@pytest.mark.parametrize(("flags", "enabled"), [(SUSPENDED, True), (OFF, False)])
def test_a_schedule_that_is_off_or_paused_is_not_due(flags: Mapping[str, bool], enabled: bool) -> None:  # noqa: FBT001 - a parameter of the test
    tenant = quiet()
    tenant.flags(START + HOUR, flags)
    tenant.schedules(START + HOUR, daily(7, executed=START - 17 * HOUR, enabled=enabled))
    assert found(tenant, START + 7 * HOUR + MINUTE) == {}
    assert until(tenant, START + 7 * HOUR + MINUTE) == math.inf


def test_one_that_became_active_after_its_due_time_was_not_due() -> None:
    tenant = Tenant()
    tenant.flags(START)
    tenant.schedules(START + 7 * HOUR + MINUTE, daily(7))
    assert found(tenant, START + 7 * HOUR + 2 * MINUTE) == {}


def test_a_window_that_begins_changes_the_mode_and_the_status() -> None:
    tenant, opens = Tenant(), START + 2 * DAY
    window = rollover(start=opens, end=opens + 9 * DAY)
    tenant.flags(START)
    tenant.rollovers(START, window)
    assert weights(tenant.history, opens - 1) == ({}, opens)
    assert found(tenant, opens) == {"state": HIGH, "rollovers": HIGH}
    tenant.flags(opens + MINUTE, ROLLOVER_MODE)
    # That it is paused now is also worth something: the pause may be short.
    assert found(tenant, opens + MINUTE) == {"rollovers": HIGH, "state": LOW}
    tenant.rollovers(opens + MINUTE, rollover(status="ongoing", start=opens, end=opens + 9 * DAY))
    assert found(tenant, opens + MINUTE) == {"state": LOW}


def test_a_window_that_ends_changes_them_back_within_an_hour() -> None:
    tenant, closes = Tenant(), START + 2 * DAY
    tenant.flags(START, OFF)
    tenant.flags(START + HOUR, ROLLOVER_MODE)
    tenant.rollovers(START + HOUR, rollover(status="ongoing", start=START, end=closes))
    assert found(tenant, closes) == {"state": HIGH, "rollovers": HIGH}
    assert until(tenant, closes) == closes + HOUR
    tenant.flags(closes + MINUTE)
    assert found(tenant, closes + MINUTE) == {"rollovers": HIGH}
    tenant.rollovers(closes + MINUTE, rollover(status="completed", start=START, end=closes))
    assert found(tenant, closes + MINUTE) == {}


def test_a_pause_may_be_short() -> None:
    tenant = quiet()
    tenant.flags(START + HOUR, SUSPENDED)
    assert found(tenant, START + 2 * HOUR) == {"state": LOW}
    assert found(tenant, START + 3 * HOUR) == {}


def test_a_failing_collector_may_recover_within_an_hour() -> None:
    history = History().failed("rollovers", START)
    assert weights(history, START + MINUTE) == ({"rollovers": LOW}, START + HOUR)
    assert weights(history, START + HOUR) == ({}, math.inf)


@given(HISTORIES, st.floats(0, 4e9))
def test_any_history_has_an_outlook(history: History, now: float) -> None:
    worth, end = weights(history, now)
    assert set(worth.values()) <= {HIGH, MIDDLE, LOW}
    assert end > now


@given(
    executed=st.none() | st.floats(-DAY, 3 * DAY),
    hour=st.integers(0, 23),
    polled=st.floats(0, DAY),
    began=st.none() | st.floats(-DAY, 2 * DAY),
    moments=st.lists(st.floats(0, 2 * DAY), min_size=2, max_size=2),
)
def test_weights_hold_until_the_time_that_is_told(
    executed: float | None, hour: int, polled: float, began: float | None, moments: list[float]
) -> None:
    tenant = Tenant()
    tenant.flags(START)
    tenant.schedules(START + polled, daily(hour, executed=None if executed is None else START + executed))
    tenant.runs(START + polled, run("a", began=None if began is None else START + began))
    tenant.rollovers(START, rollover(start=START + HOUR, end=START + 5 * HOUR))
    now, later = sorted(START + each for each in moments)
    worth, end = weights(tenant.history, now)
    if later < end:
        assert found(tenant, later) == worth
