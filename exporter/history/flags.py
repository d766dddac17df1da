"""Knows since when a tenant's flags have been on, and when the tenant was last paused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from exporter.api.models import STATE_FLAGS
from exporter.history.bounds import kept
from exporter.history.moments import all_moved, moved
from exporter.history.sharing import SharesEmpty, shared
from exporter.metrics import Sample, known, polled
from exporter.thresholds import threshold

ON_SINCE = polled(
    "kimono_tenant_state_since_timestamp_seconds",
    "Since when a flag of the tenant has been on, in Unix seconds; only while it is on.",
    *("tenant_id", "flag"),
)
LAST_PAUSED = polled(
    "kimono_tenant_last_paused_timestamp_seconds",
    "When the tenant was last seen paused by rollover, suspension, setup mode or a mass change, in Unix seconds.",
    "tenant_id",
)
LAST_LONG_PAUSE = polled(
    "kimono_tenant_last_long_pause_timestamp_seconds",
    "When the tenant was last seen paused in a pause of 12 hours or more, or in one whose start was not seen, in Unix "
    "seconds.",
    "tenant_id",
)
FAMILIES = (ON_SINCE, LAST_PAUSED, LAST_LONG_PAUSE)


@dataclass(frozen=True, slots=True)
class FlagsHistory(SharesEmpty):
    """`paused_since` is the begin of the present pause, 0 if it was not seen, and None while the tenant is not paused.

    `paused` is None while that is unknown: a flag is missing, and none is on. `flags` is the last reply. The state file
    has neither. `known_at` is the last poll that has shown whether the tenant is paused.
    """

    on_since: Mapping[str, float] = field(default_factory=dict)
    paused: Annotated[bool | None, Field(exclude=True)] = None
    paused_since: float | None = None
    # Whether any poll has shown whether the tenant is paused.
    known: bool = False
    known_at: float | None = None
    last_paused: float | None = None
    last_long_pause: float | None = None
    flags: Annotated[Mapping[str, bool], Field(exclude=True)] = field(default_factory=dict)

    def since(self, flag: str) -> float | None:
        """Since when a flag has been on, in Unix seconds; None unless the last reply says that it is."""
        return self.on_since[flag] if self.flags.get(flag) else None


def advance(before: FlagsHistory, flags: Mapping[str, bool], at: float) -> FlagsHistory:
    """The history after a poll at Unix seconds `at` that saw these flags; of new ones, the first 1,000 by name count.

    A known flag that is missing is unknown.
    """
    new = kept({flag: on for flag, on in flags.items() if flag not in STATE_FLAGS})
    flags = {flag: flags[flag] for flag in (*STATE_FLAGS, *new) if flag in flags}
    on = {flag: min(before.on_since.get(flag, at), at) for flag, is_on in flags.items() if is_on}
    unknown = {flag: min(before.on_since[flag], at) for flag in STATE_FLAGS if flag in before.on_since.keys() - flags}
    paused = _paused(flags)
    begun = None if paused is False else _not_after(before.paused_since, at)
    if paused and begun is None:
        # A pause whose start was not seen may have lasted for long.
        begun = at if before.known else 0.0
    long = paused and begun is not None and at - begun >= threshold("long_pause")
    return FlagsHistory(
        on_since=on | unknown,
        paused=paused,
        paused_since=begun,
        known=before.known or paused is not None,
        known_at=_not_after(before.known_at, at) if paused is None else at,
        last_paused=at if paused else _not_after(before.last_paused, at),
        last_long_pause=at if long else _not_after(before.last_long_pause, at),
        flags=shared(flags),
    )


def after_clock_change(before: FlagsHistory, seconds: float) -> FlagsHistory:
    """The history after the clock was set, so many seconds forward, or back if negative."""
    return replace(
        before,
        on_since=all_moved(before.on_since, seconds),
        paused_since=moved(before.paused_since, seconds),
        known_at=moved(before.known_at, seconds),
        last_paused=moved(before.last_paused, seconds),
        last_long_pause=moved(before.last_long_pause, seconds),
    )


def _paused(flags: Mapping[str, bool]) -> bool | None:
    known_flags = [flags.get(flag) for flag in STATE_FLAGS]
    return True if True in known_flags else None if None in known_flags else False


def _not_after(moment: float | None, at: float) -> float | None:
    return None if moment is None else min(moment, at)


def samples(history: FlagsHistory, tenant_id: str) -> Iterator[Sample]:
    """The samples of the history, of the flags that are on."""
    for flag, is_on in history.flags.items():
        if is_on:
            yield ON_SINCE(history.on_since[flag], tenant_id=tenant_id, flag=flag)
    yield from known(
        (LAST_PAUSED, history.last_paused), (LAST_LONG_PAUSE, history.last_long_pause), tenant_id=tenant_id
    )
