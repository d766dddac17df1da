"""Runs a tenant's events in the order of their times.

The queue advances only when a tenant is looked up, so months of many tenants cost only what a test looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from exporter.simulator.times import round_to_ms

Event = Callable[[float], None]


class EventQueue:
    """The events of one tenant, and the time (Unix seconds) that the tenant has reached."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._events: list[tuple[float, int, Event]] = []
        self._sequence = 0

    def add(self, moment: float, event: Event) -> None:
        """Call `event` at Unix seconds `moment`, with the time as its argument."""
        self._sequence += 1
        heappush(self._events, (round_to_ms(moment), self._sequence, event))

    def advance(self, now: float) -> None:
        """Run all events up to Unix seconds `now`. A clock that went back changes nothing."""
        events = self._events
        while events and events[0][0] <= now:
            moment, _, event = heappop(events)
            self.now = max(self.now, moment)
            event(self.now)
        self.now = max(self.now, now)
