"""Runs a demo with drills in virtual time: a calm fleet, and an exporter that has watched it before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from exporter.assembly import Exporter, keeping_state, open_exporter
from exporter.clock import Clock
from exporter.demo.drilled import INTERVALS, watched
from exporter.drills import AlertState, CalmFleet, Drills
from exporter.settings import CREDENTIALS, load
from exporter.simulator import serve
from tests.support.virtual_time import virtual_clock

Ask = Callable[[], Awaitable[Sequence[AlertState] | None]]


@dataclass
class Demo:
    """The parts of a demo that runs."""

    fleet: CalmFleet
    exporter: Exporter
    drills: Drills
    clock: Clock

    def problems(self) -> set[tuple[str, str]]:
        """The ids of tenants with their kinds of problems."""
        return {(one.id, each.kind) for one in self.exporter.status().with_problems for each in one.problems}


@asynccontextmanager
async def running_demo(tenants: int, ask: Ask | None = None) -> AsyncIterator[Demo]:
    """Run a demo until the block ends; its tenants have been polled once."""
    clock = virtual_clock()
    fleet = CalmFleet(tenants, 1, clock)
    async with serve(fleet.simulator) as url:
        settings = load({"api.rate_limit": "200", **INTERVALS}, {}, needs_credentials=False)
        credentials = {**dict.fromkeys(CREDENTIALS), "key": SecretStr(fleet.simulator.api_key)}
        settings = settings.model_copy(
            update={"api": settings.api.model_copy(update={**credentials, "url": url})},
        )
        async with (
            watched(fleet, settings) as settings,
            open_exporter(settings, clock) as exporter,
            keeping_state(exporter, settings.state.file),
        ):
            drills = Drills(fleet, clock, exporter.status, ask, exporter.ready)
            working = [asyncio.create_task(each()) for each in (exporter.poller.run, drills.run)]
            try:
                while not exporter.ready():
                    await clock.sleep(1)
                yield Demo(fleet, exporter, drills, clock)
            finally:
                for task in working:
                    task.cancel()
                await asyncio.wait(working)
