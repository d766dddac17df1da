"""Holds what is known of one tenant, and turns it into samples of its identity and health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.api.client import Api
from exporter.api.models import Tenant
from exporter.collectors.collector import known, polled
from exporter.metrics import Sample
from exporter.status import Failure, TenantStatus
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
LAST_SUCCESS = polled(
    "kimono_collector_last_success_timestamp_seconds",
    "When a collector last succeeded for the tenant, in Unix seconds.",
    *("tenant_id", "collector"),
)
IDENTITY_FAMILIES = (INFO, CREDENTIALS_UPDATED)
HEALTH_FAMILIES = (TENANT_UP, FAILURE, LAST_SUCCESS)


@dataclass(eq=False)
class TenantState:
    """One tenant, or the account, and what its polls have shown.

    The account is a tenant whose id is `FLEET`. `api` gives the calls of its credentials; those of the account may
    have changed since the last poll. The dictionaries are keyed by the collector's name. `succeeded_at` is in Unix
    seconds. `expires_at` is when a failing collector's samples expire, in monotonic seconds.
    """

    tenant: Tenant
    api: Callable[[], Api]
    history: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    succeeded_at: dict[str, float] = field(default_factory=dict)
    expires_at: dict[str, float] = field(default_factory=dict)
    removed: bool = False

    @property
    def id(self) -> str:
        """The tenant's id, or `FLEET` for the account."""
        return self.tenant.id

    @property
    def name(self) -> str:
        """The name for people."""
        return self.tenant.name or self.tenant.id

    @property
    def kind(self) -> str:
        """What it is, for log messages."""
        return "account" if self.id == FLEET else "tenant"

    @property
    def polled(self) -> set[str]:
        """The names of the collectors that have finished a poll of it, successful or not."""
        return self.succeeded_at.keys() | self.failures.keys()

    def drop(self, collector: str) -> None:
        """Remove what a collector has shown."""
        for kept in (self.history, self.failures, self.succeeded_at, self.expires_at):
            kept.pop(collector, None)

    def identity_samples(self) -> list[Sample]:
        """Who the tenant is."""
        tenant = self.tenant
        parts = {part: getattr(tenant, part) or "" for part in _PARTS}
        info = INFO(1, tenant_id=tenant.id, tenant_name=tenant.name or "", **parts)
        return [info, *known((CREDENTIALS_UPDATED, tenant.credentials_updated_at), tenant_id=tenant.id)]

    def health_samples(self, collectors: int) -> list[Sample]:
        """How its polls go; `collectors` is how many are enabled. Until each has polled once, `up` is unknown."""
        samples = [LAST_SUCCESS(at, tenant_id=self.id, collector=name) for name, at in self.succeeded_at.items()]
        samples += [
            FAILURE(1, tenant_id=self.id, collector=name, reason=failure.reason)
            for name, failure in self.failures.items()
        ]
        if self.failures or len(self.polled) == collectors:
            samples.append(TENANT_UP(not self.failures, tenant_id=self.id))
        return samples

    def status(self) -> TenantStatus:
        """The snapshot for people."""
        return TenantStatus(
            id=self.id,
            name=self.name,
            account_name=self.tenant.account_name or "",
            integration=self.tenant.integration or "",
            integration_version=self.tenant.integration_version or "",
            polled=tuple(sorted(self.polled)),
            failures=tuple(self.failures.values()),
        )
