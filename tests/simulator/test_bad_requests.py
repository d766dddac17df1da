"""Tests that bad requests get a reply that says what is wrong, never a 500, and change nothing."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.simulator import Reply, Simulator
from exporter.simulator.bodies import parse_body
from exporter.simulator.calls import ACCOUNT, Route
from exporter.simulator.http_messages import MAX_BODY_BYTES, ApiError
from exporter.simulator.routes import ROUTES
from tests.simulator.calls import DAY, AsTenant, ManualClock, account, actor, body, data, details, moment, send

ANY_TEXT = "blueprint"
CHANGES = [route for route in ROUTES if route.methods != ("GET",)]
WITH_BODY = [one for one in CHANGES if "DELETE" not in one.methods and not one.template.endswith((ANY_TEXT, "/run"))]
NAMES = [route.name for route in WITH_BODY]
MALFORMED = {
    "empty": b"",
    "cut": b'{"hour": 1',
    "no JSON": b"hour=1",
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"5",
    "null": b"null",
    "NaN": b'{"hour": NaN}',
    "a huge number": b'{"hour": ' + b"1" * 5000 + b"}",
    "deeply nested": b"[" * 100_000 + b"]" * 100_000,
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": json.dumps({"hour": 1}).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
}


@cache
def served() -> tuple[Simulator, AsTenant, dict[str, str]]:
    """A simulator, one of its tenants, and the path of something that exists for each template."""
    clock = ManualClock()
    simulator = Simulator(now=clock, stories=(), tenants=4)
    tenant = AsTenant(simulator, simulator.tenants()[3].id)
    simulator.tenant(tenant.tenant_id).application_or_new().auth_state_pending = "updating"
    simulator.tenant(tenant.tenant_id).rollovers.plan(clock() + 3 * DAY, clock() + 4 * DAY)
    ids = {
        "/clouds": data(simulator, "/clouds")[0]["id"],
        "/integrations": data(simulator, "/integrations")[0]["id"],
        "/tenant/scoping/schools": tenant.get("/tenant/scoping/schools")[0]["school_id"],
        "/tenant/scoping/courses": tenant.get("/tenant/scoping/courses")[0]["course_id"],
        "/tenant/rollovers": tenant.get("/tenant/rollovers")[0]["id"],
        "/tenant/schedules": tenant.get("/tenant/schedules")[0]["id"],
    }
    return simulator, tenant, ids


def ask(route: Route, raw: bytes, **query: str) -> Reply:
    """Send a body to something that exists."""
    simulator, tenant, ids = served()
    path = route.template.replace("{version}", "2.4.0")
    if "{id}" in path:
        path = path.replace("{id}", ids[path.partition("/{id}")[0]])
    headers = account(simulator) if route.audience == ACCOUNT else actor(simulator, tenant.tenant_id)
    return send(simulator, route.methods[0], path, headers, raw=raw, **query)


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("route", WITH_BODY, ids=NAMES)
def test_a_body_that_is_no_json_object_is_refused(route: Route, raw: bytes) -> None:
    status, _ = details(ask(route, raw))
    assert status == 400


@pytest.mark.parametrize("raw", [b"[]", b"5", b"{", b"NaN", b"\xff"])
def test_a_run_takes_no_other_body_than_an_object(raw: bytes) -> None:
    (run,) = (one for one in CHANGES if one.template.endswith("/run"))
    assert details(ask(run, raw)) == (400, None)


@pytest.mark.parametrize("raw", [b"", b"null", b"{}", b" \n"])
def test_a_run_needs_no_body(raw: bytes) -> None:
    simulator = Simulator(stories=(), tenants=4)
    tenant = AsTenant(simulator, simulator.tenants()[3].id)
    (schedule,) = tenant.get("/tenant/schedules")
    path = f"/tenant/schedules/{schedule['id']}/run"
    assert send(simulator, "POST", path, actor(simulator, tenant.tenant_id), raw=raw).status == 204


@pytest.mark.parametrize("route", CHANGES, ids=[route.name for route in CHANGES])
def test_an_oversized_body_is_refused(route: Route) -> None:
    reply = ask(route, b"{" + b" " * MAX_BODY_BYTES + b"}")
    assert details(reply) == (413, None)


def test_the_largest_body_is_read() -> None:
    raw = b'{"a": 5' + b" " * (MAX_BODY_BYTES - 8) + b"}"
    assert len(raw) == MAX_BODY_BYTES
    assert parse_body(raw).members == {"a": 5}


def test_the_first_of_two_members_with_one_name_has_no_effect() -> None:
    assert parse_body(b'{"hour": 1, "hour": 2}').number("hour", 0, 23) == 2
    with pytest.raises(ApiError):
        parse_body(b'{"hour": 1, "hour": "x"}').number("hour", 0, 23)


MEMBERS = [
    *(
        "hour",
        "enabled",
        "name",
        "type",
        "status",
        "start_date",
        "end_date",
        "cloud_id",
        "actor_id",
        "data",
        "selected",
    ),
    *("school_id", "course_id", "keywords", "tenant_id", "auth_message", "auth_state_pending", "auth_props_pending"),
    *("title", "version", "release_state", "userdata", "generation"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["upcoming", "new_year", "confirmed", "error", "beta", "2.4.0", "", "\ud800"])
    | st.sampled_from(
        ["123e4567-e89b-12d3-a456-426614174000", "2026-09-10T00:00:00.000Z", "9999-12-31T23:59:59-12:00"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(WITH_BODY),
    st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=8),
    st.sampled_from(["", "true", "false", "x"]),
)
def test_any_object_gets_a_reply_and_the_server_goes_on(route: Route, sent: dict[str, object], replace: str) -> None:
    reply = ask(route, json.dumps(sent).encode(), replace=replace)
    assert reply.status in {200, 204, 400, 404, 409}
    if reply.status >= 400:
        details(reply)
    elif reply.status == 200:
        assert "data" in body(reply)
    simulator, tenant, _ = served()
    for path in ("/tenant/scoping/schools", "/tenant/scoping/courses", "/tenant/schedules", "/tenant/rollovers"):
        assert tenant.send("GET", path).status == 200
    assert data(simulator, "/integrations")
    assert data(simulator, "/clouds")


def test_times_that_do_not_fit_are_refused() -> None:
    for text in ("9999-12-31T23:59:59.999-12:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "20260901"):
        with pytest.raises(ApiError, match="start_date"):
            parse_body(json.dumps({"start_date": text}).encode()).moment("start_date")
    for text, expected in (("1970-01-01T00:00:00Z", 0.0), ("2026-09-01T02:00:00.1234+02:00", ManualClock().at + 0.123)):
        assert parse_body(json.dumps({"start_date": text}).encode()).moment("start_date") == expected
    assert moment(0.0) == "1970-01-01T00:00:00.000Z"
