"""Holds what is known of one tenant, and turns it into samples of its identity and health."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from exporter.api.client import Api
from exporter.api.errors import RequestTimeoutError
from exporter.api.models import Tenant
from exporter.history import History, problems, reported
from exporter.history.problems import Found, Health
from exporter.history.reported import Names
from exporter.issues import Entry, entry_of
from exporter.metrics import Sample, known, polled
from exporter.status import SEVERITIES, Failure, Problem, TenantStatus
from exporter.store import FLEET

# What a tenant belongs to: fields of `Tenant`, and labels of the same names.
_PARTS = ("account_id", "account_name", "cloud_id", "cloud_name", "integration", "integration_version")
INFO = polled(
    "kimono_tenant_info",
    "A tenant and what it belongs to; a null part is empty.",
    *("tenant_id", "tenant_name", *_PARTS),
)
CREDENTIALS_UPDATED = polled(
    "kimono_tenant_credentials_updated_timestamp_seconds",
    "When the tenant's credentials were last changed, in Unix seconds.",
    "tenant_id",
)
TENANT_UP = polled(
    "kimono_tenant_up", "Whether the newest poll of every enabled collector succeeded for the tenant.", "tenant_id"
)
FAILURE = polled(
    "kimono_tenant_failure_info",
    "Why a collector fails for the tenant; only while it fails.",
    *("tenant_id", "collector", "reason"),
)
FAILURE_SINCE = polled(
    "kimono_tenant_failure_since_timestamp_seconds",
    "Since when a collector has been failing for the tenant, for whatever reasons, in Unix seconds; only while it "
    "fails.",
    *("tenant_id", "collector", "reason"),
)
LAST_SUCCESS = polled(
    "kimono_collector_last_success_timestamp_seconds",
    "When a collector last succeeded for the tenant, in Unix seconds.",
    *("tenant_id", "collector"),
)
REPORTED = polled(
    "kimono_tenant_reported_info",
    "Names under which the tenant's problems were first reported, or soon will be; only while it has others now.",
    *("tenant_id", "tenant_name", "account_name", "integration", "cloud_name"),
)
IDENTITY_FAMILIES = (INFO, CREDENTIALS_UPDATED, REPORTED)
HEALTH_FAMILIES = (TENANT_UP, FAILURE, FAILURE_SINCE)
# By themselves, because each successful poll changes them, and nearly none the others.
SUCCESS_FAMILIES = (LAST_SUCCESS,)


class Made(NamedTuple):
    """The last snapshot of a tenant for people, and what it was made of. `found` is None if the problems were old."""

    status: TenantStatus
    tenant: Tenant
    found: Found | None
    failures: tuple[Failure, ...]
    problems: tuple[Problem, ...]


@dataclass(eq=False, slots=True, weakref_slot=True)
class TenantState:
    """One tenant, or the account, and what its polls have shown.

    The account is a tenant whose id is `FLEET`. `api` gives the calls of its credentials; those of the account may
    have changed since the last poll, and are awaited, because files are read. The dictionaries are keyed by the
    collector's name. `succeeded_at` is in Unix seconds. `expires_at` is when a failing collector's samples expire, in
    monotonic seconds. `found` are the problems after the last poll. `clock_moved` is `ClockWatch.moved` as of the times
    that it has.
    """

    tenant: Tenant
    api: Callable[[], Api | Awaitable[Api]]
    history: History = History()
    failures: dict[str, Failure] = field(default_factory=dict)
    succeeded_at: dict[str, float] = field(default_factory=dict)
    expires_at: dict[str, float] = field(default_factory=dict)
    found: Found = Found()
    removed: bool = False
    clock_moved: float = 0.0
    _made: Made | None = None
    _entry: Entry | None = None

    @property
    def id(self) -> str:
        """The tenant's id, or `FLEET` for the account."""
        return self.tenant.id

    @property
    def name(self) -> str:
        """The name for people."""
        return self.tenant.name or self.tenant.id

    @property
    def names(self) -> Names:
        """The names by which alerts are labelled or grouped."""
        tenant = self.tenant
        return Names(self.name, tenant.account_name or "", tenant.integration or "", tenant.cloud_name or "")

    @property
    def kind(self) -> str:
        """What it is, for log messages."""
        return "account" if self.id == FLEET else "tenant"

    @property
    def polled(self) -> set[str]:
        """The names of the collectors that have finished a poll of it, successful or not."""
        return self.succeeded_at.keys() | self.failures.keys()

    @property
    def times_out(self) -> bool:
        """Whether requests of a collector have timed out at its last poll."""
        return any(failure.reason == RequestTimeoutError.reason for failure in self.failures.values())

    def drop(self, collector: str) -> None:
        """Remove what a collector has shown."""
        self.history, self._made = self.history.without(collector), None
        for kept in (self.failures, self.succeeded_at, self.expires_at):
            kept.pop(collector, None)

    def follow_clock(self, moved: float) -> None:
        """Move the times that polls saw with the wall clock, which has been moved by so many seconds in all."""
        if moved == self.clock_moved:
            return
        seconds, self.clock_moved, self._made = moved - self.clock_moved, moved, None
        self.history = self.history.after_clock_change(seconds)
        for name, at in self.succeeded_at.items():
            self.succeeded_at[name] = at + seconds
        for name, failure in self.failures.items():
            self.failures[name] = replace(failure, since=failure.since + seconds)

    def known_until(self, collector: str) -> float:
        """Until when the facts of a collector are known, in monotonic seconds: without end unless it fails."""
        if collector not in self.succeeded_at:
            return -math.inf
        return self.expires_at[collector] if collector in self.failures else math.inf

    def health(self, enabled: Collection[str], now: float) -> Health:
        """How the polls of these collectors go; `now` in monotonic seconds."""
        expired = [name for name in self.failures if self.expires_at.get(name, -math.inf) <= now]
        return Health(enabled, self.succeeded_at, self.failures, expired)

    def update(self, tenant: Tenant, enabled: Collection[str], now: float, monotonic: float) -> None:
        """Replace what is known of the tenant itself. A problem that begins about now keeps the names of before.

        `now` in Unix seconds, `monotonic` in monotonic seconds; `enabled` as in `health`.
        """
        names, self.tenant = self.names, tenant
        if self.names == names:
            return
        try:
            soon = problems.find(self.history, self.health(enabled, monotonic), now + reported.SOON).problems
        except Exception:  # noqa: BLE001 - the next poll reports an internal error; it must not stop discovery
            return
        after = reported.renamed(self.history.reported, soon, names, now)
        self.history = replace(self.history, reported=after)

    def identity_samples(self) -> list[Sample]:
        """Who the tenant is, and who it was when its problems began."""
        tenant = self.tenant
        parts = {part: getattr(tenant, part) or "" for part in _PARTS}
        info = INFO(1, tenant_id=tenant.id, tenant_name=tenant.name or "", **parts)
        samples = [info, *known((CREDENTIALS_UPDATED, tenant.credentials_updated_at), tenant_id=tenant.id)]
        names = self.history.reported.names
        if names and names != self.names:
            samples.append(REPORTED(1, tenant_id=tenant.id, **asdict(names)))
        return samples

    def success_samples(self) -> list[Sample]:
        """When each collector last succeeded."""
        return [LAST_SUCCESS(at, tenant_id=self.id, collector=name) for name, at in self.succeeded_at.items()]

    def health_samples(self, collectors: Collection[str]) -> list[Sample]:
        """What fails; `collectors` are the names of those enabled. Until each has polled once, `up` is unknown."""
        samples: list[Sample] = []
        for name, failure in self.failures.items():
            labels = {"tenant_id": self.id, "collector": name, "reason": failure.reason}
            samples += [FAILURE(1, **labels), FAILURE_SINCE(failure.since, **labels)]
        if self.failures or self.polled.issuperset(collectors):
            samples.append(TENANT_UP(not self.failures, tenant_id=self.id))
        return samples

    def status(self, *, problems_after: float = -math.inf) -> TenantStatus:
        """The snapshot for people: the same object while nothing changes, so others can keep what follows from it.

        Problems that were found until Unix seconds `problems_after` may be over: the snapshot does not have them.
        """
        made, fresh = self._made, self.found.at > problems_after
        # Each poll of a tenant finds its problems anew. The account's problems are not looked for.
        if made and fresh and made.found is self.found and made.tenant is self.tenant:
            return made.status
        failures, found = tuple(self.failures.values()), self.found.problems if fresh else ()
        same = made and made.tenant is self.tenant and (made.failures, made.problems) == (failures, found)
        if made and same and len(made.status.polled) == len(self.polled):
            status = made.status
        else:
            status = self._status(failures, found)
        self._made = Made(status, self.tenant, self.found if fresh else None, failures, found)
        return status

    def prepare_entry(self, *, problems_after: float) -> None:
        """Make the entry now if something is wrong, so that the first page need not make all of them."""
        if not self.is_quiet:
            self.entry(problems_after=problems_after)
        elif self._entry is not None:
            self._made = self._entry = None

    def entry(self, *, problems_after: float = -math.inf) -> Entry:
        """The snapshot with its lines; the same object while nothing changes, if something is wrong. As `status`."""
        status = self.status(problems_after=problems_after)
        if not (status.failures or status.problems):
            return entry_of(status)  # not kept: a search makes those of all tenants
        if self._entry is None or self._entry.tenant is not status:
            self._entry = entry_of(status)
        return self._entry

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is wrong with it, as far as is known: then its snapshot tells no more."""
        return not self.failures and not self.found.problems

    def _status(self, failures: tuple[Failure, ...], found: tuple[Problem, ...]) -> TenantStatus:
        return TenantStatus(
            id=self.id,
            name=self.name,
            account_name=self.tenant.account_name or "",
            integration=self.tenant.integration or "",
            integration_version=self.tenant.integration_version or "",
            polled=tuple(sorted(self.polled)),
            failures=failures,
            problems=tuple(sorted(found, key=by_severity)) if len(found) > 1 else found,
        )


def by_severity(problem: Problem) -> tuple[int, float]:
    """The order of problems: the worst first, then the oldest."""
    return SEVERITIES.index(problem.severity), problem.since
