"""Tests the calls of the account that create, update and delete clouds, integrations, versions and blueprints."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import Reply, Simulator
from tests.simulator.calls import ManualClock, assert_published, body, data, details, everything, send, serves, unix

NEW_ID = "123e4567-e89b-12d3-a456-426614174000"


def integration(simulator: Simulator, *, used: bool) -> dict[str, Any]:
    """An integration that has a tenant, or one that has none."""
    in_use = {one["integration"]["id"] for one in everything(simulator, "/tenants") if one["integration"]}
    found: dict[str, Any] = next(one for one in data(simulator, "/integrations") if (one["id"] in in_use) is used)
    return found


def is_done(reply: Reply) -> bool:
    return (reply.status, reply.body) == (204, b"")


# Clouds


@serves("POST /clouds", "GET /clouds/{id}", "GET /clouds/{id}/actors", "DELETE /clouds/{id}")
def test_a_cloud_is_created_and_deleted(simulator: Simulator) -> None:
    before, actors = everything(simulator, "/clouds"), everything(simulator, "/actors")
    reply = send(simulator, "POST", "/clouds", json_body={"name": "Hub", "userdata": "text", "generation": 1})
    assert_published("clouds_ID", body(reply))
    created = body(reply)["data"]
    assert (created["name"], created["userdata"], created["generation"]) == ("Hub", "text", 1)
    assert everything(simulator, "/clouds") == [*before, created]
    assert data(simulator, "/clouds/search", userdata="text") == [created]
    assert data(simulator, f"/clouds/{created['id']}") == created
    assert data(simulator, f"/clouds/{created['id']}/actors") == []
    assert is_done(send(simulator, "DELETE", f"/clouds/{created['id']}"))
    assert send(simulator, "DELETE", f"/clouds/{created['id']}").status == 404
    assert (everything(simulator, "/clouds"), everything(simulator, "/actors")) == (before, actors)


@serves("POST /clouds")
def test_a_cloud_needs_a_name_alone_and_finds_its_account(simulator: Simulator) -> None:
    created = body(send(simulator, "POST", "/clouds", json_body={"name": "Hub"}))["data"]
    assert (created["userdata"], created["generation"]) == (None, 2)
    other = everything(simulator, "/clouds")[-2]
    sent = {"name": "Hub", "userdata": other["userdata"]}
    assert body(send(simulator, "POST", "/clouds", json_body=sent))["data"]["account_id"] == other["account_id"]


@serves("DELETE /clouds/{id}")
def test_a_cloud_with_tenants_stays_and_its_actors_go_with_it(simulator: Simulator) -> None:
    tenants = [one for one in everything(simulator, "/tenants") if one["cloud"]]
    cloud_id = tenants[0]["cloud"]["id"]
    inside = [one for one in tenants if one["cloud"]["id"] == cloud_id]
    assert details(send(simulator, "DELETE", f"/clouds/{cloud_id}")) == (409, inside[0]["id"])
    actors = len(everything(simulator, "/actors"))
    for one in inside:
        simulator.remove_tenant(one["id"])
    assert is_done(send(simulator, "DELETE", f"/clouds/{cloud_id}"))
    assert len(everything(simulator, "/actors")) == actors - len(inside) - 2


@pytest.mark.parametrize(
    ("sent", "member"),
    [
        *[({"name": name}, "name") for name in (None, "", 5, ["Hub"])],
        ({}, "name"),
        ({"name": "Hub", "userdata": 5}, "userdata"),
        *[({"name": "Hub", "generation": generation}, "generation") for generation in (0, "1", 1.5, True, 10**9)],
    ],
)
def test_a_wrong_member_of_a_cloud_is_named(simulator: Simulator, sent: object, member: str) -> None:
    before = everything(simulator, "/clouds")
    assert details(send(simulator, "POST", "/clouds", json_body=sent)) == (400, member)
    assert everything(simulator, "/clouds") == before


def test_a_new_cloud_changes_no_tenant_that_comes_later() -> None:
    def name(*, creates: bool) -> str:
        simulator = Simulator(stories=(), tenants=1)
        if creates:
            created = body(send(simulator, "POST", "/clouds", json_body={"name": "Hub"}))["data"]
            assert is_done(send(simulator, "DELETE", f"/clouds/{created['id']}"))
        return simulator.add_tenant()

    assert name(creates=True) == name(creates=False)


def test_without_an_account_there_is_no_cloud() -> None:
    assert details(send(Simulator(tenants=0), "POST", "/clouds", json_body={"name": "Hub"}))[0] == 409


# Integrations


@serves("POST /integrations", "GET /integrations/{id}", "GET /integrations/{id}/versions", "DELETE /integrations/{id}")
def test_an_integration_is_created_and_deleted(simulator: Simulator) -> None:
    before = data(simulator, "/integrations")
    reply = send(simulator, "POST", "/integrations", json_body={"name": "new", "title": "New", "version": "0.1"})
    assert_published("integrations_ID", body(reply))
    created = body(reply)["data"]
    assert (created["name"], created["title"], created["version"]) == ("new", "New", "0.1")
    (version,) = data(simulator, f"/integrations/{created['id']}/versions")
    assert (version["version"], version["release_state"]) == ("0.1", "development")
    assert data(simulator, "/integrations", name="new") == [data(simulator, f"/integrations/{created['id']}")]
    again = send(simulator, "POST", "/integrations", json_body={"name": "new"})
    assert details(again) == (409, created["id"])
    assert is_done(send(simulator, "DELETE", f"/integrations/{created['id']}"))
    assert send(simulator, "DELETE", f"/integrations/{created['id']}").status == 404
    assert data(simulator, "/integrations") == before
    bare = body(send(simulator, "POST", "/integrations", json_body={"name": "bare"}))["data"]
    assert (bare["title"], bare["version"]) == (None, None)


@serves("PATCH /integrations/{id}", "GET /tenants")
def test_a_renamed_integration_has_its_new_name_at_its_tenants(simulator: Simulator, clock: ManualClock) -> None:
    one = integration(simulator, used=True)
    path = f"/integrations/{one['id']}"
    assert is_done(send(simulator, "PATCH", path, json_body={"name": "renamed", "version": "3.1.0"}))
    shown = data(simulator, path)
    assert (shown["name"], shown["title"], shown["version"]) == ("renamed", one["title"], "3.1.0")
    assert unix(shown["updated_at"]) == clock()
    assert data(simulator, "/tenants", integration="renamed")
    assert is_done(send(simulator, "PATCH", path, json_body={"title": None}))
    assert data(simulator, path)["title"] is None
    assert is_done(send(simulator, "PATCH", path, json_body={}))


@serves("DELETE /integrations/{id}")
def test_an_integration_with_tenants_stays(simulator: Simulator) -> None:
    one = integration(simulator, used=True)
    status, tenant_id = details(send(simulator, "DELETE", f"/integrations/{one['id']}"))
    assert (status, data(simulator, f"/tenants/{tenant_id}")["integration"]["id"]) == (409, one["id"])
    assert is_done(send(simulator, "DELETE", f"/integrations/{integration(simulator, used=False)['id']}"))


@pytest.mark.parametrize(
    ("sent", "status", "member"),
    [
        ({"name": ""}, 400, "name"),
        ({"name": None}, 400, "name"),
        ({"title": 5}, 400, "title"),
        ({"version": "no.such"}, 400, "version"),
        ({"version": 2.4}, 400, "version"),
        ({"title": "New", "name": "canopy-lms"}, 409, None),
    ],
)
def test_a_wrong_change_of_an_integration_changes_nothing(
    simulator: Simulator, sent: object, status: int, member: str | None
) -> None:
    one = data(simulator, "/integrations")[1]
    assert one["name"] != "canopy-lms"
    found = details(send(simulator, "PATCH", f"/integrations/{one['id']}", json_body=sent))
    assert found == (status, member or data(simulator, "/integrations", name="canopy-lms")[0]["id"])
    assert data(simulator, f"/integrations/{one['id']}") == one


# Versions and blueprints


@serves("POST /integrations/{id}/versions", "GET /integrations/{id}/versions")
def test_a_version_is_created(simulator: Simulator, clock: ManualClock) -> None:
    path = f"/integrations/{integration(simulator, used=True)['id']}/versions"
    before = data(simulator, path)
    sent = {"version": "4.0.0", "title": "Four", "release_state": "beta", "tasks": []}
    reply = send(simulator, "POST", path, json_body=sent)
    assert reply.status == 200
    assert_published("integrations_ID_versions", {"data": [body(reply)["data"]]})
    created = body(reply)["data"]
    assert (created["version"], created["title"], created["release_state"]) == ("4.0.0", "Four", "beta")
    assert unix(created["created_at"]) == clock()
    assert data(simulator, path) == [*before, created]
    assert details(send(simulator, "POST", path, json_body={"version": "4.0.0"})) == (409, created["id"])


@serves("PATCH /integrations/{id}/versions/{version}")
def test_a_version_is_released(simulator: Simulator) -> None:
    path = f"/integrations/{integration(simulator, used=True)['id']}/versions"
    sent = {"release_state": "released", "version": "3.0.0-rc.1"}
    assert is_done(send(simulator, "PATCH", f"{path}/3.0.0-rc.1", json_body=sent))
    states = {one["version"]: one["release_state"] for one in data(simulator, path)}
    assert states["3.0.0-rc.1"] == "released"
    assert is_done(send(simulator, "PATCH", f"{path}/3.0.0-rc.1", json_body={"title": "Three"}))
    assert "Three" in {one["title"] for one in data(simulator, path)}


@serves("DELETE /integrations/{id}/versions/{version}")
def test_a_version_that_is_used_stays(simulator: Simulator) -> None:
    one = integration(simulator, used=True)
    tenant = next(each for each in everything(simulator, "/tenants", integration=one["id"]))
    path, used = f"/integrations/{one['id']}/versions", tenant["integration"]["version"]
    assert details(send(simulator, "DELETE", f"{path}/{used}")) == (409, tenant["id"])
    unused = integration(simulator, used=False)
    assert details(send(simulator, "DELETE", f"/integrations/{unused['id']}/versions/2.4.0")) == (409, unused["id"])
    assert is_done(send(simulator, "DELETE", f"{path}/0.0.1"))
    assert send(simulator, "DELETE", f"{path}/0.0.1").status == 404
    assert "0.0.1" not in {each["version"] for each in data(simulator, path)}


@serves("PUT /integrations/{id}/versions/{version}/blueprint")
def test_a_blueprint_is_kept_whatever_its_format(simulator: Simulator, clock: ManualClock) -> None:
    one = integration(simulator, used=True)
    path = f"/integrations/{one['id']}/versions/2.4.0/blueprint"
    for blueprint in (b"<integration name='x'/>", b'{"any": "json"}', "é".encode()):
        clock.at += 1
        reply = send(simulator, "PUT", path, raw=blueprint)
        assert reply.status == 200
        assert unix(body(reply)["data"]["updated_at"]) == clock()
        (kept,) = (each for each in simulator.inventory.integrations[one["id"]].versions if each.version == "2.4.0")
        assert kept.blueprint == blueprint.decode()
    for wrong in (b"", b" \n", b"\xff\xfe"):
        assert details(send(simulator, "PUT", path, raw=wrong)) == (400, None)


@pytest.mark.parametrize(
    ("method", "version", "sent", "member"),
    [
        ("POST", "", {}, "version"),
        ("POST", "", {"version": ""}, "version"),
        ("POST", "", {"version": 4}, "version"),
        ("POST", "", {"version": "4", "release_state": "gone"}, "release_state"),
        ("PATCH", "/2.4.0", {"version": "2.4.1"}, "version"),
        ("PATCH", "/2.4.0", {"release_state": 1}, "release_state"),
        ("PATCH", "/2.4.0", {"title": []}, "title"),
    ],
)
def test_a_wrong_member_of_a_version_is_named(
    simulator: Simulator, method: str, version: str, sent: object, member: str
) -> None:
    path = f"/integrations/{integration(simulator, used=True)['id']}/versions"
    before = data(simulator, path)
    assert details(send(simulator, method, path + version, json_body=sent)) == (400, member)
    assert data(simulator, path) == before


@pytest.mark.parametrize("path", ["/versions", "/versions/2.4.0", "/versions/2.4.0/blueprint", ""])
def test_an_unknown_integration_is_not_found(simulator: Simulator, path: str) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        status = send(simulator, method, f"/integrations/{NEW_ID}{path}", json_body={"version": "1"}).status
        assert status in (404, 405)
