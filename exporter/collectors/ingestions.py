"""Collects running ingestions, their ends and durations: `GET /ingestions`, and by id those that left the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from exporter.api.client import Api
from exporter.api.ingestions import get_ended
from exporter.api.models import FINAL_STATES, Ingestion
from exporter.collectors.collector import Collector, FleetChange, Poll
from exporter.history import History, ends, ingestions, schedules
from exporter.history.bounds import in_order
from exporter.history.ingestions import Ingestions
from exporter.metrics import Family, Sample, polled

_MINUTE, _HOUR = 60.0, 3600.0
BUCKETS = (*(minutes * _MINUTE for minutes in (1, 5, 15, 30)), *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 24)))

INGESTIONS = polled(
    "kimono_ingestions", "Ingestions in the tenant's list, by type and state.", "tenant_id", "ingestion_type", "state"
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

# Each ingestion that has left the list without an end costs a request a poll. Beyond this many, the oldest are lost.
_MAX_AWAITED = 50


class IngestionsCollector(Collector[Ingestions]):
    """The tenant's ingestions, and the durations over all tenants."""

    name = "ingestions"
    description = "Ingestions, running and finished"
    default_interval = 60.0
    families = (INGESTIONS, *ingestions.FAMILIES, PENDING)
    fleet_families = (DURATION, LOST)

    async def fetch(self, api: Api, history: History, /) -> Ingestions:
        """Get the list, then each unfinished ingestion that is no longer in it."""
        unfinished = history.ingestions.unfinished
        listed = await api.get_list("/ingestions", Ingestion.parse)
        present = {ingestion.id for ingestion in listed}
        found = {ident: await get_ended(api, known) for ident, known in unfinished.items() if ident not in present}
        left = _within_bounds({ident: ingestion for ident, ingestion in found.items() if ingestion is not None})
        return Ingestions(listed, left, len(found) - len(left))

    def advance(self, history: History, facts: Ingestions, at: float, /) -> History:
        """Count the ends; the schedules learn of the good ones."""
        good = tuple(
            schedules.GoodRun(each.type, ingestions.start_of(each, history.ingestions, at))
            for each in ingestions.new_ends(facts, history.ingestions, at)
            if each.state == "success"
        )
        return replace(
            history,
            ingestions=ingestions.advance(history.ingestions, facts, at),
            schedules=schedules.after_runs(history.schedules, good),
        )

    def size(self, facts: Ingestions, /) -> int:
        """How many ingestions there are."""
        return len(facts.listed) + len(facts.left)

    def samples(self, poll: Poll[Ingestions], /) -> Iterator[Sample]:
        """The list as it is, and the history."""
        listed, tenant_id = poll.facts.listed, poll.tenant_id
        counts = Counter((ingestion.type, ingestion.state) for ingestion in listed)
        for (ingestion_type, state), count in in_order(counts).items():
            yield INGESTIONS(count, tenant_id=tenant_id, ingestion_type=ingestion_type, state=state)
        yield from ingestions.samples(poll.history.ingestions, tenant_id)
        yield PENDING(sum(ingestion.has_pending_task is True for ingestion in listed), tenant_id=tenant_id)

    def omitted(self, poll: Poll[Ingestions], /) -> Mapping[Family, int]:
        """Types and states of which the history keeps nothing."""
        return ingestions.omitted(poll.history.ingestions, poll.facts, poll.at)

    def fleet_change(self, before: History, poll: Poll[Ingestions], /) -> FleetChange:
        """Durations and lost ingestions. A series is exposed at 0 before its first end, for `increase()` to see it."""
        known = before.ingestions.finished if before.ingestions.exposed else ()
        new = [key for key in poll.history.ingestions.finished if key not in known and key[1] in FINAL_STATES]
        observed = [
            DURATION(max(0.0, poll.at - ended.started_at), ingestion_type=ended.type, state=ended.state)
            for ended in ingestions.counted_ends(poll.facts, before.ingestions)
            # A tenant that keeps inventing types counts some of them only: those of its history.
            if ended.started_at is not None and (ended.type, ended.state) in poll.history.ingestions.finished
        ]
        if poll.facts.lost:
            observed.append(LOST(poll.facts.lost))
        return FleetChange([DURATION(0, ingestion_type=key[0], state=key[1]) for key in new], observed)


def _within_bounds(left: Mapping[str, Ingestion]) -> Mapping[str, Ingestion]:
    """All but the oldest of those that have left the list without an end, where these are too many."""
    awaited = [ident for ident, ingestion in left.items() if not ends.has_ended(ingestion)]
    given_up = frozenset(awaited[:-_MAX_AWAITED])
    return {ident: ingestion for ident, ingestion in left.items() if ident not in given_up}
