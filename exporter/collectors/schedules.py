"""Collects when a tenant should sync, and when it did: `GET /tenant/schedules`.

`last_executed_at` says that a schedule was started, not that its ingestion succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from exporter.api.client import Api
from exporter.api.models import Schedule
from exporter.collectors.collector import Collector, Poll
from exporter.history import History, schedules
from exporter.history.bounds import in_order
from exporter.history.due_times import last_due, next_due
from exporter.history.schedules import hour_of
from exporter.history.shared import last_run
from exporter.metrics import Family, Sample, known, polled

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


class SchedulesCollector(Collector[list[Schedule]]):
    """The tenant's schedules."""

    name = "schedules"
    description = "When tenants should sync, and when they last did"
    default_interval = 300.0
    families = (INFO, ENABLED, LAST_EXECUTED, LAST_DUE, NEXT_DUE, *schedules.FAMILIES)

    async def fetch(self, api: Api, _: History, /) -> list[Schedule]:
        """Get all schedules."""
        return await api.get_list("/tenant/schedules", Schedule.parse)

    def advance(self, history: History, facts: list[Schedule], at: float, /) -> History:
        """Note since when schedules are active."""
        listed = _by_key(facts)
        return replace(history, schedules=schedules.advance(history.schedules, listed, at, paused=history.state.paused))

    def size(self, facts: list[Schedule], /) -> int:
        """How many schedules there are."""
        return len(facts)

    def samples(self, poll: Poll[list[Schedule]], /) -> Iterator[Sample]:
        """The samples of each schedule."""
        for key, schedule in _by_key(poll.facts).items():
            labels = {"tenant_id": poll.tenant_id, "schedule_id": key, "schedule_type": schedule.type}
            yield INFO(1, **labels, hour=hour_of(schedule), days=schedule.days)
            yield from known(
                (ENABLED, schedule.enabled),
                (LAST_EXECUTED, schedule.last_executed_at),
                (LAST_DUE, last_due(schedule, poll.at)),
                (NEXT_DUE, next_due(schedule, poll.at)),
                **labels,
            )
        yield from schedules.samples(poll.history.schedules, last_run(poll.history), poll.tenant_id, poll.at)

    def omitted(self, poll: Poll[list[Schedule]], /) -> Mapping[Family, int]:
        """Schedules of which the history does not know whether they are active and missed."""
        known = poll.history.schedules.by_key
        if len(poll.facts) <= len(known):
            return {}
        more = [each for key, each in _by_key(poll.facts).items() if key not in known]
        on = sum(each.enabled is True for each in more)
        active = on if poll.history.state.paused is False else 0
        counts = (len(more), on, active, active)
        return dict(zip((*schedules.FAMILIES, *schedules.ACTIVE_FAMILIES), counts, strict=True))


def _by_key(listed: list[Schedule]) -> Mapping[str, Schedule]:
    """The schedules in the order of their keys; one listed twice counts once."""
    return in_order({schedules.key_of(schedule): schedule for schedule in listed})
