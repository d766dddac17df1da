"""Tests since when schedules have been active, and which due time no run has followed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.history.schedules import ACTIVE_SINCE, CHANGED, DUE_SINCE, MISSED_SINCE, GoodRun
from exporter.history.shared import LAST_RUN
from tests.history.tenant import DAY, HOUR, MINUTE, OFF, START, SUSPENDED, Tenant, daily, run, utc

KEY = ("s", "collection")
DUE = START + 7 * HOUR


def active(*schedules: Any, at: float = START) -> Tenant:
    """A tenant that is not paused and has these schedules."""
    tenant = Tenant()
    tenant.flags(at)
    tenant.schedules(at, *(schedules or [daily()]))
    return tenant


def missed(tenant: Tenant, ident: str = "s", now: float | None = None) -> float | None:
    found = {key: value for key, value in tenant.series(MISSED_SINCE, now).items() if key[0] == ident}
    return next(iter(found.values()), None)


# Active since


def test_a_schedule_is_active_since_the_first_poll_that_saw_it_on_and_its_tenant_not_paused() -> None:
    tenant = Tenant()
    tenant.flags(START)
    tenant.schedules(START + MINUTE, daily())
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + MINUTE}
    tenant.schedules(START + 6 * MINUTE, daily())
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + MINUTE}


def test_flags_that_are_known_after_the_schedules_make_these_active() -> None:
    tenant = Tenant()
    tenant.schedules(START, daily())
    assert tenant.series(ACTIVE_SINCE) == {}
    tenant.flags(START + MINUTE)
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + MINUTE}


def test_a_pause_ends_activity_at_once_and_the_poll_that_sees_its_end_begins_it_anew() -> None:
    tenant = active()
    tenant.flags(START + HOUR, SUSPENDED)
    assert tenant.series(ACTIVE_SINCE) == {}
    tenant.schedules(START + HOUR + MINUTE, daily())
    assert tenant.series(ACTIVE_SINCE) == {}
    tenant.flags(START + 2 * HOUR)
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + 2 * HOUR}


def test_a_schedule_is_not_active_while_the_flags_are_unknown_and_its_time_is_the_old_one_afterwards() -> None:
    tenant = active()
    tenant.flags(START + HOUR, {"mass_change_pending": False})
    assert tenant.series(ACTIVE_SINCE) == {}
    tenant.flags(START + 2 * HOUR)
    assert tenant.series(ACTIVE_SINCE) == {KEY: START}


@pytest.mark.parametrize(
    "edit", [{"type": "bulk_load"}, {"hour": 8}, {"days": "mon"}, {"enabled": False}], ids=lambda edit: next(iter(edit))
)
def test_an_edit_begins_activity_anew(edit: dict[str, Any]) -> None:
    tenant = active()
    edited = replace(daily(), **edit)
    tenant.schedules(START + HOUR, edited)
    assert list(tenant.series(ACTIVE_SINCE).values()) == ([START + HOUR] if edited.enabled else [])
    tenant.schedules(START + 2 * HOUR, daily())
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + 2 * HOUR}


@pytest.mark.parametrize("unknown", [{"enabled": None}, {"hour": None}], ids=lambda edit: next(iter(edit)))
def test_what_a_reply_does_not_say_is_no_edit(unknown: dict[str, Any]) -> None:
    tenant = active()
    tenant.schedules(DUE + HOUR, replace(daily(), **unknown))
    assert missed(tenant) is None
    assert tenant.series(ACTIVE_SINCE) == ({} if "enabled" in unknown else {KEY: START})
    tenant.schedules(DUE + 2 * HOUR, daily())
    assert tenant.series(ACTIVE_SINCE) == {KEY: START}
    assert missed(tenant) == DUE
    tenant.schedules(DUE + 3 * HOUR, daily(8))
    assert tenant.series(ACTIVE_SINCE) == {KEY: DUE + 3 * HOUR}


@pytest.mark.parametrize(
    "edit", [{"type": "bulk_load"}, {"hour": 8}, {"days": "mon"}, {"enabled": False}], ids=lambda edit: next(iter(edit))
)
def test_an_edit_is_told_until_the_schedule_has_been_due(edit: dict[str, Any]) -> None:
    tenant = active()
    tenant.schedules(DUE, daily())
    assert tenant.series(CHANGED) == {}
    tenant.schedules(DUE + 3 * HOUR, replace(daily(), **edit))
    assert list(tenant.series(CHANGED).values()) == [DUE + 3 * HOUR]
    tenant.schedules(DUE + 4 * HOUR, daily())
    tenant.schedules(DUE + DAY - MINUTE, daily())
    assert tenant.series(CHANGED) == {KEY: DUE + 4 * HOUR}
    tenant.schedules(DUE + DAY, daily())
    assert tenant.series(CHANGED) == {}


def test_a_schedule_that_leaves_the_list_is_gone_and_new_when_it_comes_back() -> None:
    tenant = active(daily(), daily(ident="t"))
    tenant.schedules(START + HOUR, daily(ident="t"))
    assert tenant.series(ACTIVE_SINCE) == {("t", "collection"): START}
    tenant.schedules(START + 2 * HOUR, daily(), daily(ident="t"))
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + 2 * HOUR, ("t", "collection"): START}


def test_schedules_without_ids_keep_their_times_in_any_order_of_the_list() -> None:
    night, day = daily(2, ident=None), daily(14, ident=None)
    tenant = active(night, day)
    tenant.schedules(START + HOUR, day, night)
    key = ("collection@2", "collection"), ("collection@14", "collection")
    assert tenant.series(ACTIVE_SINCE) == dict.fromkeys(key, START)


# Missed since


def test_a_due_time_is_missed_from_the_first_poll_after_it_on() -> None:
    tenant = active()
    tenant.flags(DUE - HOUR)
    tenant.schedules(DUE - MINUTE, daily())
    tenant.flags(DUE + MINUTE)
    assert missed(tenant) is None
    tenant.schedules(DUE + 4 * MINUTE, daily())
    assert missed(tenant) == DUE


def test_the_first_due_time_that_was_missed_stays_though_later_ones_are_missed_too() -> None:
    tenant = active()
    tenant.schedules(DUE + 5 * DAY, daily())
    assert missed(tenant) == DUE
    tenant.schedules(DUE + 20 * DAY, daily())
    assert missed(tenant) == DUE


@pytest.mark.parametrize(
    ("executed", "expected"),
    [
        (-301.0, DUE),
        (-300.0, DUE + DAY),
        (0.0, DUE + DAY),
        (DAY - 301, DUE + DAY),
        (DAY - 300, None),
    ],
)
def test_its_own_run_follows_a_due_time_with_five_minutes_of_clock_difference(
    executed: float, expected: float | None
) -> None:
    tenant = active()
    tenant.schedules(DUE + DAY + HOUR, daily(executed=DUE + executed))
    assert missed(tenant) == expected


def test_a_due_time_before_the_schedule_was_active_or_created_is_not_missed() -> None:
    tenant = active(at=DUE + MINUTE)
    tenant.schedules(DUE + HOUR, daily())
    assert missed(tenant) is None
    tenant = active(daily(created_at=DUE + 1))
    tenant.schedules(DUE + HOUR, daily(created_at=DUE + 1))
    assert missed(tenant) is None
    tenant.schedules(DUE + DAY, daily(created_at=DUE + 1))
    assert missed(tenant) == DUE + DAY


def test_a_due_time_at_the_very_moment_that_it_became_active_is_missed() -> None:
    tenant = active(at=DUE)
    tenant.schedules(DUE + HOUR, daily())
    assert missed(tenant) == DUE


@pytest.mark.parametrize("end", ["pause", "edit", "off"])
def test_what_was_missed_is_gone_with_a_pause_or_an_edit_and_does_not_come_back(end: str) -> None:
    tenant = active()
    tenant.schedules(DUE + HOUR, daily())
    assert missed(tenant) == DUE
    if end == "pause":
        tenant.flags(DUE + 2 * HOUR, SUSPENDED)
        assert missed(tenant) is None
        tenant.flags(DUE + 3 * HOUR)
    else:
        tenant.schedules(DUE + 2 * HOUR, daily(20) if end == "edit" else daily(enabled=False))
        assert missed(tenant) is None
        tenant.schedules(DUE + 3 * HOUR, daily())
    assert missed(tenant, now=DUE + 4 * HOUR) is None
    tenant.schedules(DUE + DAY, daily())
    assert missed(tenant) == DUE + DAY


def test_a_due_time_within_a_nightly_pause_is_not_missed() -> None:
    tenant = active()
    for day in range(5):
        tenant.flags(DUE + day * DAY - HOUR, SUSPENDED)
        tenant.schedules(DUE + day * DAY + HOUR, daily())
        tenant.flags(DUE + day * DAY + 2 * HOUR, OFF)
        tenant.schedules(DUE + day * DAY + 10 * HOUR, daily())
        assert missed(tenant) is None


def after_gap(begins: float, ends: float, *, restarted: bool = True) -> Tenant:
    """The flags are off before and after a time without polls of them, and the schedule does not run."""
    tenant = active()
    tenant.flags(DUE - 3 * HOUR)
    tenant.flags(begins)
    tenant.schedules(begins, daily())
    if restarted:
        tenant.restart()
    tenant.flags(ends)
    tenant.schedules(ends, daily())
    return tenant


@pytest.mark.parametrize("restarted", [True, False], ids=["restart", "failing polls"])
@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        (DUE - HOUR, DUE + HOUR / 2, DUE),
        (DUE - 2 * HOUR, DUE + 4 * HOUR, DUE),
        (DUE - 2 * HOUR, DUE + 4 * HOUR + MINUTE, None),
        (DUE - 2 * HOUR, DUE + 19 * HOUR, None),
        (DUE - 2 * HOUR, DUE + DAY + HOUR, None),
        (DUE + MINUTE, DUE + DAY + HOUR, DUE),
    ],
    ids=["90 min", "6 h", "more than 6 h", "21 h", "two due times", "missed before"],
)
def test_a_due_time_in_a_long_gap_is_not_missed_because_a_pause_may_have_been_in_it(
    begins: float, ends: float, expected: float | None, *, restarted: bool
) -> None:
    assert missed(after_gap(begins, ends, restarted=restarted)) == expected


def test_the_next_due_time_after_a_long_gap_is_missed() -> None:
    tenant = after_gap(DUE - HOUR, DUE + 20 * HOUR)
    tenant.flags(DUE + DAY - MINUTE)
    tenant.schedules(DUE + DAY + MINUTE, daily())
    assert missed(tenant) == DUE + DAY


def test_long_gaps_one_after_the_other_excuse_the_due_times_in_each_and_none_between() -> None:
    tenant = after_gap(DUE - HOUR, DUE + 8 * HOUR)
    tenant.flags(DUE + DAY - HOUR)
    tenant.restart()
    tenant.flags(DUE + DAY + 8 * HOUR)
    tenant.schedules(DUE + DAY + 8 * HOUR, daily())
    assert missed(tenant) is None
    for hours in range(9, 25):
        tenant.flags(DUE + DAY + hours * HOUR)
    tenant.schedules(DUE + 2 * DAY, daily())
    assert missed(tenant) == DUE + 2 * DAY


def test_what_a_gap_excused_does_not_come_back_however_many_gaps_follow() -> None:
    tenant = active()
    for day in range(40):
        tenant.flags(DUE + day * DAY - HOUR)
        tenant.flags(DUE + day * DAY + 8 * HOUR)
        tenant.schedules(DUE + day * DAY + 8 * HOUR, daily())
        assert missed(tenant) is None
        for hours in (13, 18):
            tenant.flags(DUE + day * DAY + hours * HOUR)
    assert len(tenant.history.schedules.gaps) == 16


def test_unknown_flags_are_a_gap_too_and_gaps_move_with_the_clock() -> None:
    tenant = active()
    tenant.flags(DUE - HOUR)
    tenant.flags(DUE + HOUR, {"mass_change_pending": False})
    tenant.flags(DUE + 9 * HOUR)
    tenant.schedules(DUE + 9 * HOUR, daily())
    assert missed(tenant) is None
    assert tenant.history.schedules.gaps == ((DUE - HOUR, DUE + 9 * HOUR),)
    assert tenant.history.after_clock_change(HOUR).schedules.gaps == ((DUE, DUE + 10 * HOUR),)


def test_a_schedule_on_some_days_is_missed_on_those() -> None:
    tenant = active(daily(days="mon"))  # the start is a Tuesday
    tenant.schedules(utc("2026-09-07T06:59:00"), daily(days="mon"))
    assert missed(tenant) is None
    tenant.schedules(utc("2026-09-08T12:00:00"), daily(days="mon"))
    assert missed(tenant) == utc("2026-09-07T07:00:00")


def test_a_start_that_a_later_reply_does_not_tell_is_still_known() -> None:
    tenant = active()
    tenant.schedules(DUE + MINUTE, daily(executed=DUE))
    tenant.schedules(DUE + HOUR, daily())
    assert missed(tenant) is None
    tenant.schedules(DUE + DAY, daily())
    assert missed(tenant) == DUE + DAY


FUTURE = 253_402_300_799.0


def test_a_start_told_in_the_future_counts_as_a_run_when_it_is_first_seen_and_not_for_ever() -> None:
    tenant = active()
    for hours, expected in ((1, None), (10, None), (24, DUE + DAY), (48, DUE + DAY)):
        tenant.schedules(DUE + hours * HOUR, daily(executed=FUTURE))
        assert missed(tenant) == expected, hours
        tenant.restart()
        tenant.flags(DUE + hours * HOUR)
        tenant.schedules(DUE + hours * HOUR, daily(executed=FUTURE))
        assert missed(tenant) == expected, hours
    assert tenant.value(LAST_RUN) == DUE + HOUR


@pytest.mark.parametrize("hours", [0, 0.08, 0.09, 5, 14])
def test_a_hub_whose_times_are_of_another_zone_misses_nothing_and_is_not_excused_for_ever(hours: float) -> None:
    """Its runs are told as later than they are. None follows a due time that came after it was seen."""
    tenant, starts = active(), [DUE + day * DAY for day in range(3)]
    for minutes in range(0, 5 * 24 * 60, 30):
        at = DUE + minutes * MINUTE
        began = max(start for start in starts if start <= at)
        tenant.schedules(at, daily(executed=began + hours * HOUR))
        assert missed(tenant) == (None if at < DUE + 3 * DAY else DUE + 3 * DAY), minutes


def test_times_in_the_future_that_take_turns_are_no_new_runs() -> None:
    tenant = active()
    for place in range(100):
        told = (FUTURE, FUTURE - 1, None, DUE)[place % 4]
        tenant.schedules(DUE + HOUR + place * HOUR, daily(executed=told))
    assert missed(tenant) == DUE + DAY


def test_a_start_that_was_told_too_early_says_nothing_of_later_ones() -> None:
    """Not even if the clock is set back, so that a start that is known is in the future."""
    tenant = active()
    tenant.schedules(DUE + MINUTE, daily(executed=DUE + 7 * MINUTE))
    for day in (1, 2, 3):
        tenant.schedules(DUE + day * DAY + HOUR, daily(executed=DUE + day * DAY + MINUTE))
    for at in (DUE + 3 * DAY - HOUR, DUE + 3 * DAY + HOUR):
        tenant.schedules(at, daily(executed=DUE + 3 * DAY + MINUTE))
        assert missed(tenant) is None


def test_a_clock_set_back_makes_no_start_missed_that_was_told_before() -> None:
    tenant = active()
    tenant.schedules(DUE + 10 * MINUTE, daily(executed=DUE))
    for at in (DUE - 5 * HOUR, DUE - HOUR, DUE + HOUR):
        tenant.schedules(at, daily(executed=DUE))
        assert missed(tenant) is None


def test_what_has_been_missed_is_so_after_an_outage_and_a_restart_and_new_without_a_state_file() -> None:
    tenant = active()
    for at in (DUE - HOUR, DUE + HOUR, DUE + 5 * HOUR):
        tenant.flags(at)
    tenant.schedules(DUE + HOUR, daily())
    tenant.restart()
    assert tenant.series(MISSED_SINCE) == {}
    tenant.schedules(DUE + 10 * HOUR, daily())
    assert tenant.series(MISSED_SINCE) == {}
    tenant.flags(DUE + 10 * HOUR)
    assert missed(tenant) == DUE
    tenant.restart(with_state_file=False)
    tenant.flags(DUE + 11 * HOUR)
    tenant.schedules(DUE + 11 * HOUR, daily())
    assert tenant.series(ACTIVE_SINCE) == {KEY: DUE + 11 * HOUR}
    assert missed(tenant) is None


def test_a_clock_that_was_ahead_makes_nothing_missed_and_leaves_no_time_in_the_future() -> None:
    tenant = active()
    tenant.flags(START + 300 * DAY, SUSPENDED)
    tenant.flags(START + 300 * DAY + MINUTE)
    tenant.schedules(START + 300 * DAY + MINUTE, daily(8))
    tenant.flags(START + HOUR)
    tenant.schedules(START + HOUR, daily(8))
    assert tenant.series(ACTIVE_SINCE) == {KEY: START + HOUR}
    assert tenant.series(MISSED_SINCE) == {}


@pytest.mark.parametrize("ahead", ["the run", "the run and its schedules"])
def test_a_run_seen_while_the_clock_was_ahead_does_not_follow_all_later_due_times(ahead: str) -> None:
    tenant = active()
    tenant.runs(START + 300 * DAY, run("a"))
    tenant.runs(START + 300 * DAY + MINUTE, left=[run("a", "success")])
    if ahead == "the run and its schedules":
        tenant.schedules(START + 300 * DAY + 2 * MINUTE, daily())
    for at in (START + HOUR, DUE - HOUR, DUE + HOUR):
        tenant.flags(at)
        tenant.schedules(at, daily())
    assert missed(tenant) == DUE


# Runs that were not its own


def with_run(kind: str, *, at: float = DUE + HOUR, state: str = "success", others: tuple[Any, ...] = ()) -> Tenant:
    """The schedule has missed its due time, then a run of this type started at `at` and ended."""
    tenant = active(daily(), *others)
    tenant.runs(START)
    tenant.runs(at + MINUTE, run("a", began=at, type=kind))
    tenant.runs(at + 10 * MINUTE, left=[run("a", state, at, type=kind)])
    tenant.schedules(DUE + 2 * HOUR, daily(), *others)
    return tenant


@pytest.mark.parametrize(
    ("kind", "state", "began", "expected"),
    [
        ("collection", "success", DUE + HOUR, None),
        ("collection", "success", DUE, None),
        ("collection", "success", DUE - 1, DUE),
        ("bulk_load", "success", DUE + HOUR, None),
        ("mirror", "success", DUE + HOUR, DUE),
        ("event_bundle", "success", DUE + HOUR, DUE),
        ("", "success", DUE + HOUR, DUE),
        ("collection", "failed", DUE + HOUR, DUE),
        ("collection", "cancelled", DUE + HOUR, DUE),
        ("collection", "partially_applied", DUE + HOUR, DUE),
    ],
)
def test_a_later_run_follows_if_it_ended_well_and_brought_all_data(
    kind: str, state: str, began: float, expected: float | None
) -> None:
    assert missed(with_run(kind, at=began, state=state)) == expected


@pytest.mark.parametrize(
    ("kind", "expected"), [("mirror", None), ("collection", DUE), ("bulk_load", DUE), ("event_bundle", DUE)]
)
def test_only_a_mirror_follows_a_missed_mirror(kind: str, expected: float | None) -> None:
    tenant = active(daily(type="mirror"))
    tenant.runs(START)
    tenant.runs(DUE + HOUR, run("a", "success", DUE + MINUTE, type=kind))
    tenant.schedules(DUE + 2 * HOUR, daily(type="mirror"))
    assert missed(tenant) == expected


def test_a_run_still_under_way_follows_nothing() -> None:
    tenant = active()
    tenant.runs(DUE + HOUR, run("a", began=DUE + HOUR))
    tenant.schedules(DUE + 2 * HOUR, daily())
    assert missed(tenant) == DUE


@pytest.mark.parametrize("started", [True, False], ids=["with a start", "without a start"])
def test_a_run_that_another_schedule_started_excuses_only_that_one(*, started: bool) -> None:
    """It takes 40 minutes, so its end says nothing about its start."""
    late = daily(8, ident="late")
    tenant = active(daily(), late)
    tenant.runs(START)
    began = DUE + HOUR + 20
    tenant.runs(began + 30, run("a", began=began if started else None))
    tenant.runs(began + 40 * MINUTE, left=[run("a", "success", began if started else None)])
    tenant.schedules(DUE + 2 * HOUR, daily(), replace(late, last_executed_at=began))
    assert missed(tenant) == DUE
    assert missed(tenant, "late") is None


def test_a_long_run_is_known_for_another_schedules_though_that_has_started_again_since() -> None:
    other = [daily(hour, START + hour * HOUR, ident="other") for hour in (5, 8, 9, 10)]
    tenant = active(daily(5), other[0], at=START + 4 * HOUR)
    tenant.runs(START + 4 * HOUR)
    for hour, each in zip((5, 8, 9, 10), other, strict=True):
        tenant.schedules(START + hour * HOUR + MINUTE, daily(5), replace(each, hour=5))
        tenant.runs(START + hour * HOUR + MINUTE, run("a", began=START + 8 * HOUR))
    tenant.runs(START + 11 * HOUR, run("a", "success", START + 8 * HOUR))
    tenant.schedules(START + 11 * HOUR, daily(5), replace(other[-1], hour=5))
    assert missed(tenant) == START + 5 * HOUR


def test_a_run_in_the_future_does_not_excuse_the_days_to_come() -> None:
    tenant = active()
    tenant.runs(START)
    tenant.runs(DUE + HOUR, run("a", "success", DUE + 300 * DAY))
    tenant.schedules(DUE + HOUR, daily())
    assert missed(tenant) is None
    tenant.schedules(DUE + DAY, daily())
    assert missed(tenant) == DUE + DAY


def test_good_runs_wait_for_the_next_poll_of_the_schedules_also_over_a_restart_and_not_without_bounds() -> None:
    tenant = active()
    tenant.runs(START)
    for number in range(200):
        tenant.runs(DUE + number * MINUTE, run(f"{number}", "success", DUE + number * MINUTE))
    assert len(tenant.history.schedules.good_runs) == 50
    assert tenant.history.schedules.good_runs[-1] == GoodRun("collection", DUE + 199 * MINUTE)
    tenant.restart()
    tenant.flags(DUE + 4 * HOUR)
    tenant.schedules(DUE + 4 * HOUR, daily())
    assert missed(tenant) is None
    assert tenant.history.schedules.good_runs == ()


def test_starts_told_by_a_schedule_are_kept_within_bounds() -> None:
    tenant = Tenant()
    for day in range(100):
        tenant.schedules(DUE + day * DAY, daily(executed=DUE + day * DAY))
    assert len(tenant.history.schedules.by_key["s"].executed) == 8


# Due since


def test_a_due_time_that_no_run_of_any_kind_followed_is_due_since_paused_or_not() -> None:
    tenant = active()
    tenant.flags(START + HOUR, SUSPENDED)
    tenant.schedules(DUE + HOUR, daily())
    assert tenant.series(DUE_SINCE) == {KEY: DUE}
    tenant.runs(DUE + 2 * HOUR, run("a", "failed", DUE + 2 * HOUR, type="mirror"))
    tenant.schedules(DUE + 3 * HOUR, daily())
    assert tenant.series(DUE_SINCE) == {}
    tenant.schedules(DUE + DAY, daily())
    assert tenant.series(DUE_SINCE) == {KEY: DUE + DAY}


def test_an_edit_forgets_what_was_due_before() -> None:
    tenant = active()
    tenant.schedules(DUE + HOUR, daily())
    tenant.schedules(DUE + 2 * HOUR, daily(8))
    assert tenant.series(DUE_SINCE) == {}
    tenant.schedules(DUE + DAY, daily(8))
    assert tenant.series(DUE_SINCE) == {}
    tenant.schedules(DUE + DAY + HOUR, daily(8))
    assert tenant.series(DUE_SINCE) == {KEY: DUE + DAY + HOUR}
