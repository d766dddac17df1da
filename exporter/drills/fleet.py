"""Prepares the fleet of a demo with drills: nothing is wrong, and the exporter has watched it before.

An exporter that has just begun to watch can't tell whether a schedule was missed before. So it polls the fleet once
as it was five hours ago, on a clock that is set back, and saves what it saw in a state file. Then the demo restores it.
Of a longer absence, the exporter would not call a schedule overdue: see `exporter.history.schedules.LONGEST_GAP`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.assembly import keeping_state, open_exporter
from exporter.clock import Clock
from exporter.settings import Settings
from exporter.simulator import Simulator
from exporter.simulator.ingestions import PlannedRun
from exporter.simulator.schedules import EVERY_DAY, next_due

HOUR, DAY = 3600.0, 86_400.0
_PAST = 5 * HOUR
# The schedules were due so long ago: longer than the threshold `sync_overdue`.
_DUE_AGO = 3 * HOUR
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# The run of a schedule ends before a poll sees it. A run that a poll saw would make good what a drill says was missed.
_RUN_LASTS = 0.0
_MANY_RUNS = 100
_LATE = 30.0


@dataclass
class _MovedClock:
    """The real time, moved by some seconds."""

    real: Callable[[], float]
    moved: float = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return self.real() + self.moved


class CalmFleet:
    """A simulated fleet of `tenants` without any incident. Of every tenant, a daily schedule was due 3 hours ago.

    The last tenant is `idle`: its schedule is due once a week, so that nothing has run for six days.
    """

    def __init__(self, tenants: int, seed: int, clock: Clock) -> None:
        self._real = clock
        self._clock = _MovedClock(clock.now, -_PAST)
        self.simulator = Simulator(tenants=tenants, seed=seed, stories=[], now=self._clock.now)
        for tenant in self.simulator.tenants():
            self._calm(tenant.id)
        self.idle = self.simulator.tenants()[-1].id
        self._make_idle()

    async def watch_the_past(self, settings: Settings, state: Path) -> None:
        """Poll the fleet as it was, and save what is known then in the file `state`. Then the fleet is in the present.

        `settings` are those of the exporter that will poll the fleet, with its API.
        """
        clock = replace(self._real, now=self._clock.now)
        async with open_exporter(settings, clock) as exporter, keeping_state(exporter, state):
            await exporter.poller.once()
        self._clock.moved = 0.0

    def _calm(self, tenant_id: str) -> None:
        tenant, now = self.simulator.tenant(tenant_id), self.simulator.now()
        for run in tenant.ingestions.under_way():
            tenant.ingestions.finish(run, "success", now)
        tenant.ingestions.planned.extend([PlannedRun("success", _RUN_LASTS)] * _MANY_RUNS)
        tenant.ingestions.runs_last = _RUN_LASTS
        for rollover in list(tenant.rollovers.all):
            tenant.rollovers.remove(rollover, now)
        for schedule in list(tenant.schedules.all):
            tenant.schedules.remove(schedule)
        created = tenant.schedules.create(self._hour(), tenant.info.created_at)
        created.last_executed_at = self._due() - DAY + _LATE

    def _make_idle(self) -> None:
        schedules = self.simulator.tenant(self.idle).schedules
        tomorrow = int((self._due() + DAY) // DAY + 3) % 7
        schedules.set_days(schedules.all[0], _WEEKDAYS[tomorrow], frozenset({tomorrow}))
        schedules.all[0].last_executed_at = self._due() - 6 * DAY + _LATE

    def _hour(self) -> int:
        """The hour (UTC) of the day that began more than three hours ago."""
        return int((self._clock.real() - _DUE_AGO) % DAY // HOUR)

    def _due(self) -> float:
        """The last due time of the present, in Unix seconds."""
        return next_due(self._hour(), EVERY_DAY, self._clock.real() - DAY)
