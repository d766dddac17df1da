"""Tests that the server listens on the configured addresses, and stops when asked to."""

from __future__ import annotations

import asyncio
import errno
import socket
import time

import aiohttp
import pytest

from exporter.web import create_app, server, start
from tests.web.serving import SCRAPE, FakeSource, raw_connection, serving


async def ready(address: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(address + "/-/ready") as response:
        return response.status


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@needs_ipv6
@pytest.mark.parametrize("host", [None, "", "::"])
def test_all_addresses_are_those_of_both_families(host: str | None) -> None:
    async def scenario() -> None:
        running = await start(create_app(FakeSource()), host, 0, None)
        (address,) = running.addresses
        port = address.removeprefix("http://[::]:")
        assert await ready(f"http://127.0.0.1:{port}") == 200
        assert await ready(f"http://[::1]:{port}") == 200
        await running.stop()

    asyncio.run(scenario())


def test_all_addresses_are_those_of_ipv4_where_there_is_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.create_server

    def create_server(address: tuple[str, int], **options: object) -> socket.socket:
        if address[0] == "::":
            raise OSError(97, "Address family not supported by protocol")
        return original(address, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_server", create_server)

    async def scenario() -> None:
        running = await start(create_app(FakeSource()), None, 0, None)
        (address,) = running.addresses
        assert address.startswith("http://0.0.0.0:")
        assert await ready(address.replace("//0.0.0.0", "//127.0.0.1")) == 200
        await running.stop()
        with pytest.raises(OSError, match="not supported"):
            await start(create_app(FakeSource()), "::", 0, None)

    asyncio.run(scenario())


@needs_ipv6
def test_an_ipv6_address_stands_in_brackets() -> None:
    async def scenario() -> None:
        running = await start(create_app(FakeSource()), "::1", 0, None)
        (address,) = running.addresses
        assert address.startswith("http://[::1]:")
        assert await ready(address) == 200
        await running.stop()

    asyncio.run(scenario())


def test_every_address_of_a_name_answers_on_one_port() -> None:
    async def scenario() -> None:
        running = await start(create_app(FakeSource()), "localhost", 0, None)
        assert len({address.rpartition(":")[2] for address in running.addresses}) == 1
        assert [await ready(address) for address in running.addresses] == [200] * len(running.addresses)
        await running.stop()

    asyncio.run(scenario())


def test_a_name_is_served_on_the_addresses_that_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.create_server

    async def resolve(*_args: object, **_options: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]

    def create_server(address: tuple[str, int], **options: object) -> socket.socket:
        if address[0] == "::1":
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return original(address, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_server", create_server)

    async def scenario() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        sockets = await server._bind("localhost", 0)
        assert [each.getsockname()[0] for each in sockets] == ["127.0.0.1"]
        sockets[0].close()

    asyncio.run(scenario())


def test_nothing_stays_bound_when_one_of_the_addresses_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (2, 1)]

    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
            with pytest.raises(OSError, match="in use"):
                await server._bind("two-addresses", port)
            socket.create_server(("127.0.0.2", port)).close()

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", None])
def test_a_port_that_is_taken_is_an_os_error(host: str | None) -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                await start(create_app(FakeSource()), host, port, None)

    asyncio.run(scenario())


def test_a_host_that_there_is_not_is_an_os_error() -> None:
    async def scenario() -> None:
        with pytest.raises(OSError):  # noqa: PT011 - the text is the resolver's
            await start(create_app(FakeSource()), "not a host", 0, None)

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [b"", b"GET /metr", SCRAPE])
def test_stopping_takes_less_than_two_seconds_whatever_clients_do(sent: bytes) -> None:
    async def scenario() -> None:
        source = FakeSource(pieces=[b"x" * 40_000_000])
        running = await start(create_app(source), "127.0.0.1", 0, None)
        (address,) = running.addresses
        async with raw_connection(running, sent) as reader:
            if sent == SCRAPE:
                await reader.readuntil(b"\r\n\r\n")
            begun = time.monotonic()
            await running.stop()
            assert time.monotonic() - begun < 2.0
        with pytest.raises(aiohttp.ClientConnectorError):
            await ready(address)

    asyncio.run(scenario())
