"""Records what Prometheus would have scraped in some simulated days or weeks.

The simulator lives, the real exporter polls it, and once a minute its page is read: all on a clock that jumps.
What has changed on the page since the last scrape is written down in the format that `replay` reads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO

from exporter.assembly import Exporter
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
# Families of metrics, as text, that a page has beside those of the exporter.
Beside = Callable[[Exporter], Iterable[bytes]]
# Changes to the simulator before the scenario begins.
Prepare = Callable[[Simulator], None]


def _nothing_beside(_: Exporter) -> Iterable[bytes]:
    return ()


def _as_it_is(_: Simulator) -> None:
    return


@dataclass(frozen=True)
class Recorded:
    """What happened: the ledger of incidents, and the tenants' names."""

    incidents: list[Incident]
    names: Mapping[str, str]


class Page:
    """The page as Prometheus knows it. Writes series that are new, changed or removed."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._ids: dict[bytes, int] = {}
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
        self._out.write(f"T {at:.3f}\n")

    def missed(self, at: float) -> None:
        """There was no page."""
        self._out.write(f"X {at:.3f}\n")

    def _change(self, header: bytes, piece: bytes) -> None:
        before = self._lines.get(header, {})
        after = dict(line.rsplit(b" ", 1) for line in piece.splitlines() if not line.startswith(b"#"))
        self._lines[header] = after
        for series, value in after.items():
            if before.get(series) != value:
                self._out.write(f"V {self._id(series)} {value.decode()}\n")
        for series in before.keys() - after.keys():
            self._out.write(f"D {self._ids[series]}\n")

    def _id(self, series: bytes) -> int:
        number = self._ids.get(series)
        if number is None:
            number = self._ids[series] = len(self._ids)
            self._out.write(f"S {number} {series.decode()}\n")
        return number


def record(
    scenario: Scenario,
    out: IO[str],
    *,
    progress: bool = False,
    every: float = SCRAPE,
    beside: Beside = _nothing_beside,
    prepare: Prepare = _as_it_is,
) -> Recorded:
    """Run the scenario, write the scrapes to `out`, and return what happened.

    The page is scraped every so many seconds; `beside` gives what stands on it beside the exporter's own.
    """
    return run_virtual(_record(scenario, out, progress=progress, every=every, beside=beside, prepare=prepare))


async def _record(
    scenario: Scenario, out: IO[str], *, progress: bool, every: float, beside: Beside, prepare: Prepare
) -> Recorded:
    clock = virtual_clock(scenario.starts)
    simulator = Simulator(seed=scenario.seed, tenants=scenario.tenants, now=clock.now, stories=())
    prepare(simulator)
    stage = Stage(simulator, clock, FLAGS)
    stage.plan(scenario.stories)
    stage.start()
    page = Page(out)
    names: dict[str, str] = {}
    begun, scrapes = time.monotonic(), int((scenario.ends - scenario.starts) // every)
    for number in range(1, scrapes + 1):
        await clock.sleep(scenario.starts + number * every - clock.now())
        if stage.exporter is None or not stage.reachable:
            page.missed(clock.now())
        else:
            own = stage.exporter.page(openmetrics=False, process=False)
            page.scraped([*own, *beside(stage.exporter)], clock.now())
        await stage.go_on()
        if clock.now() % DAY == 0:
            names |= {row.id: row.name for row in simulator.tenants()}
            if progress:
                _tell(f"day {number * every / DAY:.0f}, after {time.monotonic() - begun:.0f} s")
    await stage.stop()
    return Recorded(stage.ledger(), names | {row.id: row.name for row in simulator.tenants()})


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
