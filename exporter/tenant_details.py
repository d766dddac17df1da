"""Describes one tenant at one moment, with all that is known of it: for the tenant's page and its JSON.

All times are Unix seconds. None means unknown: not polled, expired, or not given by the API. No field may hold a
secret. docs/json-api.md documents each field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.status import TenantStatus

T = TypeVar("T")

# A list may have 1,000 entries: more of them would make a page too long to read.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """The first entries of a list, those that need attention first; `more` is how many more there are."""

    entries: tuple[T, ...]
    more: int = 0

    @classmethod
    def of(cls, entries: Sequence[T]) -> Listed[T]:
        """The first of these entries."""
        return cls(tuple(entries[:MOST_LISTED]), max(0, len(entries) - MOST_LISTED))


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the tenant's state; `since` is since when it has been on, None while it is off."""

    name: str
    on: bool
    since: float | None


@dataclass(frozen=True, slots=True)
class CollectorDetails:
    """A collector's polls of the tenant, one each `interval_seconds`; `failing` says that the last one failed."""

    name: str
    failing: bool
    interval_seconds: float
    last_success: float | None
    next_poll: float


@dataclass(frozen=True, slots=True)
class UnfinishedIngestion:
    """The oldest unfinished ingestion of its type and state; `seen` is when a poll first saw it."""

    type: str
    state: str
    started_at: float | None
    seen: float


@dataclass(frozen=True, slots=True)
class FailingIngestions:
    """Ingestions of a type that fail, since the first bad end that no good one has followed."""

    type: str
    since: float


@dataclass(frozen=True, slots=True)
class LastIngestion:
    """The newest start of an ingestion of this type and state, and how many ends of it have been counted."""

    type: str
    state: str
    last_started_at: float | None
    finished: int


@dataclass(frozen=True, slots=True)
class IngestionsDetails:
    """The tenant's ingestions."""

    unfinished: Listed[UnfinishedIngestion]
    failing: Listed[FailingIngestions]
    last: Listed[LastIngestion]


@dataclass(frozen=True, slots=True)
class ScheduleDetails:
    """A schedule: `hour` and `days` are in UTC, `days` as the API gives them."""

    id: str
    type: str
    enabled: bool | None
    hour: int | None
    days: str
    last_executed_at: float | None
    last_due: float | None
    next_due: float | None
    active_since: float | None
    missed_since: float | None


@dataclass(frozen=True, slots=True)
class RolloverDetails:
    """A rollover, its window and its failures."""

    id: str
    name: str | None
    type: str | None
    status: str | None
    start: float | None
    end: float | None
    status_change_failures: int | None
    failure_reason: str | None
    failing_since: float | None


@dataclass(frozen=True, slots=True)
class ApplicationDetails:
    """The integration's own access: its state, and since when."""

    auth_state: str
    since: float


@dataclass(frozen=True, slots=True)
class TenantDetails:
    """A tenant. `status` has its names, problems and failures.

    `paused_by` has the names of the flags that pause it. `last_paused` is the last moment at which it was seen paused,
    `last_run` the newest start of any run. `flags`, `ingestions`, `schedules`, `rollovers` and `application` are None
    while their facts are unknown.
    """

    now: float
    status: TenantStatus
    account_id: str | None
    cloud_id: str | None
    cloud_name: str | None
    credentials_updated_at: float | None
    paused_by: tuple[str, ...]
    last_paused: float | None
    last_run: float | None
    collectors: tuple[CollectorDetails, ...]
    flags: Listed[Flag] | None
    ingestions: IngestionsDetails | None
    schedules: Listed[ScheduleDetails] | None
    rollovers: Listed[RolloverDetails] | None
    application: ApplicationDetails | None
