"""Defines the effects of scripted stories about rollover windows and the words of their status."""

from __future__ import annotations

from exporter.simulator.effects import FlagSet, InRollover, RolloverStuck, RolloverWindow
from exporter.simulator.times import DAY, HOUR

# What hubs have been seen to say of a window that has begun, and of one that is over.
_BEGUN = ("in_progress", "inProgress", "active", "Running")
_OVER = ("cancelled", "failed", "Canceled", "aborted")


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


class RolloverInProgress(InRollover):
    """The tenant is in rollover, and the status is a word that the reference does not list: no incident."""

    def begin(self, at: float) -> None:
        """Plan the window around this moment."""
        super().begin(at)
        self.rollover.status_when_on = _BEGUN[self.tenant.info.index % len(_BEGUN)]


class RolloverCalledOff(RolloverWindow):
    """A rollover is cancelled, or has failed for good, before its window opens: no incident."""

    starts_after, ends_after = 3 * HOUR, 3 * DAY

    def begin(self, at: float) -> None:
        """Plan the window, and call it off."""
        super().begin(at)
        self.rollover.starts_by_itself = self.rollover.ends_by_itself = False
        status = _OVER[self.tenant.info.index % len(_OVER)]
        self.tenant.rollovers.set_status(self.rollover, status, at)
        if status == "failed":
            self.rollover.failures, self.rollover.reason = 3, "unspecified"


class RolloverCompletedEarly(RolloverWindow):
    """A rollover is completed long before its window ends: no incident."""

    starts_after, ends_after = -3 * DAY, 10 * DAY

    def begin(self, at: float) -> None:
        """Plan the window, and complete it as soon as it has started."""
        super().begin(at)
        self.rollover.starts_by_itself = self.rollover.ends_by_itself = False
        self.tenant.rollovers.complete(self.rollover, at)


class SuspendedAfterRollover(RolloverCompletedEarly):
    """Syncing stays suspended after a rollover that was completed early: its window explains nothing any more."""

    def begin(self, at: float) -> None:
        """Complete the rollover, and suspend."""
        super().begin(at)
        self.tenant.flags["synchronization_suspended"] = True
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Resume, and remove the rollover."""
        self.tenant.flags["synchronization_suspended"] = False
        self.tenant.incidents.end(self.kind, at)
        super().end(at)


class RolloverStuckInProgress(RolloverStuck):
    """The window has ended, rollover mode is still on, and the status is a word that the reference does not list."""

    def _start(self, at: float) -> None:
        self.rollover.status_when_on = _BEGUN[self.tenant.info.index % len(_BEGUN)]
        super()._start(at)


class RolloverStuckCalledOff(RolloverStuck):
    """The rollover was called off in the middle of its window, and rollover mode is still on."""

    window_ends_after = 10 * DAY

    def _start(self, at: float) -> None:
        super()._start(at)
        self.tenant.rollovers.set_status(self.rollover, _OVER[self.tenant.info.index % len(_OVER)], at)


ROLLOVER_EFFECTS = {
    "rollover_pause": RolloverPause,
    "rollover_in_progress": RolloverInProgress,
    "rollover_called_off": RolloverCalledOff,
    "rollover_completed_early": RolloverCompletedEarly,
    "suspended_after_rollover": SuspendedAfterRollover,
    "rollover_stuck_in_progress": RolloverStuckInProgress,
    "rollover_stuck_called_off": RolloverStuckCalledOff,
}
