"""Defines the clock that is passed to everything that reads the time or sleeps.

Tests pass another one, so that hours of simulated time take seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The wall clock, the steady clock, and sleep.

    `now` gives Unix seconds and may jump; `monotonic` gives seconds from an arbitrary start and never
    goes back; `sleep` takes seconds on the scale of `monotonic`.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
