"""Collects when a tenant should sync, and when it did: `GET /tenant/schedules`.

`last_executed_at` says that a schedule was started, not that its ingestion succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from exporter.api.client import Api
from exporter.api.models import Schedule
from exporter.collectors.collector import Poll, StatelessCollector, known, polled
from exporter.metrics import Sample

_LABELS = ("tenant_id", "schedule_id", "schedule_type")
INFO = polled("kimono_schedule_info", "A schedule: its hour in UTC and its days as received.", *_LABELS, "hour", "days")
ENABLED = polled("kimono_schedule_enabled", "Whether a schedule is on.", *_LABELS)
LAST_EXECUTED = polled(
    "kimono_schedule_last_executed_timestamp_seconds",
    "When a schedule was last started, in Unix seconds; none if never. Says nothing about success.",
    *_LABELS,
)
LAST_DUE = polled(
    "kimono_schedule_last_due_timestamp_seconds",
    "When a schedule was last due, in Unix seconds; none if it is off, or its hour or days are unknown.",
    *_LABELS,
)
NEXT_DUE = polled(
    "kimono_schedule_next_due_timestamp_seconds",
    "When a schedule should start next, in Unix seconds; none if it is off, or its hour or days are unknown.",
    *_LABELS,
)


class SchedulesCollector(StatelessCollector[list[Schedule]]):
    """The tenant's schedules."""

    name = "schedules"
    description = "When tenants should sync, and when they last did"
    default_interval = 300.0
    families = (INFO, ENABLED, LAST_EXECUTED, LAST_DUE, NEXT_DUE)

    async def fetch(self, api: Api) -> list[Schedule]:
        """Get all schedules."""
        return await api.get_list("/tenant/schedules", Schedule.parse)

    def samples(self, poll: Poll[list[Schedule]]) -> Iterable[Sample]:
        """The samples of each schedule; one listed twice counts once."""
        schedules = {_key(schedule): schedule for schedule in poll.facts}
        for key, schedule in schedules.items():
            labels = {"tenant_id": poll.tenant_id, "schedule_id": key, "schedule_type": schedule.type}
            yield INFO(1, **labels, hour=_hour(schedule), days=schedule.days)
            yield from known(
                (ENABLED, schedule.enabled),
                (LAST_EXECUTED, schedule.last_executed_at),
                (LAST_DUE, last_due(schedule, poll.at)),
                (NEXT_DUE, next_due(schedule, poll.at)),
                **labels,
            )


def _key(schedule: Schedule) -> str:
    """Its id, or else its type and hour: never its place in the list."""
    return schedule.id or f"{schedule.type}@{_hour(schedule)}"


def _hour(schedule: Schedule) -> str:
    return "" if schedule.hour is None else str(schedule.hour)


def last_due(schedule: Schedule, now: float) -> float | None:
    """The newest moment (Unix seconds) at or before `now` at which the schedule should have started, if any."""
    due = max((moment for moment in _moments(schedule, now) if moment <= now), default=None)
    too_early = due is not None and schedule.created_at is not None and due < schedule.created_at
    return None if too_early else due


def next_due(schedule: Schedule, now: float) -> float | None:
    """The first moment (Unix seconds) after `now` at which the schedule should start, if any."""
    return min((moment for moment in _moments(schedule, now) if moment > now), default=None)


def _moments(schedule: Schedule, now: float) -> list[float]:
    """The starts within a week of `now`, either way. Days and hours are in UTC, which has no clock changes."""
    if not schedule.enabled or schedule.hour is None or not schedule.weekdays:
        return []
    today = datetime.fromtimestamp(now, UTC).replace(hour=schedule.hour, minute=0, second=0, microsecond=0)
    starts = (today + timedelta(days=offset) for offset in range(-7, 8))
    return [start.timestamp() for start in starts if start.weekday() in schedule.weekdays]
