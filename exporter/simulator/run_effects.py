"""Defines the effects of scripted stories about single runs: their states, starts, lengths and ends."""

from __future__ import annotations

from exporter.simulator.effects import Stalled, StoryEffect
from exporter.simulator.ingestions import PlannedRun
from exporter.simulator.schedules import EVERY_DAY, next_due
from exporter.simulator.times import HOUR

_MINUTE = 60.0
# More runs than any story has.
_MANY = 100


class Hiccup(StoryEffect):
    """One run fails, and the next one, soon after, succeeds."""

    def begin(self, at: float) -> None:
        """Fail one run, and start the next a quarter of an hour later."""
        ingestions = self.tenant.ingestions
        ingestions.add("collection", "failed", at, at)
        self.tenant.events.add(at + HOUR / 4, lambda then: ingestions.start_if_idle("collection", then))

    def end(self, at: float) -> None:
        """Do nothing: there is nothing to restore."""


class LongLoad(StoryEffect):
    """A bulk load executes for hours, as a first one does, and succeeds."""

    def begin(self, at: float) -> None:
        """Start the load; other runs may be unfinished."""
        self.ingestion = self.tenant.ingestions.add("bulk_load", "executing", at, at)
        self.ingestion.stuck = True

    def end(self, at: float) -> None:
        """Finish the load."""
        self.tenant.ingestions.finish(self.ingestion, "success", at)


class StalledWithoutStart(Stalled):
    """An ingestion never gets a start time, and never finishes."""

    def begin(self, at: float) -> None:
        """Add a stuck run without a start."""
        self._add_stuck("preparing", None, at)


class StalledInUnknownState(Stalled):
    """An ingestion waits for its pending task for ever, in a state that the reference does not list."""

    def begin(self, at: float) -> None:
        """Add a stuck run with a pending task."""
        self._add_stuck("awaiting_files", at, at)
        self.ingestion.has_pending_task = True


class UnknownState(StoryEffect):
    """Runs pass through a state that the reference does not list: no incident."""

    def begin(self, at: float) -> None:
        """Start such a run; it takes two hours."""
        ingestion = self.tenant.ingestions.add("event_bundle", "validating", at, at)
        ingestion.stuck = True
        self.tenant.events.add(at + 2 * HOUR, lambda then: self.tenant.ingestions.finish(ingestion, "success", then))

    def end(self, at: float) -> None:
        """Do nothing: there is nothing to restore."""


class UnknownStateStays(StoryEffect):
    """An ingestion is over, in a state that the reference does not list, and stays in the list: no incident."""

    def begin(self, at: float) -> None:
        """Add the ingestion; it has no pending task."""
        self.ingestion = self.tenant.ingestions.add("collection", "archived", at, at)
        self.ingestion.stuck = self.ingestion.lingers = True

    def end(self, at: float) -> None:
        """Take it from the list."""
        self.tenant.ingestions.finish(self.ingestion, "archived", at)


class ListsFinished(StoryEffect):
    """The tenant's list keeps the ingestions that have finished: no incident."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - the list needs no time
        """List finished ones, too."""
        self.tenant.ingestions.lists_finished = True

    def end(self, at: float) -> None:  # noqa: ARG002 - the list needs no time
        """List unfinished ones alone."""
        self.tenant.ingestions.lists_finished = False


class ShortRuns(StoryEffect):
    """Runs end within a minute, so that hardly any poll sees one: no incident."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - the next run will begin at its time
        """Shorten the runs."""
        self.tenant.ingestions.runs_last = 40.0

    def end(self, at: float) -> None:  # noqa: ARG002 - see begin
        """Let runs take their time again."""
        self.tenant.ingestions.runs_last = None


class Cancelled(StoryEffect):
    """A person cancels the collections: no incident."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - the next run will begin at its time
        """Cancel each collection from now on, after some minutes."""
        self.tenant.ingestions.planned.extend([PlannedRun("cancelled", 20 * _MINUTE)] * _MANY)

    def end(self, at: float) -> None:  # noqa: ARG002 - see begin
        """Let collections go on."""
        self.tenant.ingestions.planned.clear()


class FailsOnce(StoryEffect):
    """A nightly run fails; the next one, a day later, takes five hours and succeeds. It takes two days."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - the next runs will begin at their times
        """Plan the next two collections, and let the first schedule run every day."""
        self.schedule = self.tenant.schedules.enabled_or_new()
        self.days = self.schedule.days, self.schedule.actual_days
        self.tenant.schedules.set_days(self.schedule, None, EVERY_DAY)
        self.tenant.ingestions.planned.append(PlannedRun("failed", HOUR / 2, self.kind))
        self.tenant.ingestions.planned.append(PlannedRun("success", 5 * HOUR))

    def end(self, at: float) -> None:  # noqa: ARG002 - see begin
        """Restore the schedule's days."""
        self.tenant.ingestions.planned.clear()
        self.tenant.schedules.set_days(self.schedule, *self.days)


class BlockedByRun(StoryEffect):
    """A long run is under way when a schedule is due, which starts half an hour after its end: no incident.

    It happens at the next time that the schedule is due.
    """

    run_type = "collection"
    before, after = HOUR, 4.5 * HOUR

    def begin(self, at: float) -> None:
        """Plan the run and the schedule's late start."""
        schedules, events = self.tenant.schedules, self.tenant.events
        self.schedule = schedules.enabled_or_new()
        due = next_due(self.schedule.hour, self.schedule.actual_days, at + self.before)
        events.add(due - self.before, self._start)
        events.add(due + self.after, self._finish)
        events.add(due + self.after + HOUR / 2, self._execute)

    def _start(self, at: float) -> None:
        self.schedule.blocked = True
        self.ingestion = self.tenant.ingestions.add(self.run_type, "executing", at, at)
        self.ingestion.stuck = True

    def _finish(self, at: float) -> None:
        self.tenant.ingestions.finish(self.ingestion, "success", at)

    def _execute(self, at: float) -> None:
        self.schedule.blocked = False
        if not self.tenant.is_paused():
            self.tenant.schedules.execute(self.schedule, at)

    def end(self, at: float) -> None:
        """Do nothing: it restores itself."""


class BlockedByLoad(BlockedByRun):
    """The same, with a bulk load that takes longer than a collection may."""

    run_type = "bulk_load"
    before, after = 2 * HOUR, 9 * HOUR


RUN_EFFECTS: dict[str, type[StoryEffect]] = {
    "long_load": LongLoad,
    "hiccup": Hiccup,
    "stalled_without_start": StalledWithoutStart,
    "stalled_in_unknown_state": StalledInUnknownState,
    "unknown_state": UnknownState,
    "unknown_state_stays": UnknownStateStays,
    "lists_finished": ListsFinished,
    "short_runs": ShortRuns,
    "cancelled": Cancelled,
    "fails_once": FailsOnce,
    "blocked_by_run": BlockedByRun,
    "blocked_by_load": BlockedByLoad,
}
