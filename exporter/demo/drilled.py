"""Serves a demo with drills: on a fleet without incidents, with shorter thresholds and poll intervals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter import output
from exporter.assembly import Exporter
from exporter.clock import Clock
from exporter.demo.ports import HOST
from exporter.demo.programs import ALERTMANAGER, GRAFANA, PROMETHEUS
from exporter.drills import (
    AlertState,
    AlertWatch,
    CalmFleet,
    Drills,
    DrillStateError,
    Places,
    UnknownDrillError,
    find,
    quick_thresholds,
)
from exporter.drills import serve as serve_page
from exporter.process import stop_signals_of_terminal
from exporter.serve import UnusableError, cause, ended_before, signalled
from exporter.settings import Settings
from exporter.status import Status
from exporter.thresholds import use_thresholds

# Poll intervals, so that polls delay no drill. Settings that the command line names win.
INTERVALS = {
    "discovery.interval": "15s",
    "collectors.state.interval": "5s",
    "collectors.ingestions.interval": "5s",
    "collectors.schedules.interval": "5s",
    "collectors.rollovers.interval": "5s",
    "collectors.application.interval": "10s",
}
_PAUSE = 0.5


class StoppedError(Exception):
    """A signal to stop came before the demo was ready."""


@asynccontextmanager
async def watched(fleet: CalmFleet, settings: Settings) -> AsyncIterator[Settings]:
    """The settings, with a state file of an exporter that has watched the fleet before, while the block runs.

    Raises StoppedError, and UnusableError if there is no folder for it.
    """
    stop = signalled(*stop_signals_of_terminal())  # `serve` takes over
    use_thresholds(quick_thresholds())
    try:
        with _folder() as folder:
            path = Path(folder) / "state"
            watching = asyncio.create_task(fleet.watch_the_past(settings, path))
            if not await ended_before(stop, watching):
                raise StoppedError
            watching.result()
            state = settings.state.model_copy(update={"file": path})
            yield settings.model_copy(update={"state": state})
    finally:
        use_thresholds()


def _folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="kimono-exporter-demo-")
    except OSError as error:
        raise UnusableError(
            f"--story: can't make a temporary folder: {error.strerror or error}; "
            "set TMPDIR to a folder that can be written"
        ) from None


class Drilled:
    """The drills of a demo: its places, and its exporter once it is there."""

    def __init__(self, fleet: CalmFleet, stories: Sequence[str]) -> None:
        self.fleet = fleet
        self.places = Places()
        self._stories = stories
        self._exporter: Exporter | None = None
        self._opened = asyncio.Event()
        self._drills = Drills(fleet, Clock(), self._status, self._alerts, self._is_ready)

    def opened(self, exporter: Exporter) -> None:
        """Take the exporter that polls the fleet."""
        self._exporter = exporter
        self._opened.set()

    def started(self, ports: Mapping[str, int]) -> None:
        """Take the ports of the programs beside the exporter."""
        urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
        self.places.prometheus, self.places.alertmanager = urls.get(PROMETHEUS, ""), urls.get(ALERTMANAGER, "")
        self.places.grafana = urls.get(GRAFANA, "")

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[str]:
        """Serve the page while the block runs; yields its address. Raises UnusableError if the port can't be bound."""
        async with AsyncExitStack() as stack:
            try:
                address = await stack.enter_async_context(serve_page(self._drills, self.places, port=port))
            except OSError as error:
                raise UnusableError(
                    f"--drills-port: can't listen on {HOST}:{port}: {cause(error)}; set a free one, such as 10136"
                ) from None
            working = asyncio.create_task(self._run())
            try:
                yield address
            finally:
                working.cancel()
                await asyncio.wait({working})

    async def _run(self) -> None:
        """Begin the first drills as soon as all tenants have been polled: before, polls would not see all of them."""
        await self._opened.wait()
        while not self._is_ready():  # noqa: ASYNC110 - the exporter has no event for it
            await asyncio.sleep(_PAUSE)
        try:
            for name in self._stories:
                self._drills.begin(name)
        except DrillStateError as error:
            output.complain(f"--story: {error}")
        await self._drills.run()

    def _is_ready(self) -> bool:
        return self._exporter is not None and self._exporter.ready()

    def _status(self) -> Status:
        if self._exporter is None:
            raise RuntimeError("there is no exporter yet")
        return self._exporter.status()

    async def _alerts(self) -> Sequence[AlertState] | None:
        return await AlertWatch(self.places.prometheus).alerts() if self.places.prometheus else None


def stories(names: Sequence[str]) -> list[str]:
    """The drills that `--story` names; none has no drill. Raises UnusableError for an unknown one."""
    try:
        return list(dict.fromkeys(find(name).name for name in names if name != "none"))
    except UnknownDrillError as error:
        raise UnusableError(f"--story: {error}") from None
