"""Fills a Prometheus database with days of a simulated fleet.

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

from exporter.simulator import Simulator
from exporter.simulator.scripted_effects import ALL_EFFECTS
from exporter.simulator.times import DAY
from tests.support.backtest import engine
from tests.support.backtest.recording import Recorded, Watch, record
from tests.support.backtest.scenario import Scenario, read
from tests.support.backtest.stage import Stage

HERE = Path(__file__).parent
RULES = HERE.parents[2] / "alerts" / "kimono.rules.yaml"
STORIES = HERE.parent / "backtest" / "small.yaml"
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


SMALL = Size("small", simulated=26, copies=1, days=3.375, scrape=60, rules=120)
# An evaluation takes seconds here: every minute would take two hours.
LARGE = Size("large", simulated=250, copies=40, days=1.25, scrape=60, rules=240)


@dataclass(frozen=True)
class Filled:
    """A database in a folder: its scenario, what happened in it, and the results of the rules."""

    folder: Path
    scenario: Scenario
    recorded: Recorded
    said: engine.Evaluated


def fill(size: Size, folder: Path, *, progress: bool = False, rules: bool = True) -> Filled:
    """Fill a database in an empty folder, with or without the results of the rules. NoEngineError if it can't be."""
    with evaluating(size, folder, rules=rules) as running:
        recorded = write_scrapes(size, running.input, progress=progress)
        return Filled(folder, scenario(size), recorded, running.finish())


def fill_from(recording: Path, size: Size, folder: Path, *, rules: bool = True) -> engine.Evaluated:
    """Fill a database from a file of `write_scrapes`: two that are to be compared are filled from one and the same."""
    with evaluating(size, folder, rules=rules) as running, recording.open() as lines:
        shutil.copyfileobj(lines, running.input)
        return running.finish()


@contextmanager
def evaluating(size: Size, folder: Path, *, rules: bool = True) -> Iterator[engine.Engine]:
    """The engine that fills a database in an empty folder. NoEngineError if it can't be built."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as none:
        none.write("groups: []")
        none.flush()
        asked = engine.build(), RULES if rules else Path(none.name), f"{size.rules}s", folder
        with engine.started(*asked, copies=size.copies, replicas=size.replicas) as running:
            yield running


def scenario(size: Size) -> Scenario:
    """The last days of the small scenario, without earlier events of the whole fleet.

    With a state file: what takes days would otherwise be forgotten at the restart.
    """
    whole = read(STORIES)
    starts = whole.ends - size.days * DAY
    stories = [one for one in whole.stories if one.begins >= starts or one.kind in ALL_EFFECTS]
    return replace(whole, starts=starts, tenants=size.simulated, stories=stories, state_file=True)


def _unwatched(_: Stage) -> None:
    return


def write_scrapes(size: Size, out: IO[str], *, progress: bool = False, watch: Watch = _unwatched) -> Recorded:
    """Live through the days of a fleet, and write its scrapes down. Two times differ by fractions of a second.

    `watch` is called after each scrape.
    """
    days = scenario(size)

    def prepare(simulator: Simulator) -> None:
        for place, (opens, closes) in PLANNED.items():
            tenant = simulator.tenant(simulator.tenants()[place].id)
            tenant.rollovers.plan(days.ends + opens * DAY, days.ends + closes * DAY)

    return record(days, out, progress=progress, every=size.scrape, prepare=prepare, watch=watch)
