"""Describes the exporter at one moment, for `check`, `once`, the status page and the log.

`Poller.status` takes the snapshot. No field may hold a secret, and no text is null.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.shards import Shard

# What each reason of a failure means.
MEANING: Mapping[str, str] = {
    "auth": "credentials rejected",
    "forbidden": "access denied",
    "not_found": "not found",
    "throttled": "too many requests",
    "timeout": "no reply within api.timeout, or a file that does not respond",
    "network": "connection failed",
    "server": "server error",
    "bad_response": "invalid reply",
    "bug": "internal error, see the log",
}
HOW_TO_FIX: Mapping[str, str] = {
    "auth": "The secret was changed or revoked: update it in the tenant list or in api.tenants_file.",
    "forbidden": "Ask the hub's administrator to grant these credentials access.",
    "not_found": "Check api.url: this API does not have the path, or the tenant was removed.",
    "throttled": "Lower api.rate_limit, or lengthen the collectors' intervals.",
    "timeout": "If a file does not respond, check its disk. If the API does not reply in time, raise api.timeout.",
    "network": "Check api.url, DNS, the firewall and the server's certificate.",
    "server": "Try again later. If it persists, contact the hub's support.",
    "bad_response": "Check that api.url is the API, not a portal or proxy. If it is, contact the hub's support.",
    "bug": "Please report it, with its type and place as shown.",
}


# What each kind of problem is. The alerts have the same conditions.
PROBLEMS: Mapping[str, str] = {
    "stalled": "an ingestion has not finished",
    "failing": "ingestions fail",
    "overdue": "a scheduled sync has not run",
    "stale": "no sync has run for days",
    "suspended": "syncing is suspended",
    "mass_change": "a mass change waits for approval",
    "setup": "setup mode is on",
    "rollover_stuck": "rollover mode is on outside of a rollover",
    "rollover_not_started": "a rollover has not started",
    "rollover_failing": "a rollover fails to change its status",
    "application_auth": "the application rejects the hub",
    "unreachable": "the tenant can't be polled",
    "credentials_rejected": "the tenant's credentials are rejected",
}

# The alert about each kind of problem. Its runbook is `docs/runbooks/` with that name.
ALERTS: Mapping[str, str] = {
    "stalled": "KimonoIngestionStalled",
    "failing": "KimonoIngestionsFailing",
    "overdue": "KimonoSyncOverdue",
    "stale": "KimonoSyncStale",
    "suspended": "KimonoSyncSuspended",
    "mass_change": "KimonoMassChangePending",
    "setup": "KimonoSetupModeLingering",
    "rollover_stuck": "KimonoRolloverStuck",
    "rollover_not_started": "KimonoRolloverNotStarted",
    "rollover_failing": "KimonoRolloverFailing",
    "application_auth": "KimonoApplicationAuthFailing",
    "unreachable": "KimonoTenantUnreachable",
    "credentials_rejected": "KimonoTenantCredentialsRejected",
}
# The problems with polls themselves: failures are their cause.
POLL_PROBLEMS = ("unreachable", "credentials_rejected")

Severity = Literal["critical", "warning", "info"]
# The worst first.
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a tenant: a key of `PROBLEMS`, with the severity of its alert; `since` in Unix seconds."""

    kind: str
    severity: Severity
    since: float


@dataclass(frozen=True, slots=True)
class FleetProblem:
    """A problem that so many tenants share that single tenants are not the cause.

    `tenants` have it, the first of them since `since` (Unix seconds).
    """

    kind: str
    tenants: int
    since: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a collector fails for a tenant or for the account.

    `reason` is a key of `MEANING`; `detail` is a sentence; `since` is the first failure, in Unix seconds.
    """

    collector: str
    reason: str
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class TenantStatus:
    """A polled tenant, or the account if it is polled: its `id` is empty.

    `name` is the id if the tenant has no name. `polled` names the collectors that have finished a poll of it,
    whether or not the poll failed. `failures` has at most one for each collector. `problems` has at most one of each
    kind, the worst first, as of the tenant's last poll.
    """

    id: str
    name: str
    account_name: str
    integration: str
    integration_version: str
    polled: tuple[str, ...]
    failures: tuple[Failure, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """A collector: its interval and lag in seconds, and how many tenants it fails for.

    `lag` is how far the most overdue poll is behind schedule; 0.0 before the first poll.
    """

    name: str
    interval: float
    lag: float
    failing: int


@dataclass(frozen=True, slots=True)
class DiscoveryStatus:
    """The last discovery: `ok` is None before the first has ended.

    `succeeded_at` is the end of the last successful one, in Unix seconds. `reason` and `detail` are empty unless
    the last one failed. The tenants of `shard` are polled; `elsewhere` is how many the last discovery found that
    belong to other shards.
    """

    ok: bool | None = None
    succeeded_at: float | None = None
    reason: str = ""
    detail: str = ""
    shard: Shard = Shard()
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The whole exporter. `now` and `started_at` are Unix seconds.

    `healthy` and `ready` are what the health paths answer. `tenants` is the number of tenants polled. `failing` has
    every failing tenant, and the account if it fails, the longest failing first. `working` has the others by name, and
    is empty unless asked for: there may be 10,000. `with_problems` has every tenant with a problem, failing or not, the
    worst first, then the oldest. `fleet` has the problems that many tenants share, the most frequent first.
    """

    version: str
    api_url: str
    started_at: float
    now: float
    healthy: bool
    ready: bool
    discovery: DiscoveryStatus
    collectors: tuple[CollectorStatus, ...]
    tenants: int
    failing: tuple[TenantStatus, ...]
    working: tuple[TenantStatus, ...] = ()
    with_problems: tuple[TenantStatus, ...] = ()
    fleet: tuple[FleetProblem, ...] = ()

    @property
    def tenants_failing(self) -> int:
        """The number of failing tenants, without the account."""
        return sum(bool(tenant.id) for tenant in self.failing)


@dataclass
class Counts:
    """What many tenants have in common: `add` each tenant once.

    `failing` is how many tenants each collector fails for. `kinds` has, for each kind of problem, how many tenants have
    it, and since when the first one (Unix seconds).
    """

    failing: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, tuple[int, float]] = field(default_factory=dict)

    def add(self, tenant: TenantStatus) -> None:
        """Count a tenant, or the account."""
        for failure in tenant.failures:
            self.failing[failure.collector] += 1
        for problem in tenant.problems:
            count, since = self.kinds.get(problem.kind, (0, problem.since))
            self.kinds[problem.kind] = count + 1, min(since, problem.since)
