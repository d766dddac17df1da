"""Decides which poll is next.

Every enabled collector polls every tenant once an interval, never two at a time for one tenant. First polls are due at
once, later ones are spread evenly over the interval. If the intervals can't be kept, the most overdue poll is next:
intervals stretch, and no tenant is skipped. Only those whose requests time out have to leave others room.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.clock import Clock
from exporter.collectors import Collector
from exporter.polling.tenant import TenantState
from exporter.store import FLEET

# Multiples of the golden ratio, modulo one, fill an interval evenly however many tenants come and go.
_GOLDEN_RATIO = 0.618_033_988_749_895


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


@dataclass(order=True)
class ScheduledPoll:
    """A poll to come, the earliest first. Of polls that are due together, the collectors go in their order."""

    due: float
    order: int
    number: int
    state: TenantState = field(compare=False)
    schedule: CollectorSchedule = field(compare=False)
    first: bool = field(compare=False, default=True)

    @property
    def cancelled(self) -> bool:
        """Whether its tenant was removed, or its collector was disabled or got another interval."""
        return self.state.removed or not self.schedule.enabled

    def reschedule(self, now: float) -> None:
        """Make it due again one interval later. Missed polls are not made up for, so the spread stays even."""
        if self.first:
            self.due = max(now, self.due + self.schedule.interval * (self.number * _GOLDEN_RATIO % 1))
        else:
            missed = max(0.0, now - self.due) // self.schedule.interval
            self.due += (missed + 1) * self.schedule.interval


class Scheduler:
    """The polls to come, of all tenants by all collectors."""

    def __init__(self, clock: Clock) -> None:
        self.schedules: dict[str, CollectorSchedule] = {}
        self.repeat = True
        self.first_polls_left = 0
        self._clock = clock
        self._polls: list[ScheduledPoll] = []
        self._numbers = 0
        # Tenants that are being polled, each with the polls that came due meanwhile.
        self._deferred: dict[TenantState, list[ScheduledPoll]] = {}
        # Those of them whose requests time out, and the polls of other such tenants that wait for them.
        self._slow: set[TenantState] = set()
        self._waiting: list[ScheduledPoll] = []

    def configure(self, intervals: Mapping[type[Collector[Any]], float]) -> list[Collector[Any]]:
        """Set the collectors and their intervals in seconds; returns the collectors that are no longer enabled.

        Where the interval stays the same, so do the polls. `add` the tenants again afterwards.
        """
        before, self.schedules = self.schedules, {}
        for order, (kind, interval) in enumerate(intervals.items()):
            old = before.get(kind.name)
            same = old if old and old.interval == interval else None
            ended_at = old.ended_at if old else {}
            self.schedules[kind.name] = same or CollectorSchedule(kind(), interval, order, ended_at)
        for name, old in before.items():
            old.enabled = old is self.schedules.get(name)
        return [old.collector for name, old in before.items() if name not in self.schedules]

    def collectors(self, *, of_account: bool) -> list[CollectorSchedule]:
        """The collectors that poll tenants, or those that poll the account."""
        return [each for each in self.schedules.values() if each.collector.of_account == of_account]

    def add(self, state: TenantState, due: float, known: Collection[CollectorSchedule] = ()) -> None:
        """Poll a tenant with every collector but the `known`: at `due` (monotonic seconds), then once an interval.

        Tenants that are added together need the same `due`: then each collector polls all of them before the next one.
        """
        for schedule in self.collectors(of_account=state.id == FLEET):
            if schedule not in known:
                self._numbers += 1
                heapq.heappush(self._polls, ScheduledPoll(due, schedule.order, self._numbers, state, schedule))
                schedule.ended_at.setdefault(state.id, due)
                self.first_polls_left += 1

    def remove(self, state: TenantState) -> None:
        """Stop polling a tenant."""
        state.removed = True
        for schedule in self.schedules.values():
            schedule.ended_at.pop(state.id, None)

    def hurry(self, states: Iterable[TenantState]) -> None:
        """Poll these tenants as soon as possible with the collectors that fail for them."""
        wanted = set(states)
        if not wanted:
            return
        now = self._clock.monotonic()
        for poll in (*self._polls, *self._waiting):
            if poll.state in wanted and poll.schedule.name in poll.state.failures:
                poll.due = min(poll.due, now)
        heapq.heapify(self._polls)

    def next_due(self, most_slow: float = math.inf) -> ScheduledPoll | None:
        """The most overdue poll of a tenant that is not being polled; `finish` must follow.

        Of tenants whose requests time out, `most_slow` are polled at the same time. Each takes a slot for long.
        """
        now = self._clock.monotonic()
        while self._polls and self._polls[0].due <= now:
            poll = heapq.heappop(self._polls)
            if poll.cancelled:
                self._count_first(poll)
            elif poll.state in self._deferred:
                self._deferred[poll.state].append(poll)
            elif self.repeat and poll.state.times_out and len(self._slow) >= most_slow:
                self._waiting.append(poll)
            else:
                self._deferred[poll.state] = []
                if poll.state.times_out:
                    self._slow.add(poll.state)
                return poll
        return None

    def seconds_until_next(self) -> float | None:
        """Seconds until a poll is due, not above 0 if one is due now; None if none is scheduled."""
        return self._polls[0].due - self._clock.monotonic() if self._polls else None

    def finish(self, poll: ScheduledPoll) -> None:
        """Note that a poll has ended, and schedule the next one."""
        now = self._clock.monotonic()
        again = self._deferred.pop(poll.state)
        if poll.state in self._slow:
            self._slow.remove(poll.state)
            again += self._waiting
            self._waiting.clear()
        for each in again:
            heapq.heappush(self._polls, each)
        if not poll.cancelled:
            # Moved to the end, so that the first entry is the oldest.
            poll.schedule.ended_at.pop(poll.state.id, None)
            poll.schedule.ended_at[poll.state.id] = now
            if self.repeat:
                poll.reschedule(now)
                heapq.heappush(self._polls, poll)
        self._count_first(poll)

    def _count_first(self, poll: ScheduledPoll) -> None:
        if poll.first:
            poll.first = False
            self.first_polls_left -= 1

    def lags(self) -> dict[str, float]:
        """By collector, the seconds by which its most overdue tenant is behind the interval."""
        now = self._clock.monotonic()
        return {name: schedule.lag(now) for name, schedule in self.schedules.items()}

    @property
    def running(self) -> int:
        """How many polls have been given by `next_due` and have not finished."""
        return len(self._deferred)

    @property
    def polls_per_interval(self) -> int:
        """How many polls it takes to poll every tenant once with every collector."""
        return sum(len(schedule.ended_at) for schedule in self.schedules.values())
