"""Lets long work on the event loop give way to others, but not more often than needed.

Each time it gives way, all others that are ready go first. If that were at each small step, a flood of requests could
delay the end of the work without bound.
"""

from __future__ import annotations

import asyncio
import time

from exporter.web.limits import TURN_SECONDS


class Turns:
    """The turns of one piece of work. It begins with a turn."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    async def give_way(self) -> None:
        """Let others go first if this turn has taken long. Call it often."""
        if time.perf_counter() - self._begun >= TURN_SECONDS:
            await self.end()

    async def end(self) -> None:
        """Let others go first in any case: before a step that takes about as long as a turn."""
        await asyncio.sleep(0)
        self._begun = time.perf_counter()
