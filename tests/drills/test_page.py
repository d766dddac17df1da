"""Tests the page of drills: what it shows, and that no other site can begin a drill."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.clock import Clock
from exporter.drills import DRILLS, NOT_POSSIBLE, AlertState, CalmFleet, Drills, Places, serve
from exporter.shards import Shard
from exporter.status import DiscoveryStatus, Problem, Status, TenantStatus

NAME = "<script>alert(1)</script>"
JSON = {"Content-Type": "application/json"}


class Exporter:
    """The snapshot of an exporter, with the problems that a test gives it."""

    def __init__(self) -> None:
        self.tenants: tuple[TenantStatus, ...] = ()

    def status(self) -> Status:
        discovery = DiscoveryStatus(ok=True, shard=Shard())
        return Status("1", "http://127.0.0.1", 0, 0, True, True, discovery, (), 3, (), (), self.tenants)  # noqa: FBT003


@dataclass
class Site:
    """A page of drills, and a client of it."""

    url: str
    session: aiohttp.ClientSession
    drills: Drills
    exporter: Exporter
    alerts: list[AlertState]
    ready: asyncio.Event

    async def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        async with self.session.get(self.url + path, headers=headers) as reply:
            return reply.status, await reply.text()

    async def post(self, path: str, data: Any, **headers: str) -> tuple[int, str]:
        async with self.session.post(self.url + path, data=data, headers=headers, allow_redirects=False) as reply:
            return reply.status, await reply.text()

    async def token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', (await self.get())[1])
        assert found
        return found[1]


@asynccontextmanager
async def site(*, prometheus: bool = True) -> AsyncIterator[Site]:
    fleet = CalmFleet(3, 1, Clock())
    for tenant in fleet.simulator.tenants():
        fleet.simulator.rename(tenant.id, NAME)
    alerts: list[AlertState] = []

    async def ask() -> list[AlertState]:
        return alerts

    exporter, ready = Exporter(), asyncio.Event()
    ready.set()
    drills = Drills(fleet, Clock(), exporter.status, ask if prometheus else None, ready.is_set)
    places = Places("http://127.0.0.1:1", "http://127.0.0.1:2" if prometheus else "")
    async with serve(drills, places) as url, aiohttp.ClientSession() as session:
        yield Site(url, session, drills, exporter, alerts, ready)


def visit(check: Callable[[Site], Awaitable[None]], *, prometheus: bool = True) -> None:
    async def run() -> None:
        async with site(prometheus=prometheus) as one:
            await check(one)

    asyncio.run(run())


def test_the_page_lists_all_drills_and_says_which_are_not_possible() -> None:
    async def check(one: Site) -> None:
        status, text = await one.get()
        assert status == 200
        assert all(f'<button aria-label="Begin {name}">' in text for name in DRILLS)
        assert all(name in text for name in NOT_POSSIBLE)
        assert "ingestion_stalled is 90 s instead of 6 h" in text
        assert "<script" not in text

    visit(check)


def test_a_form_begins_a_drill_and_another_ends_it() -> None:
    async def check(one: Site) -> None:
        form = {"token": await one.token(), "name": "stalled"}
        assert (await one.post("/begin", form))[0] == 303
        (run,) = one.drills.active()
        _, text = await one.get()
        assert "stalled: alert not pending yet" in text
        one.alerts.append(AlertState("KimonoIngestionStalled", next(iter(run.ids)), "critical", "firing"))
        one.exporter.tenants = (
            TenantStatus(next(iter(run.ids)), NAME, "", "", "", (), (), (Problem("stalled", "critical", 1.0),)),
        )
        one.drills.observe([run], one.alerts)
        _, text = await one.get()
        assert "stalled: alert firing" in text
        assert "the exporter&#39;s status shows the problem" in text
        assert "End stalled" in text
        assert (await one.post("/end", form))[0] == 303
        assert not one.drills.active()
        one.drills.observe([run], [])
        assert "stalled: alert resolved" in (await one.get())[1]

    visit(check)


def test_a_name_of_a_tenant_is_shown_as_text() -> None:
    async def check(one: Site) -> None:
        one.drills.begin("stalled")
        _, text = await one.get()
        assert NAME not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text

    visit(check)


def test_without_prometheus_the_page_says_so() -> None:
    async def check(one: Site) -> None:
        one.drills.begin("stalled")
        _, text = await one.get()
        assert "There is no Prometheus in this demo" in text

    visit(check, prometheus=False)


def test_what_can_not_be_done_is_said_on_the_page() -> None:
    async def check(one: Site) -> None:
        token = await one.token()
        status, text = await one.post("/begin", {"token": token, "name": "stald"})
        assert (status, "did you mean stalled?" in text) == (404, True)
        status, text = await one.post("/end", {"token": token, "name": "stalled"})
        assert (status, "not active" in text) == (409, True)

    visit(check)


def test_no_drill_begins_before_the_demo_is_ready() -> None:
    async def check(one: Site) -> None:
        one.ready.clear()
        error = "the demo is not ready yet: try again in some seconds"
        status, text = await one.post("/begin", {"token": await one.token(), "name": "stalled"})
        assert (status, error in text) == (409, True)
        status, text = await one.post("/api/begin", json.dumps({"name": "stalled"}), **JSON)
        assert (status, json.loads(text)) == (409, {"error": error})
        assert json.loads((await one.get("/api/drills"))[1])["ready"] is False
        assert not one.drills.runs

    visit(check)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "127.0.0.1.attacker.example:80"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/begin", "/api/begin"])
def test_a_request_from_another_site_begins_nothing(path: str, headers: dict[str, str]) -> None:
    async def check(one: Site) -> None:
        form = {"token": await one.token(), "name": "stalled"}
        data, kind = (json.dumps(form), JSON) if path.startswith("/api") else (form, {})
        assert (await one.post(path, data, **{**kind, **headers}))[0] == 403
        assert not one.drills.runs
        own = {"Origin": one.url, "Sec-Fetch-Site": "same-origin"}
        assert (await one.post(path, data, **{**kind, **own}))[0] in (200, 303)

    visit(check)


def test_no_other_host_reads_the_page() -> None:
    async def check(one: Site) -> None:
        assert (await one.get(Host="attacker.example"))[0] == 403
        assert (await one.get("/api/drills", Host="attacker.example"))[0] == 403
        assert (await one.get(Host="localhost:80"))[0] == 200

    visit(check)


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_form_without_the_token_begins_nothing(token: str) -> None:
    async def check(one: Site) -> None:
        assert (await one.post("/begin", {"token": token, "name": "stalled"}))[0] == 403
        assert not one.drills.runs

    visit(check)


def test_json_needs_its_content_type_which_a_form_can_not_send() -> None:
    async def check(one: Site) -> None:
        body = json.dumps({"name": "stalled"})
        assert (await one.post("/api/begin", body, **{"Content-Type": "text/plain"}))[0] == 415
        assert (await one.post("/api/begin", "{", **JSON))[0] == 400
        assert (await one.post("/api/begin", "[" * 4000, **JSON))[0] == 400
        assert (await one.post("/api/begin", "[]", **JSON))[0] == 404
        assert (await one.post("/api/begin", '{"name": 7}', **JSON))[0] == 404
        assert not one.drills.runs
        status, text = await one.post("/api/begin", body, **JSON)
        assert status == 200
        (run,) = json.loads(text)["runs"]
        assert run["drill"]["alert"] == "KimonoIngestionStalled"
        assert (await one.post("/api/begin", body, **JSON))[0] == 409

    visit(check)


def test_the_headers_allow_no_script_and_no_frame() -> None:
    async def check(one: Site) -> None:
        async with one.session.get(one.url) as reply:
            policy = reply.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "form-action 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert reply.headers["X-Content-Type-Options"] == "nosniff"

    visit(check)


def test_no_secret_is_on_the_page_nor_in_the_json() -> None:
    async def check(one: Site) -> None:
        one.drills.begin("credentials_rejected")
        for path in ("/", "/api/drills"):
            assert "S3CR3T" not in (await one.get(path))[1]

    visit(check)


def test_the_template_has_no_script() -> None:
    template = Path(__file__).parents[2] / "exporter/drills/page.html"
    assert not re.search(r"<script|\bon\w+=|javascript:", template.read_text())
