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
        rng = self._context.rng
        year = 1970 + int(start // (365.2425 * DAY))
        name = rng.choice((f"{year}-{(year + 1) % 100:02d} New Year Rollover", f"Summer {year}", f"Rollover {year}"))
        created = round_to_ms(min(self._context.events.now, start - 30 * DAY))
        return self._add(new_id(rng), name, start, end, created)

    def create(self, name: str, start: float, end: float, at: float) -> Rollover:
        """Plan a window, as clients do, at Unix seconds `at`."""
        rollover = self._add(new_id(self._context.rng_of_calls), name, start, end, at)
        rollover.is_from_client = True
        return rollover

    def _add(self, rollover_id: str, name: str, start: float, end: float, created: float) -> Rollover:
        start, end = round_to_ms(start), round_to_ms(end)
        rollover = Rollover(rollover_id, name, "new_year", start, end, created_at=created, updated_at=created)
        self.all.append(rollover)
        self._plan_start(rollover)
        self._plan_end(rollover)
        return rollover

    def move(self, rollover: Rollover, start: float, end: float) -> None:
        """Move the window; it starts and ends at the new times."""
        was, rollover.start, rollover.end = (rollover.start, rollover.end), start, end
        if start != was[0]:
            self._plan_start(rollover)
        if end != was[1]:
            self._plan_end(rollover)

    def overlapping(self, start: float, end: float, now: float, but: Rollover | None = None) -> Rollover | None:
        """A rollover, other than `but`, that is not over and overlaps the window; None if there is none."""
        for one in self.all:
            # One that is still on after its window's end has no known end.
            until = max(one.end, now) if one.is_on else one.end
            if one is not but and not self.is_over(one) and one.start < end and start < until:
                return one
        return None

    def is_over(self, rollover: Rollover) -> bool:
        """Whether it has been completed or called off."""
        return not rollover.is_on and rollover.status != "upcoming"

    def start(self, rollover: Rollover, at: float) -> None:
        """Start a rollover: rollover mode is on. No effect if it is removed."""
        if rollover not in self.all:
            return
        self.set_status(rollover, rollover.status_when_on, at)
        rollover.is_on = True
        self._context.flags["rollover_mode_enabled"] = True

    def complete(self, rollover: Rollover, at: float) -> None:
        """Complete a rollover: rollover mode is off. No effect if it is removed."""
        if rollover not in self.all:
            return
        self.set_status(rollover, "completed", at)
        rollover.is_on = False
        # Stories turn the mode off whatever else is on, and the same seed must give the same life. A client's rollover
        # and a story's leave each other alone.
        others = (one for one in self.all if one.is_on and (one.is_from_client or rollover.is_from_client))
        self._context.flags["rollover_mode_enabled"] = any(others)

    def remove(self, rollover: Rollover, at: float) -> None:
        """Remove a rollover; complete it first if it is ongoing. No effect if it is removed already."""
        if rollover not in self.all:
            return
        if rollover.is_on:
            self.complete(rollover, at)
        self.all.remove(rollover)
        rollover.status = "removed"

    def set_status(self, rollover: Rollover, status: str, at: float) -> None:
        """Set the status, known or new; the rollover mode stays."""
        rollover.status, rollover.updated_at = status, at
        rollover.failures, rollover.reason = 0, None

    def _plan_start(self, rollover: Rollover) -> None:
        self._context.events.add(rollover.start, partial(self._start_planned, rollover, rollover.start))

    def _plan_end(self, rollover: Rollover) -> None:
        self._context.events.add(rollover.end, partial(self._complete_planned, rollover, rollover.end))

    def _start_planned(self, rollover: Rollover, start: float, at: float) -> None:
        # An event with another start was planned before the window moved.
        if rollover.starts_by_itself and rollover.start == start:
            self.start(rollover, at)

    def _complete_planned(self, rollover: Rollover, end: float, at: float) -> None:
        if rollover.ends_by_itself and rollover.end == end:
            self.complete(rollover, at)
