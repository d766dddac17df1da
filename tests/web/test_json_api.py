"""Tests that the JSON replies are as docs/json-api.md says, member by member, and that both need the same access."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from exporter.issues import KINDS
from exporter.shards import Shard
from exporter.status import DiscoveryStatus, FleetProblem
from exporter.tenant_details import RolloverDetails, ScheduleDetails
from exporter.web.access import AccessRules
from exporter.web.passwords import Passwords
from exporter.web.query import Query
from exporter.web.verifier import Verifier
from tests.web.fleets import details, fails, fleet, problem, tenant
from tests.web.serving import CALM, HASHED, NOW, PASSWORD, FakeSource, serving

DOCUMENT = (Path(__file__).parents[2] / "docs" / "json-api.md").read_text("utf-8")
_ROW = re.compile(r"^\| `(\w+)` \| ([\w ]+) \| (yes|no) \| (.+) \|$", re.MULTILINE)
_TYPES = {"text": str, "number": (int, float), "boolean": bool, "object": dict, "list of objects": list}
_TYPES |= {"list of text": list}

Members = dict[str, tuple[str, bool]]


def documented() -> dict[str, Members]:
    """For each object, the type of each member and whether it may be null."""
    sections = re.split(r"^##+ (?=/api/)", DOCUMENT, flags=re.MULTILINE)[1:]
    return {
        each.partition("\n")[0]: {name: (kind, null == "yes") for name, kind, null, _ in _ROW.findall(each)}
        for each in sections
    }


OAK = tenant("Oak", problem(), problem("credentials_rejected", "warning"), fails(), fails("rollovers", "timeout"))
BARE = tenant("Elm", fails(reason="a new reason"), account="", integration="")
DISTRICT = tuple(tenant(f"School {each:02}", problem(), account=f"District {each % 2}") for each in range(70))
SOURCES = {
    "in trouble": FakeSource(
        snapshot=replace(
            fleet(OAK, BARE, *DISTRICT, more=3, problems=(FleetProblem("overdue", 71, NOW - 5),)),
            discovery=DiscoveryStatus(False, NOW - 9, "auth", "HTTP 401", Shard(1, 3), 7),  # noqa: FBT003 - not ok
        ),
        known={"1": details(OAK, 2)},
    ),
    "with as little as there may be": FakeSource(
        snapshot=replace(CALM, discovery=DiscoveryStatus(), working=(replace(BARE, id="2", name="2", failures=()),)),
        known={
            "1": replace(
                details(BARE, 0),
                **dict.fromkeys(("flags", "ingestions", "schedules", "rollovers", "application")),
                **dict.fromkeys(("account_id", "cloud_id", "cloud_name")),
                **dict.fromkeys(("credentials_updated_at", "last_paused", "last_run")),
            )
        },
    ),
}


def get(source: FakeSource, path: str, status: int = 200) -> Any:
    async def fetch() -> Any:
        async with serving(source) as (client, _), client.get(path) as response:
            assert response.status == status
            assert response.headers["Content-Type"] == "application/json; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-store"
            return json.loads(await response.read())

    return asyncio.run(fetch())


def objects(name: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All objects of a reply, with the heading under which the document describes them."""
    if isinstance(value, dict):
        yield name, value
        for member, inner in value.items():
            if member != "filters":
                yield from objects(f"{name} {member}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(name, inner)


def described(name: str) -> str:
    """Objects that have the same members are described once."""
    name = name.replace("groups accounts", "groups integrations")
    return name if name in documented() else re.sub(r"(ingestions \w+|schedules|rollovers)$", "flags", name)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("path", ["/api/status?q=", "/api/status?show=all&page=2", "/api/tenants/1", "/api/status?q=2"])
def test_each_member_is_documented_with_its_type_and_whether_it_may_be_null(name: str, path: str) -> None:
    reply = get(SOURCES[name], path)
    heading = "/api/status" if "status" in path else "/api/tenants/ID"
    for place, members in objects(heading, reply):
        expected = documented()[described(place)]
        assert set(members) == set(expected), place
        for member, value in members.items():
            kind, nullable = expected[member]
            assert (value is None and nullable) or isinstance(value, _TYPES[kind]), (place, member, value)
            assert kind == "boolean" or not isinstance(value, bool), (place, member)


def test_every_object_of_the_document_is_in_a_reply() -> None:
    found = set()
    for path, heading in [("/api/status?show=all", "/api/status"), ("/api/tenants/1", "/api/tenants/ID")]:
        found |= {described(place) for place, _ in objects(heading, get(SOURCES["in trouble"], path))}
    assert found == set(documented())


def test_every_parameter_and_problem_is_documented() -> None:
    parameters = DOCUMENT.partition("## Parameters")[2].partition("## /api")[0]
    for each in fields(Query):
        assert f"`{each.name}`" in parameters
    assert re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", parameters, re.MULTILINE)[-len(KINDS) :] == list(KINDS.items())


def test_members_of_schedules_and_rollovers_are_those_of_their_classes() -> None:
    for name, kind in (("schedules", ScheduleDetails), ("rollovers", RolloverDetails)):
        assert list(documented()[f"/api/tenants/ID {name} entries"]) == [each.name for each in fields(kind)]


def test_filters_and_pages_are_those_of_the_page_and_issues_are_not_grouped() -> None:
    source = SOURCES["in trouble"]
    reply = get(source, "/api/status?problem=overdue&page=2")
    assert (reply["total"], reply["page"], reply["pages"], reply["page_size"]) == (71, 2, 2, 50)
    assert len(reply["issues"]) == 21
    assert reply["filters"] == {"problem": "overdue"}
    assert {each["problem"] for each in reply["issues"]} == {"overdue"}
    assert get(source, "/api/status")["total"] == 74
    (group,) = reply["groups"]
    assert (group["problem"], group["tenants"], group["accounts"][0]) == (
        *("overdue", 71),
        {"name": "District 0", "tenants": 35},
    )


def test_errors_are_json_too() -> None:
    assert "unknown value" in get(FakeSource(), "/api/status?problem=x", 400)["error"]
    assert "no tenant" in get(FakeSource(), "/api/tenants/x", 404)["error"]


@pytest.mark.parametrize("path", ["/", "/tenants/1", "/api/status", "/api/tenants/1", "/?x=1", "/tenants/x"])
def test_all_pages_need_the_password_that_the_metrics_need(path: str) -> None:
    rules = AccessRules(passwords=Passwords({"alice": HASHED}, Verifier()))

    async def scenario() -> None:
        async with serving(SOURCES["in trouble"], lambda: rules) as (client, _):
            async with client.get(path) as response:
                assert response.status == 401
                assert b"Oak" not in await response.read()
            basic = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
            async with client.get(path, headers={"Authorization": f"Basic {basic}"}) as response:
                assert response.status in (200, 400, 404)

    asyncio.run(scenario())
