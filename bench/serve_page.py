"""Runs the exporter as a measured process whose page changes: polls go on between scrapes, on a clock that is moved.

The exporter polls a simulator in its own process. Argument: number of tenants. The commands are the methods of
`ChangingPage`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from dataclasses import dataclass

from commands import commands, respond
from serve_exporter import BEAT, Heartbeat, InProcess, cpu_seconds, polls_ended, unlimited

from exporter import logs
from exporter.assembly import Exporter
from exporter.clock import Clock
from exporter.simulator import Simulator
from exporter.web import create_app, start

# From one scrape to the next, in seconds.
SCRAPE_INTERVAL = 15.0


@dataclass
class MovedTime:
    """The real time, moved forward by so many seconds."""

    moved: float = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self.moved

    def monotonic(self) -> float:
        """Monotonic seconds."""
        return time.monotonic() + self.moved


class ChangingPage:
    """The exporter and its commands. Each command returns its answer."""

    def __init__(self, exporter: Exporter, moved: MovedTime) -> None:
        self._exporter = exporter
        self._moved = moved
        self._heartbeat = Heartbeat()
        self._beating = asyncio.create_task(self._heartbeat.beat())

    async def fill(self) -> dict[str, float]:
        """Discover, and poll every tenant once."""
        await self._exporter.poller.discovery.discover()
        while not self._exporter.ready():
            await self._poll()
            self._exporter.poller._check_all_polled()  # noqa: SLF001 - as the poller's loop does
        gc.collect()
        gc.freeze()  # as the survivors of collections while it polls
        return {"polls": polls_ended(self._exporter)}

    async def change(self, polls: str) -> dict[str, float]:
        """Let 15 s pass with so many polls, the most overdue first. Time moves further if fewer are due."""
        self._moved.moved += SCRAPE_INTERVAL
        for _ in range(int(polls)):
            await self._poll()
        gc.collect()  # so that garbage of polls is not collected in a scrape
        return await self.used()

    async def used(self) -> dict[str, float]:
        """Return the CPU time used so far, and the longest stall since the last call, in seconds."""
        await asyncio.sleep(2 * BEAT)
        return {"cpu": cpu_seconds(), **self._heartbeat.reset()}

    async def _poll(self) -> None:
        scheduler = self._exporter.poller.scheduler
        while (poll := scheduler.next_due()) is None:
            self._moved.moved += max(BEAT, scheduler.seconds_until_next() or 0.0)
        await self._exporter.poller._poll(poll)  # noqa: SLF001 - one poll, without its loop


async def main(tenants: int) -> None:
    """Serve until the input ends."""
    logs.configure("critical", "logfmt")  # some simulated tenants fail, as intended
    moved = MovedTime()
    simulator = Simulator(tenants=tenants, now=moved.now)
    clock = Clock(moved.now, moved.monotonic, suspended=lambda: 0.0)
    settings = unlimited(simulator.api_key, "http://127.0.0.1:1")
    exporter = Exporter(settings, InProcess(simulator), clock)  # type: ignore[arg-type] - has all that is used
    running = await start(create_app(exporter), "127.0.0.1", 0, None)
    page = ChangingPage(exporter, moved)
    respond(url=f"{running.addresses[0]}/metrics")
    async for words in commands():
        respond(**await getattr(page, words[0])(*words[1:]))
    await running.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
