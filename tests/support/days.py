"""Lives through the days of the small scenario once, for all tests that look at them in different ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from tests.support.backtest.stage import Stage
from tests.support.dashboards.filling import SMALL, Filled, evaluating, scenario, write_scrapes

# Seconds between two statuses. Not a divisor of a day, so that they are taken at different times of the day.
EVERY = 90 * 60.0
# Tenant and kind of problem.
Present = frozenset[tuple[str, str]]


@dataclass
class Statuses:
    """Which tenants the status names, with which problem, at some moments (Unix seconds), and since when."""

    every: float
    present: dict[float, Present] = field(default_factory=dict)
    critical: dict[float, Present] = field(default_factory=dict)
    since: dict[float, dict[tuple[str, str], float]] = field(default_factory=dict)

    def look(self, stage: Stage) -> None:
        """Note the status of the one exporter at each multiple of `every`, if it is up."""
        exporter, now = stage.instances[0].exporter, round(stage.clock.now())
        if exporter is None or now % self.every:
            return
        problems = {
            (tenant.id, problem.kind): problem
            for tenant in exporter.status().with_problems
            for problem in tenant.problems
        }
        self.present[now] = frozenset(problems)
        self.critical[now] = frozenset(key for key, problem in problems.items() if problem.severity == "critical")
        self.since[now] = {key: problem.since for key, problem in problems.items()}


@dataclass(frozen=True)
class Days:
    """The days: the database that they fill, the scrapes as `write_scrapes` writes them, and statuses."""

    filled: Filled
    scrapes: Path
    statuses: Statuses


class _Both(TextIOWrapper):
    """A new file; what is written to it is written to another stream as well."""

    def __init__(self, path: Path, other: IO[str]) -> None:
        super().__init__(path.open("wb"), encoding="utf-8")
        self._other = other

    def write(self, text: str, /) -> int:
        self._other.write(text)
        return super().write(text)


def live_through(scrapes: Path, database: Path) -> Days:
    """Live through the days, write the scrapes, and fill a database in an empty folder.

    Raises NoEngineError if it can't be filled.
    """
    statuses = Statuses(EVERY)
    with evaluating(SMALL, database) as running:
        with _Both(scrapes, running.input) as out:
            recorded = write_scrapes(SMALL, out, watch=statuses.look)
        return Days(Filled(database, scenario(SMALL), recorded, running.finish()), scrapes, statuses)
