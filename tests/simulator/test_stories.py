"""Tests that simulated tenants behave as real ones do, and that stories cause the right incidents."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator, Story, Truth
from exporter.simulator.effects import INCIDENT_EFFECTS, RANDOM_EFFECTS
from exporter.simulator.records import PAUSING_FLAGS
from exporter.simulator.schedules import next_due
from exporter.simulator.times import DAY, HOUR
from tests.simulator.calls import ManualClock


def newest_collection(truth: Truth) -> str:
    return [one for one in truth.ingestions if one.type == "collection" and one.ended_at is not None][-1].state


# Without stories


@pytest.mark.parametrize(
    ("hour", "days", "after", "expected"),
    [
        (5, frozenset(range(7)), 0.0, 5 * HOUR),
        (5, frozenset(range(7)), 5 * HOUR, DAY + 5 * HOUR),
        (5, frozenset({3}), 0.0, 5 * HOUR),  # the epoch was a Thursday
        (5, frozenset({3}), 6 * HOUR, 7 * DAY + 5 * HOUR),
        (0, frozenset({0}), 0.0, 4 * DAY),
    ],
)
def test_a_schedule_is_due_at_its_hour_on_its_days(
    hour: int, days: frozenset[int], after: float, expected: float
) -> None:
    assert next_due(hour, days, after) == expected


def test_every_due_schedule_runs_within_minutes_and_collects(simulator: Simulator, clock: ManualClock) -> None:
    for _ in range(14 * 24):
        clock.at += HOUR
        for tenant in simulator.tenants():
            for schedule in simulator.truth(tenant.id).schedules:
                assert schedule.days_of_week is not None
                due = next_due(schedule.hour, schedule.days_of_week, clock() - 8 * DAY)
                while next_due(schedule.hour, schedule.days_of_week, due) <= clock() - 180:
                    due = next_due(schedule.hour, schedule.days_of_week, due)
                assert schedule.last_executed_at is not None
                assert schedule.last_executed_at >= due
    assert simulator.incidents == ()


def test_an_ingestion_goes_through_its_states_in_order(
    simulator: Simulator, tenant_id: str, clock: ManualClock
) -> None:
    order = ["unspecified", "preparing", "scheduled", "executing", "success", "failed"]
    ingestion = simulator.tenant(tenant_id).ingestions.start("collection", clock())
    seen = [ingestion.state]
    while ingestion.ended_at is None:
        clock.at += 5
        simulator.tenant(tenant_id)
        seen.append(ingestion.state)
    ranks = [order.index(state) for state in seen]
    assert ranks == sorted(ranks)
    assert {"scheduled", "executing"} <= set(seen)
    assert ingestion.started_at is not None
    assert 60 < ingestion.ended_at - ingestion.created_at < 5 * HOUR


@pytest.mark.parametrize("flag", PAUSING_FLAGS)
def test_no_schedule_runs_while_a_flag_pauses_it(
    simulator: Simulator, tenant_id: str, clock: ManualClock, flag: str
) -> None:
    simulator.set_flag(tenant_id, flag, on=True)
    before = simulator.truth(tenant_id).schedules[0].last_executed_at
    clock.at += 5 * DAY
    assert simulator.truth(tenant_id).schedules[0].last_executed_at == before
    simulator.set_flag(tenant_id, flag, on=False)
    clock.at += 5 * DAY
    assert simulator.truth(tenant_id).schedules[0].last_executed_at != before


def test_a_rollover_window_starts_and_ends_by_itself(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    simulator.tenant(tenant_id).rollovers.plan(clock() + DAY, clock() + 3 * DAY)
    seen = []
    for _ in range(3):
        truth = simulator.truth(tenant_id)
        seen.append((truth.rollovers[0].status, truth.flags["rollover_mode_enabled"]))
        clock.at += 2 * DAY
    assert seen == [("upcoming", False), ("ongoing", True), ("completed", False)]


def test_a_clock_that_goes_back_changes_nothing(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    clock.at += 3 * DAY
    before = simulator.truth(tenant_id)
    clock.at -= DAY
    assert simulator.truth(tenant_id) == before


def test_the_truth_is_a_copy(simulator: Simulator, tenant_id: str) -> None:
    simulator.truth(tenant_id).schedules[0].hour = 77
    assert simulator.truth(tenant_id).schedules[0].hour != 77


def test_the_history_of_years_is_bounded(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    clock.at += 3 * 365 * DAY
    assert 300 < len(simulator.truth(tenant_id).ingestions) <= 801


def test_a_single_failed_run_is_retried_at_once_and_is_no_incident(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, stories=(), tenants=13)
    clock.at += 60 * DAY
    truths = [simulator.truth(tenant.id) for tenant in simulator.tenants()]
    failures = [one for truth in truths for one in truth.ingestions if one.state == "failed"]
    assert failures
    assert simulator.incidents == ()
    assert sum(newest_collection(truth) == "success" for truth in truths) >= 12


def test_the_special_cases_exist(clock: ManualClock) -> None:
    truths = [simulator.truth(tenant.id) for simulator in (Simulator(now=clock),) for tenant in simulator.tenants()]
    schedules = [one for truth in truths for one in truth.schedules]
    assert any(one.days_of_week is None for one in schedules)
    assert any(not one.enabled and one.last_executed_at is None for one in schedules)
    assert any(one.enabled and one.last_executed_at is None for one in schedules)
    assert any(not truth.schedules for truth in truths)
    assert any(truth.application is None for truth in truths)
    assert len({one.days for one in schedules}) >= 9
    assert sum(one.ended_at is None for truth in truths for one in truth.ingestions) >= 3


# Stories


def test_with_25_tenants_every_kind_is_active_from_the_start() -> None:
    for seed in (1, 2):
        simulator = Simulator(seed=seed, now=ManualClock())
        kinds = {kind for tenant in simulator.tenants() for kind in simulator.truth(tenant.id).stories}
        assert kinds == set(RANDOM_EFFECTS)
        assert {one.kind for one in simulator.incidents if one.until is None} == set(INCIDENT_EFFECTS)


def test_about_a_tenth_of_1000_tenants_has_an_incident_now_and_a_month_later(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, tenants=1000)
    for _ in range(3):
        affected = {one.tenant_id for one in simulator.incidents if one.until is None}
        assert 60 <= len(affected) <= 150
        clock.at += 20 * DAY


def test_at_most_half_of_few_tenants_have_an_incident() -> None:
    for size in (0, 1, 5):
        simulator = Simulator(now=ManualClock(), tenants=size)
        assert len(simulator.incidents) <= size // 2


@pytest.mark.parametrize("kind", RANDOM_EFFECTS)
def test_a_story_leaves_one_incident_that_ends_with_it(
    simulator: Simulator, tenant_id: str, clock: ManualClock, kind: str
) -> None:
    story = simulator.begin_story(kind, tenant_id)
    assert simulator.truth(tenant_id).stories == [kind]
    clock.at += 3 * DAY
    incidents = [(one.kind, one.tenant_id, one.until) for one in simulator.incidents]
    assert incidents == ([(kind, tenant_id, None)] if kind in INCIDENT_EFFECTS else [])
    simulator.end_story(story)
    assert story.ends == clock()
    clock.at += 2 * DAY
    assert simulator.truth(tenant_id).stories == []
    truth = simulator.truth(tenant_id)
    assert not any(truth.flags.values()) or kind.startswith("rollover")
    for incident in simulator.incidents:
        assert incident.until is not None
        assert story.begins <= incident.since < incident.until <= story.ends + 5 * HOUR


def test_a_stalled_ingestion_executes_for_ever_while_the_schedule_goes_on(
    simulator: Simulator, tenant_id: str, clock: ManualClock
) -> None:
    simulator.begin_story("stalled", tenant_id)
    began = clock()
    clock.at += 30 * DAY
    truth = simulator.truth(tenant_id)
    (stuck,) = [one for one in truth.ingestions if one.ended_at is None and one.started_at == began]
    assert stuck.state == "executing"
    assert truth.schedules[0].last_executed_at is not None
    assert truth.schedules[0].last_executed_at > clock() - 2 * DAY


def test_the_incident_of_a_removed_stalled_ingestion_ends(simulator: Simulator, tenant_id: str) -> None:
    story = simulator.begin_story("stalled", tenant_id)
    stuck = [one for one in simulator.truth(tenant_id).ingestions if one.ended_at is None][-1]
    simulator.remove_ingestion(tenant_id, stuck.id)
    simulator.end_story(story)
    assert [one.until for one in simulator.incidents] == [story.ends]


def test_all_collections_fail_until_the_story_ends(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    story = simulator.begin_story("failing", tenant_id)
    clock.at += 5 * DAY
    ingestions = [one for one in simulator.truth(tenant_id).ingestions if one.type == "collection"]
    ended = [one for one in ingestions if (one.ended_at or 0) > story.begins]
    assert len(ended) >= 5
    assert {one.state for one in ended} <= {"failed", "timeout", "cancelled"}
    assert simulator.incidents[0].since == ended[0].ended_at
    simulator.end_story(story)
    clock.at += 5 * HOUR
    assert newest_collection(simulator.truth(tenant_id)) == "success"
    assert simulator.incidents[0].until is not None


def test_an_overdue_tenant_misses_all_its_starts(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    schedule = simulator.truth(tenant_id).schedules[0]
    story = simulator.begin_story("overdue", tenant_id)
    assert simulator.incidents == ()
    clock.at += 3 * DAY
    assert simulator.truth(tenant_id).schedules[0].last_executed_at == schedule.last_executed_at
    assert schedule.days_of_week is not None
    assert simulator.incidents[0].since == next_due(schedule.hour, schedule.days_of_week, story.begins)
    simulator.end_story(story)
    assert simulator.truth(tenant_id).schedules[0].last_executed_at == clock()
    assert simulator.incidents[0].until == clock()


def test_an_overdue_schedule_does_not_run_while_the_tenant_is_paused(
    simulator: Simulator, tenant_id: str, clock: ManualClock
) -> None:
    story = simulator.begin_story("overdue", tenant_id)
    clock.at += 3 * DAY
    simulator.set_flag(tenant_id, "synchronization_suspended", on=True)
    before = simulator.truth(tenant_id).schedules[0].last_executed_at
    simulator.end_story(story)
    assert simulator.truth(tenant_id).schedules[0].last_executed_at == before
    assert [one.until for one in simulator.incidents] == [clock()]


def test_a_start_missed_while_paused_is_not_overdue(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    simulator.begin_story("suspended", tenant_id)
    simulator.begin_story("overdue", tenant_id)
    clock.at += 5 * DAY
    assert [one.kind for one in simulator.incidents] == ["suspended"]


def test_stories_add_the_schedule_or_application_that_they_need(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, stories=())
    without_schedule, without_application = (simulator.tenants()[place].id for place in (16, 15))
    simulator.begin_story("overdue", without_schedule)
    simulator.begin_story("application_auth", without_application)
    clock.at += 2 * DAY
    assert {one.kind for one in simulator.incidents} == {"overdue", "application_auth"}


def test_with_a_mass_change_runs_wait_for_approval(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    story = simulator.begin_story("mass_change", tenant_id)
    clock.at += DAY
    waiting = [one for one in simulator.truth(tenant_id).ingestions if one.ended_at is None]
    assert waiting
    assert waiting[0].has_pending_task
    simulator.end_story(story)
    clock.at += HOUR
    assert all(one.ended_at for one in simulator.truth(tenant_id).ingestions if one.id == waiting[0].id)


def test_a_run_that_a_test_finished_or_removed_stays_so(
    simulator: Simulator, tenant_id: str, clock: ManualClock
) -> None:
    ingestions = simulator.tenant(tenant_id).ingestions
    ended, removed = ingestions.start("collection", clock()), ingestions.start("mirror", clock())
    simulator.finish_ingestion(tenant_id, ended.id, "cancelled")
    simulator.remove_ingestion(tenant_id, removed.id)
    clock.at += 6 * HOUR
    after = {one.id: one for one in simulator.truth(tenant_id).ingestions}
    assert (after[ended.id].state, after[ended.id].ended_at) == ("cancelled", clock() - 6 * HOUR)
    assert removed.id not in after


def test_a_schedule_that_is_turned_off_does_not_run(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    schedule = simulator.tenant(tenant_id).schedules.all[0]
    before = schedule.last_executed_at
    schedule.enabled = False
    clock.at += 3 * DAY
    simulator.tenant(tenant_id)
    assert schedule.last_executed_at == before


def test_rollovers_fail_in_three_ways(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, stories=(), tenants=3)
    kinds = ("rollover_stuck", "rollover_not_started", "rollover_failing")
    stories = [simulator.begin_story(kind, tenant.id) for kind, tenant in zip(kinds, simulator.tenants(), strict=True)]
    clock.at += 5 * HOUR + 1
    stuck, idle, failing = (simulator.truth(tenant.id) for tenant in simulator.tenants())
    assert stuck.flags["rollover_mode_enabled"]
    assert stuck.rollovers[0].end < clock()
    assert (idle.rollovers[0].status, idle.rollovers[0].failures) == ("upcoming", 0)
    assert idle.rollovers[0].start < clock() < idle.rollovers[0].end
    assert (failing.rollovers[0].failures, failing.rollovers[0].reason is None) == (6, False)
    clock.at += 20 * DAY
    for story in stories:
        simulator.end_story(story)
    after = [simulator.truth(tenant.id) for tenant in simulator.tenants()]
    assert [truth.rollovers[0].status for truth in after] == ["completed"] * 3
    assert not any(truth.flags["rollover_mode_enabled"] for truth in after)


def test_a_rollover_that_was_started_by_hand_ends_by_itself(
    simulator: Simulator, tenant_id: str, clock: ManualClock
) -> None:
    story = simulator.begin_story("rollover_not_started", tenant_id)
    clock.at += DAY
    simulator.end_story(story)
    assert simulator.truth(tenant_id).flags["rollover_mode_enabled"]
    clock.at += 14 * DAY
    assert not simulator.truth(tenant_id).flags["rollover_mode_enabled"]


def test_stories_can_have_times_in_the_past_and_future(clock: ManualClock) -> None:
    tenant_id = Simulator(now=clock, stories=()).tenants()[2].id
    past = Story("suspended", tenant_id, clock() - 2 * DAY, clock() - DAY)
    future = Story("setup", tenant_id, clock() + DAY, clock() + 2 * DAY)
    simulator = Simulator(now=clock, stories=[past, future])
    clock.at += 5 * DAY
    incidents = [(one.kind, one.since, one.until) for one in simulator.incidents]
    assert incidents == [(story.kind, story.begins, story.ends) for story in (past, future)]


def test_a_story_can_begin_as_if_it_had_begun_earlier(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    story = simulator.begin_story("rollover_stuck", tenant_id, 3 * HOUR)
    (rollover,) = simulator.truth(tenant_id).rollovers
    assert rollover.end == pytest.approx(clock() - 3 * HOUR)
    assert simulator.truth(tenant_id).flags["rollover_mode_enabled"]
    assert [one.since for one in simulator.incidents] == [pytest.approx(clock() - 3 * HOUR)]
    simulator.end_story(story)
    assert not simulator.truth(tenant_id).flags["rollover_mode_enabled"]


def test_an_ended_story_is_not_ended_again_by_its_own_time(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, stories=(), tenants=1)
    tenant_id = simulator.tenants()[0].id
    story = Story("setup", tenant_id, clock() - HOUR, clock() + DAY)
    simulator.add_story(story)
    simulator.end_story(story)
    clock.at += 2 * DAY
    assert simulator.incidents[0].until == story.ends == clock() - 2 * DAY
    with pytest.raises(KeyError):
        simulator.end_story(story)


def test_invalid_stories_are_errors(simulator: Simulator, tenant_id: str) -> None:
    with pytest.raises(ValueError, match="sunspots"):
        simulator.begin_story("sunspots", tenant_id)
    with pytest.raises(KeyError):
        simulator.begin_story("setup", "unknown")
    simulator.begin_story("setup", tenant_id)
    with pytest.raises(ValueError, match="already"):
        simulator.begin_story("setup", tenant_id)


def test_the_incidents_of_a_removed_tenant_end(simulator: Simulator, tenant_id: str, clock: ManualClock) -> None:
    simulator.begin_story("suspended", tenant_id)
    clock.at += HOUR
    simulator.remove_tenant(tenant_id)
    clock.at += HOUR
    assert [one.until for one in simulator.incidents] == [clock() - HOUR]


def test_an_added_tenant_starts_healthy_and_has_incidents_later(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, tenants=0)
    ids = [simulator.add_tenant() for _ in range(20)]
    assert simulator.incidents == ()
    clock.at += 60 * DAY
    assert {one.tenant_id for one in simulator.incidents} <= set(ids)
    assert len(simulator.incidents) > 20
