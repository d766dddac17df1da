"""Runs the exporter as a measured process that polls on command, and does nothing else.

The real exporter, over HTTP and without a rate limit. It discovers and polls all tenants once, as a measurement of its
own; then the command `poll ROUNDS` polls all of them so often. Arguments: base URL, account key,
requests in flight.
"""

from __future__ import annotations

import asyncio
import resource
import sys

from commands import commands, respond
from serve_exporter import ONE_DAY, cpu_seconds, once_a_day, polls_ended, unlimited

from exporter import logs
from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.polling.sources import Discovered

_LOOK = 0.02


class Known:
    """A source of the tenants that have been found already."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    async def get_tenants(self) -> Discovered:
        """Find them again."""
        return Discovered([state.tenant for state in self._exporter.poller.discovery.tenants.values()])


class Polled:
    """The exporter that is measured."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._polls = self._requests = 0
        self._rounds = 0

    async def first(self) -> dict[str, float]:
        """Wait until all tenants were polled once."""
        started = cpu_seconds()
        while not self._exporter.ready():  # noqa: ASYNC110 - the poller tells nobody
            await asyncio.sleep(_LOOK)
        return {"cpu": cpu_seconds() - started, **self._counts()}

    async def poll(self, rounds: int) -> dict[str, float]:
        """Poll all tenants by all collectors so often."""
        cpu = 0.0
        poller = self._exporter.poller
        for _ in range(rounds):
            # Collectors with a new interval poll at once.
            self._rounds += 1
            schedules = poller.scheduler.schedules.values()
            intervals = {type(each.collector): ONE_DAY + self._rounds for each in schedules}
            poller.configure(Known(self._exporter), ONE_DAY, intervals)
            started = cpu_seconds()
            while poller.scheduler.first_polls_left:  # noqa: ASYNC110 - the poller tells nobody
                await asyncio.sleep(_LOOK)
            cpu += cpu_seconds() - started
        return {"cpu": cpu, **self._counts()}

    def _counts(self) -> dict[str, int]:
        polls, requests = polls_ended(self._exporter), self._exporter.client.rate_limiter.acquired
        counts = {"polls": polls - self._polls, "requests": requests - self._requests}
        self._polls, self._requests = polls, requests
        return counts


async def main(url: str, key: str, in_flight: str) -> None:
    """Poll until the input ends."""
    logs.configure("critical", "logfmt")  # some simulated tenants fail, as intended
    settings = once_a_day(unlimited(key, url))
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"concurrency": int(in_flight)})})
    async with open_exporter(settings, Clock()) as exporter:
        polling = asyncio.create_task(exporter.poller.run())
        measured = Polled(exporter)
        respond(**await measured.first(), resident=_resident())
        async for _, rounds in commands():
            respond(**await measured.poll(int(rounds)), resident=_resident())
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


def _resident() -> int:
    """The most memory that has been resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
