"""Starts and ends one tenant's rollover windows."""

from __future__ import annotations

from functools import partial

from exporter.simulator.context import TenantContext
from exporter.simulator.inventory import new_id
from exporter.simulator.records import Rollover
from exporter.simulator.times import DAY, round_to_ms


class Rollovers:
    """The planned rollovers of one tenant."""

    def __init__(self, context: TenantContext) -> None:
        self._context = context
        self.all: list[Rollover] = []

    def plan(self, start: float, end: float) -> Rollover:
        """Plan a window in Unix seconds; it starts and ends by itself."""
        rng, events = self._context.rng, self._context.events
        year = 1970 + int(start // (365.2425 * DAY))
        name = rng.choice((f"{year}-{(year + 1) % 100:02d} New Year Rollover", f"Summer {year}", f"Rollover {year}"))
        created = round_to_ms(min(events.now, start - 30 * DAY))
        start, end = round_to_ms(start), round_to_ms(end)
        rollover = Rollover(new_id(rng), name, "new_year", start, end, created_at=created, updated_at=created)
        self.all.append(rollover)
        events.add(start, partial(self._start_planned, rollover))
        events.add(end, partial(self._complete_planned, rollover))
        return rollover

    def start(self, rollover: Rollover, at: float) -> None:
        """Start a rollover: rollover mode is on."""
        self.set_status(rollover, rollover.status_when_on, at)
        rollover.is_on = True
        self._context.flags["rollover_mode_enabled"] = True

    def complete(self, rollover: Rollover, at: float) -> None:
        """Complete a rollover: rollover mode is off."""
        self.set_status(rollover, "completed", at)
        rollover.is_on = False
        self._context.flags["rollover_mode_enabled"] = False

    def remove(self, rollover: Rollover, at: float) -> None:
        """Remove a rollover; complete it first if it is ongoing."""
        if rollover.is_on:
            self.complete(rollover, at)
        self.all.remove(rollover)

    def set_status(self, rollover: Rollover, status: str, at: float) -> None:
        """Set the status, known or new; the rollover mode stays."""
        rollover.status, rollover.updated_at = status, at
        rollover.failures, rollover.reason = 0, None

    def _start_planned(self, rollover: Rollover, at: float) -> None:
        if rollover.starts_by_itself and rollover in self.all:
            self.start(rollover, at)

    def _complete_planned(self, rollover: Rollover, at: float) -> None:
        if rollover.ends_by_itself and rollover in self.all:
            self.complete(rollover, at)
