"""Defines a poll to come, and the schedule of a collector."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from exporter.api.rate_limiter import on_request
from exporter.collectors import Collector
from exporter.polling.tenant import TenantState

# Multiples of the golden ratio, modulo one, fill an interval evenly however many tenants come and go.
_GOLDEN_RATIO = 0.618_033_988_749_895

# The weights of polls, beside those of `history.outlook`: a first poll precedes all others.
ORDINARY, FIRST = 1.0, math.inf


@dataclass(eq=False)
class CollectorSchedule:
    """A collector and the interval at which it polls each tenant, in seconds.

    `ended_at` has the end of the last attempt at each tenant, in monotonic seconds, the oldest first.
    """

    collector: Collector[Any]
    interval: float
    order: int
    ended_at: dict[str, float] = field(default_factory=dict)
    enabled: bool = True

    @property
    def name(self) -> str:
        """The collector's name."""
        return self.collector.name

    def lag(self, now: float) -> float:
        """Seconds by which the most overdue tenant is behind the interval."""
        oldest = next(iter(self.ended_at.values()), now)
        return max(0.0, now - oldest - self.interval)


@dataclass(eq=False, slots=True)
class ScheduledPoll:
    """A poll of one tenant by one collector: the one that is due at `due` (monotonic seconds), and all after it.

    `urgent` polls and those with a `weight` precede others that are late. `queued` says that it waits in the queue.
    """

    due: float
    number: int
    state: TenantState
    schedule: CollectorSchedule
    first: bool = True
    urgent: bool = False
    weight: float = FIRST
    queued: bool = False
    # Whether the collector failed for the tenant before this poll.
    failed_before: bool = False
    # Requests that it has sent, and the sign with which they count for the balance of the scheduler.
    requests: int = 0
    sign: int = 0

    @property
    def cancelled(self) -> bool:
        """Whether its tenant was removed, or its collector was disabled or got another interval."""
        return self.state.removed or not self.schedule.enabled

    @property
    def fails(self) -> bool:
        """Whether the collector fails for the tenant."""
        return self.schedule.name in self.state.failures

    def begin(self, sign: int) -> None:
        """Note that it begins."""
        self.failed_before, self.urgent, self.requests, self.sign = self.fails, False, 0, sign

    def count_requests(self) -> None:
        """Count the requests that the running task sends from now on."""
        on_request.set(self._count_request)
        current_poll.set(self)

    def _count_request(self) -> None:
        self.requests += 1

    def reschedule(self, now: float) -> None:
        """Make it due again one interval later. Missed polls are not made up for, so the spread stays even."""
        if self.first:
            self.due = max(now, self.due + self.schedule.interval * (self.number * _GOLDEN_RATIO % 1))
        else:
            missed = max(0.0, now - self.due) // self.schedule.interval
            self.due += (missed + 1) * self.schedule.interval


# The poll that the running task belongs to.
current_poll: ContextVar[ScheduledPoll | None] = ContextVar("current_poll", default=None)
