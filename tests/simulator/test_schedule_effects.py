"""Tests the effects of scripted stories about schedules that are missed or paused."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator, Story
from exporter.simulator.schedules import next_due
from exporter.simulator.times import DAY, HOUR
from tests.simulator.calls import ManualClock


def begin(simulator: Simulator, kind: str, tenant_id: str, duration: float) -> None:
    simulator.add_story(Story(kind, tenant_id, simulator.now(), simulator.now() + duration))


def test_a_missed_schedule_is_overdue_though_another_schedule_and_another_type_succeed(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    start = simulator.now()
    (missed,) = simulator.truth(tenant_id).schedules
    due = next_due(missed.hour, missed.actual_days, start)
    begin(simulator, "overdue_while_others_run", tenant_id, 6 * DAY)
    clock.at += 5 * DAY
    truth = simulator.truth(tenant_id)
    first, other = truth.schedules
    assert first.last_executed_at == missed.last_executed_at
    assert (other.last_executed_at or 0) > clock() - DAY
    succeeded = {one.type for one in truth.ingestions if one.state == "success" and one.created_at > due}
    assert succeeded >= {"collection", "event_bundle"}
    clock.at += 2 * DAY
    after = simulator.truth(tenant_id)
    assert [one.id for one in after.schedules] == [missed.id]
    assert [(one.kind, one.since, one.until) for one in simulator.incidents] == [
        ("overdue_while_others_run", due, start + 6 * DAY)
    ]


def test_beside_a_missed_schedule_there_is_always_a_run_without_a_start(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    clock.at += 12 * HOUR  # the unfinished runs finish
    begin(simulator, "overdue_beside_unstarted", tenant_id, 5 * DAY)
    for _ in range(4 * 24):
        clock.at += HOUR
        (unstarted,) = [one for one in simulator.truth(tenant_id).ingestions if one.ended_at is None]
        assert unstarted.started_at is None
        assert clock() - unstarted.created_at <= 1.5 * HOUR
    clock.at += 3 * DAY
    (incident,) = simulator.incidents
    assert incident.kind == "overdue_beside_unstarted"
    assert incident.until is not None


def test_a_nightly_suspension_takes_three_hours_and_stops_no_run(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    before = simulator.truth(tenant_id).schedules[0].last_executed_at
    begin(simulator, "nightly_suspension", tenant_id, 8 * DAY)
    suspended = 0
    for _ in range(8 * 24 - 1):
        clock.at += HOUR
        suspended += simulator.truth(tenant_id).flags["synchronization_suspended"]
    assert suspended in (23, 24)
    assert simulator.truth(tenant_id).schedules[0].last_executed_at != before
    clock.at += 2 * DAY
    assert not simulator.truth(tenant_id).flags["synchronization_suspended"]


@pytest.mark.parametrize("kind", ["dormant_and_suspended", "suspended_when_due"])
def test_a_nightly_suspension_beside_nothing_that_runs_is_an_incident(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str
) -> None:
    clock.at += 12 * HOUR  # the unfinished runs finish
    simulator.truth(tenant_id)
    start = simulator.now()
    begin(simulator, kind, tenant_id, 7 * DAY)
    suspended = 0
    for _ in range(7 * 24 - 1):
        clock.at += HOUR
        suspended += simulator.truth(tenant_id).flags["synchronization_suspended"]
    assert 18 <= suspended <= 21
    truth = simulator.truth(tenant_id)
    assert not [one for one in truth.ingestions if one.created_at > start]
    assert truth.schedules[0].enabled == (kind == "suspended_when_due")
    clock.at += 3 * DAY
    after = simulator.truth(tenant_id)
    assert [one for one in after.ingestions if one.created_at > start]
    assert not after.flags["synchronization_suspended"]
    assert after.schedules[0].enabled
    assert [(one.kind, one.since, one.until) for one in simulator.incidents] == [(kind, start, start + 7 * DAY)]
