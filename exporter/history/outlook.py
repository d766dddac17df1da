"""Says which polls of a tenant are likely to show something new, now or soon, from its history.

Each function gives spans: the collector, the weight of its polls, and from when to when they have it, in Unix seconds.
An ordinary poll has the weight 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from exporter.api.models import Rollover, Schedule
from exporter.history.due_times import last_due, next_due
from exporter.history.history import History
from exporter.history.rollovers import has_status
from exporter.history.schedules import TOLERANCE, ScheduleHistory
from exporter.thresholds import HOUR, MINUTE, ROLLOVER_OVER, ROLLOVER_UPCOMING, threshold

# What is due now is likely to be seen at the next poll. What is under way may end; what has ended, failed or paused may
# change. The weights are about the square roots of how much more often something happens then.
HIGH, MIDDLE, LOW = 50.0, 15.0, 4.0
# How long after a due time a start is likely. The start of a run may be in the list a little later.
_START, _LISTED = 30 * MINUTE, MINUTE
# A failure, or a pause, that has lasted for longer may last for days.
_FAILURE, _PAUSE = HOUR, 2 * HOUR
# For how long after a start other runs are likely to follow, and how long it takes to confirm that one has stalled.
_FOLLOWED, _CONFIRMED = 5 * HOUR, 15 * MINUTE
# Schedules and rollovers of a tenant that are looked at: the others have the weight of any poll.
_MOST = 20
_EVERY_DAY = frozenset(range(7))

Span = tuple[str, float, float, float]


def weights(history: History, now: float) -> tuple[Mapping[str, float], float]:
    """The weights above 1 at Unix seconds `now`, by collector, and when the next one may change without a poll."""
    found: dict[str, float] = {}
    until = math.inf
    for collector, weight, begin, end in _spans(history, now):
        if begin > now:
            until = min(until, begin)
        elif end > now:
            until = min(until, end)
            found[collector] = max(weight, found.get(collector, weight))
    return found, until


def _spans(history: History, now: float) -> Iterator[Span]:
    yield from _unfinished(history)
    yield from _schedules(history, now)
    yield from _rollovers(history, now)
    if history.state.paused and history.state.paused_since:
        yield "state", LOW, history.state.paused_since, history.state.paused_since + _PAUSE
    for collector, since in history.failing_since.items():
        yield collector, LOW, since, since + _FAILURE


def _unfinished(history: History) -> Iterator[Span]:
    """While an ingestion is unfinished. One that has stalled may be so for days."""
    if history.ingestions.seen:
        newest = max(history.ingestions.seen.values())
        yield "ingestions", MIDDLE, newest, newest + threshold("ingestion_stalled") + _CONFIRMED
    if history.ingestions.last_run is not None:
        yield "ingestions", LOW, history.ingestions.last_run, history.ingestions.last_run + _FOLLOWED


def _schedules(history: History, now: float) -> Iterator[Span]:
    """After a due time, until a poll has seen the start that follows it."""
    for key, schedule in islice(history.schedules.listed.items(), _MOST):
        known = history.schedules.by_key[key]
        if known.active_since is None:
            continue
        if not schedule.weekdays:  # days that can't be parsed are most likely these
            schedule = replace(schedule, weekdays=_EVERY_DAY)  # noqa: PLW2901 - as it is meant
        due = next_due(schedule, now)
        if due is not None:
            yield "schedules", HIGH, due, due + _START
            yield "ingestions", HIGH, due, due + _START
        last = last_due(schedule, now)
        if last is not None and last >= max(known.active_since, now - _START):
            yield from _just_due(history, schedule, known, last)


def _just_due(history: History, schedule: Schedule, known: ScheduleHistory, due: float) -> Iterator[Span]:
    start = known.last_start(schedule.last_executed_at)
    started = start is not None and start + TOLERANCE >= due
    if not started and (known.covered_at is None or known.covered_at < due):
        yield "schedules", HIGH, due, due + _START
    polled_at = history.ingestions.polled_at
    if not started or polled_at is None or polled_at < (start or due) + _LISTED:
        yield "ingestions", HIGH, due, due + _START


def _rollovers(history: History, now: float) -> Iterator[Span]:
    """After the begin and the end of a window, until polls have seen what follows."""
    mode = history.state.flags.get("rollover_mode_enabled")
    for rollover in islice(history.rollovers.listed.values(), _MOST):
        for at, begins in ((rollover.start, True), (rollover.end, False)):
            until = -math.inf if at is None else at + threshold("rollover")
            if at is None or until <= now:
                continue
            if at > now or mode is not begins:
                yield "state", HIGH, at, until
            if at > now or not _has_changed(rollover, begins=begins):
                yield "rollovers", HIGH, at, until


def _has_changed(rollover: Rollover, *, begins: bool) -> bool:
    """Whether its status is that of a window which has begun, or which has ended."""
    return not has_status(rollover, ROLLOVER_UPCOMING) if begins else has_status(rollover, ROLLOVER_OVER)
