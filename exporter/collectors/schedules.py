"""When should a tenant collect, and when did it? `GET /tenant/schedules`.

`last_executed_at` says that a schedule was started, not that what it started went well.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from exporter.api.client import TenantApi
from exporter.api.models import Schedule
from exporter.collectors.collector import Collector, Reading, known, polled
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
    "The newest moment at which a schedule should have started, in Unix seconds; none if it is off or unreadable.",
    *_LABELS,
)
NEXT_DUE = polled(
    "kimono_schedule_next_due_timestamp_seconds",
    "The next moment at which a schedule should start, in Unix seconds; none if it is off or unreadable.",
    *_LABELS,
)


class SchedulesCollector(Collector[TenantApi, list[Schedule], None]):
    """The tenant's schedules."""

    name = "schedules"
    families = (INFO, ENABLED, LAST_EXECUTED, LAST_DUE, NEXT_DUE)

    async def fetch(self, api: TenantApi, memory: None) -> list[Schedule]:  # noqa: ARG002 - nothing to remember
        """Ask for all of them."""
        return await api.schedules()

    def read(self, tenant_id: str, facts: list[Schedule], memory: None, now: float) -> Reading[None]:  # noqa: ARG002 - likewise
        """A few rows a schedule; one listed twice counts once."""
        schedules = {_ident(schedule): schedule for schedule in facts}
        return Reading([row for ident, schedule in schedules.items() for row in _rows(tenant_id, ident, schedule, now)])


def _ident(schedule: Schedule) -> str:
    """Its id, or else what makes it this schedule and no other: never its place in the list."""
    return schedule.id or f"{schedule.type}@{_hour(schedule)}"


def _hour(schedule: Schedule) -> str:
    return "" if schedule.hour is None else str(schedule.hour)


def _rows(tenant_id: str, ident: str, schedule: Schedule, now: float) -> Iterable[Sample]:
    labels = {"tenant_id": tenant_id, "schedule_id": ident, "schedule_type": schedule.type}
    yield INFO(1, **labels, hour=_hour(schedule), days=schedule.days)
    yield from known(
        (ENABLED, schedule.enabled),
        (LAST_EXECUTED, schedule.last_executed_at),
        (LAST_DUE, last_due(schedule, now)),
        (NEXT_DUE, next_due(schedule, now)),
        **labels,
    )


def last_due(schedule: Schedule, now: float) -> float | None:
    """The newest moment (Unix seconds) at or before `now` at which it should have started, if any."""
    due = max((moment for moment in _moments(schedule, now) if moment <= now), default=None)
    too_early = due is not None and schedule.created_at is not None and due < schedule.created_at
    return None if too_early else due


def next_due(schedule: Schedule, now: float) -> float | None:
    """The first moment (Unix seconds) after `now` at which it should start, if any."""
    return min((moment for moment in _moments(schedule, now) if moment > now), default=None)


def _moments(schedule: Schedule, now: float) -> list[float]:
    """Its starts within a week of `now`, either way. Days and hours are UTC's, which has no clock changes."""
    if not schedule.enabled or schedule.hour is None or not schedule.weekdays:
        return []
    today = datetime.fromtimestamp(now, UTC).replace(hour=schedule.hour, minute=0, second=0, microsecond=0)
    starts = (today + timedelta(days=offset) for offset in range(-7, 8))
    return [start.timestamp() for start in starts if start.weekday() in schedule.weekdays]
