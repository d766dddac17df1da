"""Tests the calls that create, enable, run and delete schedules, and what they do to the simulated tenant."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator
from tests.simulator.calls import DAY, HOUR, AsTenant, ManualClock, assert_published, body, details, serves, unix

STATES = ["unspecified", "preparing", "scheduled", "executing", "success", "failed"]


def free_hour(tenant: AsTenant) -> int:
    """An hour at which no schedule is due, some hours from now."""
    taken = {one["hour"] for one in tenant.get("/tenant/schedules")}
    return next(hour for hour in range(3, 24) if hour not in taken)


def create(tenant: AsTenant) -> str:
    """Create a schedule at a free hour, and return its id."""
    schedule_id = body(tenant.send("POST", "/tenant/schedules", {"hour": free_hour(tenant)}))["data"]["id"]
    assert isinstance(schedule_id, str)
    return schedule_id


@serves("POST /tenant/schedules", "GET /tenant/schedules/{id}", "GET /tenant/schedules/count")
def test_a_created_schedule_is_due_and_runs(tenant: AsTenant, clock: ManualClock) -> None:
    before, hour = tenant.get("/tenant/schedules/count"), free_hour(tenant)
    reply = tenant.send("POST", "/tenant/schedules", {"hour": hour, "type": "ignored"})
    assert_published("tenant_schedules_ID", body(reply))
    created = body(reply)["data"]
    facts = (created["type"], created["enabled"], created["hour"], created["days"], created["last_executed_at"])
    assert facts == ("collection", True, hour, None, None)
    assert unix(created["metadata"]["created"]) == clock()
    assert tenant.get("/tenant/schedules/count") == before + 1
    clock.at += hour * HOUR - 1
    assert tenant.get(f"/tenant/schedules/{created['id']}") == created
    clock.at += 300
    assert 0 <= unix(tenant.get(f"/tenant/schedules/{created['id']}")["last_executed_at"]) - clock() + 300 <= 200
    assert any(one["type"] == "collection" for one in tenant.get("/ingestions"))


@serves("POST /tenant/schedules")
def test_a_schedule_at_the_hour_of_another_is_a_conflict(tenant: AsTenant) -> None:
    (other,) = tenant.get("/tenant/schedules")
    assert details(tenant.send("POST", "/tenant/schedules", {"hour": other["hour"]})) == (409, other["id"])
    assert tenant.get("/tenant/schedules") == [other]
    create(tenant)


@pytest.mark.parametrize("hour", [-1, 24, 1.5, "3", True, None, [], 10**30])
def test_an_hour_that_is_none_is_refused(tenant: AsTenant, hour: object) -> None:
    assert details(tenant.send("POST", "/tenant/schedules", {"hour": hour})) == (400, "hour")
    assert details(tenant.send("POST", "/tenant/schedules", {})) == (400, "hour")
    assert tenant.get("/tenant/schedules/count") == 1


@serves("PUT /tenant/schedules/{id}", "PATCH /tenant/schedules/{id}")
def test_a_disabled_schedule_does_not_run_until_it_is_enabled(tenant: AsTenant, clock: ManualClock) -> None:
    path = f"/tenant/schedules/{create(tenant)}"
    reply = tenant.send("PUT", path, {"enabled": False, "hour": 9})
    assert_published("tenant_schedules_ID", body(reply))
    assert body(reply)["data"]["enabled"] is False
    assert body(reply)["data"]["metadata"]["updated"] is not None
    clock.at += 3 * DAY
    idle = tenant.get(path)
    assert (idle["last_executed_at"], idle["hour"] != 9) == (None, True)
    assert tenant.send("PATCH", path, {"enabled": True}).status == 200
    clock.at += DAY
    assert tenant.get(path)["last_executed_at"]


@pytest.mark.parametrize("sent", [{}, {"enabled": None}, {"enabled": "false"}, {"enabled": 0}])
def test_a_schedule_is_only_enabled_by_a_boolean(tenant: AsTenant, sent: dict[str, object]) -> None:
    assert details(tenant.send("PUT", f"/tenant/schedules/{create(tenant)}", sent)) == (400, "enabled")


@serves("POST /tenant/schedules/{id}/run", "GET /ingestions/{id}")
def test_a_run_goes_through_the_states_that_dashboards_show(tenant: AsTenant, clock: ManualClock) -> None:
    (schedule,) = tenant.get("/tenant/schedules")
    reply = tenant.send("POST", f"/tenant/schedules/{schedule['id']}/run")
    assert (reply.status, reply.body) == (204, b"")
    assert unix(tenant.get(f"/tenant/schedules/{schedule['id']}")["last_executed_at"]) == clock()
    (ingestion,) = (one for one in tenant.get("/ingestions") if one["type"] == "collection")
    seen = [ingestion["state"]]
    for _ in range(24 * 60):
        clock.at += 10
        state = tenant.get(f"/ingestions/{ingestion['id']}")["state"]
        seen += [state] if state != seen[-1] else []
    assert seen in ([first, *STATES[2:4], last] for first in STATES[:2] for last in STATES[4:])


@serves("POST /tenant/schedules/{id}/run")
def test_a_schedule_that_can_not_run_says_why(simulator: Simulator, tenant: AsTenant, clock: ManualClock) -> None:
    (schedule,) = tenant.get("/tenant/schedules")
    path = f"/tenant/schedules/{schedule['id']}"
    assert tenant.send("POST", f"{path}/run", {}).status == 204
    (pending,) = tenant.get("/ingestions")
    assert details(tenant.send("POST", f"{path}/run")) == (409, f"ingestion {pending['id']} is pending")
    simulator.remove_ingestion(tenant.tenant_id, pending["id"])
    simulator.set_flag(tenant.tenant_id, "synchronization_suspended", on=True)
    assert details(tenant.send("POST", f"{path}/run")) == (409, "synchronization of the tenant is paused")
    simulator.set_flag(tenant.tenant_id, "synchronization_suspended", on=False)
    tenant.send("PUT", path, {"enabled": False})
    assert details(tenant.send("POST", f"{path}/run")) == (409, "the schedule is paused")
    tenant.send("PUT", path, {"enabled": True})
    simulator.tenant(tenant.tenant_id).schedules.all[0].type = "mirror"
    assert details(tenant.send("POST", f"{path}/run")) == (400, "mirror")
    assert tenant.get("/ingestions") == []
    assert clock() == unix(tenant.get(path)["last_executed_at"])


@serves("POST /tenant/schedules/{id}/run")
def test_a_run_by_hand_ends_that_a_schedule_is_overdue(
    simulator: Simulator, tenant: AsTenant, clock: ManualClock
) -> None:
    simulator.begin_story("overdue", tenant.tenant_id)
    clock.at += 8 * DAY
    (incident,) = simulator.incidents
    assert incident.until is None
    (schedule,) = tenant.get("/tenant/schedules")
    for one in tenant.get("/ingestions"):
        simulator.finish_ingestion(tenant.tenant_id, one["id"])
    assert tenant.send("POST", f"/tenant/schedules/{schedule['id']}/run").status == 204
    (incident,) = simulator.incidents
    assert incident.until == clock()


@serves("DELETE /tenant/schedules/{id}")
def test_a_deleted_schedule_is_gone_and_runs_no_more(
    simulator: Simulator, tenant: AsTenant, clock: ManualClock
) -> None:
    life = simulator.tenant(tenant.tenant_id)
    path = f"/tenant/schedules/{create(tenant)}"
    deleted = life.schedules.all[-1]
    reply = tenant.send("DELETE", path)
    assert (reply.status, reply.body) == (204, b"")
    assert [tenant.send(method, path).status for method in ("GET", "DELETE")] == [404, 404]
    assert details(tenant.send("POST", f"{path}/run")) == (404, None)
    clock.at += 2 * DAY
    assert tenant.get("/tenant/schedules/count") == 1
    assert deleted.last_executed_at is None


@pytest.mark.parametrize("kind", ["overdue", "holiday", "clock_back", "fails_once", "blocked_by_run"])
def test_no_story_brings_a_deleted_schedule_back(
    simulator: Simulator, tenant: AsTenant, clock: ManualClock, kind: str
) -> None:
    story = simulator.begin_story(kind, tenant.tenant_id)
    clock.at += 2 * DAY
    deleted = list(simulator.tenant(tenant.tenant_id).schedules.all)
    executed = [one.last_executed_at for one in deleted]
    for one in tenant.get("/tenant/schedules"):
        assert tenant.send("DELETE", f"/tenant/schedules/{one['id']}").status == 204
    simulator.end_story(story)
    clock.at += 8 * DAY
    assert tenant.get("/tenant/schedules") == []
    assert [one.last_executed_at for one in deleted] == executed
    assert all(incident.until is not None for incident in simulator.incidents)
