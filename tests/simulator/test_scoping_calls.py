"""Tests the calls that replace, append, select and delete the schools and courses that a tenant syncs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from exporter.simulator import Simulator
from tests.simulator.calls import AsTenant, assert_published, body, details, serves

SCHOOLS, COURSES = "/tenant/scoping/schools", "/tenant/scoping/courses"
KINDS = [(SCHOOLS, "school_id", "schools"), (COURSES, "course_id", "courses")]
EACH_KIND = pytest.mark.parametrize(("path", "key", "kind"), KINDS, ids=["schools", "courses"])
NEW_ID = "123e4567-e89b-12d3-a456-426614174000"
OTHER_ID = "223e4567-e89b-12d3-a456-426614174000"


def counts(tenant: AsTenant, kind: str) -> tuple[int, int]:
    """How many are selected, and how many are not."""
    truth = tenant.simulator.truth(tenant.tenant_id)
    return getattr(truth, f"{kind}_selected"), getattr(truth, f"{kind}_unselected")


@serves("POST /tenant/scoping/schools", "GET /tenant/scoping/schools/{id}")
def test_schools_are_replaced_unless_the_call_says_append(tenant: AsTenant) -> None:
    new = {
        "school_id": NEW_ID,
        "name": "PS 1",
        "local_id": "1",
        "school_ref_id": "r",
        "keywords": "k",
        "selected": True,
    }
    reply = tenant.send("POST", SCHOOLS, {"data": [new, {"name": "PS 2"}]})
    assert_published("tenant_scoping_schools_ID", body(reply))
    first = {name: body(reply)["data"][name] for name in new}
    assert first == new
    assert counts(tenant, "schools") == (1, 1)
    assert tenant.get(f"{SCHOOLS}/{NEW_ID}")["name"] == "PS 1"
    assert tenant.send("POST", SCHOOLS, {"data": [{"selected": True}]}, replace="false").status == 200
    assert counts(tenant, "schools") == (2, 1)
    assert tenant.send("POST", SCHOOLS, {"data": []}, replace="false").status == 200
    assert counts(tenant, "schools") == (2, 1)
    assert body(tenant.send("POST", SCHOOLS, {"data": []}, replace="true")) == {"data": None}
    assert counts(tenant, "schools") == (0, 0)


@serves("POST /tenant/scoping/courses", "GET /tenant/scoping/courses/{id}")
def test_courses_are_replaced_unless_the_call_says_append(tenant: AsTenant) -> None:
    school = tenant.get(SCHOOLS)[0]
    new = {"course_id": NEW_ID, "name": "Biology", "school_id": school["school_id"], "selected": True}
    reply = tenant.send("POST", COURSES, {"data": [new]})
    assert_published("tenant_scoping_courses_ID", body(reply))
    assert {name: tenant.get(f"{COURSES}/{NEW_ID}")[name] for name in new} == new
    assert counts(tenant, "courses") == (1, 0)
    assert tenant.send("POST", COURSES, {"data": [{}, {"name": None}]}, replace="false").status == 200
    assert counts(tenant, "courses") == (1, 2)


@serves("PUT /tenant/scoping/schools/{id}")
def test_a_school_is_selected(tenant: AsTenant) -> None:
    school = next(one for one in tenant.get(SCHOOLS) if one["selected"])
    selected, unselected = counts(tenant, "schools")
    reply = tenant.send("PUT", f"{SCHOOLS}/{school['school_id']}", {"selected": False})
    assert_published("tenant_scoping_schools_ID", body(reply))
    assert body(reply)["data"] == {**school, "selected": False}
    assert counts(tenant, "schools") == (selected - 1, unselected + 1)
    everything = {**school, "name": "New", "keywords": None, "school_ref_id": "other"}
    assert body(tenant.send("PUT", f"{SCHOOLS}/{school['school_id']}", everything))["data"] == everything


@serves("PUT /tenant/scoping/courses/{id}")
def test_a_course_is_selected(tenant: AsTenant) -> None:
    course = next(one for one in tenant.get(COURSES) if not one["selected"])
    selected, unselected = counts(tenant, "courses")
    reply = tenant.send("PUT", f"{COURSES}/{course['course_id']}", {"selected": True, "school_id": None})
    assert_published("tenant_scoping_courses_ID", body(reply))
    assert body(reply)["data"] == {**course, "selected": True, "school_id": None}
    assert counts(tenant, "courses") == (selected + 1, unselected - 1)


@serves("DELETE /tenant/scoping/schools/{id}", "DELETE /tenant/scoping/schools")
def test_schools_are_deleted_and_their_courses_stay(tenant: AsTenant) -> None:
    courses = tenant.get(COURSES)
    first, *others = tenant.get(SCHOOLS)
    reply = tenant.send("DELETE", f"{SCHOOLS}/{first['school_id']}")
    assert (reply.status, reply.body) == (204, b"")
    assert tenant.get(SCHOOLS) == others
    assert tenant.send("DELETE", f"{SCHOOLS}/{first['school_id']}").status == 404
    assert tenant.send("DELETE", SCHOOLS).status == 204
    assert (tenant.get(SCHOOLS), tenant.get(COURSES)) == ([], courses)


@serves("DELETE /tenant/scoping/courses/{id}", "DELETE /tenant/scoping/courses")
def test_courses_are_deleted(tenant: AsTenant) -> None:
    first, *others = tenant.get(COURSES)
    assert tenant.send("DELETE", f"{COURSES}/{first['course_id']}").status == 204
    assert tenant.get(COURSES) == others
    assert tenant.send("DELETE", COURSES).status == 204
    assert tenant.get(COURSES) == []


@EACH_KIND
def test_an_id_that_exists_is_a_conflict_and_changes_nothing(tenant: AsTenant, path: str, key: str, kind: str) -> None:
    before = tenant.get(path)
    known = before[-1][key]
    appended = tenant.send("POST", path, {"data": [{}, {key: known}]}, replace="false")
    twice = tenant.send("POST", path, {"data": [{key: NEW_ID}, {key: NEW_ID.upper()}]})
    assert [details(reply) for reply in (appended, twice)] == [(409, known), (409, NEW_ID)]
    assert tenant.get(path) == before
    assert tenant.send("POST", path, {"data": [{key: known}]}).status == 200
    assert sum(counts(tenant, kind)) == 1


@EACH_KIND
@pytest.mark.parametrize(
    ("one", "member"),
    [
        ({"selected": "yes"}, "selected"),
        ({"name": 5}, "name"),
        ({"keywords": ["k"]}, "keywords"),
        ({"local_id": "x" * 1001}, "local_id"),
        ({"tenant_id": OTHER_ID}, "tenant_id"),
        ({"account_id": OTHER_ID}, "account_id"),
        ({"tenant_id": "me"}, "tenant_id"),
        ({"school_id": 1}, "school_id"),
        ({"school_ref_id": 1}, "school_ref_id"),
    ],
)
def test_a_wrong_member_is_named_and_changes_nothing(
    tenant: AsTenant, path: str, key: str, *, kind: str, one: dict[str, Any], member: str
) -> None:
    before = tenant.get(path)
    # What is right comes first: not even that may have an effect.
    sent = {"name": "New", "selected": True, **one}
    assert details(tenant.send("POST", path, {"data": [{}, sent]})) == (400, f"data[1].{member}")
    assert details(tenant.send("PUT", f"{path}/{before[0][key]}", sent)) == (400, member)
    assert details(tenant.send("PUT", f"{path}/{before[0][key]}", {key: OTHER_ID})) == (400, key)
    assert tenant.get(path) == before
    assert sum(counts(tenant, kind)) == len(before)


@EACH_KIND
@pytest.mark.parametrize(
    ("sent", "member"),
    [({}, "data"), ({"data": None}, "data"), ({"data": {}}, "data"), ({"data": [{}, 5]}, "data[1]")],
)
def test_a_bulk_request_needs_a_list_of_objects(
    tenant: AsTenant, path: str, key: str, *, kind: str, sent: object, member: str
) -> None:
    assert details(tenant.send("POST", path, sent)) == (400, member)
    assert details(tenant.send("POST", path, {"data": []}, replace="perhaps")) == (400, "replace")
    assert sum(counts(tenant, kind)) > 0
    assert key in tenant.get(path)[0]


def test_made_up_ids_differ(tenant: AsTenant) -> None:
    tenant.send("POST", SCHOOLS, {"data": [{}, {}]})
    tenant.send("POST", SCHOOLS, {"data": [{}]}, replace="false")
    assert len({UUID(one["school_id"]) for one in tenant.get(SCHOOLS)}) == 3


@EACH_KIND
def test_a_tenant_without_an_application_has_no_scoping_to_change(path: str, key: str, kind: str) -> None:
    simulator = Simulator(stories=(), tenants=25)
    refused = set()
    for number in (15, 20):
        tenant = AsTenant(simulator, simulator.tenants()[number].id)
        refused |= {tenant.send(method, path, {"data": []}).status for method in ("GET", "POST", "DELETE")}
        refused |= {tenant.send(method, f"{path}/{NEW_ID}", {key: None}).status for method in ("GET", "PUT", "DELETE")}
        assert sum(counts(tenant, kind)) == 0
    assert refused == {403, 404}
