"""How do the tests of the web pages get a server, and something for it to show?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from exporter.web import Access, CollectorRow, FailingTenant, Overview, Running, create_app, start

PASSWORD = "the-clear-password"
# Of that password. It is written out, because names of tests hold it and have to stay the same.
HASHED = "$2b$04$GtXzyKwcKxGXoV8K1vrSieaoJn3M0riae2nDtfGPHcfmMqt7gVthu"

NOW = 1_788_220_800.0  # 2026-09-01T00:00:00Z

CALM = Overview(
    version="1.2.3",
    started=NOW - 7500,
    now=NOW,
    discovery_ok=True,
    tenants=412,
    ready=True,
    api_url="https://api.us2.kimonocloud.com",
    collectors=(CollectorRow("state", 60.0, 0.0, 0), CollectorRow("rollovers", 900.0, None, 0)),
    discovered=NOW - 42,
)


def failing(name: str, **changes: str) -> FailingTenant:
    """A tenant whose state has not been read for an hour."""
    fields = {"tenant_id": f"id of {name}", "account_name": "District", "collectors": "state", "reason": "auth"}
    return FailingTenant(tenant_name=name, since=NOW - 3600, **(fields | changes))


@dataclass
class FakeSource:
    """Shows what it is told to show. An exception among the pieces is raised when its turn comes."""

    pieces: Iterable[bytes | Exception] = (b"# TYPE kimono_up gauge\n", b"kimono_up 1\n")
    is_healthy: bool = True
    is_ready: bool = True
    facts: Overview = CALM
    asked: list[bool] = field(default_factory=list)

    def page(self, *, openmetrics: bool) -> Iterable[bytes]:
        self.asked.append(openmetrics)
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def healthy(self) -> bool:
        return self.is_healthy

    def ready(self) -> bool:
        return self.is_ready

    def overview(self) -> Overview:
        return self.facts


@asynccontextmanager
async def raw_connection(running: Running, sent: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A connection that has sent some bytes and reads no more than it is told to; cut off at the end."""
    port = int(running.addresses[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(sent)
    try:
        yield reader
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket on its next turn


PLAIN = {"Accept-Encoding": "identity"}  # aiohttp asks for gzip otherwise
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def serving(
    source: FakeSource | None = None, access: Callable[[], Access | None] = lambda: None
) -> AsyncIterator[tuple[aiohttp.ClientSession, Running]]:
    """A server on a free loopback port, and a client whose paths are its own. Nothing is unpacked by the client."""
    rules = access()
    app = create_app(source or FakeSource(), access)
    running = await start(app, "127.0.0.1", 0, rules.ssl_context if rules else None)
    try:
        async with aiohttp.ClientSession(running.addresses[0], headers=PLAIN, auto_decompress=False) as client:
            yield client, running
    finally:
        await running.stop()
