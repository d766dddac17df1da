"""Runs a whole exporter over HTTP on a served simulator, in virtual time, with its web pages."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.settings import load
from exporter.simulator import Simulator, serve
from exporter.web.app import create_app
from exporter.web.server import start
from tests.reliability.places import DISCOVERY, Place
from tests.reliability.rows import MOST_BYTES
from tests.support.simulated_exporter import Page
from tests.support.virtual_time import virtual_clock

TENANTS = 6
INTERVAL = 60.0
TIMEOUT = 10.0
# Shorter than the interval, where requests for tokens are to fail: each poll needs a new one.
_SHORT_LIFETIME = 40.0
_DAY = 86_400.0


class Elsewhere:
    """Another host. It counts the connections that it gets."""

    def __init__(self) -> None:
        self.connections = 0
        self.url = ""

    async def accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@dataclass
class World:
    """A simulator, an exporter that polls it, its page, and another host, on the clock of the running virtual loop."""

    simulator: Simulator
    exporter: Exporter
    clock: Clock
    elsewhere: Elsewhere
    session: aiohttp.ClientSession
    polling: asyncio.Task[None]
    url: str

    async def page(self) -> Page:
        """Scrape the page. It has to be there at once, whatever happens."""
        before = self.clock.monotonic()
        async with self.session.get(self.url + "/metrics") as response:
            assert response.status == 200, f"/metrics answers {response.status}"
            text = await response.text()
        assert self.clock.monotonic() - before < 1, "/metrics took longer than a second"
        return Page(text)

    async def healthy(self) -> bool:
        """Whether the process says that it lives."""
        async with self.session.get(self.url + "/-/healthy") as response:
            return response.status == 200 and not self.polling.done()


def new_hub(place: Place, clock: Clock, **more: Any) -> Simulator:
    """A simulator of healthy tenants with three and more of everything that can be listed."""
    lifetime = {"token_lifetime": _SHORT_LIFETIME} if place.tokens else {}
    hub = Simulator(tenants=TENANTS, now=clock.now, stories=[], record=True, **lifetime, **more)
    for tenant in hub.tenants():
        live = hub.tenant(tenant.id)
        for number in range(3):
            live.schedules.add(live.schedules.make(number, enabled=False))
            live.rollovers.plan(clock.now() + (40 + 20 * number) * _DAY, clock.now() + (50 + 20 * number) * _DAY)
        # One more, because one of them ends.
        for number in range(4):
            hub.start_ingestion(tenant.id, type="mirror", id=f"{tenant.id}-{number}", started_at=clock.now())
    return hub


def _flags(place: Place, url: str) -> dict[str, str]:
    names = ("state", "ingestions", "schedules", "rollovers", "application", "scoping", "account")
    flags = {"api.url": url, "api.timeout": f"{TIMEOUT:g}", "api.max_response_bytes": str(MOST_BYTES)}
    flags["discovery.interval"] = f"{INTERVAL:g}"
    for name in names:
        flags[f"collectors.{name}.enabled"] = str(name in place.collectors).lower()
        flags[f"collectors.{name}.interval"] = f"{INTERVAL:g}"
    return flags


def _write_tenants_file(hub: Simulator, path: Path) -> None:
    shown = [tenant.credentials for tenant in hub.tenants()]
    entries = [{"type": one.type, "client_id": one.client_id, "client_secret": one.client_secret} for one in shown]
    path.write_text(json.dumps(entries), encoding="utf-8")


@asynccontextmanager
async def open_world(place: Place, folder: Path, **simulator: Any) -> AsyncIterator[World]:
    """Open a world for one place, whose exporter begins to poll with the block. `simulator` has more arguments."""
    clock = virtual_clock()
    hub = new_hub(place, clock, **simulator)
    elsewhere = Elsewhere()
    other = await asyncio.start_server(elsewhere.accept, "127.0.0.1", 0)
    elsewhere.url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/elsewhere"
    async with serve(hub) as url, aiohttp.ClientSession() as session, other:
        flags, environ = _flags(place, url), {}
        if DISCOVERY in place.fails and not place.of_account:
            file = folder / f"{id(hub)}.yaml"
            _write_tenants_file(hub, file)
            flags["api.tenants_file"] = str(file)
        else:
            flags["api.client_id"] = hub.client_id
            environ["KIMONO_API_CLIENT_SECRET"] = hub.client_secret
        async with open_exporter(load(flags, environ), clock) as exporter:
            running = await start(create_app(exporter), "127.0.0.1", 0, None)
            polling = asyncio.create_task(exporter.poller.run())
            try:
                yield World(hub, exporter, clock, elsewhere, session, polling, running.addresses[0])
            finally:
                polling.cancel()
                await asyncio.wait([polling])
                await running.stop()
                # The exporter exempts what it knows from garbage collection: the next world knows other things.
                gc.unfreeze()
