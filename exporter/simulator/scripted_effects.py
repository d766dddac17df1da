"""Defines the effects of stories that only a scenario file asks for. The simulator never makes them up.

Most of them are harmless, but look like an incident.
"""

from __future__ import annotations

from exporter.simulator.effects import RANDOM_EFFECTS, FlagSet, StoryEffect
from exporter.simulator.times import DAY, HOUR


class Holiday(StoryEffect):
    """A district disables its schedules for a few days."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - disabling needs no time
        """Disable the enabled schedules."""
        self.disabled = [one for one in self.tenant.schedules.all if one.enabled]
        for schedule in self.disabled:
            schedule.enabled = False

    def end(self, at: float) -> None:  # noqa: ARG002 - enabling needs no time
        """Enable the same schedules."""
        for schedule in self.disabled:
            schedule.enabled = True


class Dormant(Holiday):
    """The schedules stay disabled by mistake, and nothing runs."""

    def begin(self, at: float) -> None:
        """Disable the schedules; the tenant has at least one."""
        self.tenant.schedules.enabled_or_new()
        super().begin(at)
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Enable the schedules, and start a collection."""
        super().end(at)
        self.tenant.ingestions.start_if_idle("collection", at)
        self.tenant.incidents.end(self.kind, at)


class RolloverPause(FlagSet):
    """Syncing is suspended around a rollover window, as districts do it: no incident."""

    flag = "synchronization_suspended"

    def begin(self, at: float) -> None:
        """Suspend, half a day before the window begins."""
        self.tenant.flags[self.flag] = True
        self.rollover = self.tenant.rollovers.plan(at + DAY / 2, at + 14 * DAY)

    def end(self, at: float) -> None:
        """Remove the rollover, and resume."""
        self.tenant.flags[self.flag] = False
        self.tenant.rollovers.remove(self.rollover, at)


class LongLoad(StoryEffect):
    """A bulk load executes for hours, as a first one does, and succeeds."""

    def begin(self, at: float) -> None:
        """Start the load; other runs may be unfinished."""
        self.ingestion = self.tenant.ingestions.add("bulk_load", "executing", at, at)
        self.ingestion.stuck = True

    def end(self, at: float) -> None:
        """Finish the load."""
        self.tenant.ingestions.finish(self.ingestion, "success", at)


class ClockChange(StoryEffect):
    """Daylight saving time begins or ends; the schedules (UTC) move to keep the district's local hour."""

    hours = 0

    def begin(self, at: float) -> None:  # noqa: ARG002 - the schedules know the time
        """Move all schedules."""
        self._move(self.hours)

    def end(self, at: float) -> None:  # noqa: ARG002 - the schedules know the time
        """Move all schedules back."""
        self._move(-self.hours)

    def _move(self, hours: int) -> None:
        schedules = self.tenant.schedules
        for schedule in schedules.all:
            schedules.set_hour(schedule, (schedule.hour + hours) % 24)


class ClockForward(ClockChange):
    """Spring: the local hour is earlier in UTC."""

    hours = -1


class ClockBack(ClockChange):
    """Autumn: the local hour is later in UTC."""

    hours = 1


class Hiccup(StoryEffect):
    """One run fails, and the next one, soon after, succeeds."""

    def begin(self, at: float) -> None:
        """Fail one run, and start the next a quarter of an hour later."""
        ingestions = self.tenant.ingestions
        ingestions.add("collection", "failed", at, at)
        self.tenant.events.add(at + HOUR / 4, lambda then: ingestions.start_if_idle("collection", then))

    def end(self, at: float) -> None:
        """Do nothing: there is nothing to restore."""


SCRIPTED_EFFECTS: dict[str, type[StoryEffect]] = {
    "dormant": Dormant,
    "holiday": Holiday,
    "rollover_pause": RolloverPause,
    "long_load": LongLoad,
    "clock_forward": ClockForward,
    "clock_back": ClockBack,
    "hiccup": Hiccup,
}
ALL_EFFECTS = RANDOM_EFFECTS | SCRIPTED_EFFECTS
