"""What must be known of the exporter to serve its pages?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CollectorRow:
    """One collector across the fleet: its interval and lag in seconds, and how many tenants fail in it.

    `lag` is None before the first visit.
    """

    name: str
    interval: float
    lag: float | None
    tenants_failing: int


@dataclass(frozen=True)
class FailingTenant:
    """One tenant that can't be read for one reason; `since` is Unix seconds of the first failure in this row."""

    tenant_id: str
    tenant_name: str
    account_name: str
    collectors: str
    reason: str
    since: float


@dataclass(frozen=True)
class Overview:
    """The state of the exporter for a person; `started`, `now` and `discovered` are Unix seconds.

    `discovery_ok` is None until the first discovery has ended; `discovered` is the end of the last good one.
    `tenants_failing` counts tenants; `failing` has one entry for each tenant and reason, the worst first,
    and `failing_unlisted` counts the entries that were left out of it. No field may hold a secret.
    """

    version: str
    started: float
    now: float
    discovery_ok: bool | None
    tenants: int
    ready: bool
    api_url: str
    collectors: tuple[CollectorRow, ...] = ()
    tenants_failing: int = 0
    failing: tuple[FailingTenant, ...] = ()
    failing_unlisted: int = 0
    discovered: float | None = None


class Source(Protocol):
    """Where the pages come from. No call may wait; all are made on the event loop."""

    def page(self, *, openmetrics: bool) -> Iterable[bytes]:
        """Take a snapshot of all series now; iterating it gives the page piece by piece.

        Nothing else runs while a piece is joined: one megabyte takes about a millisecond.
        """
        ...

    def healthy(self) -> bool:
        """Say whether the poller has made progress lately, the API aside."""
        ...

    def ready(self) -> bool:
        """Say whether the first discovery and a first visit to every tenant have ended."""
        ...

    def overview(self) -> Overview:
        """Give the facts of the status page."""
        ...
