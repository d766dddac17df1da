"""Decides which poll is next.

Every enabled collector polls every tenant once an interval, never two at a time for one tenant. First polls are due at
once, later ones are spread evenly over the interval. If the intervals can't be kept, the most overdue poll is next, or,
for half of the requests, the one that is worth most: intervals stretch, and no tenant is skipped. Only those whose
requests time out have to leave others room.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from types import MappingProxyType
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.collectors import Collector
from exporter.history import outlook
from exporter.logs import internal_error
from exporter.polling.poll_queue import PollQueue
from exporter.polling.polls import FIRST, ORDINARY, CollectorSchedule, ScheduledPoll
from exporter.polling.tenant import TenantState
from exporter.status import CollectorStatus
from exporter.store import FLEET

log = structlog.get_logger("exporter.polling.scheduler")

# At the full hour, many schedules are due. Of so many tenants, what is worth more is found out at a time.
_WEIGHED_AT_ONCE = 20
# New settings or a new list may cancel all polls: so many at a time are passed over, which takes some milliseconds.
_PASSED_AT_ONCE = 300
# Outdated times of changes that may stay, besides one for each tenant.
_FEW_CHANGES = 100


@dataclass(eq=False, slots=True)
class _Watched:
    """A tenant's polls, and until when (Unix seconds) their weights hold, unless a poll changes them.

    One that was removed has no state, so that what is to be weighed again later does not keep its history.
    """

    state: TenantState | None
    polls: tuple[ScheduledPoll, ...] = ()
    until: float = math.inf


class Scheduler:
    """The polls to come, of all tenants by all collectors.

    With `priorities`, half of the requests go to the polls that are worth most while any is late.
    """

    def __init__(self, clock: Clock, *, priorities: bool = True) -> None:
        self.schedules: dict[str, CollectorSchedule] = {}
        self.repeat = True
        self.priorities = priorities
        self.first_polls_left = 0
        self._clock = clock
        self._queue = PollQueue()
        self._numbers = 0
        self._tenants: dict[TenantState, _Watched] = {}
        # When weights change as time passes, in Unix seconds; ties go by a number.
        self._changes: list[tuple[float, int, _Watched]] = []
        self._ties = count()
        self._broken = False
        # Requests for polls that are worth most, less those for the most overdue ones, while any is late.
        self._balance = 0
        # Polls that are overdue by no more than the shortest interval are not late.
        self._shortest = math.inf
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
        self._queue.drop_empty()
        self._shortest = min((each.interval for each in self.collectors(of_account=False)), default=math.inf)
        return [old.collector for name, old in before.items() if name not in self.schedules]

    def collectors(self, *, of_account: bool) -> list[CollectorSchedule]:
        """The collectors that poll tenants, or those that poll the account."""
        return [each for each in self.schedules.values() if each.collector.of_account == of_account]

    def add(self, state: TenantState, due: float, known: Collection[CollectorSchedule] = ()) -> None:
        """Poll a tenant with every collector but the `known`: at `due` (monotonic seconds), then once an interval.

        Tenants that are added together need the same `due`: then each collector polls all of them before the next one.
        """
        tenant = self._tenants.setdefault(state, _Watched(state))
        polls = [each for each in tenant.polls if not each.cancelled]
        for schedule in self.collectors(of_account=state.id == FLEET):
            if schedule not in known:
                self._numbers += 1
                poll = ScheduledPoll(due, self._numbers, state, schedule)
                poll.weight = FIRST if self.priorities else ORDINARY
                polls.append(poll)
                self._queue.push(poll)
                schedule.ended_at.setdefault(state.id, due)
                self.first_polls_left += 1
        tenant.polls = tuple(polls)

    def remove(self, state: TenantState) -> None:
        """Stop polling a tenant."""
        state.removed = True
        tenant = self._tenants.pop(state, None)
        if tenant:
            tenant.state, tenant.polls = None, ()
        for schedule in self.schedules.values():
            schedule.ended_at.pop(state.id, None)

    def hurry(self, states: Iterable[TenantState]) -> None:
        """Poll these tenants as soon as possible with the collectors that fail for them, and soon with the others."""
        now = self._clock.monotonic()
        for state in states:
            tenant = self._tenants.get(state)
            for poll in tenant.polls if tenant else ():
                poll.urgent = True
                if poll.fails:
                    self._queue.hurry(poll, now)
            self._weigh(tenant)

    def next_due(self, most_slow: float = math.inf) -> ScheduledPoll | None:
        """The next poll of a tenant that is not being polled; `finish` must follow.

        Of tenants whose requests time out, `most_slow` are polled at the same time. Each takes a slot for long. None if
        no poll is due, or if many that can't begin came first: then `seconds_until_next` is not above 0.
        """
        now = self._clock.monotonic()
        self._weigh_again()
        for _ in range(_PASSED_AT_ONCE):
            poll, sign = self._choice(now)
            if poll is None:
                return None
            self._queue.take(poll)
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
                poll.begin(sign)
                self._balance += sign
                return poll
        return None

    def _choice(self, now: float) -> tuple[ScheduledPoll | None, int]:
        """The poll that is next, if one is due, and the sign with which its requests count for the balance."""
        first = self._queue.most_overdue()
        if first is None or first.due > now:
            return None, 0
        if not self.priorities or now - first.due <= self._shortest:
            self._balance = 0
            return first, 0
        return (first, -1) if self._balance > 0 else (self._queue.worth_most(now), 1)

    def seconds_until_next(self) -> float | None:
        """Seconds until a poll is due, not above 0 if one is due now; None if none is scheduled."""
        first = self._queue.most_overdue()
        return first.due - self._clock.monotonic() if first else None

    def finish(self, poll: ScheduledPoll) -> None:
        """Note that a poll has ended, and schedule the next one."""
        now, state = self._clock.monotonic(), poll.state
        self._balance += poll.sign * (poll.requests - 1)
        again = self._deferred.pop(state)
        if state in self._slow:
            self._slow.remove(state)
            again += self._waiting
            self._waiting.clear()
        if not poll.cancelled:
            # Moved to the end, so that the first entry is the oldest.
            poll.schedule.ended_at.pop(state.id, None)
            poll.schedule.ended_at[state.id] = now
            if self.repeat:
                poll.reschedule(now)
                again.append(poll)
        self._count_first(poll)
        self._note_recovery(poll)
        self._weigh(self._tenants.get(state))
        for each in again:
            self._queue.push(each)

    def _count_first(self, poll: ScheduledPoll) -> None:
        if poll.first:
            poll.first = False
            self.first_polls_left -= 1

    def _note_recovery(self, poll: ScheduledPoll) -> None:
        """After a recovery, the tenant's other failing collectors may recover as well."""
        if poll.failed_before and not poll.fails and not poll.cancelled:
            for each in self._tenants[poll.state].polls:
                each.urgent = each.urgent or each.fails

    # Weights

    def weigh(self, state: TenantState) -> None:
        """Find out what the polls of a tenant are worth now."""
        self._weigh(self._tenants.get(state))

    def _weigh(self, tenant: _Watched | None) -> None:
        """Find out what the polls of a tenant are worth now, and until when; nothing if it was removed."""
        if tenant is None or tenant.state is None or not self.priorities:
            return
        weights, until = self._outlook(tenant.state)
        for poll in tenant.polls:
            weight = outlook.HIGH if poll.urgent else weights.get(poll.schedule.name, ORDINARY)
            self._queue.weigh(poll, FIRST if poll.first else weight)
        if until != tenant.until:
            tenant.until = until
            if until < math.inf:
                heappush(self._changes, (until, next(self._ties), tenant))
                self._drop_outdated_changes()

    def _drop_outdated_changes(self) -> None:
        """If most entries are outdated, keep the current ones alone: others would stay until their time, for months."""
        if len(self._changes) > 2 * len(self._tenants) + _FEW_CHANGES:
            watched = [each for each in self._tenants.values() if each.until < math.inf]
            self._changes = [(each.until, next(self._ties), each) for each in watched]
            heapify(self._changes)

    def _outlook(self, state: TenantState) -> tuple[Mapping[str, float], float]:
        try:
            return outlook.weights(state.history, self._clock.now())
        except Exception as error:  # noqa: BLE001 - an internal error here must not stop the polls
            if not self._broken:
                log.warning("polls have no priorities", tenant_id=state.id, detail=internal_error(error))
            self._broken = True
            return {}, math.inf

    def _weigh_again(self) -> None:
        """Weigh tenants whose weights have changed because time has passed."""
        now = self._clock.now()
        for _ in range(_WEIGHED_AT_ONCE):
            if not self._changes or self._changes[0][0] > now:
                return
            until, _, tenant = heappop(self._changes)
            if tenant.until == until:
                tenant.until = math.inf
                self._weigh(tenant)

    # The state for others

    def lags(self) -> dict[str, float]:
        """By collector, the seconds by which its most overdue tenant is behind the interval."""
        now = self._clock.monotonic()
        return {name: schedule.lag(now) for name, schedule in self.schedules.items()}

    def statuses(self, failing: Mapping[str, int] = MappingProxyType({})) -> tuple[CollectorStatus, ...]:
        """The collectors; `failing` is how many tenants each fails for."""
        now, schedules = self._clock.monotonic(), self.schedules.values()
        return tuple(
            CollectorStatus(each.name, each.interval, each.lag(now), failing.get(each.name, 0)) for each in schedules
        )

    def polls_of(self, state: TenantState) -> tuple[ScheduledPoll, ...]:
        """The polls of a tenant to come, or running: one of each collector."""
        tenant = self._tenants.get(state)
        return tuple(poll for poll in tenant.polls if not poll.cancelled) if tenant else ()

    @property
    def running(self) -> int:
        """How many polls have been given by `next_due` and have not finished."""
        return len(self._deferred)

    @property
    def polls_per_interval(self) -> int:
        """How many polls it takes to poll every tenant once with every collector."""
        return sum(len(schedule.ended_at) for schedule in self.schedules.values())
