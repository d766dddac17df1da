"""Computes when a schedule was due, and when it is due next.

Hours and days are in UTC, which has no clock changes. All times are Unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from exporter.api.models import Schedule

DAY, _HOUR = 86_400, 3600
_THURSDAY = 3  # the first of January 1970; Monday is 0


def _due_times(schedule: Schedule, days: Iterable[int]) -> Iterator[float]:
    """The due times (Unix seconds) on these days, which count from the first of 1970; none if off or unclear."""
    if not schedule.enabled or schedule.hour is None or not schedule.weekdays:
        return
    for day in days:
        if (day + _THURSDAY) % 7 in schedule.weekdays:
            yield float(day * DAY + schedule.hour * _HOUR)


def last_due(schedule: Schedule, now: float) -> float | None:
    """The newest due time (Unix seconds) at or before `now`, not before the schedule was created; if any."""
    today = math.floor(now / DAY)
    due = next((moment for moment in _due_times(schedule, range(today, today - 8, -1)) if moment <= now), None)
    too_early = due is not None and schedule.created_at is not None and due < schedule.created_at
    return None if too_early else due


def next_due(schedule: Schedule, now: float) -> float | None:
    """The first due time (Unix seconds) after `now`, if any."""
    today = math.floor(now / DAY)
    return next((moment for moment in _due_times(schedule, range(today, today + 8)) if moment > now), None)


def first_due(schedule: Schedule, since: float, after: float, now: float) -> float | None:
    """The first due time (Unix seconds) at or after `since` that is later than `after` and not after `now`, if any."""
    since = max(since, schedule.created_at or 0.0)
    first_day = math.floor(max(since, after) / DAY)
    moments = _due_times(schedule, range(first_day, first_day + 8))
    due = next((moment for moment in moments if moment >= since and moment > after), None)
    return None if due is None or due > now else due
