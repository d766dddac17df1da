"""Runs the exporter as a measured process: how long polls take, and how long the event loop stalls.

The real exporter listens on a free loopback port, without a rate limit. With a base URL and a key it polls over HTTP.
Without them it polls a simulator in its own process, and drops it after the first polls. Arguments: number of
tenants, then base URL and key or nothing. The commands are the methods of `MeasuredExporter`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import urlencode

from commands import commands, respond

from exporter import logs
from exporter.api.transport import Options
from exporter.api.wire import TOKEN_PATH, Reply
from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.settings import Settings, load
from exporter.simulator import Reply as SimulatedReply
from exporter.simulator import Request, Simulator
from exporter.state_file import StateFile
from exporter.state_saver import restore
from exporter.telemetry import POLLS
from exporter.threads import in_daemon_thread
from exporter.web import create_app, start

T = TypeVar("T")

BEAT = 0.001
# Long enough that no tenant is polled twice during the first polls, even on a slow machine.
ONE_DAY = 86_400.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class InProcess:
    """A transport to a simulator in this process."""

    base_url = ""

    def __init__(self, simulator: Simulator) -> None:
        self.options = Options(0.0, 0)  # what Exporter.apply sets
        self.simulator: Simulator | None = simulator

    def to(self, base_url: str) -> InProcess:
        """The same simulator answers at every address."""
        self.base_url = base_url
        return self

    def apart(self) -> InProcess:
        """There are no connections."""
        return self

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""
        return self._reply(Request("GET", path, query, {"Authorization": authorization}))

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""
        return self._reply(Request("POST", TOKEN_PATH, {}, FORM, urlencode(form).encode()))

    def _reply(self, request: Request) -> Reply:
        assert self.simulator is not None, "dropped"  # noqa: S101 - polling has ended by then
        reply: SimulatedReply = self.simulator.reply(request)
        return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.body)


class Heartbeat:
    """Measures the longest stall of the event loop, in seconds.

    Also the most CPU time that its thread used between two beats, which other work on the machine does not change, and
    the longest garbage collection.
    """

    def __init__(self) -> None:
        self.longest = self.longest_work = self.longest_collection = 0.0
        self._collecting_since = 0.0
        gc.callbacks.append(self._collected)

    async def beat(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            started, started_work = loop.time(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.longest_work = max(self.longest_work, time.thread_time() - started_work)
            self.longest = max(self.longest, loop.time() - started - BEAT)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self.longest_collection = max(self.longest_collection, time.perf_counter() - self._collecting_since)

    def reset(self) -> dict[str, float]:
        """Return the longest since the last call, and start again."""
        longest = {"stall": self.longest, "work": self.longest_work, "collection": self.longest_collection}
        self.longest = self.longest_work = self.longest_collection = 0.0
        return longest


def polls_ended(exporter: Exporter) -> int:
    """How many polls have ended."""
    samples = [sample for family in exporter.telemetry.registry.collect() for sample in family.samples]
    return sum(int(sample.value) for sample in samples if sample.name == POLLS.name)


class MeasuredExporter:
    """The exporter and its commands. Each command returns its answer."""

    def __init__(self, exporter: Exporter, settings: Settings) -> None:
        self._exporter = exporter
        self._settings = settings
        self._heartbeat = Heartbeat()
        self._tasks = [asyncio.create_task(self._heartbeat.beat())]
        self._folder = TemporaryDirectory()
        self._file = StateFile(Path(self._folder.name) / "state")

    async def fill(self) -> dict[str, float]:
        """Discover, and poll every tenant once."""
        self._heartbeat.reset()
        started, started_cpu = time.perf_counter(), cpu_seconds()
        polling = asyncio.create_task(self._exporter.poller.run())
        self._tasks.append(polling)
        while not self._exporter.ready():
            if polling.done():
                polling.result()
            await asyncio.sleep(BEAT)
        answer = {
            "seconds": time.perf_counter() - started,
            "cpu": cpu_seconds() - started_cpu,
            **self._heartbeat.reset(),
        }
        if isinstance(self._exporter.transport, InProcess):
            await self.stop_polling()
            self._exporter.transport.simulator = None
            gc.collect()
        return {**answer, "polls": polls_ended(self._exporter), "requests": self._exporter.client.rate_limiter.acquired}

    async def poll_again(self) -> dict[str, float]:
        """Start to discover and poll every tenant again, as fast as possible.

        Returns the stalls while the exporter applies the settings that cause it, as SIGHUP does.
        """
        await asyncio.sleep(2 * BEAT)
        self._heartbeat.reset()
        # Collectors with a new interval poll at once; the same interval would change nothing.
        self._settings = with_intervals(self._settings, lambda interval: interval * 0.999)
        self._exporter.apply(self._settings)
        await asyncio.sleep(2 * BEAT)
        return self._heartbeat.reset()

    async def stop_polling(self) -> dict[str, float]:
        """Stop polling."""
        polling, self._tasks = self._tasks[1:], self._tasks[:1]
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)
        return {}

    async def stall(self) -> dict[str, float]:
        """Return the longest stall and the longest garbage collection since the last call, in seconds."""
        return self._heartbeat.reset()

    async def page(self) -> dict[str, float]:
        """Build the page once without sending it; return the seconds and bytes."""
        started = time.perf_counter()
        pieces = list(self._exporter.page(openmetrics=False))
        return {"seconds": time.perf_counter() - started, "bytes": sum(map(len, pieces))}

    async def save(self) -> dict[str, float]:
        """Write the state file as the exporter does; return the seconds, bytes and stalls."""
        histories, api_url = self._exporter.poller.discovery.histories(), self._settings.api.url
        seconds, _ = await self._measured(in_daemon_thread(self._file.write, histories, api_url, time.time()))
        return {**self._heartbeat.reset(), "seconds": seconds, "bytes": self._file.path.stat().st_size}

    async def restore(self) -> dict[str, float]:
        """Read the state file as the exporter does at its start; return the seconds, tenants and stalls.

        Reading begins with a full garbage collection. At the start, nothing is known of tenants that it could scan.
        """
        gc.collect()
        gc.freeze()
        seconds, saved = await self._measured(restore(self._file, self._settings.api.url, time.time()))
        return {**self._heartbeat.reset(), "seconds": seconds, "tenants": len(saved.histories)}

    async def _measured(self, work: Awaitable[T]) -> tuple[float, T]:
        await asyncio.sleep(2 * BEAT)
        self._heartbeat.reset()
        started = time.perf_counter()
        result = await work
        seconds = time.perf_counter() - started
        await asyncio.sleep(2 * BEAT)
        return seconds, result

    async def close(self) -> None:
        """Stop everything."""
        await self.stop_polling()
        self._tasks[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[0]
        self._folder.cleanup()


def cpu_seconds() -> float:
    """Return the CPU time of this process in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def unlimited(key: str, url: str) -> Settings:
    """Return the defaults without a rate limit, which no setting allows."""
    settings = load({"api.url": url}, {"KIMONO_API_KEY": key})
    return settings.model_copy(update={"api": settings.api.model_copy(update={"rate_limit": math.inf})})


def with_intervals(settings: Settings, changed: Callable[[float], float]) -> Settings:
    """Return settings with changed intervals (seconds) of all collectors."""
    others = {name: each.model_copy(update={"interval": changed(each.interval)}) for name, each in settings.collectors}
    return settings.model_copy(update={"collectors": settings.collectors.model_copy(update=others)})


def once_a_day(settings: Settings) -> Settings:
    """Return settings with which the exporter discovers once, and polls each tenant once."""
    discovery = settings.discovery.model_copy(update={"interval": ONE_DAY})
    return with_intervals(settings.model_copy(update={"discovery": discovery}), lambda _: ONE_DAY)


@asynccontextmanager
async def exporter_of(tenants: int, url: str, key: str) -> AsyncIterator[tuple[Exporter, Settings]]:
    """Create an exporter of the API at a URL, or of its own simulator; and the settings with default intervals."""
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
    logs.configure("critical", "logfmt")  # some simulated tenants fail, as intended
    async with exporter_of(tenants, url, key) as (exporter, settings):
        running = await start(create_app(exporter), "127.0.0.1", 0, None)
        measured = MeasuredExporter(exporter, settings)
        in_flight = settings.api.concurrency
        respond(url=f"{running.addresses[0]}/metrics", in_flight=in_flight, demand=demand(settings))
        async for words in commands():
            respond(**await getattr(measured, words[0])())
        await measured.close()
        await running.stop()


def demand(settings: Settings) -> float:
    """Return how many polls a second each tenant needs with the default intervals."""
    return sum(1 / each.interval for name, each in settings.collectors if each.enabled and name != "account")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
