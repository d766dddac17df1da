"""Keeps the watched tenants in step with what their source finds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace

import structlog

from exporter.api.client import Api, Client
from exporter.api.errors import ApiError
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.history import History
from exporter.logs import internal_error
from exporter.metrics import polled
from exporter.polling.scheduler import Scheduler
from exporter.polling.sources import Discovered, TenantSource
from exporter.polling.tenant import IDENTITY_FAMILIES, TenantState
from exporter.shards import Shard
from exporter.status import DiscoveryStatus
from exporter.store import FLEET, Store
from exporter.tasks import asked_to_end

log = structlog.get_logger("exporter.polling.discovery")

UP = polled("kimono_up", "Whether the last discovery of tenants succeeded.")
TENANTS = polled("kimono_tenants", "Tenants that this exporter watches now: with shards, those of its shard.")
FLEET_FAMILIES = (UP, TENANTS)

# While no tenant is known, discovery runs again after this many seconds, if its interval is longer.
_RETRY_SECONDS = 30.0
# 10,000 tenants added at once would block scrapes and polls for 0.2 s.
_ADDED_AT_ONCE = 100


class Discovery:
    """The tenants watched now, by id, and how the last discovery went."""

    def __init__(self, client: Client, store: Store, scheduler: Scheduler, clock: Clock) -> None:
        self.tenants: dict[str, TenantState] = {}
        # Histories of an earlier process, by id, of tenants that have not been found yet.
        self.restored: dict[str, History] = {}
        self.status = DiscoveryStatus()
        self.interval = 0.0
        # Which of the tenants found to watch: all, unless a person asked for some.
        self.choose: Callable[[list[Tenant]], list[Tenant]] = list
        self._client = client
        self._store = store
        self._scheduler = scheduler
        self._clock = clock
        self._source: TenantSource | None = None
        self._again = asyncio.Event()
        self._expose()

    def configure(self, source: TenantSource, interval: float) -> None:
        """Use this source from now on, at once and then at this interval in seconds."""
        self._source, self.interval = source, interval
        self._again.set()

    def assign(self, shard: Shard) -> None:
        """Watch the tenants of this shard only: those of others are removed at once, with their histories."""
        if shard == self.status.shard:
            return
        self.status = replace(self.status, shard=shard)
        self._remove([ident for ident in self.tenants if not shard.owns(ident)])
        self._expose()

    def restore(self, histories: Mapping[str, History]) -> None:
        """Use these histories, by tenant id, for tenants when they are found."""
        self.restored = dict(histories)

    def histories(self, moved: float = 0.0) -> list[tuple[str, History]]:
        """The ids and histories of all tenants, also of those restored that have not been found yet.

        The times of the restored ones are moved by so many seconds.
        """
        restored = self.restored
        if moved:
            restored = {ident: history.after_clock_change(moved) for ident, history in restored.items()}
        return [*((state.id, state.history) for state in self.tenants.values()), *restored.items()]

    def forget(self) -> None:
        """Forget all tenants: from now on, another API is polled. A discovery that is running finds none any more."""
        self.restored.clear()
        while self.tenants:
            self._scheduler.remove(self.tenants.popitem()[1])
        self._store.retain(())
        self._source = None
        self.status = replace(self.status, elsewhere=0)
        self._expose()

    async def run(self) -> AsyncIterator[None]:
        """Discover until cancelled; yields after each discovery."""
        while True:
            self._again.clear()
            begun = self._clock.monotonic()
            await self.discover()
            yield
            found = self.tenants or self.status.elsewhere
            pause = self.interval if found else min(self.interval, _RETRY_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(begun + pause - self._clock.monotonic()):
                    await self._again.wait()

    async def discover(self) -> None:
        """Find the tenants now; a failed or partial discovery removes none."""
        source = self._source
        if source is None:
            return
        found, reason, detail = None, "", ""
        try:
            found = await source.get_tenants()
            found = replace(found, tenants=self.choose(found.tenants))
        except ApiError as error:
            reason, detail = error.reason, str(error)
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise
            reason, detail = "bug", internal_error(error)
        except Exception as error:  # noqa: BLE001 - an internal error must not stop the polls of known tenants
            reason, detail = "bug", internal_error(error)
        if found is not None and await self._update(found, source):
            reason, detail = found.reason, "; ".join(found.failures)
        # What a source says that has been replaced may be about another API.
        if source is self._source:
            self._end(reason, detail)

    async def _update(self, found: Discovered, source: TenantSource) -> bool:
        """Watch these tenants; returns False if their source has been replaced, and so they may be of another API."""
        if source is not self._source:
            return False
        known = [(tenant, self.tenants[tenant.id]) for tenant in found.tenants if tenant.id in self.tenants]
        renewed = [state for tenant, state in known if state.tenant.credentials != tenant.credentials]
        now = self._clock.monotonic()
        for first in range(0, len(found.tenants), _ADDED_AT_ONCE):
            for tenant in found.tenants[first : first + _ADDED_AT_ONCE]:
                self._add_or_update(tenant, found, now)
            await asyncio.sleep(0)
            if source is not self._source:
                return False
        self.status = replace(self.status, elsewhere=found.elsewhere)
        if not found.failures:
            self._remove(self.tenants.keys() - {tenant.id for tenant in found.tenants})
            self.restored.clear()
        # New credentials may fix a failing collector.
        self._scheduler.hurry(renewed)
        return True

    def _remove(self, idents: Collection[str]) -> None:
        for ident in idents:
            self._scheduler.remove(self.tenants.pop(ident))
        self._store.retain(self.tenants)

    def _add_or_update(self, tenant: Tenant, found: Discovered, now: float) -> None:
        state = self.tenants.get(tenant.id)
        if state and state.tenant == tenant:
            return
        if state is None:
            # Collectors that are off now have seen nothing since.
            history = self.restored.pop(tenant.id, History()).only(self._scheduler.schedules)
            state = self.tenants[tenant.id] = TenantState(tenant, self._api(tenant, found), history)
            self._scheduler.add(state, now)
        else:
            if state.tenant.credentials != tenant.credentials:
                state.api = self._api(tenant, found)
            enabled = [each.name for each in self._scheduler.collectors(of_account=False)]
            state.update(tenant, enabled, self._clock.now(), now)
        self._store.put(tenant.id, IDENTITY_FAMILIES, state.identity_samples())

    def _api(self, tenant: Tenant, found: Discovered) -> Callable[[], Api]:
        api = found.apis.get(tenant.id) or self._client.api(tenant.credentials)
        return lambda: api

    def _end(self, reason: str, detail: str) -> None:
        before, now = self.status, self._clock.now()
        ok = not reason
        succeeded_at = now if ok else before.succeeded_at
        self.status = replace(before, ok=ok, succeeded_at=succeeded_at, reason=reason, detail=detail)
        if not ok and not before.reason:
            log.error("discovery fails", reason=reason, detail=detail, known_tenants=len(self.tenants))
        if ok and before.reason:
            log.info("discovery succeeds again", tenants=len(self.tenants))
        if before.ok is None and ok:
            shard = before.shard
            of_shard = {} if shard.total == 1 else {"shard": shard.index, "shards": shard.total}
            log.info("tenants discovered", tenants=len(self.tenants), **of_shard)
        self._expose()

    def _expose(self) -> None:
        self._store.put(FLEET, FLEET_FAMILIES, [UP(bool(self.status.ok)), TENANTS(len(self.tenants))])
