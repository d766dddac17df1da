"""What is being taken in, for how long, and how did it end? `GET /ingestions`.

The list has been documented to show unfinished ingestions alone, and nothing has a "finished at". So an
ingestion that was in the list and is gone is asked for by its id; its end is known to within one poll. A
server that lists finished ones as well gives the same figures: each end is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.api.client import TenantApi
from exporter.api.models import FINAL_STATES, UNFINISHED_STATES, Ingestion
from exporter.collectors.collector import Collector, Reading, polled
from exporter.metrics import Family, Histogram, Sample

_LABELS = ("tenant_id", "ingestion_type", "state")
INGESTIONS = polled("kimono_ingestions", "Ingestions in the tenant's list, by type and state.", *_LABELS)
OLDEST_UNFINISHED = polled(
    "kimono_ingestion_oldest_unfinished_started_timestamp_seconds",
    "When the oldest unfinished ingestion in this state started, in Unix seconds.",
    *_LABELS,
)
LAST_STARTED = polled(
    "kimono_ingestion_last_started_timestamp_seconds",
    "When the newest ingestion known in this state started, in Unix seconds, finished ones included.",
    *_LABELS,
)
FINISHED = polled(
    "kimono_ingestions_finished_total",
    "Ends of ingestions observed since the exporter started, each once.",
    *_LABELS,
    kind="counter",
)
PENDING = polled("kimono_ingestion_pending_tasks", "Ingestions in the list that have a pending task.", "tenant_id")
DURATION = polled(
    "kimono_ingestion_duration_seconds",
    "From the start of an ingestion to the poll that saw its end, over all tenants.",
    "ingestion_type",
    "state",
    kind="histogram",
)
LOST = polled(
    "kimono_exporter_ingestions_lost_total",
    "Ingestions that ended unseen: they left the list, and the API does not say how.",
    kind="counter",
)

_MINUTE, _HOUR = 60.0, 3600.0
BUCKETS = (
    *(minutes * _MINUTE for minutes in (1, 5, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 24)),
)

# A list that lags behind may still show as running what has been counted; not for longer than this.
_ENDED_KEPT = _HOUR
# Each poll asks for every one that has left the list without an end. A server that never ends them must not have
# us ask for more and more: the oldest are given up as lost.
_AWAITED_MOST = 50

# Types times states of one tenant, and of the durations' zeros; the reference has six times eight.
_KINDS_MOST = 200

Kind = tuple[str, str]  # type and state of an ingestion


@dataclass(frozen=True)
class Memory:
    """What a tenant's earlier polls tell the next one; `polled_at` is the last good one, in Unix seconds.

    `unfinished` are those whose end is awaited: the list's, and a few that have left it without an end.
    `ended` are the finished ones of the last list and of the last hour, with the time when they were last
    seen so, so that none of them counts again.
    """

    unfinished: Mapping[str, Ingestion] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)
    last_started: Mapping[Kind, float] = field(default_factory=dict)
    finished: Mapping[Kind, int] = field(default_factory=dict)
    polled_at: float = float("inf")


@dataclass(frozen=True)
class Ingestions:
    """The list, those that have left it by their ids, and how many more of these there were whose end is unknown."""

    listed: list[Ingestion]
    left: Mapping[str, Ingestion]
    lost: int


@dataclass(frozen=True)
class News:
    """What one visit adds to the fleet's figures: durations in seconds by type and state, and lost ingestions.

    `kinds` are those of its ends, yet to come or not, that the tenant has not had before.
    """

    kinds: list[Kind]
    durations: list[tuple[Kind, float]]
    lost: int


class IngestionsCollector(Collector[TenantApi, Ingestions, Memory]):
    """The tenant's ingestions, and the durations of the whole fleet's."""

    name = "ingestions"
    families = (INGESTIONS, OLDEST_UNFINISHED, LAST_STARTED, FINISHED, PENDING)
    fleet_families = (DURATION, LOST)

    def __init__(self) -> None:
        self._durations = Histogram(DURATION, BUCKETS)
        self._kinds: set[Kind] = set()
        self._lost = 0

    async def fetch(self, api: TenantApi, memory: Memory | None) -> Ingestions:
        """Ask for the list, then for each unfinished one that is no longer in it."""
        listed = await api.ingestions()
        present = {ingestion.id for ingestion in listed}
        gone = [ident for ident in (memory.unfinished if memory else ()) if ident not in present]
        asked = {ident: await api.ending(ident, memory.unfinished[ident]) for ident in gone} if memory else {}
        left = _within_bounds({ident: ingestion for ident, ingestion in asked.items() if ingestion is not None})
        return Ingestions(listed, left, len(asked) - len(left))

    def read(self, tenant_id: str, facts: Ingestions, memory: Memory | None, now: float) -> Reading[Memory]:
        """Count the ends, and show the list."""
        before = memory or Memory()
        ends = list(_ends(facts, before))
        after = _remember(facts, before, ends, now)
        durations = [
            ((ingestion.type, ingestion.state), max(0.0, now - ingestion.started_at))
            for ingestion in ends
            if ingestion.started_at is not None
        ]
        kinds = [kind for kind in after.finished if kind not in before.finished and kind[1] in FINAL_STATES]
        news = News(kinds, durations, facts.lost) if kinds or durations or facts.lost else None
        return Reading(list(_rows(tenant_id, facts.listed, after)), after, news)

    def take(self, news: object) -> bool:
        """Add what one visit saw to the fleet's figures. A kind is there before its first end, for `increase()`."""
        if not isinstance(news, News):
            return False
        new = [kind for kind in news.kinds if kind not in self._kinds][: _KINDS_MOST - len(self._kinds)]
        self._kinds.update(new)
        for ingestion_type, state in new:
            self._durations.show({"ingestion_type": ingestion_type, "state": state})
        for (ingestion_type, state), seconds in news.durations:
            self._durations.observe(seconds, {"ingestion_type": ingestion_type, "state": state})
        self._lost += news.lost
        return bool(new or news.durations or news.lost)

    def fleet(self) -> Iterable[Sample]:
        """Durations so far, and the lost ones."""
        return [*self._durations.samples(), LOST(self._lost)]


def _ended(ingestion: Ingestion) -> bool:
    """Whether one that has left the list is over: unless it says that it is not. New states may be final."""
    return ingestion.state not in ("", *UNFINISHED_STATES)


def _within_bounds(left: Mapping[str, Ingestion]) -> Mapping[str, Ingestion]:
    """All but the oldest of those that have left the list without an end, where these are too many."""
    awaited = [ident for ident, ingestion in left.items() if not _ended(ingestion)]
    given_up = frozenset(awaited[:-_AWAITED_MOST])
    return {ident: ingestion for ident, ingestion in left.items() if ident not in given_up}


def _ends(facts: Ingestions, before: Memory) -> Iterable[Ingestion]:
    yield from (ingestion for ingestion in facts.left.values() if _ended(ingestion))
    for ingestion in facts.listed:
        if ingestion.finished and ingestion.id is not None and ingestion.id not in before.ended:
            # Never seen unfinished: it began and ended between two polls, or long before the first one. The hub's
            # clock may differ from ours, and its list may lag; what has been counted is remembered for as long.
            began_since = ingestion.started_at is not None and ingestion.started_at > before.polled_at - _ENDED_KEPT
            if ingestion.id in before.unfinished or began_since:
                yield ingestion


def _remember(facts: Ingestions, before: Memory, ends: list[Ingestion], now: float) -> Memory:
    seen = (*facts.listed, *facts.left.values())
    ended = _recently_ended(facts, before, now)
    last_started = dict(before.last_started)
    for ingestion in seen:
        if ingestion.started_at is not None:
            kind = (ingestion.type, ingestion.state)
            last_started[kind] = max(ingestion.started_at, last_started.get(kind, 0.0))
    zeros = [(ingestion.type, state) for ingestion in seen for state in FINAL_STATES]
    counted = Counter((ingestion.type, ingestion.state) for ingestion in ends)
    known = dict(before.finished)
    for kind in (*zeros, *counted):
        if len(known) < _KINDS_MOST:
            known.setdefault(kind, 0)
    return Memory(
        unfinished=_awaited(facts, ended),
        ended=ended,
        last_started=_newest(last_started),
        finished={kind: count + counted[kind] for kind, count in known.items()},
        polled_at=now,
    )


def _newest(started: Mapping[Kind, float]) -> Mapping[Kind, float]:
    """The kinds that were started last, where a server makes up ever new ones."""
    if len(started) <= _KINDS_MOST:
        return started
    return dict(sorted(started.items(), key=lambda each: each[1])[-_KINDS_MOST:])


def _recently_ended(facts: Ingestions, before: Memory, now: float) -> Mapping[str, float]:
    kept = {ident: when for ident, when in before.ended.items() if now - when < _ENDED_KEPT}
    listed = {ingestion.id: now for ingestion in facts.listed if ingestion.id and ingestion.finished}
    return kept | listed | {ident: now for ident, ingestion in facts.left.items() if _ended(ingestion)}


def _awaited(facts: Ingestions, ended: Mapping[str, float]) -> Mapping[str, Ingestion]:
    """Those whose end is yet to be seen, the oldest first."""
    left = {ident: ingestion for ident, ingestion in facts.left.items() if ident not in ended}
    return left | {ingestion.id: ingestion for ingestion in facts.listed if ingestion.id and ingestion.id not in ended}


def _rows(tenant_id: str, listed: list[Ingestion], memory: Memory) -> Iterable[Sample]:
    counts = Counter((ingestion.type, ingestion.state) for ingestion in listed)
    oldest: dict[Kind, float] = {}
    for ingestion in listed:
        if not ingestion.finished and ingestion.started_at is not None:
            kind = (ingestion.type, ingestion.state)
            oldest[kind] = min(ingestion.started_at, oldest.get(kind, ingestion.started_at))
    yield from _by_kind(INGESTIONS, tenant_id, counts)
    yield from _by_kind(OLDEST_UNFINISHED, tenant_id, oldest)
    yield from _by_kind(LAST_STARTED, tenant_id, memory.last_started)
    yield from _by_kind(FINISHED, tenant_id, memory.finished)
    yield PENDING(sum(ingestion.has_pending_task is True for ingestion in listed), tenant_id=tenant_id)


def _by_kind(family: Family, tenant_id: str, values: Mapping[Kind, float]) -> Iterable[Sample]:
    for (ingestion_type, state), value in values.items():
        yield family(value, tenant_id=tenant_id, ingestion_type=ingestion_type, state=state)
