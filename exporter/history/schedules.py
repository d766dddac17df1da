"""Knows since when schedules have been active, and which due time they missed.

A due time is missed if no run has followed it: the schedule's own, or one started later that brought the same data
and that no other schedule started. `last_executed_at` says that a schedule was started, not that it succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from exporter.api.models import Schedule
from exporter.history.bounds import kept
from exporter.history.due_times import first_due, last_due
from exporter.history.ingestions import CLOCKS_DIFFER
from exporter.history.moments import moved
from exporter.history.sharing import SharesEmpty
from exporter.history.unfinished import FULL_TYPES
from exporter.metrics import Sample, polled

_LABELS = ("tenant_id", "schedule_id", "schedule_type")
CHANGED = polled(
    "kimono_schedule_changed_timestamp_seconds",
    "Since when a schedule has been seen as it is written now (type, hour, days, enabled), in Unix seconds; only until "
    "it has been due.",
    *_LABELS,
)
DUE_SINCE = polled(
    "kimono_schedule_due_since_timestamp_seconds",
    "First due time of a schedule, as written now, that no run of the tenant of any kind has followed, paused or not, "
    "in Unix seconds.",
    *_LABELS,
)
ACTIVE_SINCE = polled(
    "kimono_schedule_active_since_timestamp_seconds",
    "Since when a schedule, as written now, has been seen on with its tenant not paused, in Unix seconds.",
    *_LABELS,
)
MISSED_SINCE = polled(
    "kimono_schedule_missed_since_timestamp_seconds",
    "First due time of an active schedule that no run has followed, in Unix seconds; only while it is missed.",
    *_LABELS,
)
FAMILIES = (CHANGED, DUE_SINCE)
ACTIVE_FAMILIES = (ACTIVE_SINCE, MISSED_SINCE)

# By how much the hub's clock and the times in its replies may differ, in seconds.
TOLERANCE = 300.0
# A due time in a longer gap between two polls of the flags, in seconds, is not missed: a pause may have begun and ended
# in the gap. After shorter ones, such as an outage of the exporter, it is: outages hide no overdue sync.
LONGEST_GAP = 6 * 3600.0
# Such gaps kept for each tenant. Of more, the two oldest become one, with the time between them.
_GAPS_KEPT = 16
# Types that bring a part of the data.
_PART_TYPES = ("mirror", "event_bundle", "bulk_attr_change")
# Executions kept for each schedule, and good runs kept between two polls of the schedules.
_EXECUTIONS_KEPT, _GOOD_RUNS_KEPT = 8, 50

Written = tuple[str, int | None, str, bool | None]


@dataclass(frozen=True, slots=True)
class GoodRun:
    """An ingestion that succeeded: its type, and its start in Unix seconds."""

    type: str
    started_at: float


@dataclass(frozen=True, slots=True)
class ScheduleHistory:
    """One schedule. `executed` are its last starts, `covered_at` is the newest good run that did its work.

    All times are in Unix seconds. `written` are type, hour, days and whether it is enabled. `ahead` is a reported start
    that was in the future, and when a poll first saw it: the schedule started then, or before.
    """

    written: Written
    changed_at: float
    active_since: float | None = None
    executed: tuple[float, ...] = ()
    ahead: tuple[float, float] | None = None
    covered_at: float | None = None

    def last_start(self, told: float | None) -> float | None:
        """Its newest start, in Unix seconds; `told` is its `last_executed_at` of this poll, if any."""
        if told is None:
            told = max(self.executed, default=None)
        return self.ahead[1] if self.ahead and told == self.ahead[0] else told


@dataclass(frozen=True, slots=True)
class SchedulesHistory(SharesEmpty):
    """The tenant's schedules by key. `listed` is the last list, of `polled_at`; the state file does not have them.

    `last_executed` (Unix seconds) is the newest start that any schedule has had, also one that is gone. `good_runs`
    ended since the last poll of the schedules: it will tell which of them were started by a schedule. `gaps` are the
    long times without a poll of the flags, from Unix seconds to Unix seconds, the oldest first.
    """

    by_key: Mapping[str, ScheduleHistory] = field(default_factory=dict)
    last_executed: float | None = None
    good_runs: tuple[GoodRun, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    listed: Annotated[Mapping[str, Schedule], Field(exclude=True)] = field(default_factory=dict)
    polled_at: Annotated[float, Field(exclude=True)] = 0.0

    @property
    def has_unknown_start(self) -> bool:
        """Whether a schedule of the last list has started at a time that could not be parsed."""
        return any(each.has_unknown_start for each in self.listed.values())


# Polls


def key_of(schedule: Schedule) -> str:
    """Its id, or else its type and hour: never its place in the list."""
    return schedule.id or f"{schedule.type}@{hour_of(schedule)}"


def hour_of(schedule: Schedule) -> str:
    """The hour as a label."""
    return "" if schedule.hour is None else str(schedule.hour)


def advance(
    before: SchedulesHistory, listed: Mapping[str, Schedule], at: float, *, paused: bool | None
) -> SchedulesHistory:
    """The history after a poll at Unix seconds `at` that saw these schedules; the first 1,000 by key count.

    `paused` says whether the tenant is paused now; None if that is unknown.
    """
    listed = kept(listed)
    by_key = {key: _advance(before.by_key.get(key), schedule, at, paused=paused) for key, schedule in listed.items()}
    for run in _not_later(before.good_runs, at + CLOCKS_DIFFER):
        starters = _starters(by_key, run)
        by_key = {key: each if starters - {key} else _covered(each, run) for key, each in by_key.items()}
    starts = [by_key[key].last_start(each.last_executed_at) for key, each in listed.items()]
    if before.last_executed is not None:
        starts.append(min(before.last_executed, at + TOLERANCE))
    newest = max((start for start in starts if start is not None), default=None)
    return SchedulesHistory(by_key, newest, (), before.gaps, listed, at)


def _advance(before: ScheduleHistory | None, schedule: Schedule, at: float, *, paused: bool | None) -> ScheduleHistory:
    hour, enabled = schedule.hour, schedule.enabled
    if before:  # null is unknown, and no edit
        hour = before.written[1] if hour is None else hour
        enabled = before.written[3] if enabled is None else enabled
    written = (schedule.type, hour, schedule.days, enabled)
    known = before if before and before.written == written else ScheduleHistory(written, at)
    executed = before.executed if before else ()
    if schedule.last_executed_at is not None and schedule.last_executed_at not in executed:
        executed = (*executed, schedule.last_executed_at)[-_EXECUTIONS_KEPT:]
    covered = None if known.covered_at is None else min(known.covered_at, at + CLOCKS_DIFFER)
    ahead = _ahead(before, schedule.last_executed_at, at)
    known = replace(known, executed=executed, ahead=ahead, covered_at=covered, changed_at=min(known.changed_at, at))
    return _activated(known, at, paused=paused)


def _ahead(before: ScheduleHistory | None, told: float | None, at: float) -> tuple[float, float] | None:
    """The reported start that was in the future, with its first sight."""
    known = before.ahead if before else None
    if known and known[0] <= at + TOLERANCE and told not in (None, known[0]):
        known = None  # its time has come, and the schedule has started again
    if told is not None and told > at + TOLERANCE:
        if before is None or told not in before.executed:
            return told, at
        known = known and (told, known[1])  # such times may take turns
    return known and (known[0], min(known[1], at))


def _activated(schedule: ScheduleHistory, at: float, *, paused: bool | None) -> ScheduleHistory:
    """Active from now on, if it was not before; no longer, if it is off or its tenant is paused."""
    since = schedule.active_since
    if paused or not schedule.written[-1]:
        since = None
    elif paused is not None:
        since = at if since is None else min(since, at)
    return schedule if since == schedule.active_since else replace(schedule, active_since=since)


def _starters(schedules: Mapping[str, ScheduleHistory], run: GoodRun) -> set[str]:
    """The schedules that may have started a run."""
    return {
        key
        for key, each in schedules.items()
        if any(abs(executed - run.started_at) <= TOLERANCE for executed in each.executed)
    }


def _not_later(runs: Iterable[GoodRun], limit: float) -> Iterator[GoodRun]:
    """Runs seen while the clock was ahead, as if seen now."""
    return (replace(run, started_at=min(run.started_at, limit)) for run in runs)


def _covered(schedule: ScheduleHistory, run: GoodRun) -> ScheduleHistory:
    """With a good run that no other schedule started, if it brought what this schedule would have brought."""
    kind = schedule.written[0]
    same = run.type == kind or (run.type in FULL_TYPES and kind not in _PART_TYPES)
    return replace(schedule, covered_at=max(run.started_at, schedule.covered_at or 0.0)) if same else schedule


def after_flags(
    before: SchedulesHistory, at: float, *, paused: bool | None, known_at: float | None = None
) -> SchedulesHistory:
    """The history after a poll of the tenant's flags at Unix seconds `at`; the one before it was at `known_at`."""
    by_key = {key: _activated(each, at, paused=paused) for key, each in before.by_key.items()}
    gaps = before.gaps
    if known_at is not None and at - known_at > LONGEST_GAP:
        gaps = (*gaps, (known_at, at))
        if len(gaps) > _GAPS_KEPT:
            gaps = ((gaps[0][0], gaps[1][1]), *gaps[2:])
    unchanged = by_key == before.by_key and gaps == before.gaps
    return before if unchanged else replace(before, by_key=by_key, gaps=gaps)


def after_clock_change(before: SchedulesHistory, seconds: float) -> SchedulesHistory:
    """The history after the clock was set, so many seconds forward, or back if negative. Told starts don't change."""
    by_key = {
        key: replace(
            each,
            changed_at=moved(each.changed_at, seconds),
            active_since=moved(each.active_since, seconds),
            ahead=each.ahead and (each.ahead[0], moved(each.ahead[1], seconds)),
        )
        for key, each in before.by_key.items()
    }
    gaps = tuple((moved(begin, seconds), moved(end, seconds)) for begin, end in before.gaps)
    return replace(before, by_key=by_key, gaps=gaps, polled_at=moved(before.polled_at, seconds))


def after_runs(before: SchedulesHistory, good_runs: tuple[GoodRun, ...]) -> SchedulesHistory:
    """The history after a poll that saw these ingestions succeed."""
    return replace(before, good_runs=(*before.good_runs, *good_runs)[-_GOOD_RUNS_KEPT:]) if good_runs else before


# Samples


def missed_since(
    schedule: Schedule, history: ScheduleHistory, now: float, gaps: Iterable[tuple[float, float]] = ()
) -> float | None:
    """The first due time (Unix seconds) at or after `active_since` that no run has followed, if any.

    Due times in a gap don't count. Gaps are from Unix seconds to Unix seconds, the oldest first.
    """
    if history.active_since is None:
        return None
    own = history.last_start(schedule.last_executed_at)
    own = -math.inf if own is None else own
    covered = -math.inf if history.covered_at is None else history.covered_at
    after = max(own + TOLERANCE, covered)
    due = first_due(schedule, history.active_since, after, now)
    for begin, end in gaps:
        if due is not None and begin < due < end:
            due = first_due(schedule, end, after, now)
    return due


def samples(history: SchedulesHistory, last_run: float | None, tenant_id: str, now: float) -> Iterator[Sample]:
    """The samples that don't depend on whether the tenant is paused. `last_run` is the newest start of any kind."""
    after = -math.inf if last_run is None else last_run + TOLERANCE
    for key, schedule in history.listed.items():
        labels = {"tenant_id": tenant_id, "schedule_id": key, "schedule_type": schedule.type}
        changed, newest = history.by_key[key].changed_at, last_due(schedule, now)
        if newest is None or newest < changed:
            yield CHANGED(changed, **labels)
        due = None if history.has_unknown_start else first_due(schedule, changed, after, now)
        if due is not None:
            yield DUE_SINCE(due, **labels)


def missed(history: SchedulesHistory, now: float) -> Mapping[str, float]:
    """The first due time (Unix seconds) that each schedule has missed, by key, as far as the last list knows."""
    at = min(now, history.polled_at)
    found = {key: missed_since(each, history.by_key[key], at, history.gaps) for key, each in history.listed.items()}
    return {key: due for key, due in found.items() if due is not None}


def active_samples(history: SchedulesHistory, tenant_id: str, now: float) -> Iterator[Sample]:
    """The samples that also depend on whether the tenant is paused."""
    missed_by_key = missed(history, now)
    for key, schedule in history.listed.items():
        labels = {"tenant_id": tenant_id, "schedule_id": key, "schedule_type": schedule.type}
        active_since = history.by_key[key].active_since
        if active_since is not None and schedule.enabled is not None:
            yield ACTIVE_SINCE(active_since, **labels)
        if key in missed_by_key:
            yield MISSED_SINCE(missed_by_key[key], **labels)
