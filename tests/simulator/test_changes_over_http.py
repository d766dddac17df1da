"""Tests calls that change things over a real socket: bodies, faults, and lists in the query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO

import aiohttp
import pytest

from exporter.simulator import Fault, Simulator, serve
from exporter.simulator.faults import ALTERED_KINDS
from exporter.simulator.http_messages import MAX_BODY_BYTES
from tests.simulator.calls import PREFIX, account, actor
from tests.support.virtual_time import run_virtual, virtual_clock

CLOUDS = PREFIX + "/clouds"
SCHEDULES = PREFIX + "/tenant/schedules"


class Client:
    """Calls of one tenant, or of the account, over HTTP."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.tenant_id = simulator.tenants()[3].id  # it needs no token
        self._session = session

    async def send(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, str]:
        """The status and the text of the reply; a body of bytes is sent as it is."""
        simulator = self.simulator
        headers = actor(simulator, self.tenant_id) if "/tenant/" in path else account(simulator)
        sent = {"data": BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        async with self._session.request(method, path, headers=headers, params=query, **sent) as response:  # type: ignore[arg-type]
            return response.status, await response.text(errors="replace")

    def hours(self) -> list[int]:
        """The hours of the tenant's schedules."""
        return [one.hour for one in self.simulator.truth(self.tenant_id).schedules]


def run_served(test: Callable[[Client], Awaitable[None]]) -> None:
    async def inside() -> None:
        simulator = Simulator(now=virtual_clock().now, stories=(), tenants=4)
        async with serve(simulator) as base_url, aiohttp.ClientSession(base_url) as session:
            await test(Client(simulator, session))

    run_virtual(inside())


def test_a_change_takes_the_credentials_of_a_read() -> None:
    async def test(client: Client) -> None:
        async with client._session.post(SCHEDULES, json={"hour": 2}) as response:
            assert response.status == 401
        async with client._session.post(SCHEDULES, json={"hour": 2}, headers=account(client.simulator)) as response:
            assert response.status == 403
        assert 2 not in client.hours()
        assert (await client.send("POST", SCHEDULES, {"hour": 2}))[0] == 200
        assert 2 in client.hours()

    run_served(test)


def test_a_body_is_limited_also_without_a_length() -> None:
    async def test(client: Client) -> None:
        largest = b'{"hour": 2}' + b" " * (MAX_BODY_BYTES - 11)
        status, text = await client.send("POST", SCHEDULES, largest + b" ")
        assert (status, '"payload_too_large"' in text, 2 in client.hours()) == (413, True, False)

        async def chunks() -> object:
            for _ in range(MAX_BODY_BYTES // 65536 + 1):
                yield b" " * 65536

        async with client._session.post(
            SCHEDULES, data=chunks(), headers=actor(client.simulator, client.tenant_id)
        ) as response:
            assert response.status == 413
        assert (await client.send("POST", SCHEDULES, largest))[0] == 200

    run_served(test)


def test_a_reply_without_content_leaves_the_connection_usable() -> None:
    async def test(client: Client) -> None:
        schedule = client.simulator.truth(client.tenant_id).schedules[0]
        assert await client.send("DELETE", f"{SCHEDULES}/{schedule.id}") == (204, "")
        assert (await client.send("DELETE", f"{SCHEDULES}/{schedule.id}"))[0] == 404
        assert client.hours() == []

    run_served(test)


@pytest.mark.parametrize("kind", ["throttle", "server_error", "html", "unauthorized", "expired_token"])
def test_a_fault_applies_instead_of_the_change(kind: str) -> None:
    async def test(client: Client) -> None:
        client.tenant_id = client.simulator.tenants()[0].id  # it has a token
        client.simulator.faults.add(Fault(kind, endpoint="/tenant/schedules", times=1))
        assert (await client.send("POST", SCHEDULES, {"hour": 2}))[0] in (401, 429, 500, 502)
        assert 2 not in client.hours()
        assert (await client.send("POST", SCHEDULES, {"hour": 2}))[0] == 200

    run_served(test)


def test_a_reply_that_is_cut_has_had_its_effect() -> None:
    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault("cut", endpoint="/tenant/schedules"))
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.send("POST", SCHEDULES, {"hour": 2})
        assert 2 in client.hours()

    run_served(test)


def test_a_change_waits_for_its_latency() -> None:
    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault("latency", seconds=200))
        before = asyncio.get_running_loop().time()
        assert (await client.send("POST", SCHEDULES, {"hour": 2}))[0] == 200
        assert asyncio.get_running_loop().time() - before >= 200
        created = client.simulator.truth(client.tenant_id).schedules[-1].created_at
        assert created == pytest.approx(client.simulator.now(), abs=1)

    run_served(test)


@pytest.mark.parametrize("kind", sorted(ALTERED_KINDS))
def test_no_altered_reply_is_an_error_of_the_server(kind: str) -> None:
    async def test(client: Client) -> None:
        schedule = client.simulator.truth(client.tenant_id).schedules[0]
        client.simulator.faults.add(Fault(kind, size=1000))
        try:
            status, _ = await client.send("DELETE", f"{SCHEDULES}/{schedule.id}")
            assert status == 204
        except aiohttp.ClientError:
            pass  # the reply can't be decoded, as the fault has it
        assert client.hours() == []

    run_served(test)


def test_a_list_in_the_query_may_be_several_parameters() -> None:
    async def test(client: Client) -> None:
        first, second = sorted({one.account_id for one in client.simulator.tenants() if one.account_id})[:2]
        path = f"{PREFIX}/tenants?accounts={first}&accounts={second}"
        status, text = await client.send("GET", path)
        assert (status, first in text, second in text) == (200, True, True)

    run_served(test)
