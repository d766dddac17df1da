"""Makes the samples that depend on the facts of two collectors, and says how long they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.history import schedules
from exporter.history.history import History
from exporter.metrics import Family, Sample, polled

LAST_RUN = polled(
    "kimono_tenant_last_run_timestamp_seconds",
    "When any run of the tenant last started, as seen or as a schedule says, in Unix seconds.",
    "tenant_id",
)


@dataclass(frozen=True, slots=True)
class SharedFamilies:
    """Families whose samples come from the history of several collectors.

    `known_until` gets the time until which each collector's facts are known, and gives the same for these families.
    """

    families: tuple[Family, ...]
    collectors: tuple[str, ...]
    known_until: Callable[[Iterable[float]], float]
    samples: Callable[[History, str, float], Iterable[Sample]]


def last_run(history: History) -> float | None:
    """The newest start of any run, in Unix seconds, seen or of a schedule; None while a schedule's is unknown."""
    if history.schedules.has_unknown_start:
        return None
    starts = (history.ingestions.last_run, history.schedules.last_executed)
    return max((start for start in starts if start is not None), default=None)


def _last_run_samples(history: History, tenant_id: str, _: float) -> Iterator[Sample]:
    newest = last_run(history)
    if newest is not None:
        yield LAST_RUN(newest, tenant_id=tenant_id)


def _active_samples(history: History, tenant_id: str, now: float) -> Iterable[Sample]:
    return schedules.active_samples(history.schedules, tenant_id, now) if history.state.paused is not None else ()


SHARED = (
    # Whether a schedule is active is unknown as soon as one of the two is.
    SharedFamilies(schedules.ACTIVE_FAMILIES, ("state", "schedules"), min, _active_samples),
    SharedFamilies((LAST_RUN,), ("ingestions", "schedules"), max, _last_run_samples),
)
