"""Sends bad bytes over loopback sockets: to the client as a reply, and to the exporter's own pages as a request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from exporter.api.client import Client
from exporter.api.credentials import BasicCredentials
from exporter.api.errors import ApiError
from exporter.api.rate_limiter import RateLimiter
from exporter.api.transport import Options, open_transport
from exporter.blocks import Block, Section
from exporter.telemetry import Telemetry
from exporter.web import RunningServer, create_app, start
from tests.support.fuzzing.inputs import SECRET
from tests.support.fuzzing.replies import check_error
from tests.support.virtual_time import virtual_clock

TIMEOUT, LARGEST = 30.0, 200_000
_TELEMETRY = Telemetry()
GOOD_REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: S3CR3T\r\nContent-Length: 39\r\n\r\n"
    b'{"data": {"rollover_mode_enabled":true}}'[:39]
)


class Messages(logging.Handler):
    """Keeps the errors that libraries log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextlib.contextmanager
def log_messages() -> Iterator[list[str]]:
    """The errors that libraries log meanwhile."""
    handler = Messages()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.lines
    finally:
        logging.getLogger().removeHandler(handler)


# The client


async def get_from(pieces: Sequence[bytes]) -> ApiError | None:
    """Get an object from a server that sends these bytes, piece by piece, and closes; the failure is returned.

    A second call of the same client gets a good reply and must succeed: nothing of the first is left on a connection.
    """
    answers = [pieces, [_good()]]
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            served += 1
            for piece in answers[min(1, bad_left)]:
                writer.write(piece)
                await writer.drain()
        writer.close()

    bad_left = 0
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with open_transport(f"http://127.0.0.1:{port}", Options(TIMEOUT, LARGEST)) as http:
            clock = virtual_clock()
            client = Client(http, RateLimiter(float("inf"), clock), clock, _TELEMETRY)
            api = client.api(BasicCredentials("user", SECRET))
            failure: ApiError | None = None
            try:
                await api.get_one("/tenant/state", lambda fields: fields.raw)
            except ApiError as error:
                check_error(error)
                failure = error
            assert served <= 3, "more than three tries"
            bad_left = 1
            got = await api.get_one("/tenant/state", lambda fields: dict(fields.raw))
            assert got == {"second": True}, got
    return failure


def _good() -> bytes:
    body = b'{"data": {"second": true}}'
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


# The pages


PAGE = b"# TYPE kimono_up gauge\nkimono_up 1\n"


class OnePage:
    """A source with one small page."""

    def sections(self, *, openmetrics: bool) -> Iterator[Section]:  # noqa: ARG002 - as the exporter's
        yield Section([Block(PAGE)])

    def healthy(self) -> bool:
        return True

    def ready(self) -> bool:
        return True

    def status(self) -> None:
        raise NotImplementedError


@asynccontextmanager
async def pages() -> AsyncIterator[RunningServer]:
    """The exporter's pages on a free port."""
    running = await start(create_app(OnePage()), "127.0.0.1", 0, None)  # type: ignore[arg-type]  # no status page here
    try:
        yield running
    finally:
        await running.stop()


async def ask(running: RunningServer, request: bytes) -> bytes:
    """Send these bytes, end the sending side, and return everything that comes back."""
    port = int(running.addresses[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(request)
        if writer.can_write_eof():
            writer.write_eof()
        answer = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return answer


async def ask_the_pages(requests: Sequence[bytes]) -> list[bytes]:
    """Send each of these requests on a connection of its own; then a scrape must give the page.

    Returns the answers. Each is empty or an HTTP reply, none is a 5xx, and no error was logged.
    """
    with log_messages() as messages:
        async with pages() as running:
            answers = [await ask(running, request) for request in requests]
            async with aiohttp.ClientSession(running.addresses[0]) as session, session.get("/metrics") as response:
                assert response.status == 200
                assert await response.read() == PAGE
    for request, answer in zip(requests, answers, strict=True):
        assert not answer or answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), answer
        assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")), (request, answer)
        assert b"Traceback" not in answer
    assert not messages, messages
    return answers
