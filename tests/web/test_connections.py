"""Tests the limits on connections: however many there are, and whatever they do, a scrape is answered in time."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import structlog

from exporter.web import AccessRules, RunningServer, limits, listener, load_access_rules, server
from exporter.web.connections import Connections, client_of, connection_limit
from exporter.web.notices import Notices
from tests.support.virtual_time import run_virtual
from tests.web.conftest import MakeCertificate
from tests.web.serving import SCRAPE, FakeSource, raw_connection, serving

MANY = 40
LIMIT = 16
PROMETHEUS_TIMEOUT = 10.0


@pytest.fixture(autouse=True)
def few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "connection_limit", lambda: LIMIT)


def now() -> float:
    return asyncio.get_running_loop().time()


async def closed(reader: asyncio.StreamReader) -> float:
    """The time at which the server closes the connection; everything that it sends before is dropped."""
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    return now()


async def scrape(running: RunningServer) -> float:
    """The seconds that a scrape takes on a connection of its own."""
    begun = now()
    async with aiohttp.ClientSession(running.addresses[0]) as client, client.get("/metrics") as response:
        assert response.status == 200
        await response.read()
    return now() - begun


# Requests that never end

NEVER_ENDING = {
    "nothing": b"",
    "half a line": b"GET /metr",
    "half a header": b"GET /metrics HTTP/1.1\r\nHost: local",
    "no end of the headers": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n",
    "line feeds": b"\r\n\r\n",
    "half a body": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
    "half a chunk": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
    "no body": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
    "a request and a half": SCRAPE + b"GET /metrics HTTP/1.1\r\n",
}


@pytest.mark.parametrize("sent", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_a_request_that_never_ends_is_closed_after_ten_seconds(sent: bytes) -> None:
    async def scenario() -> None:
        async with serving() as (_, running), raw_connection(running, sent) as reader:
            assert await closed(reader) <= limits.REQUEST_SECONDS + 0.1

    run_virtual(scenario())


def test_a_byte_now_and_then_does_not_prolong_a_request() -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            ending = asyncio.create_task(closed(reader))
            for letter in SCRAPE:
                writer.write(bytes([letter]))
                await asyncio.sleep(1)
                if ending.done():
                    break
            assert await ending == pytest.approx(limits.REQUEST_SECONDS, abs=0.1)
            writer.transport.abort()

    run_virtual(scenario())


def test_a_later_request_on_a_connection_has_ten_seconds_as_well() -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(SCRAPE)
            await reader.readuntil(b"kimono_up 1\n")
            await asyncio.sleep(60)
            writer.write(b"GET /metr")
            assert await closed(reader) == pytest.approx(60 + limits.REQUEST_SECONDS, abs=0.1)
            writer.transport.abort()

    run_virtual(scenario())


@pytest.mark.parametrize("interval", [15, 60, 120])
def test_scrapes_reuse_their_connection(interval: float) -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(5):
                writer.write(SCRAPE)
                await reader.readuntil(b"kimono_up 1\n")
                await asyncio.sleep(interval)
            before = now()
            assert await closed(reader) - before == pytest.approx(limits.IDLE_SECONDS - interval, abs=0.1)
            writer.transport.abort()

    run_virtual(scenario())


# Many connections


@asynccontextmanager
async def held(
    running: RunningServer, count: int, sent: bytes, client: str = "127.0.0.1"
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that have sent something and do not read."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(raw_connection(running, sent, client)) for _ in range(count)]


@pytest.mark.parametrize("sent", [*NEVER_ENDING.values(), SCRAPE], ids=[*NEVER_ENDING, "a whole request"])
def test_a_scrape_is_answered_at_once_however_many_connections_there_are(sent: bytes) -> None:
    async def scenario() -> None:
        async with serving() as (_, running), held(running, MANY, sent):
            assert await scrape(running) < 3
            assert len(running._connections) <= LIMIT

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    events = {entry["event"] for entry in logs if entry["log_level"] != "debug"}
    assert events == {"too many connections: closed others for new ones"}


def test_a_scraper_keeps_its_connection_while_those_of_another_address_come_and_go() -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                writer.write(SCRAPE)
                await reader.readuntil(b"kimono_up 1\n")
                async with held(running, MANY, b"GET /metr", "127.0.0.2"):
                    await asyncio.sleep(5)
            writer.transport.abort()

    run_virtual(scenario())


def test_the_log_says_once_a_minute_how_often_it_happened() -> None:
    async def scenario() -> None:
        async with serving() as (_, running):
            for _ in range(3):
                async with held(running, LIMIT + 10, b"GET /metr"):
                    await asyncio.sleep(limits.REQUEST_SECONDS + 1)
            await asyncio.sleep(3 * limits.NOTICE_SECONDS)

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    full = "too many connections: closed others for new ones"
    overdue = "closed connections whose requests did not end in time"
    found = [(entry["event"], "times" in entry) for entry in logs if entry["log_level"] != "debug"]
    assert found == [(full, False), (overdue, False), (full, True), (overdue, True)]


def test_no_file_descriptors_left_is_one_message_and_connections_are_closed_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = socket.socket.accept
    failures = iter([errno.EMFILE, errno.ENFILE, errno.ENOBUFS])

    def accept(listening: socket.socket) -> tuple[socket.socket, object]:
        number = next(failures, None)
        if number is not None:
            raise OSError(number, "none left")
        return original(listening)

    async def scenario() -> None:
        async with serving() as (_, running), held(running, 5, b"GET /metr"):
            await asyncio.sleep(0.1)  # until they are accepted
            assert len(running._connections) == 5
            await asyncio.sleep(limits.SHORTEST_SECONDS)
            monkeypatch.setattr(socket.socket, "accept", accept)
            assert await scrape(running) < 4 * listener.PAUSE_SECONDS
            assert next(failures, None) is None
            assert len(running._connections) <= 1

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    events = {entry["event"] for entry in logs if entry["log_level"] != "debug"}
    assert events == {"can't accept connections: no file descriptors left"}


# Which connection is closed for another


class FakeConnection:
    def __init__(self, client: str, state: int, since: float) -> None:
        self.client = client
        self.worth = (state, since)
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


@pytest.mark.parametrize(
    ("connections", "dropped"),
    [
        ([("a", 0, 1), ("a", 0, 2), ("a", 0, 3)], 0),
        ([("a", 0, 3), ("a", 0, 1), ("a", 0, 2)], 1),
        ([("a", 1, 1), ("a", 0, 9), ("a", 2, 1)], 1),
        ([("a", 2, 1), ("a", 2, 9), ("a", 1, 99)], 2),
        ([("prometheus", 0, 1), ("a", 2, 2), ("a", 2, 3)], 1),
        ([("prometheus", 0, 1), ("prometheus", 1, 2), ("a", 0, 1), ("a", 2, 1), ("a", 1, 5)], 2),
    ],
)
def test_the_client_with_most_connections_loses_the_one_that_is_worth_least(
    connections: list[tuple[str, int, float]], dropped: int
) -> None:
    async def scenario() -> None:
        opened = Connections(len(connections), Notices())
        fakes = [FakeConnection(*each) for each in connections]
        for each in fakes:
            opened.add(each)
        assert not opened.has_room()
        assert [each for each in fakes if each.dropped] == []
        await asyncio.sleep(100)
        assert opened.has_room()
        assert [each.dropped for each in fakes] == [number == dropped for number in range(len(fakes))]
        assert len(opened) == len(connections) - 1

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("192.0.2.1", 40000), "192.0.2.1"),
        (("::ffff:192.0.2.1", 40000, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 40000, 0, 0), "2001:db8::/64"),
        (("2001:db8::ffff:1:2:3", 40000, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 40000, 0, 2), "fe80::/64"),
        ("", ""),
        (None, ""),
        ((), ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: object, client: str) -> None:
    assert client_of(address) == client


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [(1024, 256), (256, 64), (40, 10), (8, 4), (1_000_000, 256), (resource.RLIM_INFINITY, 256)],
)
def test_connections_take_a_quarter_of_the_file_descriptors(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (descriptors, descriptors))
    assert connection_limit() == expected


# Readers that do not read, or slowly

PAGE = [b"x" * 1_000_000] * 13


@pytest.mark.parametrize("count", [24, 100])
@pytest.mark.parametrize("encoding", [b"", b"Accept-Encoding: gzip\r\n"], ids=["plain", "gzip"])
def test_a_scrape_is_answered_at_once_while_others_do_not_read(
    monkeypatch: pytest.MonkeyPatch, count: int, encoding: bytes
) -> None:
    monkeypatch.setattr(server, "connection_limit", lambda: 256)

    async def scenario() -> None:
        request = SCRAPE[:-2] + encoding + b"\r\n"
        async with serving(FakeSource(pieces=PAGE)) as (_, running), held(running, count, request):
            for _ in range(12):
                assert await scrape(running) < 1
                await asyncio.sleep(1)

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    events = {entry["event"] for entry in logs if entry["log_level"] != "debug"}
    assert events <= {
        "too many slow scrapers: closed the connections of the oldest",
        "closed connections that did not read the response in time",
    }


def test_a_scrape_does_not_wait_for_many_that_do_not_read() -> None:
    async def scenario() -> None:
        async with serving(FakeSource(pieces=PAGE)) as (_, running), held(running, MANY, SCRAPE):
            assert await scrape(running) < limits.ANSWER_SECONDS

    run_virtual(scenario())


async def read_slowly(reader: asyncio.StreamReader, size: int, pause: float) -> int:
    """Read until the server closes; the bytes read."""
    got = 0
    try:
        while data := await reader.read(size):
            got += len(data)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    return got


@pytest.mark.parametrize(("size", "pause"), [(1, 1.0), (1000, 0.1), (100_000, 0.1), (200_000, 0.1)])
def test_a_scrape_is_answered_in_time_while_others_read_slowly(size: int, pause: float) -> None:
    async def scenario() -> None:
        async with serving(FakeSource(pieces=PAGE * 2)) as (_, running), held(running, LIMIT, SCRAPE) as readers:
            reading = [asyncio.create_task(read_slowly(each, size, pause)) for each in readers]
            for _ in range(5):
                assert await scrape(running) < PROMETHEUS_TIMEOUT
                await asyncio.sleep(1)
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)

    run_virtual(scenario())


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_a_client_that_asks_again_and_again_and_does_not_read_is_closed(path: str) -> None:
    async def scenario() -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        source = FakeSource(pieces=[b"x" * 500_000])
        async with serving(source) as (_, running), raw_connection(running, request * 1000) as reader:
            await asyncio.sleep(limits.SEND_SECONDS + limits.STALL_SECONDS)
            assert len(running._connections) == 0
            await closed(reader)

    run_virtual(scenario())


# TLS


def tls_rules(tmp_path: Path) -> AccessRules:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    return load_access_rules(tmp_path / "web.yml")


async def https_scrape(running: RunningServer, tmp_path: Path) -> float:
    begun = now()
    trusted, url = ssl.create_default_context(cafile=tmp_path / "server.pem"), f"{running.addresses[0]}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url, ssl=trusted) as response:
        assert response.status == 200
    return now() - begun


CLIENT_HELLO_BEGUN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.mark.parametrize("sent", [b"", CLIENT_HELLO_BEGUN, SCRAPE, b"\x16\x03\x01\xff\xff" + b"\0" * 100])
def test_handshakes_that_never_end_or_fail_count_and_are_closed(
    tmp_path: Path, make_certificate: MakeCertificate, sent: bytes
) -> None:
    make_certificate("server")

    async def scenario() -> None:
        rules = tls_rules(tmp_path)
        async with serving(access=lambda: rules) as (_, running), held(running, MANY, sent) as readers:
            assert await https_scrape(running, tmp_path) < 3
            assert len(running._connections) <= LIMIT
            begun = now()
            ends = await asyncio.gather(*map(closed, readers))
            assert max(ends) - begun <= limits.REQUEST_SECONDS + 0.1
            await asyncio.sleep(limits.IDLE_SECONDS + limits.LINGER_SECONDS)
            assert len(running._connections) == 0
            assert running._listener._opening == {}

    run_virtual(scenario())


def test_a_client_that_does_not_answer_the_end_of_tls_is_closed(
    tmp_path: Path, make_certificate: MakeCertificate
) -> None:
    make_certificate("server")

    async def scenario() -> None:
        rules = tls_rules(tmp_path)
        async with serving(access=lambda: rules) as (_, running):
            port = int(running.addresses[0].rpartition(":")[2])
            trusted = ssl.create_default_context(cafile=tmp_path / "server.pem")
            reader, writer = await asyncio.open_connection("localhost", port, ssl=trusted, limit=1024)
            writer.write(SCRAPE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await reader.readuntil(b"kimono_up 1\n")
            writer.transport.pause_reading()  # so that it does not see that the server ends TLS
            await asyncio.sleep(limits.REQUEST_SECONDS + 0.1)
            assert len(running._connections) == 0
            writer.transport.abort()

    run_virtual(scenario())


# The end of the server


@pytest.mark.parametrize("with_tls", [False, True])
@pytest.mark.parametrize("sent", [b"", b"GET /metr", SCRAPE])
def test_stopping_takes_less_than_two_seconds_with_many_connections(
    tmp_path: Path, make_certificate: MakeCertificate, sent: bytes, *, with_tls: bool
) -> None:
    make_certificate("server")

    async def scenario() -> None:
        rules = tls_rules(tmp_path) if with_tls else None
        async with serving(FakeSource(pieces=PAGE), access=lambda: rules) as (_, running), held(running, MANY, sent):
            begun = now()
            await running.stop()
            assert now() - begun < 2
            assert len(running._connections) == 0

    run_virtual(scenario())
