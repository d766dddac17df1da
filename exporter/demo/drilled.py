"""Serves a demo with drills: on a fleet without incidents, with shorter thresholds and poll intervals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.assembly import Exporter
from exporter.clock import Clock
from exporter.drills import AlertWatch, CalmFleet, Drills, Places, quick_thresholds
from exporter.drills import serve as serve_page
from exporter.settings import Settings
from exporter.tasks import unending
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


@asynccontextmanager
async def watched(fleet: CalmFleet, settings: Settings) -> AsyncIterator[Settings]:
    """The settings, with a state file of an exporter that has watched the fleet for a day, while the block runs."""
    use_thresholds(quick_thresholds())
    try:
        with TemporaryDirectory(prefix="kimono-exporter-demo-") as folder:
            path = Path(folder) / "state"
            await fleet.watch_the_past(settings, path)
            state = settings.state.model_copy(update={"file": path})
            yield settings.model_copy(update={"state": state})
    finally:
        use_thresholds()


@asynccontextmanager
async def drilling(
    fleet: CalmFleet, exporter: Callable[[], Exporter], places: Places, stories: Sequence[str], port: int
) -> AsyncIterator[str]:
    """Serve the page of drills while the block runs, beginning with `stories`; yields its address.

    OSError if the port can't be bound.
    """
    ask = AlertWatch(places.prometheus).alerts if places.prometheus else None
    drills = Drills(fleet, Clock(), lambda: exporter().status(), ask)
    async with serve_page(drills, places, port=port) as address:
        observing = asyncio.create_task(unending(drills.run))
        beginning = asyncio.create_task(_begin(drills, exporter, stories))
        try:
            yield address
        finally:
            observing.cancel()
            beginning.cancel()
            await asyncio.wait({observing, beginning})


async def _begin(drills: Drills, exporter: Callable[[], Exporter], stories: Sequence[str]) -> None:
    """Begin the first drills as soon as all tenants have been polled: before, some would not be seen to begin."""
    while not exporter().ready():  # noqa: ASYNC110 - the exporter has no event for it
        await asyncio.sleep(_PAUSE)
    for name in stories:
        drills.begin(name)
