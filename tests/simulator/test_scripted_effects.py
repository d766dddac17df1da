"""Tests the effects of scripted stories."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator, Story
from exporter.simulator.effects import RANDOM_EFFECTS
from exporter.simulator.scripted_effects import SCRIPTED_EFFECTS
from exporter.simulator.times import DAY, HOUR
from tests.simulator.calls import ManualClock


def add_story(simulator: Simulator, kind: str, tenant_id: str, duration: float) -> None:
    simulator.add_story(Story(kind, tenant_id, simulator.now(), simulator.now() + duration))


INCIDENTS = {
    *("dormant", "dormant_and_suspended", "suspended_when_due", "suspended_after_rollover", "fails_once"),
    *("stalled_without_start", "stalled_in_unknown_state", "overdue_while_others_run", "overdue_beside_unstarted"),
    *("rollover_stuck_in_progress", "rollover_stuck_called_off"),
}
HARMLESS = sorted(SCRIPTED_EFFECTS.keys() - INCIDENTS)


def test_scripted_stories_are_never_random() -> None:
    assert not SCRIPTED_EFFECTS.keys() & RANDOM_EFFECTS.keys()


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_stories_cause_no_incident(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str
) -> None:
    add_story(simulator, kind, tenant_id, 3 * DAY)
    for _ in range(5 * 24):
        clock.at += HOUR
        simulator.truth(tenant_id)
    assert simulator.incidents == ()
    truth = simulator.truth(tenant_id)
    assert not any(truth.flags.values())
    assert all(schedule.enabled for schedule in truth.schedules)
    assert truth.stories == []


@pytest.mark.parametrize("kind", ["holiday", "dormant"])
def test_with_the_schedules_off_nothing_runs_until_they_are_on_again(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str
) -> None:
    add_story(simulator, kind, tenant_id, 5 * DAY)
    clock.at += 6 * HOUR  # the unfinished runs finish
    before = {one.id for one in simulator.truth(tenant_id).ingestions}
    clock.at += 4 * DAY
    assert {one.id for one in simulator.truth(tenant_id).ingestions} == before
    clock.at += 2 * DAY
    assert {one.id for one in simulator.truth(tenant_id).ingestions} > before


def test_a_dormant_tenant_has_an_incident_until_it_ends(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    start = clock()
    add_story(simulator, "dormant", tenant_id, 5 * DAY)
    clock.at += 6 * DAY
    (incident,) = simulator.incidents
    assert (incident.kind, incident.since, incident.until) == ("dormant", start, start + 5 * DAY)


def test_a_dormant_tenant_that_is_paused_when_it_ends_does_not_run(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    add_story(simulator, "dormant", tenant_id, DAY)
    clock.at += 23 * HOUR
    simulator.set_flag(tenant_id, "setup_mode_enabled", on=True)
    before = len(simulator.truth(tenant_id).ingestions)
    clock.at += 2 * HOUR
    assert len(simulator.truth(tenant_id).ingestions) == before


def test_a_pause_for_a_rollover_is_a_suspension_with_a_window(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    add_story(simulator, "rollover_pause", tenant_id, 2 * DAY)
    clock.at += HOUR
    truth = simulator.truth(tenant_id)
    assert truth.flags["synchronization_suspended"]
    assert [one.status for one in truth.rollovers] == ["upcoming"]
    clock.at += DAY
    assert simulator.truth(tenant_id).flags["rollover_mode_enabled"]


def test_a_long_load_executes_and_succeeds(simulator: Simulator, clock: ManualClock, tenant_id: str) -> None:
    add_story(simulator, "long_load", tenant_id, 9 * HOUR)
    clock.at += 8 * HOUR
    load = next(one for one in simulator.truth(tenant_id).ingestions if one.type == "bulk_load" and not one.ended_at)
    clock.at += 2 * HOUR
    assert next(one.state for one in simulator.truth(tenant_id).ingestions if one.id == load.id) == "success"


@pytest.mark.parametrize(("kind", "hours"), [("clock_back", 1), ("clock_forward", -1)])
def test_a_moved_schedule_runs_once_a_day_at_its_new_hour(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str, hours: int
) -> None:
    (schedule,) = simulator.truth(tenant_id).schedules
    clock.at += (schedule.hour + 3) * HOUR
    simulator.add_story(Story(kind, tenant_id, clock()))
    executed: set[float] = set()
    for _ in range(7 * 24):
        clock.at += HOUR
        (moved,) = simulator.truth(tenant_id).schedules
        assert moved.hour == (schedule.hour + hours) % 24
        if moved.last_executed_at and moved.last_executed_at > clock() - HOUR:
            executed.add(moved.last_executed_at)
    assert len(executed) == len(schedule.actual_days)
    assert {moment // HOUR % 24 for moment in executed} == {(schedule.hour + hours) % 24}


def test_a_hiccup_is_one_failed_run_before_a_successful_one(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    clock.at += 20 * HOUR
    simulator.truth(tenant_id)
    add_story(simulator, "hiccup", tenant_id, 0)
    clock.at += 5 * HOUR
    states = [one.state for one in simulator.truth(tenant_id).ingestions if one.type == "collection"]
    assert "failed" in states
    assert states[-1] == "success"
