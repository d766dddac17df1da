"""Defines the clock that is passed to everything that reads the time or sleeps.

Tests pass another one, so that hours of simulated time take seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


def _suspended() -> float:
    """For how long the machine has been suspended since it booted, in seconds. 0 if the system does not tell it."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


@dataclass(frozen=True)
class Clock:
    """The wall clock, the steady clock, and sleep.

    `now` gives Unix seconds and may jump; `monotonic` gives seconds from an arbitrary start and never
    goes back; `sleep` takes seconds on the scale of `monotonic`. `suspended` gives the seconds that the machine
    has been suspended, which `monotonic` does not count.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    suspended: Callable[[], float] = _suspended

    def steady(self) -> float:
        """Seconds from an arbitrary start, that never go back, and count while the machine is suspended."""
        return self.monotonic() + self.suspended()
