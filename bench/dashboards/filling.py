"""How do days of a simulated fleet get into a Prometheus database?

As the backtest does it: the real exporter polls the simulator in virtual time, and Prometheus' own library takes the
scrapes and evaluates the rules. A large fleet is a smaller one of which each tenant stands for several.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from bench.backtest import engine
from bench.backtest.recording import record
from bench.dashboards.process import process
from exporter.simulator import Simulator
from exporter.simulator.fleet import DAY
from exporter.simulator.storybook import read

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "alerts" / "kimono.rules.yaml"
STORIES = HERE / "stories.yaml"
# Rollovers as they should be, of which no story knows: the tenant's place, and how many days after the end its window
# opens and closes.
PLANNED = {10: (-11, 0.5), 15: (-10, 1.5), 16: (-9, 4), 17: (1.5, 15), 19: (10, 24), 21: (20, 34), 23: (45, 59)}


@dataclass(frozen=True)
class Size:
    """A fleet: how many tenants are simulated, for how many each stands, for how many days.

    `scrape` and `rules`: seconds between two scrapes, and between two evaluations of the rules. `replicas`: how many
    exporters are scraped.
    """

    name: str
    simulated: int
    copies: int
    days: float
    scrape: int
    rules: int
    replicas: int = 1

    @property
    def tenants(self) -> int:
        """How many Prometheus knows."""
        return self.simulated * self.copies


SMALL = Size("small", simulated=25, copies=1, days=3.375, scrape=60, rules=240)
# An evaluation takes seconds here: every minute would take two hours.
LARGE = Size("large", simulated=250, copies=40, days=1.25, scrape=60, rules=240)


def fill(size: Size, folder: Path, *, progress: bool = False) -> engine.Evaluated:
    """Fill a database in an empty folder, and tell what the rules said. NoEngineError if that can't be done."""
    with _engine(size, folder) as running:
        write_scrapes(size, running.input, progress=progress)
        return running.finish()


def fill_from(recording: Path, size: Size, folder: Path) -> engine.Evaluated:
    """Fill a database from a file of `write_scrapes`: two that are to be compared are filled from one and the same."""
    with _engine(size, folder) as running, recording.open() as lines:
        shutil.copyfileobj(lines, running.input)
        return running.finish()


@contextmanager
def _engine(size: Size, folder: Path) -> Iterator[engine.Engine]:
    with tempfile.TemporaryDirectory(prefix="dashboards-") as built:
        asked = engine.build(Path(built)), RULES, f"{size.rules}s", folder
        with engine.started(*asked, copies=size.copies, replicas=size.replicas) as running:
            yield running


def write_scrapes(size: Size, out: IO[str], *, progress: bool = False) -> None:
    """Live through the days of a fleet, and write its scrapes down. Two times differ by fractions of a second."""
    book = read(STORIES)
    book = replace(book, starts=book.ends - size.days * DAY, tenants=size.simulated)

    def prepare(simulator: Simulator) -> None:
        for place, (opens, closes) in PLANNED.items():
            life = simulator.world.life(simulator.tenants()[place].id)
            life.plan_rollover(book.ends + opens * DAY, book.ends + closes * DAY)

    record(book, out, progress=progress, every=size.scrape, beside=process, prepare=prepare)
