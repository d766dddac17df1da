"""Runs the exporters of a backtest, replicas and shards, and breaks them. Each stops and starts as a process does.

All poll one simulator in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exporter.api.errors import NetworkError
from exporter.api.wire import Reply
from exporter.assembly import Exporter, keeping_state
from exporter.clock import Clock
from exporter.settings import load
from exporter.simulator import Request, Simulator
from tests.support.dashboards.process import process
from tests.support.simulated_exporter import SimulatedTransport

# Seconds that a request takes while the API is slow; it would time out after 30.
SLOW = 28.0


class _Transport(SimulatedTransport):
    """A transport that may have no connection to the API."""

    cut_off = False

    async def _answer(self, request: Request) -> Reply:
        if self.cut_off:
            raise NetworkError("no route to host")
        return await super()._answer(request)


class Instance:
    """One exporter. `name` is its label `instance`; it is one of `shards`, by its number `shard`.

    `state_file` outlives the process; None for an exporter that knows nothing after a restart.
    """

    def __init__(
        self,
        simulator: Simulator,
        clock: Clock,
        flags: Mapping[str, str],
        name: str = "",
        *,
        shard: int = 0,
        shards: int = 1,
        state_file: Path | None = None,
    ) -> None:
        self.name = name
        self.exporter: Exporter | None = None
        self._simulator = simulator
        self._clock = clock
        self.shard = shard
        self._flags = {"api.url": "http://127.0.0.1:1", "shard.index": str(shard), "shard.total": str(shards), **flags}
        self._state_file = state_file
        if state_file is not None:
            self._flags["state.file"] = str(state_file)
        self._latency = 0.0
        self._cut_off = False
        self._transport: _Transport | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the exporter, as a new process."""
        settings = load(self._flags, {"KIMONO_API_KEY": self._simulator.api_key})
        self._transport = _Transport(self._simulator, self._clock)
        self._apply_network()
        self.exporter = Exporter(settings, self._transport, self._clock)
        self._running = asyncio.create_task(_run(self.exporter, settings.state.file))

    async def stop(self) -> None:
        """End the process as SIGTERM does: it saves its state."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        self.exporter = self._running = self._transport = None

    async def crash(self) -> None:
        """End the process at once: the state file stays as it was saved last."""
        saved = self._state_file.read_bytes() if self._state_file and self._state_file.exists() else None
        await self.stop()
        if self._state_file and saved is None:
            self._state_file.unlink(missing_ok=True)
        elif self._state_file and saved is not None:
            self._state_file.write_bytes(saved)

    def network(self, *, latency: float | None = None, cut_off: bool | None = None) -> None:
        """Set how many seconds each request takes, or that none reaches the API. It outlives a restart."""
        self._latency = self._latency if latency is None else latency
        self._cut_off = self._cut_off if cut_off is None else cut_off
        self._apply_network()

    def _apply_network(self) -> None:
        if self._transport is not None:
            self._transport.latency, self._transport.cut_off = self._latency, self._cut_off

    def forget_requests(self) -> None:
        """Drop the log of requests, which would grow for months."""
        if self._transport is not None:
            self._transport.sent.clear()

    def page(self) -> list[bytes] | None:
        """What it exposes, in pieces that each begin with a family's header; None if it does not run."""
        if self.exporter is None:
            return None
        own = self.exporter.page(openmetrics=False, process=False)
        return [*own, *process(self.exporter)]


async def _run(exporter: Exporter, state_file: Path | None) -> None:
    async with keeping_state(exporter, state_file) as saver, asyncio.TaskGroup() as group:
        group.create_task(exporter.poller.run())
        if saver:
            group.create_task(saver.run())


class ExporterStory:
    """What happens to some exporters. `tick` is called once a minute between `begin` and `end`."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.instances = instances
        self.minute = 0

    async def begin(self) -> None:
        """Begin now."""

    async def tick(self) -> None:
        """A minute has passed."""
        self.minute += 1

    async def end(self) -> None:
        """End now: all exporters run."""


class Down(ExporterStory):
    """The exporters are stopped, and started again at the end."""

    async def begin(self) -> None:
        """Stop them."""
        for each in self.instances:
            await each.stop()

    async def end(self) -> None:
        """Start them."""
        for each in self.instances:
            each.start()


class CrashLoop(ExporterStory):
    """The exporters crash a minute after each start, and are started again five minutes later."""

    period, up = 6, 1

    async def begin(self) -> None:
        """Crash."""
        for each in self.instances:
            await self._die(each)

    async def _die(self, instance: Instance) -> None:
        await instance.crash()

    async def tick(self) -> None:
        """Start or crash, if it is time."""
        await super().tick()
        phase = self.minute % self.period
        for each in self.instances:
            if phase == self.period - self.up:
                each.start()
            elif phase == 0:
                await self._die(each)

    async def end(self) -> None:
        """Start those that don't run."""
        for each in self.instances:
            if each.exporter is None:
                each.start()


class Restarting(CrashLoop):
    """The exporters are stopped every ten minutes, and started again a minute later."""

    period, up = 10, 9

    async def _die(self, instance: Instance) -> None:
        await instance.stop()


class Lagging(ExporterStory):
    """Each request of the exporters takes half a minute: their data are up to an hour old."""

    async def begin(self) -> None:
        """Slow down."""
        for each in self.instances:
            each.network(latency=SLOW)

    async def end(self) -> None:
        """Recover."""
        for each in self.instances:
            each.network(latency=0.0)


class CutOff(ExporterStory):
    """The exporters have no connection to the API; Prometheus can scrape them."""

    async def begin(self) -> None:
        """Disconnect."""
        for each in self.instances:
            each.network(cut_off=True)

    async def end(self) -> None:
        """Connect."""
        for each in self.instances:
            each.network(cut_off=False)


# Stories of all exporters, those of all replicas of a shard, and those of a single replica.
FLEET_STORIES: Mapping[str, Callable[[Sequence[Instance]], ExporterStory]] = {
    "exporter_down": Down,
    "exporter_restart": Down,
    "crash_loop": CrashLoop,
    "restarting": Restarting,
}
SHARD_STORIES: Mapping[str, Callable[[Sequence[Instance]], ExporterStory]] = {
    "shard_down": Down,
}
REPLICA_STORIES: Mapping[str, Callable[[Sequence[Instance]], ExporterStory]] = {
    "replica_down": Down,
    "replica_crash_loop": CrashLoop,
    "replica_lags": Lagging,
    "replica_cut_off": CutOff,
}
