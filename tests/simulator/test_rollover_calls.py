"""Tests the calls that create, update and delete rollovers, and what they do to the simulated tenant."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import Simulator
from tests.simulator.calls import DAY, HOUR, AsTenant, ManualClock, assert_published, body, details, moment, serves

PATH = "/tenant/rollovers"


def window(tenant: AsTenant, start: float, end: float, **changes: object) -> dict[str, object]:
    """A right body for a rollover from `start` to `end`, in Unix seconds."""
    return {
        "name": "Summer",
        "type": "new_year",
        "start_date": moment(start),
        "end_date": moment(end),
        "status": "upcoming",
        "cloud_id": tenant.get("/tenant")["cloud"]["id"],
        **changes,
    }


def create(tenant: AsTenant, start: float, end: float) -> dict[str, Any]:
    reply = tenant.send("POST", PATH, window(tenant, start, end))
    assert reply.status == 200, reply.body
    created = body(reply)["data"]
    assert isinstance(created, dict)
    return created


def mode(tenant: AsTenant) -> bool:
    """Whether rollover mode is on."""
    return tenant.get("/tenant/state")["rollover_mode_enabled"] is True


@serves("POST /tenant/rollovers", "GET /tenant/rollovers/{id}", "GET /tenant/rollovers/count")
def test_a_created_rollover_opens_pauses_the_tenant_and_ends(tenant: AsTenant, clock: ManualClock) -> None:
    start, end = clock() + HOUR, clock() + 3 * DAY
    reply = tenant.send("POST", PATH, window(tenant, start, end, actor_id=tenant.get("/tenant")["actor_id"]))
    assert_published("tenant_rollovers_ID", body(reply))
    created = body(reply)["data"]
    shown = [created[name] for name in ("name", "status", "start_date", "end_date", "status_change_failure_count")]
    assert shown == ["Summer", "upcoming", moment(start), moment(end), 0]
    assert tenant.get(f"{PATH}/count") == 1
    clock.at = start - 1
    assert (tenant.get(f"{PATH}/{created['id']}"), mode(tenant)) == (created, False)
    clock.at = start
    assert (tenant.get(f"{PATH}/{created['id']}")["status"], mode(tenant)) == ("ongoing", True)
    clock.at = end - 1
    assert mode(tenant)
    (schedule,) = tenant.get("/tenant/schedules")
    assert tenant.send("POST", f"/tenant/schedules/{schedule['id']}/run").status == 409
    clock.at = end
    assert (tenant.get(f"{PATH}/{created['id']}")["status"], mode(tenant)) == ("completed", False)


def test_a_rollover_whose_start_has_passed_opens_at_once(tenant: AsTenant, clock: ManualClock) -> None:
    create(tenant, clock() - DAY, clock() + DAY)
    assert mode(tenant)


@serves("POST /tenant/rollovers")
def test_rollovers_must_not_overlap(tenant: AsTenant, clock: ManualClock) -> None:
    start, end = clock() + 2 * DAY, clock() + 4 * DAY
    other = create(tenant, start, end)
    for first, last in ((start, end), (start - 1, start + 1), (end - 1, end + 1), (start - 1, end + 1)):
        assert details(tenant.send("POST", PATH, window(tenant, first, last))) == (409, other["id"])
    create(tenant, start - DAY, start)
    create(tenant, end, end + DAY)
    assert tenant.get(f"{PATH}/count") == 3
    clock.at = start - DAY / 2
    assert details(tenant.send("POST", PATH, window(tenant, clock() + 1, clock() + 2)))[0] == 409


def test_a_rollover_that_is_stuck_overlaps_with_now(simulator: Simulator, tenant: AsTenant, clock: ManualClock) -> None:
    simulator.begin_story("rollover_stuck", tenant.tenant_id)
    clock.at += DAY
    (stuck,) = tenant.get(PATH)
    sent = window(tenant, clock() - HOUR, clock() + HOUR)
    assert details(tenant.send("POST", PATH, sent)) == (409, stuck["id"])
    create(tenant, clock() + HOUR, clock() + DAY)


WRONG = [
    *[("name", value) for value in (None, "", "  ", 5, "x" * 1001)],
    *[("type", value) for value in (None, "old_year", 1)],
    *[("status", value) for value in (None, "ongoing", "nonsense", False)],
    *[("start_date", value) for value in (None, 5, "tomorrow", "2026-13-01T00:00:00Z", "2026-10-01T00:00:00", "")],
    *[("end_date", value) for value in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2026-08-01T00:00:00Z")],
    *[("cloud_id", value) for value in (None, "no-uuid", "123e4567-e89b-12d3-a456-426614174000", 7)],
    *[("actor_id", value) for value in ("123e4567-e89b-12d3-a456-426614174000", [])],
]


@pytest.mark.parametrize(("member", "value"), WRONG)
def test_a_wrong_member_is_named(tenant: AsTenant, clock: ManualClock, member: str, value: object) -> None:
    sent = window(tenant, clock() + DAY, clock() + 2 * DAY)
    assert details(tenant.send("POST", PATH, {**sent, member: value})) == (400, member)
    if member in sent:
        assert details(tenant.send("POST", PATH, {name: sent[name] for name in sent if name != member}))[1] == member
    assert tenant.get(f"{PATH}/count") == 0


def test_a_window_that_has_passed_is_refused(tenant: AsTenant, clock: ManualClock) -> None:
    sent = window(tenant, clock() - 2 * DAY, clock())
    assert details(tenant.send("POST", PATH, sent)) == (400, "end_date")


@serves("PUT /tenant/rollovers/{id}", "PATCH /tenant/rollovers/{id}")
def test_a_moved_rollover_opens_and_ends_at_its_new_times(tenant: AsTenant, clock: ManualClock) -> None:
    start = clock() + DAY
    path = f"{PATH}/{create(tenant, start, start + DAY)['id']}"
    reply = tenant.send("PUT", path, window(tenant, start + DAY / 2, start + 3 * DAY, name="Later"))
    assert_published("tenant_rollovers_ID", body(reply))
    assert body(reply)["data"]["name"] == "Later"
    # Later, earlier, and to the first times again: no event of another plan may open it.
    seen = []
    for at in (0.0, DAY / 2 - 1, DAY / 2, DAY, 3 * DAY - 1, 3 * DAY):
        clock.at = start + at
        seen.append((tenant.get(path)["status"], mode(tenant)))
    assert seen == [("upcoming", False)] * 2 + [("ongoing", True)] * 3 + [("completed", False)]
    again = f"{PATH}/{create(tenant, clock() + 3 * DAY, clock() + 4 * DAY)['id']}"
    assert tenant.send("PATCH", again, window(tenant, clock() + DAY, clock() + 2 * DAY)).status == 200
    clock.at += DAY
    assert mode(tenant)


@serves("PUT /tenant/rollovers/{id}")
def test_an_active_rollover_can_end_earlier_and_not_start_again(tenant: AsTenant, clock: ManualClock) -> None:
    start, end = clock() + DAY, clock() + 9 * DAY
    path = f"{PATH}/{create(tenant, start, end)['id']}"
    clock.at = start
    sent = window(tenant, start, end)
    assert details(tenant.send("PUT", path, sent)) == (409, "status is ongoing")
    assert details(tenant.send("PUT", path, {**sent, "status": "nonsense"})) == (400, "status")
    sent["status"] = "ongoing"
    assert details(tenant.send("PUT", path, {**sent, "start_date": moment(start + 1)}))[0] == 409
    assert tenant.send("PUT", path, {**sent, "end_date": moment(start + DAY)}).status == 200
    clock.at = start + DAY
    assert (tenant.get(path)["status"], mode(tenant)) == ("completed", False)
    assert details(tenant.send("PUT", path, {**sent, "status": "completed"}))[0] == 409
    clock.at = end + DAY
    assert not mode(tenant)


def test_a_moved_rollover_must_not_overlap_with_another(tenant: AsTenant, clock: ManualClock) -> None:
    first = create(tenant, clock() + DAY, clock() + 2 * DAY)
    second = create(tenant, clock() + 3 * DAY, clock() + 4 * DAY)
    moved = window(tenant, clock() + DAY, clock() + 3.5 * DAY)
    assert details(tenant.send("PUT", f"{PATH}/{first['id']}", moved)) == (409, second["id"])
    assert tenant.get(f"{PATH}/{first['id']}") == first
    # It does not overlap with itself.
    assert tenant.send("PUT", f"{PATH}/{first['id']}", window(tenant, clock() + HOUR, clock() + 2 * DAY)).status == 200


@serves("DELETE /tenant/rollovers/{id}")
def test_a_deleted_rollover_never_opens_and_an_active_one_stays(tenant: AsTenant, clock: ManualClock) -> None:
    active = create(tenant, clock(), clock() + DAY)
    later = create(tenant, clock() + 2 * DAY, clock() + 3 * DAY)
    assert details(tenant.send("DELETE", f"{PATH}/{active['id']}")) == (409, active["id"])
    reply = tenant.send("DELETE", f"{PATH}/{later['id']}")
    assert (reply.status, reply.body) == (204, b"")
    assert tenant.send("DELETE", f"{PATH}/{later['id']}").status == 404
    clock.at += DAY
    assert tenant.send("DELETE", f"{PATH}/{active['id']}").status == 204
    assert tenant.get(PATH) == []
    clock.at += 1.5 * DAY
    assert not mode(tenant)


@pytest.mark.parametrize("kind", ["rollover_not_started", "rollover_failing", "before_rollover", "rollover_called_off"])
def test_no_story_brings_a_deleted_rollover_back(
    simulator: Simulator, tenant: AsTenant, clock: ManualClock, kind: str
) -> None:
    story = simulator.begin_story(kind, tenant.tenant_id)
    (rollover,) = tenant.get(PATH)
    assert tenant.send("DELETE", f"{PATH}/{rollover['id']}").status == 204
    clock.at += DAY
    simulator.end_story(story)
    clock.at += 20 * DAY
    assert (tenant.get(PATH), mode(tenant)) == ([], False)


def test_the_rollovers_of_clients_and_of_stories_leave_each_other_on(
    simulator: Simulator, tenant: AsTenant, clock: ManualClock
) -> None:
    create(tenant, clock(), clock() + 2 * DAY)
    story = simulator.begin_story("in_rollover", tenant.tenant_id)
    clock.at += DAY
    simulator.end_story(story)
    assert mode(tenant)
    simulator.begin_story("rollover_stuck", tenant.tenant_id)
    clock.at += 2 * DAY
    assert mode(tenant)


def test_a_client_changes_nothing_else_in_the_life_of_a_tenant() -> None:
    """Ids of what clients create come from their own random numbers."""

    def ids(*, creates: bool) -> list[str]:
        clock = ManualClock()
        simulator = Simulator(now=clock, stories=(), tenants=4)
        tenant = AsTenant(simulator, simulator.tenants()[3].id)
        if creates:
            create(tenant, clock() + 30 * DAY, clock() + 31 * DAY)
        clock.at += 9 * DAY
        return [one.id for one in simulator.truth(tenant.tenant_id).ingestions]

    assert ids(creates=True) == ids(creates=False) != []
