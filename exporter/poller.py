"""Who is visited when, and what if it goes wrong?

Every tenant is visited by every enabled collector once an interval, never by two at a time. The first visits
go out as fast as the budget allows, later ones are spread evenly. Where the intervals can't be kept, because
the budget is too small or the API too slow, whoever has been due for longest comes first: rounds stretch, and
nobody is left out. Whatever a visit raises ends here: it touches that tenant alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from exporter.api.client import AccountApi, Client, TenantApi
from exporter.api.errors import ApiError, ForbiddenError, NotFoundError
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.collectors import Collector, Reading
from exporter.collectors.collector import known
from exporter.discovery import Discovered, Discovery
from exporter.families import (
    CREDENTIALS_UPDATED,
    FAILURE,
    FLEET_FAMILIES,
    HEALTH_FAMILIES,
    IDENTITY_FAMILIES,
    INFO,
    LAST_SUCCESS,
    TENANT_UP,
    TENANTS,
    UP,
)
from exporter.logs import where
from exporter.store import FLEET, Store
from exporter.telemetry import Telemetry

log = structlog.get_logger("exporter.poller")

# After this many intervals without success a tenant's rows are no longer true enough to show.
_INTERVALS_KEPT = 3
# While no tenant is known, discovery is tried again after this many seconds, if its interval is longer.
_DISCOVERY_RETRY = 30.0
# Without any progress for so many seconds (or discovery intervals) the process is better started anew.
_STUCK_SECONDS, _STUCK_INTERVALS = 900.0, 3
# Multiples of the golden ratio, modulo one, fill a round evenly however many tenants come and go.
_GOLDEN = 0.618_033_988_749_895
_NEVER = float("inf")
# So many tenants are adopted at a time; 10,000 at once would hold up scrapes and visits for 0.2 s.
_ADOPTED_AT_ONCE = 100


@dataclass(eq=False)
class Plan:
    """A collector and how often it visits each tenant, in seconds."""

    collector: Collector[Any, Any, Any]
    interval: float
    order: int
    enabled: bool = True


@dataclass(frozen=True)
class Failure:
    """Why a collector fails for a tenant, and since when, in Unix seconds. `detail` holds no secret."""

    reason: str
    detail: str
    since: float


@dataclass(eq=False)
class Watch:
    """One tenant (or, without one, the account) and what is known of our visits to it.

    `succeeded` is in Unix seconds; `kept_until`, the end of a collector's rows if it fails, in monotonic ones.
    """

    tenant: Tenant | None
    api: Callable[[], TenantApi | AccountApi]
    memory: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    succeeded: dict[str, float] = field(default_factory=dict)
    kept_until: dict[str, float] = field(default_factory=dict)
    attempted: set[str] = field(default_factory=set)
    busy: bool = False
    gone: bool = False
    parked: list[_Job] = field(default_factory=list)
    plans: set[Plan] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The tenant's id, or `FLEET` for the account."""
        return self.tenant.id if self.tenant else FLEET

    @property
    def name(self) -> str:
        """What people call it."""
        return (self.tenant.name or self.tenant.id) if self.tenant else "account"


@dataclass(order=True)
class _Job:
    """A visit to come. Earliest first; of those that are due together, the collectors in their order."""

    due: float
    order: int
    number: int
    watch: Watch = field(compare=False)
    plan: Plan = field(compare=False)
    first: bool = field(compare=False, default=True)

    @property
    def wanted(self) -> bool:
        """Whether its tenant is still there, and still to be visited like this."""
        return self.plan.enabled and not self.watch.gone


class Poller:
    """Discovers tenants, visits them, and keeps the store true."""

    def __init__(self, client: Client, store: Store, telemetry: Telemetry, clock: Clock) -> None:
        self.discovery_ok: bool | None = None
        self.discovered_at: float | None = None
        self.watches: dict[str, Watch] = {}
        self.plans: dict[str, Plan] = {}
        self.visited: Callable[[Watch], None] = lambda _: None
        self.grown: Callable[[], None] = lambda: None
        self._client = client
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._account: Watch | None = None
        self._discovery: Discovery
        self._discovery_interval = 0.0
        self.discovery_failing = ""
        self.discovery_detail = ""
        self._jobs: list[_Job] = []
        self._numbers = 0
        self._running = 0
        self._first_visits = 0
        self._repeat = True
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._rediscover = asyncio.Event()
        self._ended_at: dict[str, dict[str, float]] = {}
        self._progress_at = clock.monotonic()
        self._behind = False
        self._account_plans: list[Plan] = []
        self._tenant_plans: list[Plan] = []
        store.put(FLEET, FLEET_FAMILIES, [UP(0), TENANTS(0)], _NEVER)

    def configure(
        self,
        discovery: Discovery,
        discovery_interval: float,
        collectors: Mapping[Collector[Any, Any, Any], float],
        account_api: Callable[[], AccountApi] | None = None,
        account_collectors: Mapping[Collector[Any, Any, Any], float] | None = None,
    ) -> None:
        """Set, or set anew while running, who is asked for what how often; intervals in seconds.

        Tenants, and what is remembered of them, stay until the next discovery.
        """
        self._discovery, self._discovery_interval = discovery, discovery_interval
        of_account = {collector.name for collector in account_collectors or {}}
        before = self.plans.keys()
        self._replan({**collectors, **(account_collectors or {})}, of_account)
        if account_api:
            self._account = self._account or Watch(None, account_api)
            self._account.api = account_api
        now = self._clock.monotonic()
        for watch in self.everyone():
            self._schedule(watch, now)
            if self.plans.keys() != before:
                self._show_health(watch)
        self.grown()
        self._rediscover.set()
        self._wake.set()

    def _replan(self, intervals: Mapping[Collector[Any, Any, Any], float], of_account: set[str]) -> None:
        """A plan that stays as it was keeps its jobs; a collector that goes on keeps what it remembers."""
        before, self.plans = self.plans, {}
        for order, (collector, interval) in enumerate(intervals.items()):
            old = before.pop(collector.name, None)
            if old and old.interval == interval:
                self.plans[collector.name] = old
                continue
            if old:
                old.enabled = False
            self.plans[collector.name] = Plan(old.collector if old else collector, interval, order)
        for dropped in before.values():
            dropped.enabled = False
            self._drop_collector(dropped.collector)
        self._account_plans = [plan for name, plan in self.plans.items() if name in of_account]
        self._tenant_plans = [plan for name, plan in self.plans.items() if name not in of_account]
        self._ended_at = {name: self._ended_at.get(name, {}) for name in self.plans}
        for plan in self.plans.values():
            self._show_collector(plan.collector)

    def everyone(self) -> list[Watch]:
        """All that are visited: the tenants, and the account if it has collectors."""
        return [*self.watches.values(), *([self._account] if self._account and self._account_plans else [])]

    def _drop_collector(self, collector: Collector[Any, Any, Any]) -> None:
        self._store.forget(FLEET, collector.fleet_families)
        for watch in self.everyone():
            self._store.forget(watch.id, collector.families)
            for kept in (watch.memory, watch.failures, watch.succeeded, watch.kept_until):
                kept.pop(collector.name, None)
            watch.attempted.discard(collector.name)

    # Life

    async def run(self) -> None:
        """Discover and visit until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._discover_for_ever())
            group.create_task(self._dispatch())

    async def once(self) -> None:
        """Discover once, and visit every tenant once with every collector."""
        self._repeat = False
        await self.discover()
        dispatching = asyncio.create_task(self._dispatch())
        await self._settled.wait()
        dispatching.cancel()

    async def _discover_for_ever(self) -> None:
        while True:
            self._rediscover.clear()
            begun = self._clock.monotonic()
            await self.discover()
            pause = self._discovery_interval if self.watches else min(self._discovery_interval, _DISCOVERY_RETRY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(begun + pause - self._clock.monotonic()):
                    await self._rediscover.wait()

    async def _dispatch(self) -> None:
        async with asyncio.TaskGroup() as visits:
            while True:
                job = await self._next_job()
                job.watch.busy = True
                self._running += 1
                visits.create_task(self._run(job))

    async def _next_job(self) -> _Job:
        while True:
            free = self._running < self._client.concurrency
            job = self._due_job() if free else None
            if job:
                return job
            self._wake.clear()
            wait = self._jobs[0].due - self._clock.monotonic() if free and self._jobs else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _due_job(self) -> _Job | None:
        now = self._clock.monotonic()
        while self._jobs and self._jobs[0].due <= now:
            job = heapq.heappop(self._jobs)
            if not job.wanted:
                self._count_first(job)
            elif job.watch.busy:
                job.watch.parked.append(job)
            else:
                return job
        return None

    async def _run(self, job: _Job) -> None:
        try:
            await self._visit(job)
        finally:
            self._running -= 1
            job.watch.busy = False
            self._end(job)
            self._wake.set()

    def _end(self, job: _Job) -> None:
        now = self._clock.monotonic()
        self._progress_at = now
        for parked in job.watch.parked:
            heapq.heappush(self._jobs, parked)
        job.watch.parked.clear()
        if job.wanted:
            # At the end of the line: its first entry is the one waited for longest.
            ended = self._ended_at[job.plan.collector.name]
            ended.pop(job.watch.id, None)
            ended[job.watch.id] = now
            if self._repeat:
                job.due = self._next_due(job, now)
                heapq.heappush(self._jobs, job)
        self._count_first(job)

    @staticmethod
    def _next_due(job: _Job, now: float) -> float:
        """Its next place in the round. Rounds that have been missed are not made up for: the places stay even."""
        if job.first:
            return max(now, job.due + job.plan.interval * (job.number * _GOLDEN % 1))
        missed = max(0.0, now - job.due) // job.plan.interval
        return job.due + (missed + 1) * job.plan.interval

    def _count_first(self, job: _Job) -> None:
        if job.first:
            job.first = False
            self._first_visits -= 1
            self._check_settled()

    def _check_settled(self) -> None:
        if self.discovery_ok is not None and self._first_visits == 0 and not self._settled.is_set():
            self._settled.set()
            log.info("everyone has been visited once", tenants=len(self.watches))
            self.grown()

    # What is due

    def _schedule(self, watch: Watch, now: float) -> None:
        """Put in line the visits under those plans that this tenant has none of, to be made as soon as can be."""
        for plan in self._tenant_plans if watch.tenant else self._account_plans:
            if plan not in watch.plans:
                self._numbers += 1
                heapq.heappush(self._jobs, _Job(now, plan.order, self._numbers, watch, plan))
                self._ended_at[plan.collector.name].setdefault(watch.id, now)
                self._first_visits += 1
        watch.plans = set(self.plans.values())

    def _tell_lag(self) -> None:
        """Say once when polling can't keep its intervals, and once when it can again."""
        lags = self.lags()
        behind = {name: lag for name, lag in lags.items() if lag > self.plans[name].interval}
        if behind and self.ready and not self._behind:
            worst = max(behind, key=lambda name: behind[name])
            log.warning(
                "polling can't keep its intervals",
                collector=worst,
                behind_seconds=round(behind[worst]),
                to_mend="raise api.rate_limit or api.concurrency, or lengthen the intervals",
            )
            self._behind = True
        if self._behind and not behind:
            log.info("polling keeps its intervals again")
            self._behind = False

    # One visit

    async def _visit(self, job: _Job) -> None:
        """The one error boundary: whatever goes wrong in a collector ends here, and is a reason of the closed set."""
        watch, collector = job.watch, job.plan.collector
        try:
            reading = await self._read(watch, collector)
            if job.wanted:
                self._store.put(watch.id, collector.families, reading.samples, _NEVER)
        except ApiError as error:
            self._failed(job, error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the other tenants
            self._failed(job, "bug", where(error))
        else:
            self._succeeded(job, reading)
        if job.wanted:
            watch.attempted.add(collector.name)
            self._show_health(watch)
        self.visited(watch)

    async def _read(self, watch: Watch, collector: Collector[Any, Any, Any]) -> Reading[Any]:
        memory = watch.memory.get(collector.name)
        try:
            facts = await collector.fetch(watch.api(), memory)
        except (ForbiddenError, NotFoundError):
            if collector.may_be_absent:
                return Reading([])
            raise
        return collector.read(watch.id, facts, memory, self._clock.now())

    def _succeeded(self, job: _Job, reading: Reading[Any]) -> None:
        watch, collector = job.watch, job.plan.collector
        self._telemetry.polled(collector.name, "success")
        if not job.wanted:
            return
        if reading.news is not None and collector.take(reading.news):
            self._show_collector(collector)
        watch.memory[collector.name] = reading.memory
        watch.succeeded[collector.name] = self._clock.now()
        watch.kept_until[collector.name] = self._clock.monotonic() + _INTERVALS_KEPT * job.plan.interval
        healed = watch.failures.pop(collector.name, None)
        if healed and not watch.failures:
            seconds = round(self._clock.now() - healed.since)
            what = "tenant can be read again" if watch.tenant else "the account's own lists can be read again"
            log.info(what, tenant=watch.name, tenant_id=watch.id, after_seconds=seconds)

    def _failed(self, job: _Job, reason: str, detail: str) -> None:
        watch, collector = job.watch, job.plan.collector.name
        self._telemetry.polled(collector, reason)
        if not job.wanted:
            return
        # Rows of a tenant that only waits for its turn stay; those of one that fails have their time.
        self._store.expire(watch.id, job.plan.collector.families, watch.kept_until.get(collector, 0.0))
        if not watch.failures:
            log.warning(
                "tenant can't be read" if watch.tenant else "the account's own lists can't be read",
                tenant=watch.name,
                tenant_id=watch.id,
                collector=collector,
                reason=reason,
                detail=detail,
            )
        before = watch.failures.get(collector)
        since = before.since if before else self._clock.now()
        watch.failures[collector] = Failure(reason, detail, since)

    # Discovery

    async def discover(self) -> None:
        """Ask who is there; a failed or partial answer takes nobody away."""
        try:
            found = await self._discovery.tenants()
        except ApiError as error:
            self._discovered(ok=False, reason=error.reason, detail=str(error))
        except Exception as error:  # noqa: BLE001 - likewise: the tenants known before must still be visited
            self._discovered(ok=False, reason="bug", detail=where(error))
        else:
            await self._adopt(found)
            self._discovered(ok=not found.failures, reason=found.reason, detail="; ".join(found.failures))

    async def _adopt(self, found: Discovered) -> None:
        now = self._clock.monotonic()
        renewed = {tenant.id for tenant in found.tenants if self._has_new_credentials(tenant)}
        for first in range(0, len(found.tenants), _ADOPTED_AT_ONCE):
            known_before = len(self.watches)
            for tenant in found.tenants[first : first + _ADOPTED_AT_ONCE]:
                self._adopt_tenant(tenant, now)
            if len(self.watches) > known_before:
                self.grown()
            await asyncio.sleep(0)
        if not found.failures:
            for ident in self.watches.keys() - {tenant.id for tenant in found.tenants}:
                self._leave(ident)
            self._store.retain(self.watches)
        self._hurry(renewed, now)

    def _has_new_credentials(self, tenant: Tenant) -> bool:
        watch = self.watches.get(tenant.id)
        return bool(watch and watch.tenant and watch.tenant.credentials != tenant.credentials)

    def _hurry(self, renewed: set[str], now: float) -> None:
        """Visit at once where a collector has failed, and new credentials may mend it."""
        if not renewed:
            return
        for job in self._jobs:
            if job.watch.id in renewed and job.plan.collector.name in job.watch.failures:
                job.due = min(job.due, now)
        heapq.heapify(self._jobs)

    def _adopt_tenant(self, tenant: Tenant, now: float) -> None:
        watch = self.watches.get(tenant.id)
        if watch is None:
            watch = self.watches[tenant.id] = Watch(tenant, self._api_of(tenant))
            self._schedule(watch, now)
        elif watch.tenant == tenant:
            return
        elif self._has_new_credentials(tenant):
            watch.api = self._api_of(tenant)
        watch.tenant = tenant
        self._show_identity(tenant)

    def _api_of(self, tenant: Tenant) -> Callable[[], TenantApi]:
        api = self._client.tenant(tenant.credentials)
        return lambda: api

    def _leave(self, ident: str) -> None:
        self.watches.pop(ident).gone = True
        for ended in self._ended_at.values():
            ended.pop(ident, None)

    def _discovered(self, *, ok: bool, reason: str, detail: str) -> None:
        self._progress_at = self._clock.monotonic()
        first = self.discovery_ok is None
        self.discovery_ok = ok
        if ok:
            self.discovered_at = self._clock.now()
        if not ok and not self.discovery_failing:
            log.error("tenants can't be discovered", reason=reason, detail=detail, known=len(self.watches))
        if ok and self.discovery_failing:
            log.info("tenants can be discovered again", tenants=len(self.watches))
        if ok and first:
            log.info("tenants discovered", tenants=len(self.watches))
        self._tell_lag()
        self.discovery_failing, self.discovery_detail = ("", "") if ok else (reason, detail)
        self._store.put(FLEET, FLEET_FAMILIES, [UP(ok), TENANTS(len(self.watches))], _NEVER)
        self._check_settled()
        self._wake.set()

    # What is shown

    def _show_identity(self, tenant: Tenant) -> None:
        row = INFO(
            1,
            tenant_id=tenant.id,
            tenant_name=tenant.name or "",
            account_id=tenant.account_id or "",
            account_name=tenant.account_name or "",
            cloud_id=tenant.cloud_id or "",
            cloud_name=tenant.cloud_name or "",
            integration=tenant.integration or "",
            integration_version=tenant.integration_version or "",
        )
        updated = known((CREDENTIALS_UPDATED, tenant.credentials_updated_at), tenant_id=tenant.id)
        self._store.put(tenant.id, IDENTITY_FAMILIES, [row, *updated], _NEVER)

    def _show_health(self, watch: Watch) -> None:
        """The account has no row of its own: its collector's outcome is in `kimono_exporter_polls_total`."""
        if not watch.tenant:
            return
        rows = [LAST_SUCCESS(when, tenant_id=watch.id, collector=name) for name, when in watch.succeeded.items()]
        rows += [
            FAILURE(1, tenant_id=watch.id, collector=name, reason=failure.reason)
            for name, failure in watch.failures.items()
        ]
        # Until every collector has been there once, nobody can say that the tenant is up.
        if watch.failures or len(watch.attempted) == len(self._tenant_plans):
            rows.append(TENANT_UP(not watch.failures, tenant_id=watch.id))
        self._store.put(watch.id, HEALTH_FAMILIES, rows, _NEVER)

    def _show_collector(self, collector: Collector[Any, Any, Any]) -> None:
        if collector.fleet_families:
            self._store.put(FLEET, collector.fleet_families, collector.fleet(), _NEVER)

    # What others ask

    @property
    def ready(self) -> bool:
        """Whether the first discovery, and a first visit to everyone it found, have ended, well or badly."""
        return self._settled.is_set()

    @property
    def healthy(self) -> bool:
        """Whether there has been progress lately; a server that asked us to hold back does not count against us."""
        last = max(self._progress_at, self._client.budget.spent_at)
        allowed = max(_STUCK_SECONDS, _STUCK_INTERVALS * self._discovery_interval, 10 / self._client.budget.full_rate)
        return self._clock.monotonic() - last < allowed + self._client.budget.hold

    def lags(self) -> dict[str, float]:
        """By collector: seconds since the last attempt at the tenant waited for longest, less the interval."""
        now = self._clock.monotonic()
        return {
            name: max(0.0, now - next(iter(ended.values())) - self.plans[name].interval) if ended else 0.0
            for name, ended in self._ended_at.items()
        }

    def failing(self, collector: str) -> int:
        """How many tenants a collector can't read now."""
        return sum(collector in watch.failures for watch in self.everyone())

    @property
    def visits_planned(self) -> int:
        """How many visits a round has."""
        return sum(len(ended) for ended in self._ended_at.values())
