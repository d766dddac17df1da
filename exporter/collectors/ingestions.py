"""Collects running ingestions, their ends and durations: `GET /ingestions`.

The list has been documented to hold unfinished ingestions alone, and there is no "finished at". So an ingestion that
has left the list is asked for by its id, and its end is known to within one poll. A server that lists finished ones as
well gives the same figures: each end is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from exporter.api.client import Api
from exporter.api.ingestions import get_ended
from exporter.api.models import FINAL_STATES, UNFINISHED_STATES, Ingestion
from exporter.collectors.collector import Collector, FleetChange, PollResult, polled
from exporter.metrics import Family, Sample

_MINUTE, _HOUR = 60.0, 3600.0
BUCKETS = (*(minutes * _MINUTE for minutes in (1, 5, 15, 30)), *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 24)))

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
    *("ingestion_type", "state"),
    kind="histogram",
    buckets=BUCKETS,
)
LOST = polled(
    "kimono_exporter_ingestions_lost_total",
    "Ingestions that left the list and whose outcome is unknown.",
    kind="counter",
)

# A list may lag and show as running what has been counted already; not for longer than this.
_ENDED_KEPT = _HOUR
# Each ingestion that has left the list without an end costs a request a poll. Beyond this many, the oldest are lost.
_MAX_AWAITED = 50
# Types times states of one tenant; the reference has six times eight.
_MAX_PAIRS = 200

TypeAndState = tuple[str, str]  # type and state of an ingestion


@dataclass(frozen=True)
class History:
    """What earlier polls of a tenant saw; `polled_at` is the last successful one, in Unix seconds.

    `unfinished` are the ingestions whose end is awaited, by id: those of the list, and those that left it without one.
    `ended` has the finished ones of the last list and of the last hour, by id, with the time when they were last seen
    so: none of them counts again.
    """

    unfinished: Mapping[str, Ingestion] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)
    last_started: Mapping[TypeAndState, float] = field(default_factory=dict)
    finished: Mapping[TypeAndState, int] = field(default_factory=dict)
    polled_at: float = float("inf")


@dataclass(frozen=True)
class Ingestions:
    """The list; those that have left it, by id; and how many more have left it and are lost."""

    listed: list[Ingestion]
    left: Mapping[str, Ingestion]
    lost: int


class IngestionsCollector(Collector):
    """The tenant's ingestions, and the durations over all tenants."""

    name = "ingestions"
    description = "Ingestions, running and finished"
    default_interval = 60.0
    families = (INGESTIONS, OLDEST_UNFINISHED, LAST_STARTED, FINISHED, PENDING)
    fleet_families = (DURATION, LOST)

    async def poll(self, api: Api, tenant_id: str, history: History | None, now: Callable[[], float]) -> PollResult:
        """Fetch, count the ends, and show the list."""
        before = history or History()
        facts = await _fetch(api, before.unfinished)
        ends = list(_ends(facts, before))
        after = _advance(facts, before, ends, now())
        samples = list(_samples(tenant_id, facts.listed, after))
        return PollResult(samples, after, _fleet_change(facts.lost, before, after, ends))


async def _fetch(api: Api, unfinished: Mapping[str, Ingestion]) -> Ingestions:
    """Get the list, then each unfinished ingestion that is no longer in it."""
    listed = await api.get_list("/ingestions", Ingestion.parse)
    present = {ingestion.id for ingestion in listed}
    found = {ident: await get_ended(api, known) for ident, known in unfinished.items() if ident not in present}
    left = _within_bounds({ident: ingestion for ident, ingestion in found.items() if ingestion is not None})
    return Ingestions(listed, left, len(found) - len(left))


def _ended(ingestion: Ingestion) -> bool:
    """Whether one that has left the list is over: any state but the known unfinished ones, as new ones may be final."""
    return ingestion.state not in ("", *UNFINISHED_STATES)


def _type_and_state(ingestion: Ingestion) -> TypeAndState:
    return ingestion.type, ingestion.state


def _within_bounds(left: Mapping[str, Ingestion]) -> Mapping[str, Ingestion]:
    """All but the oldest of those that have left the list without an end, where these are too many."""
    awaited = [ident for ident, ingestion in left.items() if not _ended(ingestion)]
    given_up = frozenset(awaited[:-_MAX_AWAITED])
    return {ident: ingestion for ident, ingestion in left.items() if ident not in given_up}


def _ends(facts: Ingestions, before: History) -> Iterator[Ingestion]:
    yield from (ingestion for ingestion in facts.left.values() if _ended(ingestion))
    for ingestion in facts.listed:
        if ingestion.finished and ingestion.id is not None and ingestion.id not in before.ended:
            # If no poll saw it unfinished, it ran between two polls or ended long before the first one. The hub's clock
            # may differ and its list may lag; `ended` keeps what has been counted for as long.
            recent = ingestion.started_at is not None and ingestion.started_at > before.polled_at - _ENDED_KEPT
            if ingestion.id in before.unfinished or recent:
                yield ingestion


def _advance(facts: Ingestions, before: History, ends: list[Ingestion], now: float) -> History:
    seen = (*facts.listed, *facts.left.values())
    ended = _recently_ended(facts, before, now)
    last_started = dict(before.last_started)
    for ingestion in seen:
        if ingestion.started_at is not None:
            key = _type_and_state(ingestion)
            last_started[key] = max(ingestion.started_at, last_started.get(key, 0.0))
    counted = Counter(_type_and_state(ingestion) for ingestion in ends)
    zeros = [(ingestion.type, state) for ingestion in seen for state in FINAL_STATES]
    finished = dict(before.finished)
    for key in (*zeros, *counted):
        if len(finished) < _MAX_PAIRS:
            finished.setdefault(key, 0)
    return History(
        unfinished=_awaited(facts, ended),
        ended=ended,
        last_started=_newest(last_started),
        finished={key: count + counted[key] for key, count in finished.items()},
        polled_at=now,
    )


def _newest(started: Mapping[TypeAndState, float]) -> Mapping[TypeAndState, float]:
    """The types and states that started last, where a server keeps inventing new ones."""
    if len(started) <= _MAX_PAIRS:
        return started
    return dict(sorted(started.items(), key=lambda each: each[1])[-_MAX_PAIRS:])


def _recently_ended(facts: Ingestions, before: History, now: float) -> Mapping[str, float]:
    kept = {ident: when for ident, when in before.ended.items() if now - when < _ENDED_KEPT}
    listed = {ingestion.id: now for ingestion in facts.listed if ingestion.id and ingestion.finished}
    return kept | listed | {ident: now for ident, ingestion in facts.left.items() if _ended(ingestion)}


def _awaited(facts: Ingestions, ended: Mapping[str, float]) -> Mapping[str, Ingestion]:
    """Those whose end is yet to be seen, the oldest first."""
    left = {ident: ingestion for ident, ingestion in facts.left.items() if ident not in ended}
    return left | {ingestion.id: ingestion for ingestion in facts.listed if ingestion.id and ingestion.id not in ended}


def _samples(tenant_id: str, listed: list[Ingestion], history: History) -> Iterator[Sample]:
    oldest: dict[TypeAndState, float] = {}
    for ingestion in listed:
        if not ingestion.finished and ingestion.started_at is not None:
            key = _type_and_state(ingestion)
            oldest[key] = min(ingestion.started_at, oldest.get(key, ingestion.started_at))
    yield from _by_type_and_state(INGESTIONS, tenant_id, Counter(_type_and_state(ingestion) for ingestion in listed))
    yield from _by_type_and_state(OLDEST_UNFINISHED, tenant_id, oldest)
    yield from _by_type_and_state(LAST_STARTED, tenant_id, history.last_started)
    yield from _by_type_and_state(FINISHED, tenant_id, history.finished)
    yield PENDING(sum(ingestion.has_pending_task is True for ingestion in listed), tenant_id=tenant_id)


def _by_type_and_state(family: Family, tenant_id: str, values: Mapping[TypeAndState, float]) -> Iterable[Sample]:
    for (ingestion_type, state), value in values.items():
        yield family(value, tenant_id=tenant_id, ingestion_type=ingestion_type, state=state)


def _fleet_change(lost: int, before: History, after: History, ends: list[Ingestion]) -> FleetChange:
    """Durations and lost ingestions. A series is exposed at 0 before its first end, so that `increase()` sees that."""
    new = [key for key in after.finished if key not in before.finished and key[1] in FINAL_STATES]
    observed = [
        DURATION(max(0.0, after.polled_at - ingestion.started_at), ingestion_type=ingestion.type, state=ingestion.state)
        for ingestion in ends
        if ingestion.started_at is not None
    ]
    if lost:
        observed.append(LOST(lost))
    return FleetChange([DURATION(0, ingestion_type=key[0], state=key[1]) for key in new], observed)
