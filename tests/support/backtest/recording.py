"""Records what Prometheus would have scraped in some simulated days or weeks.

The simulator lives, real exporters poll it, and once a minute their pages are read: all on a clock that jumps.
What has changed on a page since its last scrape is written down in the format that `replay` reads.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exporter.simulator import Incident, Simulator
from exporter.simulator.times import DAY
from tests.support.backtest.expectations import POLL, ROLLOVER_POLL
from tests.support.backtest.scenario import Scenario
from tests.support.backtest.stage import Stage
from tests.support.virtual_time import run_virtual, virtual_clock

SCRAPE = 60.0
FLAGS = {
    **dict.fromkeys((f"collectors.{name}.interval" for name in ("state", "ingestions", "schedules")), f"{POLL:g}"),
    "collectors.application.interval": f"{POLL:g}",
    "collectors.rollovers.interval": f"{ROLLOVER_POLL:g}",
    "api.concurrency": "1",  # replies take no time here, unless the API is slow: then it shows
}
# A folder in memory: the state files are synced to their disk once a simulated minute.
_MEMORY = Path("/dev/shm")  # noqa: S108 - folders with random names are made in it
# Changes to the simulator before the scenario begins.
Prepare = Callable[[Simulator], None]
# Looks at the exporters.
Watch = Callable[[Stage], None]


def _as_it_is(_: Simulator) -> None:
    return


def _unwatched(_: Stage) -> None:
    return


@dataclass(frozen=True)
class Recorded:
    """What happened: the ledger of incidents, the stories as they were told, and the tenants' names."""

    incidents: list[Incident]
    names: Mapping[str, str]
    told: list[Incident]


class Page:
    """An exporter's page as Prometheus knows it. Writes series that are new, changed or removed.

    `ids` has the numbers of all series of all pages. `instance` may be empty if there is one exporter.
    """

    def __init__(self, out: IO[str], ids: dict[str, int], instance: str = "") -> None:
        self._out = out
        self._ids = ids
        self._instance = instance
        self._pieces: dict[bytes, bytes] = {}
        self._lines: dict[bytes, dict[bytes, bytes]] = {}

    def scraped(self, pieces: list[bytes], at: float) -> None:
        """The page, in pieces that each begin with the header of a family, was scraped at Unix seconds `at`."""
        present = {piece[: piece.index(b"\n")]: piece for piece in pieces}
        for header in self._pieces.keys() - present.keys():
            self._change(header, b"")
        for header, piece in present.items():
            if self._pieces.get(header) != piece:
                self._change(header, piece)
        self._pieces = present
        self._write_scrape("T", at)

    def missed(self, at: float) -> None:
        """There was no page."""
        self._write_scrape("X", at)

    def _write_scrape(self, outcome: str, at: float) -> None:
        self._out.write(f"{outcome} {at:.3f} {self._instance}".rstrip() + "\n")

    def _change(self, header: bytes, piece: bytes) -> None:
        before = self._lines.get(header, {})
        after = dict(line.rsplit(b" ", 1) for line in piece.splitlines() if not line.startswith(b"#"))
        self._lines[header] = after
        for series, value in after.items():
            if before.get(series) != value:
                self._out.write(f"V {self._id(series)} {value.decode()}\n")
        for series in before.keys() - after.keys():
            self._out.write(f"D {self._id(series)}\n")

    def _id(self, exposed: bytes) -> int:
        series = self._named(exposed.decode())
        number = self._ids.get(series)
        if number is None:
            number = self._ids[series] = len(self._ids)
            self._out.write(f"S {number} {series}\n")
        return number

    def _named(self, series: str) -> str:
        """The series with the label `instance`."""
        if not self._instance:
            return series
        name, brace, labels = series.partition("{")
        return f'{name}{{instance="{self._instance}"' + (f",{labels}" if brace else "}")


def record(
    scenario: Scenario,
    out: IO[str],
    *,
    progress: bool = False,
    every: float = SCRAPE,
    prepare: Prepare = _as_it_is,
    watch: Watch = _unwatched,
) -> Recorded:
    """Run the scenario, write the scrapes to `out`, and return what happened.

    `every`: seconds between two scrapes; `watch` is called after each.
    """
    with _state_folder(scenario) as folder:
        return run_virtual(_record(scenario, out, folder, watch, progress=progress, every=every, prepare=prepare))


@contextmanager
def _state_folder(scenario: Scenario) -> Iterator[Path | None]:
    if not scenario.state_file:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="backtest-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


async def _record(
    scenario: Scenario,
    out: IO[str],
    folder: Path | None,
    watch: Watch,
    *,
    progress: bool,
    every: float,
    prepare: Prepare,
) -> Recorded:
    clock = virtual_clock(scenario.starts)
    simulator = Simulator(seed=scenario.seed, tenants=scenario.tenants, now=clock.now, stories=())
    prepare(simulator)
    stage = Stage(simulator, clock, FLAGS, scenario, folder)
    stage.plan(scenario.stories)
    stage.start()
    prometheus = _Prometheus(stage, out)
    names: dict[str, str] = {}
    begun, scrapes = time.monotonic(), int((scenario.ends - scenario.starts) // every)
    for number in range(1, scrapes + 1):
        await clock.sleep(scenario.starts + number * every - clock.now())
        prometheus.scrape(clock.now())
        watch(stage)
        await stage.go_on()
        if clock.now() % DAY == 0:
            names |= {row.id: row.name for row in simulator.tenants()}
            if progress:
                _tell(f"day {number * every / DAY:.0f}, after {time.monotonic() - begun:.0f} s")
    await stage.stop()
    return Recorded(stage.ledger(), names | {row.id: row.name for row in simulator.tenants()}, stage.told)


class _Prometheus:
    """Scrapes all exporters, unless it is down."""

    def __init__(self, stage: Stage, out: IO[str]) -> None:
        self._stage = stage
        self._out = out
        self._was_up = True
        ids: dict[str, int] = {}
        self._pages = [Page(out, ids, each.name) for each in stage.instances]

    def scrape(self, at: float) -> None:
        """Scrape at Unix seconds `at`."""
        up = self._stage.prometheus_up
        if not up and self._was_up:
            self._out.write(f"P {at:.3f}\n")
        self._was_up = up
        if not up:
            return
        for instance, page in zip(self._stage.instances, self._pages, strict=True):
            pieces = instance.page() if self._stage.reachable else None
            if pieces is None:
                page.missed(at)
            else:
                page.scraped(pieces, at)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
