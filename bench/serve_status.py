"""Runs an exporter whose tenants have been polled once, for measurements of its status page.

Argument: number of tenants. The commands are the methods of `Measured`.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from commands import commands, respond
from serve_exporter import MeasuredExporter, cpu_seconds, exporter_of

from exporter import logs
from exporter.assembly import Exporter
from exporter.garbage import exempt_survivors
from exporter.settings import Settings
from exporter.status import Failure
from exporter.web import create_app, start

HOURS = 3600.0


class Measured(MeasuredExporter):
    """The exporter and its commands."""

    def __init__(self, exporter: Exporter, settings: Settings) -> None:
        super().__init__(exporter, settings)
        self._states = exporter.poller.discovery.tenants

    async def used(self) -> dict[str, float]:
        """Return the CPU time that the process has used, in seconds."""
        return {"cpu": cpu_seconds()}

    async def fail(self) -> dict[str, float]:
        """Let everything fail: each collector of each tenant for an hour, and syncs of each tenant."""
        now = self._exporter.clock.now()
        for state in self._states.values():
            for name in state.polled:
                state.failures[name] = Failure(name, "server", "the API returned HTTP 500: server error", now - HOURS)
            waiting = replace(state.history.state, flags={"mass_change_pending": True}, on_since=_since(now))
            state.history = replace(state.history, state=waiting)
        return {}

    async def find(self) -> dict[str, float]:
        """Find the problems of all tenants, as their next polls would do."""
        for state in self._states.values():
            self._exporter.poller._watch.update(state)  # noqa: SLF001 - what a poll does at its end
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        self._heartbeat.reset()
        return {"problems": sum(len(state.found.problems) for state in self._states.values())}


def _since(now: float) -> dict[str, float]:
    return {"mass_change_pending": now - 30 * HOURS}


async def main(tenants: int) -> None:
    """Start the exporter, and serve until the input ends."""
    logs.configure("critical", "logfmt")
    async with exporter_of(tenants, "", "") as (exporter, settings):
        with exempt_survivors(exporter.clock.monotonic):
            await serve(exporter, settings)


async def serve(exporter: Exporter, settings: Settings) -> None:
    """Serve until the input ends."""
    running = await start(create_app(exporter), "127.0.0.1", 0, None)
    measured = Measured(exporter, settings)
    respond(url=running.addresses[0])
    async for words in commands():
        respond(**await getattr(measured, words[0])())
    await measured.close()
    await running.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
