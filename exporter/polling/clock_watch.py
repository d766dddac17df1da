"""Notices that the wall clock was set, so that "since" keeps its distance to the present."""

from __future__ import annotations

import structlog

from exporter.clock import Clock

log = structlog.get_logger("exporter.polling.clock_watch")

# A smaller difference between the wall clock and the steady one is no jump, in seconds.
_NOTICED = 60.0
# A machine that sleeps looks as if its clock was set forward, and what was so before is so since then. No machine is
# taken to sleep for longer than this, in seconds.
_LONGEST_SLEEP = 7 * 86400.0


class ClockWatch:
    """Compares the wall clock with the steady one.

    `moved` is by how many seconds times of the start have to be moved to be right by the present wall clock.
    """

    def __init__(self, clock: Clock) -> None:
        self.moved = 0.0
        # Jumps forward that may be a sleep, and so have moved no time.
        self._slept = 0.0
        self._clock = clock
        self._offset = self._now()

    def _now(self) -> float:
        return self._clock.now() - self._clock.monotonic()

    def restored(self, saved_at: float) -> None:
        """Times were restored that were saved at Unix seconds `saved_at`: if that is to come, the clock was set."""
        behind = saved_at - self._clock.now()
        self.moved -= behind if behind > _NOTICED else 0.0

    def update(self) -> float:
        """Take a look at the clocks; returns `moved`."""
        jump = self._now() - self._offset
        if abs(jump) > _NOTICED:
            self._offset += jump
            self._jumped(jump)
            log.warning("wall clock was set, or the machine slept", seconds=round(jump))
        return self.moved

    def _jumped(self, seconds: float) -> None:
        if seconds < 0:
            # It makes up for what was taken for a sleep.
            made_up = min(-seconds, self._slept)
            self._slept -= made_up
            self.moved += seconds + made_up
        else:
            made_up = min(seconds, max(0.0, -self.moved))
            rest = seconds - made_up
            slept = rest if rest <= _LONGEST_SLEEP else 0.0
            self._slept += slept
            self.moved += seconds - slept
