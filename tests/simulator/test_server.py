"""Tests that the server sends the simulator's replies over a real socket, and applies wire faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from exporter.simulator import Fault, Simulator, serve
from tests.simulator.calls import FORM, PREFIX, account, call
from tests.support.virtual_time import run_virtual, virtual_clock

SocketTest = Callable[[Simulator, aiohttp.ClientSession, str], Awaitable[None]]


def run_served(test: SocketTest, **options: bool) -> None:
    """Run a test against a served simulator on virtual time."""

    async def inside() -> None:
        simulator = Simulator(now=virtual_clock().now, stories=(), **options)
        async with serve(simulator) as base_url, aiohttp.ClientSession(base_url) as session:
            await test(simulator, session, PREFIX + "/tenants")

    run_virtual(inside())


def test_a_served_reply_equals_the_simulators() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        async with session.get(path, params={"page_size": "3"}, headers=account(simulator)) as response:
            expected = call(simulator, "/tenants", page_size="3")
            assert (response.status, await response.read()) == (expected.status, expected.body)
            assert response.content_type == "application/json"
        logged = simulator.requests[0]
        assert (logged.path, logged.query, logged.scheme) == (path, {"page_size": "3"}, "Basic")

    run_served(test, record=True)


def test_a_token_is_issued_and_used() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, _: str) -> None:
        tenant = simulator.tenants()[0]
        form = {
            "grant_type": "client_credentials",
            "client_id": tenant.credentials.client_id,
            "client_secret": tenant.credentials.client_secret,
        }
        async with session.post("/oauth/token", data=form) as response:
            assert response.request_info.headers["Content-Type"] == FORM
            token = (await response.json())["access_token"]
        async with session.get(PREFIX + "/tenant", headers={"Authorization": f"Bearer {token}"}) as response:
            assert (await response.json())["data"]["id"] == tenant.id

    run_served(test)


def test_other_faults_apply_after_a_latency() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("latency", seconds=20))
        simulator.faults.add(Fault("throttle", retry_after=3))
        before = asyncio.get_running_loop().time()
        async with session.get(path, headers=account(simulator)) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "3")
        assert asyncio.get_running_loop().time() - before >= 20

    run_served(test)


def test_a_hanging_request_never_ends() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("hang", times=1))
        with pytest.raises(TimeoutError):
            await session.get(path, timeout=aiohttp.ClientTimeout(total=3600))
        async with session.get(path, headers=account(simulator)) as response:
            assert response.status == 200

    run_served(test)


def test_a_server_stops_while_requests_hang() -> None:
    async def inside() -> float:
        loop = asyncio.get_running_loop()
        simulator = Simulator(now=virtual_clock().now, tenants=1)
        simulator.faults.add(Fault("latency"))
        simulator.faults.add(Fault("hang"))
        arrived = asyncio.Event()

        async def set_arrived(_: float) -> None:
            arrived.set()

        async with aiohttp.ClientSession() as session:
            async with serve(simulator, sleep=set_arrived) as base_url:
                hanging = asyncio.create_task(session.get(base_url))
                await arrived.wait()
                before = loop.time()
            with pytest.raises(aiohttp.ClientError):
                await hanging
            return loop.time() - before

    assert run_virtual(inside()) < 5


def test_a_reset_is_a_reset() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("reset"))
        with pytest.raises((ConnectionResetError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
            await session.get(path)

    run_served(test)


def test_a_cut_reply_is_shorter_than_its_content_length() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("cut"))
        response = await session.get(path, headers=account(simulator))
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    run_served(test)


def test_a_huge_reply_has_its_size() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("huge", size=1_000_000))
        async with session.get(path) as response:
            assert response.headers.get("Content-Length") is None
            assert len(json.loads(await response.read())["data"]) == 1_000_000

    run_served(test)


def test_a_gzip_bomb_is_small_until_it_is_unpacked() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("gzip_bomb", size=5_000_000))
        async with session.get(path) as response:
            assert int(response.headers["Content-Length"]) < 20_000
            assert len(json.loads(await response.read())["data"]) == 5_000_000

    run_served(test)


def test_a_redirect_is_served() -> None:
    async def test(simulator: Simulator, session: aiohttp.ClientSession, path: str) -> None:
        simulator.faults.add(Fault("redirect", location="http://elsewhere.invalid/"))
        async with session.get(path, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "http://elsewhere.invalid/")

    run_served(test)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_serves_on_the_host_that_was_asked_for(host: str) -> None:
    async def inside() -> str:
        try:
            async with serve(Simulator(tenants=1), host) as base_url, aiohttp.ClientSession() as session:
                async with session.get(base_url) as response:
                    assert response.status == 404
                return base_url
        except OSError:
            return f"no {host} here"

    assert host in asyncio.run(inside())
