"""What does the exporter do, and for how long does it hold up its event loop?

The real exporter on a free loopback port, with no rate limit. With a base URL and a key it polls over HTTP; with
neither it polls a simulator in its own process, and lets go of it after the first round. Arguments: tenants,
and then base URL and key or nothing. Commands are the methods of `Measured`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from commands import answer, commands

from exporter import logs
from exporter.api.wire import TOKEN_PATH, Reply
from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.settings import Settings, load
from exporter.simulator import Reply as SimulatedReply
from exporter.simulator import Request, Simulator
from exporter.web import create_app, start

BEAT = 0.001
# So long that nobody is visited twice in the first round, however slow the machine is.
ONE_ROUND = 86_400.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class InProcess:
    """A transport to a simulator in this process."""

    base_url, timeout, max_bytes = "", 0.0, 0  # what Exporter.apply sets

    def __init__(self, simulator: Simulator) -> None:
        self.simulator: Simulator | None = simulator

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""
        return self._reply(Request("GET", path, query, {"Authorization": authorization}))

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""
        return self._reply(Request("POST", TOKEN_PATH, {}, FORM, urlencode(form).encode()))

    def _reply(self, request: Request) -> Reply:
        assert self.simulator is not None, "it was let go of"  # noqa: S101 - a slip in the order of commands
        reply: SimulatedReply = self.simulator.reply(request)
        return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.body)


class Heartbeat:
    """The longest time that the event loop was late by, in seconds.

    With it, the most processor time that the loop's thread used between two beats: what is beyond that is the
    machine's other work. And the longest garbage collection.
    """

    def __init__(self) -> None:
        self.longest = self.longest_work = self.longest_collection = 0.0
        self._collecting_since = 0.0
        gc.callbacks.append(self._collected)

    async def beat(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            begun, begun_work = loop.time(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.longest_work = max(self.longest_work, time.thread_time() - begun_work)
            self.longest = max(self.longest, loop.time() - begun - BEAT)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self.longest_collection = max(self.longest_collection, time.perf_counter() - self._collecting_since)

    def take(self) -> dict[str, float]:
        """What was the longest since this was last asked."""
        taken = {"stall": self.longest, "work": self.longest_work, "collection": self.longest_collection}
        self.longest = self.longest_work = self.longest_collection = 0.0
        return taken


class Measured:
    """The commands; each gives the facts of its answer."""

    def __init__(self, exporter: Exporter, settings: Settings) -> None:
        self._exporter = exporter
        self._settings = settings
        self._heartbeat = Heartbeat()
        self._tasks = [asyncio.create_task(self._heartbeat.beat())]
        self._visits = 0
        exporter.poller.visited = self._count

    def _count(self, _watch: object) -> None:
        self._visits += 1

    async def fill(self) -> dict[str, float]:
        """Discover, and visit everybody once."""
        self._heartbeat.take()
        begun, begun_cpu = time.perf_counter(), cpu_seconds()
        polling = asyncio.create_task(self._exporter.poller.run())
        self._tasks.append(polling)
        while not self._exporter.ready():
            if polling.done():
                polling.result()
            await asyncio.sleep(BEAT)
        facts = {"seconds": time.perf_counter() - begun, "cpu": cpu_seconds() - begun_cpu, **self._heartbeat.take()}
        if isinstance(self._exporter.transport, InProcess):
            await self.rest()
            self._exporter.transport.simulator = None
            gc.collect()
        return {**facts, "visits": self._visits, "requests": self._exporter.client.budget.spent}

    async def again(self) -> dict[str, float]:
        """Begin to discover again, and to visit everybody again, all as fast as can be.

        The answer is how long it took to take the settings that make it so, as SIGHUP does.
        """
        await asyncio.sleep(2 * BEAT)
        self._heartbeat.take()
        # Whoever has a new interval is visited at once; one that is the same would change nothing.
        self._settings = with_intervals(self._settings, lambda interval: interval * 0.999)
        self._exporter.apply(self._settings)
        await asyncio.sleep(2 * BEAT)
        return self._heartbeat.take()

    async def rest(self) -> dict[str, float]:
        """End the polling."""
        polling, self._tasks = self._tasks[1:], self._tasks[:1]
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)
        return {}

    async def stall(self) -> dict[str, float]:
        """The longest stall, and the longest garbage collection, since this was last asked; in seconds."""
        return self._heartbeat.take()

    async def page(self) -> dict[str, float]:
        """Build the page once, without sending it; in seconds."""
        begun = time.perf_counter()
        pieces = list(self._exporter.page(openmetrics=False))
        return {"seconds": time.perf_counter() - begun, "bytes": sum(map(len, pieces))}

    async def close(self) -> None:
        """End everything."""
        await self.rest()
        self._tasks[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[0]


def cpu_seconds() -> float:
    """What this process has used of a processor, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def unlimited(key: str, url: str) -> Settings:
    """The defaults, without a rate limit. That is not a setting: no API should be asked like this."""
    settings = load({"api.url": url}, {"KIMONO_API_KEY": key})
    return settings.model_copy(update={"api": settings.api.model_copy(update={"rate_limit": math.inf})})


def with_intervals(settings: Settings, changed: Callable[[float], float]) -> Settings:
    """The same collectors at other intervals, in seconds."""
    others = {name: each.model_copy(update={"interval": changed(each.interval)}) for name, each in settings.collectors}
    return settings.model_copy(update={"collectors": settings.collectors.model_copy(update=others)})


def once_a_day(settings: Settings) -> Settings:
    """The same collectors, which visit nobody twice, and one discovery."""
    discovery = settings.discovery.model_copy(update={"interval": ONE_ROUND})
    return with_intervals(settings.model_copy(update={"discovery": discovery}), lambda _: ONE_ROUND)


@asynccontextmanager
async def exporter_of(tenants: int, url: str, key: str) -> AsyncIterator[tuple[Exporter, Settings]]:
    """An exporter of the API at a URL, or without one of its own simulator; and the settings with usual intervals."""
    if not url:
        simulator = Simulator(tenants=tenants)
        settings = unlimited(simulator.api_key, "http://127.0.0.1:1")
        yield Exporter(once_a_day(settings), InProcess(simulator), Clock()), settings  # type: ignore[arg-type] - has all that is used
        return
    settings = unlimited(key, url)
    async with open_exporter(once_a_day(settings), Clock()) as exporter:
        yield exporter, settings


async def main(tenants: int, url: str = "", key: str = "") -> None:
    """Serve until the input ends."""
    logs.configure("critical", "logfmt")  # the seed has tenants in trouble, who are no news here
    async with exporter_of(tenants, url, key) as (exporter, settings):
        running = await start(create_app(exporter), "127.0.0.1", 0, None)
        measured = Measured(exporter, settings)
        in_flight = settings.api.concurrency
        answer(url=f"{running.addresses[0]}/metrics", in_flight=in_flight, demand=demand(settings))
        async for words in commands():
            answer(**await getattr(measured, words[0])())
        await measured.close()
        await running.stop()


def demand(settings: Settings) -> float:
    """Visits a second that one tenant asks for by the default intervals."""
    return sum(1 / each.interval for name, each in settings.collectors if each.enabled and name != "account")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
