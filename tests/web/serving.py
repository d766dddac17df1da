"""Gives the tests of the web pages a server and a source for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp

from exporter.blocks import Block, Section
from exporter.issues import Entry, entry_of
from exporter.status import CollectorStatus, Counts, DiscoveryStatus, Failure, Status, TenantStatus
from exporter.tenant_details import TenantDetails
from exporter.web import AccessRules, RunningServer, create_app, start

PASSWORD = "the-clear-password"
# The hash of that password. It is a constant because names of parametrized tests contain it.
HASHED = "$2b$04$GtXzyKwcKxGXoV8K1vrSieaoJn3M0riae2nDtfGPHcfmMqt7gVthu"

NOW = 1_788_220_800.0  # 2026-09-01T00:00:00Z

CALM = Status(
    version="1.2.3",
    api_url="https://api.us2.kimonocloud.com",
    started_at=NOW - 7500,
    now=NOW,
    healthy=True,
    ready=True,
    discovery=DiscoveryStatus(ok=True, succeeded_at=NOW - 42),
    collectors=(CollectorStatus("state", 60.0, 0.0, 0), CollectorStatus("rollovers", 900.0, 0.0, 0)),
    tenants=412,
    failing=(),
)


def failing(name: str, *failures: Failure, ident: str | None = None, account_name: str = "District") -> TenantStatus:
    """A tenant whose failures are the given ones; without any, its state has been failing for an hour."""
    return TenantStatus(
        id=f"id of {name}" if ident is None else ident,
        name=name,
        account_name=account_name,
        integration="",
        integration_version="",
        polled=("state",),
        failures=failures or (failure(),),
    )


def failure(collector: str = "state", reason: str = "auth", *, since: float = NOW - 3600) -> Failure:
    """A failure; its detail is not shown on the page."""
    return Failure(collector, reason, "401 Unauthorized", since)


@dataclass
class FakeSource:
    """Serves the given pieces and status. An exception among the pieces is raised instead of being served."""

    pieces: Iterable[bytes | Exception] = (b"# TYPE kimono_up gauge\n", b"kimono_up 1\n")
    is_healthy: bool = True
    is_ready: bool = True
    snapshot: Status = CALM
    known: Mapping[str, TenantDetails] = field(default_factory=dict)
    asked: list[bool] = field(default_factory=list)
    lines: dict[TenantStatus, Entry] = field(default_factory=dict)

    def sections(self, *, openmetrics: bool) -> Iterable[Section]:
        self.asked.append(openmetrics)
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield Section([Block(piece)])

    def healthy(self) -> bool:
        return self.is_healthy

    def ready(self) -> bool:
        return self.is_ready

    def entries(self, *, quiet: bool) -> Iterator[Entry]:
        found = (*self.snapshot.failing, *self.snapshot.with_problems, *(self.snapshot.working if quiet else ()))
        for tenant in {tenant.id: tenant for tenant in found}.values():
            yield self.lines.setdefault(tenant, entry_of(tenant))

    def overview(self, counts: Counts) -> Status:
        collectors = tuple(replace(each, failing=counts.failing[each.name]) for each in self.snapshot.collectors)
        return replace(self.snapshot, failing=(), working=(), with_problems=(), collectors=collectors)

    def details(self, tenant_id: str) -> TenantDetails | None:
        return self.known.get(tenant_id)


@asynccontextmanager
async def raw_connection(
    running: RunningServer, sent: bytes, client: str = "127.0.0.1"
) -> AsyncIterator[asyncio.StreamReader]:
    """A connection that has sent some bytes and reads only when asked to; aborted at the end."""
    port = int(running.addresses[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024, local_addr=(client, 0))
    writer.write(sent)
    try:
        yield reader
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next iteration


PLAIN = {"Accept-Encoding": "identity"}  # aiohttp asks for gzip otherwise
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def serving(
    source: FakeSource | None = None, access: Callable[[], AccessRules | None] = lambda: None
) -> AsyncIterator[tuple[aiohttp.ClientSession, RunningServer]]:
    """A server on a free loopback port, and a client of it that decompresses nothing."""
    rules = access()
    app = create_app(source or FakeSource(), access)
    running = await start(app, "127.0.0.1", 0, rules.ssl_context if rules else None)
    try:
        async with aiohttp.ClientSession(running.addresses[0], headers=PLAIN, auto_decompress=False) as client:
            yield client, running
    finally:
        await running.stop()
