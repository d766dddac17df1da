"""Defines the effects of scripted stories about schedules: switched off, moved, missed while others run, and pauses."""

from __future__ import annotations

from exporter.simulator.effects import Overdue, StoryEffect
from exporter.simulator.records import Ingestion
from exporter.simulator.schedules import EVERY_DAY, next_due
from exporter.simulator.times import DAY, HOUR

_PAUSE = "synchronization_suspended"
_PAUSE_LASTS = 3 * HOUR


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


class OverdueWhileOthersRun(Overdue):
    """Schedules are missed; another schedule's collections, and runs of another type, succeed all the time."""

    def begin(self, at: float) -> None:
        """Miss the schedules, add one that runs an hour later, and start event bundles."""
        super().begin(at)
        schedules = self.tenant.schedules
        self.other = schedules.add_new(at)
        schedules.set_hour(self.other, (self.schedule.hour + 1) % 24)
        self._start_bundle(at)

    def _start_bundle(self, at: float) -> None:
        if self.active:
            self.tenant.ingestions.start("event_bundle", at)
            self.tenant.events.add(at + HOUR, self._start_bundle)

    def end(self, at: float) -> None:
        """Remove the other schedule, and run those that were missed."""
        self.tenant.schedules.remove(self.other)
        super().end(at)


class OverdueBesideUnstarted(Overdue):
    """Schedules are missed; there is always an unfinished event bundle without a start time."""

    def begin(self, at: float) -> None:
        """Miss the schedules, and add the first event bundle."""
        super().begin(at)
        self.bundle: Ingestion | None = None
        self._next_bundle(at)

    def _next_bundle(self, at: float) -> None:
        if self.bundle:
            self.tenant.ingestions.finish(self.bundle, "success", at)
        if self.active:
            self.bundle = self.tenant.ingestions.add("event_bundle", "preparing", None, at)
            self.bundle.stuck = True
            self.tenant.events.add(at + 1.5 * HOUR, self._next_bundle)

    def end(self, at: float) -> None:
        """Finish the last event bundle at its time, and run the missed schedules."""
        super().end(at)


class NightlySuspension(StoryEffect):
    """Syncing is suspended for three hours a day, well away from the schedules: no incident."""

    hours_after_due = 6.0

    def begin(self, at: float) -> None:
        """Suspend for the first time when its hour comes."""
        self.schedule = self.tenant.schedules.enabled_or_new()
        hour = (self.schedule.hour + self.hours_after_due) % 24
        self.tenant.events.add(next_due(0, EVERY_DAY, at - hour * HOUR) + hour * HOUR, self._suspend)

    def _suspend(self, at: float) -> None:
        if self.active:
            self.tenant.flags[_PAUSE] = True
            self.tenant.events.add(at + _PAUSE_LASTS, self._resume)
            self.tenant.events.add(at + DAY, self._suspend)

    def _resume(self, at: float) -> None:  # noqa: ARG002 - a flag needs no time
        self.tenant.flags[_PAUSE] = False

    def end(self, at: float) -> None:
        """Suspend no more."""
        self._resume(at)


class DormantAndSuspended(Dormant):
    """The schedules stay disabled by mistake, and syncing is suspended for three hours each night."""

    def begin(self, at: float) -> None:
        """Disable the schedules, and begin to suspend."""
        self.nightly = NightlySuspension(self.tenant, self.kind)
        self.nightly.active = True
        self.nightly.begin(at)
        super().begin(at)

    def end(self, at: float) -> None:
        """Suspend no more, and enable the schedules."""
        self.nightly.active = False
        self.nightly.end(at)
        super().end(at)


class SuspendedWhenDue(NightlySuspension):
    """A nightly suspension covers the hour at which the schedules are due, so that nothing runs."""

    hours_after_due = -1.0

    def begin(self, at: float) -> None:
        """Begin to suspend; all schedules are due at one hour."""
        super().begin(at)
        for schedule in self.tenant.schedules.all:
            self.tenant.schedules.set_hour(schedule, self.schedule.hour)
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Suspend no more, and start a collection."""
        super().end(at)
        self.tenant.ingestions.start_if_idle("collection", at)
        self.tenant.incidents.end(self.kind, at)


SCHEDULE_EFFECTS: dict[str, type[StoryEffect]] = {
    "dormant": Dormant,
    "holiday": Holiday,
    "clock_forward": ClockForward,
    "clock_back": ClockBack,
    "overdue_while_others_run": OverdueWhileOthersRun,
    "overdue_beside_unstarted": OverdueBesideUnstarted,
    "nightly_suspension": NightlySuspension,
    "dormant_and_suspended": DormantAndSuspended,
    "suspended_when_due": SuspendedWhenDue,
}
