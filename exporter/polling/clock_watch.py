"""Notices that the wall clock was set, so that "since" keeps its distance to the present."""

from __future__ import annotations

import structlog

from exporter.clock import Clock

log = structlog.get_logger("exporter.polling.clock_watch")

# A smaller difference between the wall clock and the steady one is no jump, in seconds.
_NOTICED = 60.0
# A file that was saved later than this after the present, in seconds, is taken to be damaged.
_BELIEVED = 86400.0


class ClockWatch:
    """Compares the wall clock with the steady one.

    `moved` is by how many seconds times of the start have to be moved to be right by the present wall clock. The steady
    clock also counts while the machine is suspended, but not on all systems, and not while a virtual machine is paused.
    Then times move later than they were, which can only delay an alert.
    """

    def __init__(self, clock: Clock) -> None:
        self.moved = 0.0
        # How many jumps there were.
        self.jumps = 0
        # How much of the time between the save and the start may be an error of the clock, in seconds.
        self._absence = 0.0
        self._clock = clock
        self._offset = self._now()

    def _now(self) -> float:
        return self._clock.now() - self._clock.steady()

    def restored(self, saved_at: float) -> None:
        """Times were restored that were saved at Unix seconds `saved_at`: if that is to come, the clock was set.

        If it is more than a day to come, times stay, and a poll takes the present for those that are to come. That can
        only delay an alert. Call this before the first `update`.
        """
        behind = saved_at - self._clock.now()
        self.moved = -behind if _NOTICED < behind <= _BELIEVED else 0.0
        self._absence = max(0.0, -behind)
        self._offset = self._now()

    def update(self) -> float:
        """Take a look at the clocks; returns `moved`."""
        jump = self._now() - self._offset
        if abs(jump) > _NOTICED:
            self._offset += jump
            # If the clock was ahead at the start, it has been set right, and restored times are right as they are.
            set_right = min(self._absence, max(0.0, -jump))
            self._absence -= set_right
            self.moved += jump + set_right
            self.jumps += 1
            log.warning("wall clock was set", seconds=round(jump))
        return self.moved
