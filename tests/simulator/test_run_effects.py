"""Tests the effects of scripted stories about single runs."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator, Story, Truth
from exporter.simulator.records import Ingestion
from exporter.simulator.schedules import next_due
from exporter.simulator.times import DAY, HOUR
from tests.simulator.calls import ManualClock, actor, data

LONG = 30 * DAY


def begin(simulator: Simulator, kind: str, tenant_id: str, duration: float = LONG) -> None:
    simulator.add_story(Story(kind, tenant_id, simulator.now(), simulator.now() + duration))


def collections(truth: Truth, since: float) -> list[Ingestion]:
    return [one for one in truth.ingestions if one.type == "collection" and one.created_at >= since]


def unfinished(truth: Truth, ingestion_type: str = "collection") -> list[Ingestion]:
    return [one for one in truth.ingestions if one.ended_at is None and one.type == ingestion_type]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("stalled_without_start", ("preparing", False, False)),
        ("stalled_in_unknown_state", ("awaiting_files", True, True)),
    ],
)
def test_a_strange_run_stays_as_it_is_until_the_story_ends(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str, expected: tuple[str, bool, bool]
) -> None:
    start = clock()
    begin(simulator, kind, tenant_id, DAY)
    clock.at += 23 * HOUR
    (stuck,) = unfinished(simulator.truth(tenant_id))
    assert (stuck.state, stuck.started_at is not None, stuck.has_pending_task) == expected
    clock.at += 2 * HOUR
    assert [one.state for one in simulator.truth(tenant_id).ingestions if one.id == stuck.id] == ["success"]
    assert [(one.kind, one.since, one.until) for one in simulator.incidents] == [(kind, start, start + DAY)]


def test_a_run_in_an_unknown_state_succeeds_after_two_hours(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    begin(simulator, "unknown_state", tenant_id)
    clock.at += 1.9 * HOUR
    (run,) = unfinished(simulator.truth(tenant_id), "event_bundle")
    assert run.state == "validating"
    clock.at += HOUR
    assert not unfinished(simulator.truth(tenant_id), "event_bundle")


def test_a_collection_that_lingers_in_the_list_keeps_no_other_from_running(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    clock.at += 6 * HOUR
    start = clock()
    begin(simulator, "unknown_state_stays", tenant_id)
    clock.at += 2 * DAY
    truth = simulator.truth(tenant_id)
    (lingering,) = [one for one in unfinished(truth) if one.created_at == start]
    assert (lingering.state, lingering.has_pending_task) == ("archived", False)
    assert {one.state for one in collections(truth, start + 1)} >= {"success"}


def test_a_list_with_finished_ones_is_one_tenants_alone(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    begin(simulator, "lists_finished", tenant_id)
    clock.at += 36 * HOUR
    other = simulator.tenants()[1].id
    states = {each: listed_states(simulator, each) for each in (tenant_id, other)}
    assert "success" in states[tenant_id]
    assert "success" not in states[other]


def listed_states(simulator: Simulator, tenant_id: str) -> set[str]:
    return {one["state"] for one in data(simulator, "/ingestions", actor(simulator, tenant_id))}


def test_short_runs_succeed_within_a_minute(simulator: Simulator, clock: ManualClock, tenant_id: str) -> None:
    clock.at += 6 * HOUR
    start = simulator.now()
    simulator.truth(tenant_id)
    begin(simulator, "short_runs", tenant_id)
    clock.at += 7 * DAY
    runs = collections(simulator.truth(tenant_id), start)
    assert len(runs) >= 3
    assert all((one.ended_at or 0) - one.created_at <= 60 for one in runs)


def test_cancelled_runs_are_no_incident_and_end_with_the_story(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    clock.at += 6 * HOUR
    start = simulator.now()
    simulator.truth(tenant_id)
    begin(simulator, "cancelled", tenant_id, 4 * DAY)
    clock.at += 4 * DAY
    assert {one.state for one in collections(simulator.truth(tenant_id), start)} == {"cancelled"}
    clock.at += 4 * DAY
    assert "success" in {one.state for one in collections(simulator.truth(tenant_id), start + 4 * DAY)}
    assert simulator.incidents == ()


def test_failing_begins_with_the_first_run_that_was_not_cancelled(simulator: Simulator, clock: ManualClock) -> None:
    for each in simulator.tenants():
        begin(simulator, "failing", each.id)
    clock.at += 10 * DAY
    for incident in simulator.incidents:
        ends = {one.ended_at: one.state for one in simulator.truth(incident.tenant_id).ingestions}
        assert ends[incident.since] in ("failed", "timeout")


def test_a_nightly_run_fails_once_and_the_next_one_takes_five_hours_and_succeeds(
    simulator: Simulator, clock: ManualClock, tenant_id: str
) -> None:
    clock.at += 6 * HOUR
    start = simulator.now()
    simulator.truth(tenant_id)
    begin(simulator, "fails_once", tenant_id, 3 * DAY)
    clock.at += 2.5 * DAY
    failed, succeeded, *_ = collections(simulator.truth(tenant_id), start)
    assert (failed.state, succeeded.state) == ("failed", "success")
    assert 23 * HOUR < succeeded.created_at - failed.created_at < 25 * HOUR
    assert succeeded.ended_at == pytest.approx(succeeded.created_at + 5 * HOUR, abs=1)
    assert [(one.kind, one.since, one.until) for one in simulator.incidents] == [
        ("fails_once", failed.ended_at, succeeded.ended_at)
    ]


@pytest.mark.parametrize(
    ("kind", "run"),
    [("blocked_by_run", ("collection", 1, 4.5)), ("blocked_by_load", ("bulk_load", 2, 9))],
)
def test_a_long_run_delays_a_schedule_that_runs_after_it(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str, run: tuple[str, float, float]
) -> None:
    ingestion_type, before, after = run
    schedule = simulator.truth(tenant_id).schedules[0]
    due = next_due(schedule.hour, schedule.actual_days, clock() + before * HOUR)
    begin(simulator, kind, tenant_id, due - clock() + DAY / 2)
    clock.at = due + (after - 0.5) * HOUR
    truth = simulator.truth(tenant_id)
    (long,) = unfinished(truth, ingestion_type)
    assert long.started_at == due - before * HOUR
    assert (truth.schedules[0].last_executed_at or 0) < due
    clock.at = due + (after + 0.6) * HOUR
    assert simulator.truth(tenant_id).schedules[0].last_executed_at == due + (after + 0.5) * HOUR
    assert simulator.incidents == ()
