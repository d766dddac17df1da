"""Knows which of a tenant's ingestions are unfinished, and which of them blocked a schedule."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from exporter.api.models import UNFINISHED_STATES, Ingestion
from exporter.history.bounds import MOST_KEPT
from exporter.history.moments import moved
from exporter.metrics import Family, Sample, polled
from exporter.thresholds import threshold

_LABELS = ("tenant_id", "ingestion_type", "state")
OLDEST_STARTED = polled(
    "kimono_ingestion_oldest_unfinished_started_timestamp_seconds",
    "When the oldest unfinished ingestion in this state started, in Unix seconds.",
    *_LABELS,
)
OLDEST_SEEN = polled(
    "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds",
    "When a poll first saw the oldest unfinished ingestion in this state, in Unix seconds.",
    *_LABELS,
)
BLOCKING_SEEN = polled(
    "kimono_ingestion_blocking_seen_timestamp_seconds",
    "When a poll first saw the oldest collection or bulk load that is unfinished, or whose end was seen within two "
    "hours, in Unix seconds: it may have blocked a schedule.",
    "tenant_id",
)
FAMILIES = (OLDEST_STARTED, OLDEST_SEEN, BLOCKING_SEEN)

# Types that bring all data, and so do what any missed schedule would have done.
FULL_TYPES = ("collection", "bulk_load")
_FULL_RUNS_KEPT = 50
# A list may keep finished ingestions in states that this version does not know. One that has no pending task is taken
# for unfinished for so long, in seconds: less than it takes to count as stalled.
_UNKNOWN_STATE_UNFINISHED = 3 * 3600.0

# The type and state of an ingestion. Both are words without spaces, so JSON keys can hold them.
TypeAndState = Annotated[
    tuple[str, str],
    BeforeValidator(lambda key: tuple(key.split(" ")) if isinstance(key, str) else key),
    PlainSerializer(" ".join),
]


@dataclass(frozen=True, slots=True)
class Running:
    """An unfinished ingestion: its key, its start, if known, and its first sight, both in Unix seconds."""

    key: str
    type: str
    state: str
    started_at: float | None
    seen: float


_NEVER = Running("", "", "", math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class FullRun:
    """A run that brings all data: when a poll first saw it, in Unix seconds.

    `unfinished_at` is when it was last unfinished as far as polls tell: the last one that saw it so, or saw its end.
    """

    seen: float
    unfinished_at: float


def key_of(ingestion: Ingestion) -> str:
    """Its id, or else its type and start: never its place in the list."""
    return ingestion.id or f"{ingestion.type}@{ingestion.started_at}"


def is_unfinished(ingestion: Ingestion, seen: float, now: float) -> bool:
    """Whether a listed one, first seen at `seen`, is unfinished at `now`; both in Unix seconds."""
    if ingestion.state in UNFINISHED_STATES:
        return True
    since = seen if ingestion.started_at is None else ingestion.started_at
    lately = now - since < _UNKNOWN_STATE_UNFINISHED
    return not ingestion.finished and (lately or ingestion.has_pending_task is True)


def running(listed: Sequence[Ingestion], first_sights: Mapping[str, float], at: float) -> tuple[Running, ...]:
    """The unfinished ones of a list that a poll saw at Unix seconds `at`; `first_sights` are by key."""
    seen = [(each, key_of(each), first_sights.get(key_of(each), at)) for each in listed]
    return tuple(
        Running(key, each.type, each.state, each.started_at, first)
        for each, key, first in seen
        if is_unfinished(each, first, at)
    )


def oldest(runs: Sequence[Running]) -> tuple[Running, ...]:
    """Of each type and state, the one that started first, and the one that was seen first: the others tell no more."""
    first: dict[tuple[str, str, bool], Running] = {}
    for run in runs:
        by_sight, by_start = (run.type, run.state, False), (run.type, run.state, True)
        if run.seen < first.get(by_sight, _NEVER).seen:
            first[by_sight] = run
        if run.started_at is not None and run.started_at < (first.get(by_start, _NEVER).started_at or 0.0):
            first[by_start] = run
    unique = dict.fromkeys(first.values())
    if len(unique) <= MOST_KEPT:
        return tuple(unique)
    return tuple(heapq.nsmallest(MOST_KEPT, unique, key=lambda run: (run.seen, run.key)))


def full_runs(
    before: Mapping[str, FullRun], runs: Sequence[Running], ended: Collection[str], at: float
) -> Mapping[str, FullRun]:
    """The full runs, by key, that are unfinished or were so within the grace of a schedule: they blocked it.

    `ended` are the keys of those whose end this poll is the first to see. They may have ended just now: after a long
    gap between two polls, the grace would otherwise be over as soon as it begins.
    """
    last = {
        key: FullRun(min(run.seen, at), at if key in ended else min(run.unfinished_at, at))
        for key, run in before.items()
    }
    kept = {key: run for key, run in last.items() if at - run.unfinished_at < threshold("sync_overdue")}
    full = [run for run in runs if run.type in FULL_TYPES][-_FULL_RUNS_KEPT:]
    now = {run.key: FullRun(run.seen, at) for run in full}
    return dict([*(kept | now).items()][-_FULL_RUNS_KEPT:])


def runs_after_clock_change(before: Mapping[str, FullRun], seconds: float) -> Mapping[str, FullRun]:
    """The full runs after the clock was set, so many seconds forward, or back if negative."""
    return {key: FullRun(moved(run.seen, seconds), moved(run.unfinished_at, seconds)) for key, run in before.items()}


def oldest_seen(runs: Sequence[Running]) -> Mapping[TypeAndState, float]:
    """The first sight (Unix seconds) of the oldest one of each type and state."""
    seen: dict[TypeAndState, float] = {}
    for run in runs:
        key = (run.type, run.state)
        seen[key] = min(run.seen, seen.get(key, run.seen))
    return seen


def omitted(runs: Sequence[Running], kept: Sequence[Running]) -> Mapping[Family, int]:
    """How many types and states of these runs have no sample, because these were kept, by family."""
    started = {(run.type, run.state) for run in runs if run.started_at is not None}
    return {
        OLDEST_STARTED: len(started - {(run.type, run.state) for run in kept if run.started_at is not None}),
        OLDEST_SEEN: len({(run.type, run.state) for run in runs} - oldest_seen(kept).keys()),
    }


def samples(runs: Sequence[Running], full: Mapping[str, FullRun], tenant_id: str) -> Iterator[Sample]:
    """The samples of the unfinished ones, and of the full runs that may have blocked a schedule."""
    started: dict[TypeAndState, float] = {}
    for run in runs:
        if run.started_at is not None:
            key = (run.type, run.state)
            started[key] = min(run.started_at, started.get(key, run.started_at))
    yield from by_type_and_state(OLDEST_STARTED, tenant_id, started)
    yield from by_type_and_state(OLDEST_SEEN, tenant_id, oldest_seen(runs))
    if full:
        yield BLOCKING_SEEN(min(run.seen for run in full.values()), tenant_id=tenant_id)


def by_type_and_state(family: Family, tenant_id: str, values: Mapping[TypeAndState, float]) -> Iterator[Sample]:
    """A sample for each type and state."""
    for (ingestion_type, state), value in values.items():
        yield family(value, tenant_id=tenant_id, ingestion_type=ingestion_type, state=state)
