"""Knows which ends of ingestions polls have seen, so that each counts once.

Ids and starts identify an end: a server may use an id again. All times are Unix seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from exporter.api.models import UNFINISHED_STATES, Ingestion
from exporter.history.bounds import MOST_KEPT

# A list may lag and show as running what has been counted already; not for longer than this.
KEPT = 3600.0


def has_ended(ingestion: Ingestion) -> bool:
    """Whether one that has left the list is over: any state but the known unfinished ones, as new ones may be final."""
    return ingestion.state not in ("", *UNFINISHED_STATES)


def is_known(ingestion: Ingestion, ended: Mapping[str, float], known_starts: Mapping[str, float]) -> bool:
    """Whether the end of this run is among those that have ended: not if it started later than the one of its id."""
    if ingestion.id is None or ingestion.id not in ended:
        return False
    known = known_starts.get(ingestion.id)
    return known is None or ingestion.started_at is None or ingestion.started_at <= known


def recent(
    listed: Sequence[Ingestion],
    left: Mapping[str, Ingestion],
    before: Mapping[str, float],
    until: float | None,
    now: float,
) -> tuple[Mapping[str, float], float | None]:
    """When those that ended lately were last seen so, by id, after a poll at `now`.

    Of too many in the list, the last started ones; the second value is until when the others started.
    """
    kept = {ident: min(when, now) for ident, when in before.items() if now - when < KEPT}
    if len(kept) > MOST_KEPT:  # the newest stay
        kept = dict(_latest(kept, MOST_KEPT))
    by_start = {each.id: each.started_at or 0.0 for each in listed if each.id and each.finished}
    until = None if until is None else min(until, now)
    if len(by_start) > MOST_KEPT:
        latest = _latest(by_start, MOST_KEPT + 1)
        until, by_start = max(latest.pop()[1], until or 0.0), dict(latest)
    gone = {ident: now for ident, ingestion in left.items() if has_ended(ingestion)}
    return kept | dict.fromkeys(by_start, now) | gone, until


def _latest(moments: Mapping[str, float], number: int) -> list[tuple[str, float]]:
    """So many of the moments, the latest first."""
    return heapq.nlargest(number, moments.items(), key=lambda each: each[::-1])


def starts(
    listed: Sequence[Ingestion], left: Mapping[str, Ingestion], before: Mapping[str, float], ended: Mapping[str, float]
) -> Mapping[str, float]:
    """The newest known start of each of those that have `ended`, by id."""
    found = {ident: start for ident, start in before.items() if ident in ended}
    over = [each for each in listed if each.finished]
    for each in (*over, *filter(has_ended, left.values())):
        if each.id is not None and each.id in ended and each.started_at is not None:
            found[each.id] = max(each.started_at, found.get(each.id, 0.0))
    return found
