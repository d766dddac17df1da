"""Knows a tenant's ingestions from poll to poll: which are unfinished, which ends have been counted, what fails.

The list has been documented to hold unfinished ingestions alone, and there is no "finished at". So an ingestion that
has left the list is asked for by its id, and its end is known to within one poll. A server that lists finished ones as
well gives the same figures: each end is counted once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from exporter.api.models import FINAL_STATES, Ingestion
from exporter.history import ends, unfinished
from exporter.history.bounds import MOST_KEPT
from exporter.history.moments import all_moved, moved
from exporter.history.sharing import SharesEmpty
from exporter.history.unfinished import FullRun, Running, TypeAndState, by_type_and_state, key_of
from exporter.metrics import Family, Sample, polled

_LABELS = ("tenant_id", "ingestion_type", "state")
LAST_STARTED = polled(
    "kimono_ingestion_last_started_timestamp_seconds",
    "When the newest ingestion known in this state started, in Unix seconds, finished ones included.",
    *_LABELS,
)
FINISHED = polled(
    "kimono_ingestions_finished_total",
    "Ends of ingestions observed since the exporter started, or since state.file was first written, each once.",
    *_LABELS,
    kind="counter",
)
FAILING_SINCE = polled(
    "kimono_ingestion_failing_since_timestamp_seconds",
    "When the first failed or timed-out end that no success has followed was seen, in Unix seconds.",
    *("tenant_id", "ingestion_type"),
)
FAMILIES = (*unfinished.FAMILIES, LAST_STARTED, FINISHED, FAILING_SINCE)

_HOUR = 3600.0
# A start later than this is none: nothing that was seen has yet to start.
CLOCKS_DIFFER = _HOUR
# Types times states of one tenant; the reference has six times eight.
_MAX_PAIRS = 200
_BAD = ("failed", "timeout")


@dataclass(frozen=True, slots=True)
class Failing:
    """When the first bad end that no good one has followed was seen, and when the newest bad one started."""

    since: float
    started_at: float


@dataclass(frozen=True, slots=True)
class IngestionsHistory(SharesEmpty):
    """What earlier polls of a tenant saw; `polled_at` is the last successful one. All times are in Unix seconds.

    `unfinished` are the ingestions whose end is awaited, by id: those of the list, and those that left it without one.
    `seen` has the first sight of each unfinished one, by key. `ended` has the finished ones of the last list and of the
    last hour, by id, with the time when they were last seen so: none of them counts again. `ended_starts` has their
    starts, as far as known: a later start under the same id is another run. If the list has too many, `ended` has the
    last started ones, and those that started until `ended_until` don't count again either. `good_starts` has
    the newest start of a good run, by type, and `last_run` of any; if it has no start, its first sight. `full_runs` are
    the latest runs that bring all data, by key. `running` are the oldest unfinished ones of the last list.
    """

    unfinished: Mapping[str, Ingestion] = field(default_factory=dict)
    seen: Mapping[str, float] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)
    ended_starts: Mapping[str, float] = field(default_factory=dict)
    ended_until: float | None = None
    last_started: Mapping[TypeAndState, float] = field(default_factory=dict)
    finished: Mapping[TypeAndState, int] = field(default_factory=dict)
    failing: Mapping[str, Failing] = field(default_factory=dict)
    good_starts: Mapping[str, float] = field(default_factory=dict)
    last_run: float | None = None
    polled_at: float | None = None
    full_runs: Mapping[str, FullRun] = field(default_factory=dict)
    running: Annotated[tuple[Running, ...], Field(exclude=True)] = ()
    # Whether this process has polled it: what comes from the state file has not been exposed yet.
    exposed: Annotated[bool, Field(exclude=True)] = False


@dataclass(frozen=True, slots=True)
class Ingestions:
    """The list; those that have left it, by id; and how many more have left it and are lost."""

    listed: Sequence[Ingestion]
    left: Mapping[str, Ingestion]
    lost: int

    @property
    def all(self) -> tuple[Ingestion, ...]:
        """Those of the list, and those that have left it."""
        return (*self.listed, *self.left.values())


def counted_ends(facts: Ingestions, before: IngestionsHistory) -> list[Ingestion]:
    """The ingestions that ended between the last poll and this one."""
    left = [ingestion for ingestion in facts.left.values() if ends.has_ended(ingestion)]
    return left + [each for each in _new_in_list(facts, before) if _ended_lately(each, before)]


def _new_in_list(facts: Ingestions, before: IngestionsHistory) -> Iterator[Ingestion]:
    """The finished ones of the list that have not been counted."""
    for ingestion in facts.listed:
        if ingestion.finished and ingestion.id is not None and not _seen_ended(ingestion, before):
            yield ingestion


def _seen_ended(ingestion: Ingestion, before: IngestionsHistory) -> bool:
    """Whether an earlier poll saw the end of a finished one that has an id."""
    if ends.is_known(ingestion, before.ended, before.ended_starts):
        return True
    until = None if ingestion.id in before.unfinished else before.ended_until
    return until is not None and (ingestion.started_at or 0.0) <= until


def _ended_lately(ingestion: Ingestion, before: IngestionsHistory) -> bool:
    """Whether a listed one ended after the last poll.

    If no poll saw it unfinished, it ran between two polls or ended long before the first one. The hub's clock may
    differ and its list may lag; `ended` keeps what has been counted for as long.
    """
    if ingestion.id in before.unfinished:
        return True
    started, polled_at = ingestion.started_at, before.polled_at
    return started is not None and polled_at is not None and started > polled_at - ends.KEPT


def advance(before: IngestionsHistory, facts: Ingestions, at: float) -> IngestionsHistory:
    """The history after a poll at Unix seconds `at`."""
    ended, ended_until = ends.recent(facts.listed, facts.left, before.ended, before.ended_until, at)
    seen = _first_sights(facts, before, at)
    running = unfinished.running(facts.listed, seen, at)
    failing, good_starts = _outcomes(facts, before, at)
    starts = ends.starts(facts.listed, facts.left, before.ended_starts, ended)
    left = {ident: each for ident, each in facts.left.items() if not ends.is_known(each, ended, starts)}
    listed = {each.id: each for each in facts.listed if each.id and not each.finished}
    listed = {ident: each for ident, each in listed.items() if not ends.is_known(each, ended, starts)}
    return IngestionsHistory(
        unfinished=dict([*(left | listed).items()][-MOST_KEPT:]),  # the oldest first
        seen=seen,
        ended=ended,
        ended_starts=starts,
        ended_until=ended_until,
        last_started=_last_started(facts, before, at),
        finished=_finished(facts, before),
        failing=failing,
        good_starts=good_starts,
        last_run=_last_run(facts, before, at),
        polled_at=at,
        full_runs=unfinished.full_runs(before.full_runs, running, before.seen.keys() - seen.keys(), at),
        running=unfinished.oldest(running),
        exposed=True,
    )


def after_clock_change(before: IngestionsHistory, seconds: float) -> IngestionsHistory:
    """The history after the clock was set, so many seconds forward, or back if negative. Told starts don't change."""
    return replace(
        before,
        seen=all_moved(before.seen, seconds),
        ended=all_moved(before.ended, seconds),
        failing={kind: replace(each, since=moved(each.since, seconds)) for kind, each in before.failing.items()},
        polled_at=moved(before.polled_at, seconds),
        full_runs=unfinished.runs_after_clock_change(before.full_runs, seconds),
        running=tuple(replace(each, seen=moved(each.seen, seconds)) for each in before.running),
    )


def _first_sights(facts: Ingestions, before: IngestionsHistory, at: float) -> Mapping[str, float]:
    keys = [key_of(each) for each in facts.listed if not each.finished]
    keys += [key_of(each) for each in facts.left.values() if not ends.has_ended(each)]
    seen = {key: min(before.seen.get(key, at), at) for key in keys}
    if len(seen) <= MOST_KEPT:
        return seen
    # The oldest stay: they show that something hangs.
    return dict(heapq.nsmallest(MOST_KEPT, seen.items(), key=lambda each: each[::-1]))


def _last_started(facts: Ingestions, before: IngestionsHistory, at: float) -> Mapping[TypeAndState, float]:
    last_started = dict(before.last_started)
    for ingestion in facts.all:
        started = _told_start(ingestion, at)
        if started is not None:
            key = (ingestion.type, ingestion.state)
            last_started[key] = max(started, last_started.get(key, 0.0))
    if len(last_started) <= _MAX_PAIRS:
        return last_started
    # A server keeps inventing new ones: the newest stay.
    return dict(heapq.nlargest(_MAX_PAIRS, last_started.items(), key=lambda each: each[::-1])[::-1])


def _finished(facts: Ingestions, before: IngestionsHistory) -> Mapping[TypeAndState, int]:
    counted = Counter((ingestion.type, ingestion.state) for ingestion in counted_ends(facts, before))
    types = sorted({ingestion.type for ingestion in facts.all})
    zeros = [(kind, state) for kind in types for state in FINAL_STATES]
    finished = dict(before.finished)
    for key in (*zeros, *counted):
        if len(finished) < _MAX_PAIRS:
            finished.setdefault(key, 0)
    return {key: count + counted[key] for key, count in finished.items()}


def new_ends(facts: Ingestions, before: IngestionsHistory, at: float) -> list[Ingestion]:
    """The ends that no poll has seen before, by start, also of ingestions that ended long before the first poll."""
    found = [*(each for each in facts.left.values() if each.finished), *_new_in_list(facts, before)]
    # Of two that started together, the good one counts as the newer one. Two sorts, because pairs are slow to compare.
    found.sort(key=lambda each: each.state not in _BAD)
    found.sort(key=lambda each: start_of(each, before, at))
    return found


def _outcomes(
    facts: Ingestions, before: IngestionsHistory, at: float
) -> tuple[Mapping[str, Failing], Mapping[str, float]]:
    """What fails, and the newest starts of good runs, by type."""
    failing = {kind: Failing(min(each.since, at), min(each.started_at, at)) for kind, each in before.failing.items()}
    good = {kind: min(started, at + CLOCKS_DIFFER) for kind, started in before.good_starts.items()}
    for ingestion in new_ends(facts, before, at):
        kind, started = ingestion.type, start_of(ingestion, before, at)
        bad = failing.get(kind)
        if ingestion.state in _BAD and started > good.get(kind, 0.0):
            failing[kind] = Failing(bad.since, max(bad.started_at, started)) if bad else Failing(at, started)
        if ingestion.state == "success":
            good[kind] = max(started, good.get(kind, 0.0))
            if bad and (ingestion.id in before.unfinished or started >= bad.started_at):
                del failing[kind]
    return dict([*failing.items()][-_MAX_PAIRS:]), dict([*good.items()][-_MAX_PAIRS:])


def _last_run(facts: Ingestions, before: IngestionsHistory, at: float) -> float | None:
    starts = [_start(each, before, at) for each in facts.all]
    if before.last_run is not None:
        starts.append(min(before.last_run, at + CLOCKS_DIFFER))
    return max((start for start in starts if start is not None), default=None)


def _start(ingestion: Ingestion, before: IngestionsHistory, at: float) -> float | None:
    """When it started; None if it has not, or if that is unknown and its end was seen by an earlier poll."""
    if _told_start(ingestion, at) is None:
        # One that was cancelled may never have started. If it had, an earlier poll has noted that.
        waits = ingestion.state in ("preparing", "scheduled", "cancelled")
        seen_ended = ingestion.finished and (ingestion.id is None or _seen_ended(ingestion, before))
        if waits or seen_ended:
            return None
    return start_of(ingestion, before, at)


def start_of(ingestion: Ingestion, before: IngestionsHistory, at: float) -> float:
    """When it started, in Unix seconds. If the API does not say, at its first sight."""
    told = _told_start(ingestion, at)
    return min(before.seen.get(key_of(ingestion), at), at) if told is None else told


def _told_start(ingestion: Ingestion, at: float) -> float | None:
    started = ingestion.started_at
    return started if started is not None and started <= at + CLOCKS_DIFFER else None


def omitted(history: IngestionsHistory, facts: Ingestions, at: float) -> Mapping[Family, int]:
    """How many types and states of the facts the history after that poll does not keep, by family."""
    if max(len(history.last_started), len(history.finished)) < _MAX_PAIRS and len(history.running) < MOST_KEPT:
        return {}
    started = {(each.type, each.state) for each in facts.all if _told_start(each, at) is not None}
    finished = {(each.type, state) for each in facts.all for state in FINAL_STATES}
    runs = unfinished.running(facts.listed, history.seen, at)
    return {
        LAST_STARTED: len(started - history.last_started.keys()),
        FINISHED: len(finished - history.finished.keys()),
        **unfinished.omitted(runs, history.running),
    }


def samples(history: IngestionsHistory, tenant_id: str) -> Iterator[Sample]:
    """The samples of the history, and of the unfinished ones in the last list."""
    yield from unfinished.samples(history.running, history.full_runs, tenant_id)
    yield from by_type_and_state(LAST_STARTED, tenant_id, history.last_started)
    yield from by_type_and_state(FINISHED, tenant_id, history.finished)
    for kind, failing in history.failing.items():
        yield FAILING_SINCE(failing.since, tenant_id=tenant_id, ingestion_type=kind)
