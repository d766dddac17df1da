"""Tests that a reply reaches nobody but the one who asked for it, whatever a server sends, and when."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import resource
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from exporter.api import connections
from exporter.api.client import Api, Client
from exporter.api.credentials import BearerToken, ClientCredentials
from exporter.api.errors import ApiError
from exporter.api.rate_limiter import RateLimiter
from exporter.api.transport import HttpTransport, Options, open_transport
from tests.api.fakes import Recorder
from tests.support.virtual_time import run_virtual, virtual_clock

# Who the reply is for: each caller has a token with its own name, and gets it back.
NAME = re.compile(r"Authorization: Bearer (\S+)")
FORGED = b'{"data": {"name": "forged"}}'


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def own(name: str) -> bytes:
    return json.dumps({"data": {"name": name}}).encode()


class Server:
    """Keeps connections open, and answers each request as the test says. It knows who asked on which connection."""

    def __init__(self, answer: Callable[[str, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.asked: list[list[str]] = []
        self.url = ""
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: list[str] = []
        self.asked.append(asked)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?im)^content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                found = NAME.search(head)
                asked.append(found[1] if found else "token")
                await self._answer(asked[-1], writer)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(
    answer: Callable[[str, asyncio.StreamWriter], Awaitable[None]], max_bytes: int = 200_000
) -> AsyncIterator[tuple[Server, Client, HttpTransport]]:
    """A server, and a client that is connected to it in virtual time."""
    one = Server(answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    async with server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_transport(one.url, Options(30.0, max_bytes)) as transport:
            clock = virtual_clock()
            yield one, Client(transport, RateLimiter(float("inf"), clock), clock, Recorder()), transport
        await asyncio.sleep(0.01)  # of virtual time


async def name_of(api: Api) -> str:
    """What the caller is told its name is, or why not."""
    try:
        return await api.get_one("/tenant", lambda fields: str(fields.text("name")))
    except ApiError as error:
        return error.reason


def writes(*chunks: bytes) -> Callable[[str, asyncio.StreamWriter], Awaitable[None]]:
    """Answers with the caller's own name, then sends these bytes unasked: with the reply, and a second later."""

    async def answer(name: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http(own(name)) + chunks[0])
        for chunk in chunks[1:]:
            await writer.drain()
            asyncio.get_running_loop().call_later(1, writer.write, chunk)

    return answer


SECOND = http(FORGED)
UNASKED = {
    "with the reply": [SECOND],
    "later": [b"", SECOND],
    "with the reply and later": [SECOND, SECOND],
    "in halves": [SECOND[:20], SECOND[20:]],
    "half later": [b"", SECOND[:20]],
    "interim": [b"", b"HTTP/1.1 100 Continue\r\n\r\n"],
    "chunked": [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\n" + FORGED + b"\r\n0\r\n\r\n"],
    "garbage": [b"", b"\0\xff garbage"],
    "a line": [b"", b"\r\n"],
    "408 before it closes": [b"", http(b"", "408 Request Timeout", "Connection: close")],
    "a thousand": [b"", SECOND * 1000],
}


@pytest.mark.parametrize("chunks", UNASKED.values(), ids=UNASKED)
@pytest.mark.parametrize("pause", [0.0, 0.5, 2.0])
def test_a_reply_that_nobody_asked_for_reaches_nobody(chunks: list[bytes], pause: float) -> None:
    async def scenario() -> None:
        async with serving(writes(*chunks)) as (server, one, _):
            apis = {name: one.api(BearerToken(name)) for name in ("a", "b", "c")}
            for _ in range(3):
                for name, api in apis.items():
                    # At worst the whole reply is refused: one that comes with the next one can't be told from it.
                    assert await name_of(api) in (name, "bad_response")
                    await asyncio.sleep(pause)
            assert all(len(set(asked)) == 1 for asked in server.asked), "callers share no connection"
            if pause == 2.0:
                assert all(len(asked) == 1 for asked in server.asked), "and none is used again"

    run_virtual(scenario())


def test_bytes_that_the_loop_has_not_read_yet_close_the_connection_as_well() -> None:
    """The reply too many is in the kernel when the next request is about to be sent."""

    async def scenario() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(http(own(name)))

        async with serving(answer) as (server, one, _):
            api = one.api(BearerToken("a"))
            assert await name_of(api) == "a"
            # No await between this and the next request: the loop has no chance to read.
            writers[0].transport.get_extra_info("socket")._sock.send(SECOND)
            assert await name_of(api) == "a"
            assert server.asked == [["a"], ["a"]]

    run_virtual(scenario())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
WRONG_LENGTHS = {
    "longer than announced": http(own("a"))[:-1] + b'}{"data": 1}',
    "a body with 204": http(FORGED, "204 No Content"),
    "a body with 304": http(FORGED, "304 Not Modified"),
    "two lengths": http(own("a"), "200 OK", "Content-Length: 3"),
    "a length and chunks": http(own("a"), "200 OK", "Transfer-Encoding: chunked"),
    "chunks and a length": CHUNKED + b"Content-Length: 4\r\n\r\n4\r\n{}{}\r\n0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + FORGED,
    "more after the last chunk": CHUNKED + b"\r\n0\r\n\r\n" + FORGED,
}


@pytest.mark.parametrize("sent", WRONG_LENGTHS.values(), ids=WRONG_LENGTHS)
def test_a_body_whose_length_is_wrong_reaches_no_one_else(sent: bytes) -> None:
    async def scenario() -> None:
        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            writer.write(sent if name == "a" else http(own(name)))

        async with serving(answer) as (server, one, _):
            first, other = one.api(BearerToken("a")), one.api(BearerToken("b"))
            assert await name_of(first) in ("a", "bad_response", "network")
            assert await name_of(other) == "b"
            await name_of(first)
            assert all(len(set(asked)) == 1 for asked in server.asked)
            assert all(asked.count("a") <= 1 for asked in server.asked), "the connection is not used again"

    run_virtual(scenario())


def test_bytes_after_a_reply_refuse_it_wherever_it_ends() -> None:
    """Replies are parsed in steps: one may end with a step, and what follows is then in the next one."""
    lengths = range(connections._STEP - 100, connections._STEP + 20)

    async def scenario() -> None:
        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            writer.write(http(own(name) + b" " * int(name)) + b"\0\1 and more")

        async with serving(answer) as (_, one, _):
            assert {await name_of(one.api(BearerToken(str(length)))) for length in lengths} == {"bad_response"}

    run_virtual(scenario())


def test_a_reply_that_comes_after_the_time_limit_reaches_nobody() -> None:
    async def scenario() -> None:
        late = [31.0, 0.0]

        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            seconds = late.pop(0) if late else 0.0
            await asyncio.sleep(seconds)
            writer.write(http(FORGED if seconds else own(name)))

        async with serving(answer) as (_, one, _):
            api = one.api(BearerToken("a"))
            assert await name_of(api) == "timeout"
            assert await name_of(api) == "a"
            await asyncio.sleep(60)
            assert await name_of(api) == "a"

    run_virtual(scenario())


def test_a_call_that_is_cancelled_leaves_its_reply_to_nobody() -> None:
    async def scenario() -> None:
        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(1)
            writer.write(http(own(name)))

        async with serving(answer) as (server, one, _):
            api = one.api(BearerToken("a"))
            first = asyncio.create_task(name_of(api))
            await asyncio.sleep(0.5)
            first.cancel()
            assert await name_of(api) == "a"
            assert server.asked == [["a"], ["a"]]

    run_virtual(scenario())


def test_a_server_that_speaks_first_is_a_bad_response() -> None:
    async def first_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(FORGED))
        await reader.read()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(first_word, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with open_transport(url, Options(30.0, 1000)) as transport:
                pool = transport._session.connector
                assert isinstance(pool, connections.Connections)
                connect = pool._create_connection

                async def slowly(*arguments: Any) -> Any:
                    exchange = await connect(*arguments)
                    await asyncio.sleep(0.5)  # the server is faster than the client
                    return exchange

                pool._create_connection = slowly  # type: ignore[method-assign]
                clock = virtual_clock()
                one = Client(transport, RateLimiter(float("inf"), clock), clock, Recorder())
                assert await name_of(one.api(BearerToken("a"))) == "bad_response"
                assert one.observer.requests == [("/tenant", "bad_response")]
            await asyncio.sleep(0.01)  # of virtual time

    run_virtual(scenario())


# Keep-alive


async def plain(name: str, writer: asyncio.StreamWriter) -> None:
    writer.write(http(own(name) if name != "token" else b'{"access_token": "a", "expires_in": 9999}'))


def test_a_caller_keeps_its_connection_from_poll_to_poll() -> None:
    async def scenario() -> None:
        async with serving(plain) as (server, one, _):
            api = one.api(ClientCredentials("a", "secret"))
            for _ in range(5):
                assert await name_of(api) == "a"
                await asyncio.sleep(1)
            assert server.asked == [["token", *["a"] * 5]]

    run_virtual(scenario())


@pytest.mark.parametrize("descriptors", [40, 256, 1024, resource.RLIM_INFINITY])
def test_open_connections_are_bounded(monkeypatch: pytest.MonkeyPatch, descriptors: int) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
        async with serving(plain) as (server, one, transport):
            pool = transport._session.connector
            assert isinstance(pool, connections.Connections)
            allowed = 2**20 if descriptors == resource.RLIM_INFINITY else descriptors
            assert pool.max_idle == min(50, allowed // 8)
            assert pool.limit + pool.max_idle < allowed / 2
            names = [f"tenant-{number}" for number in range(150)]
            apis = [one.api(BearerToken(name)) for name in names]
            assert await asyncio.gather(*map(name_of, apis)) == names
            for name, api in zip(names, apis, strict=True):
                assert await name_of(api) == name
            assert len(pool.idle) == pool.max_idle
            assert sum(exchange.is_connected() for exchange in pool.idle) == pool.max_idle
            # aiohttp would keep the closed ones, until they would have been idle for too long.
            assert sum(map(len, pool._conns.values())) == pool.max_idle
            # The last ones are kept.
            connected = len(server.asked)
            assert await name_of(apis[-1]) == names[-1]
            assert len(server.asked) == connected
            assert await name_of(apis[0]) == names[0]
            assert len(server.asked) == connected + 1

    run_virtual(scenario())


def test_a_caller_has_at_most_a_few_connections() -> None:
    async def scenario() -> None:
        async with serving(plain) as (server, one, _):
            api = one.api(BearerToken("a"))
            assert set(await asyncio.gather(*(name_of(api) for _ in range(20)))) == {"a"}
            assert len(server.asked) == connections.PER_CALLER

    run_virtual(scenario())


def test_a_connection_that_the_server_has_closed_is_forgotten() -> None:
    async def scenario() -> None:
        async def closing(name: str, writer: asyncio.StreamWriter) -> None:
            writer.write(http(own(name)))
            asyncio.get_running_loop().call_later(1, writer.close)

        async with serving(closing) as (_, one, transport):
            pool = transport._session.connector
            assert isinstance(pool, connections.Connections)
            api = one.api(BearerToken("a"))
            for _ in range(3):
                assert await name_of(api) == "a"
                assert len(pool.idle) == 1
                await asyncio.sleep(5)
                assert not pool.idle
                assert not pool._conns
            assert one.observer.retries == []

    run_virtual(scenario())


# Headers and interim replies


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["X-Long: " + "y" * 9_000], "a"),
        (["X-Long: " + "y" * (2**16 - 1)], "a"),
        ([f"X-{number}: {'y' * 100}" for number in range(500)], "a"),
        (["Set-Cookie: " + "y" * 4_000] * 16, "a"),
        (["X-Long: " + "y" * 2**17], "bad_response"),
        ([f"X-{number}: y" for number in range(2_000)], "bad_response"),
    ],
)
def test_headers_of_up_to_64_kib_are_read(headers: list[str], expected: str) -> None:
    async def scenario() -> None:
        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            writer.write(http(own(name), "200 OK", *headers))

        async with serving(answer) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == expected

    run_virtual(scenario())


@pytest.mark.parametrize("chunk", [b"X-More: " + b"y" * 60_000 + b"\r\n", b"X: y\r\n" * 1_000])
def test_headers_without_end_are_given_up(chunk: bytes) -> None:
    async def scenario() -> None:
        sent = [0]

        async def answer(_: str, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(1_000):
                writer.write(chunk)
                await writer.drain()
                sent[0] += len(chunk)

        async with serving(answer) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == "bad_response"
            assert len(one.observer.requests) == 1
            assert sent[0] < 8 * 2**20, "the rest is in the buffers of the kernel"

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("interim", "expected"), [(1, "a"), (100, "a"), (101, "bad_response"), (100_000, "bad_response")]
)
@pytest.mark.parametrize("line", ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>"])
def test_interim_replies_are_skipped_and_a_flood_of_them_is_refused(interim: int, expected: str, line: str) -> None:
    async def scenario() -> None:
        async def answer(name: str, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {line}\r\n\r\n".encode() * interim + http(own(name)))

        async with serving(answer) as (_, one, _):
            api = one.api(BearerToken("a"))
            assert await name_of(api) == expected
            assert await name_of(api) == expected

    run_virtual(scenario())


# Chunks


def chunks(size: int, total: int, extension: str = "") -> bytes:
    """White space of so many bytes, and then a tenant, in chunks of one size."""
    body = b" " * total + own("a")
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    sent = b"".join(f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n" for part in parts)
    return CHUNKED + b"\r\n" + sent + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (chunks(1, 5_000), "a"),
        (chunks(1, 10_000), "bad_response"),
        (chunks(7, 10_000), "a"),
        (chunks(7, 150_000), "bad_response"),
        (chunks(100, 150_000), "a"),
        (chunks(8_192, 150_000), "a"),
        (chunks(10_000, 50_000, ";" + "x" * 4_000), "a"),
        (chunks(100, 50_000, ";" + "x" * 4_000), "bad_response"),
        (CHUNKED + b"\r\n2;" + b"x" * 10**6, "bad_response"),
        (CHUNKED + b"\r\n" + b"0" * 10**6, "bad_response"),
        (CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 10**5, "bad_response"),
    ],
)
def test_a_body_of_many_small_chunks_is_refused(sent: bytes, expected: str) -> None:
    async def scenario() -> None:
        async def answer(_: str, writer: asyncio.StreamWriter) -> None:
            writer.write(sent)

        async with serving(answer) as (_, one, _):
            api = one.api(BearerToken("a"))
            assert await name_of(api) == expected
            assert len(one.observer.requests) == 1, "it would be the same the next time"
            assert await name_of(api) == expected, "connections are used again, with all counts from 0"

    run_virtual(scenario())


@pytest.mark.parametrize(("status", "expected"), [("503 No", "server"), ("401 No", "auth"), ("404 No", "not_found")])
def test_the_chunks_of_a_refusal_do_not_matter(status: str, expected: str) -> None:
    async def scenario() -> None:
        async def answer(_: str, writer: asyncio.StreamWriter) -> None:
            writer.write(chunks(1, 100_000).replace(b"200 OK", status.encode()))

        async with serving(answer) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == expected

    run_virtual(scenario())


def test_no_more_chunks_are_parsed_at_a_time_than_are_allowed_in_all() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        exchange = connections.Exchange(lambda _: None, loop)
        exchange.connection_made(Silent())
        exchange.set_response_params()
        exchange.data_received(CHUNKED + b"\r\n")
        exchange.data_received(b"1\r\n \r\n" * 100_000)
        _, body = await exchange.read()
        assert body.total_bytes < connections.MAX_FRAMING_BYTES / 4

    run_virtual(scenario())


class Silent(asyncio.Transport):
    """A connection on which nothing is sent."""

    closed = False

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.closed = True


def test_a_closed_connection_leaves_no_garbage_to_collect() -> None:
    async def scenario() -> int:
        async with serving(plain) as (_, one, transport):
            pool = transport._session.connector
            assert isinstance(pool, connections.Connections)
            assert await name_of(one.api(BearerToken("a"))) == "a"
            (exchange,) = pool.idle
            found = weakref.ref(exchange), weakref.ref(exchange.transport)
            gc.collect()
            gc.disable()
            exchange.close()
            del exchange
            for _ in range(5):
                await asyncio.sleep(0)
            return sum(each() is not None for each in found)

    try:
        assert run_virtual(scenario()) == 0
    finally:
        gc.enable()
