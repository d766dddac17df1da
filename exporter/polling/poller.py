"""Polls every tenant, and contains the failures of each poll."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import structlog

from exporter import __version__
from exporter.api.client import Api, Client, on_pause
from exporter.api.errors import ApiError, RefusedError
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.collectors import Collector, PollResult
from exporter.history import History
from exporter.issues import Entry
from exporter.logs import internal_error
from exporter.polling.adoption import Adoption
from exporter.polling.clock_watch import ClockWatch
from exporter.polling.details import details_of
from exporter.polling.discovery import Discovery
from exporter.polling.polls import ScheduledPoll
from exporter.polling.problem_watch import ProblemWatch
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.snapshots import whole_status
from exporter.polling.sources import TenantSource
from exporter.polling.tenant import TenantState
from exporter.status import Counts, Status
from exporter.store import FLEET, Store
from exporter.tasks import asked_to_end, unending, watched
from exporter.telemetry import Telemetry
from exporter.tenant_details import TenantDetails
from exporter.threads import in_daemon_thread

log = structlog.get_logger("exporter.polling.poller")

# Without progress for this many seconds, and this many discovery intervals, the process should be restarted.
_STUCK_SECONDS, _STUCK_INTERVALS, _STUCK_CHECK_SECONDS = 900.0, 3, 60.0
# Nor is it restarted within the time that the rate limit allows for this many requests.
_STUCK_REQUESTS = 10
_FACTS_AT_ONCE = 500  # ingestions, schedules or flags, which are worked out in 20 ms


class StuckError(Exception):
    """Polling has made no progress for far too long."""


class Poller:
    """Discovers tenants, polls them, and keeps the store up to date."""

    def __init__(self, client: Client, store: Store, telemetry: Telemetry, clock: Clock) -> None:
        self.scheduler = Scheduler(clock)
        self.discovery = Discovery(client, store, self.scheduler, clock)
        self._client = client
        self._recorder = Recorder(self.scheduler, store, telemetry, clock)
        self._adoption = Adoption(self.scheduler, self._recorder)
        self._watch = ProblemWatch(self.scheduler, self.discovery.tenants, store, clock)
        self.clock_watch = ClockWatch(clock)
        self._clock = clock
        self._account: TenantState | None = None
        self._wake = asyncio.Event()
        self._all_polled = asyncio.Event()
        self._working = asyncio.Lock()
        self._started_at = clock.now()
        self._progress_at = clock.monotonic()
        self._behind = False
        # How many of the running polls wait before they send a request again.
        self._paused = 0

    def configure(
        self,
        source: TenantSource,
        discovery_interval: float,
        intervals: Mapping[type[Collector[Any]], float],
        account_api: Callable[[], Awaitable[Api]] | None = None,
    ) -> None:
        """Set, at the start or while running, where tenants come from and how often collectors poll; in seconds.

        Tenants, and what is known of them, stay until the next discovery. `account_api` is needed by the collectors
        that poll the account.
        """
        known, states, dropped = self.scheduler.schedules.values(), self._states(), self.scheduler.configure(intervals)
        if account_api:
            self._account = self._account or TenantState(Tenant(FLEET, "account"), account_api)
            self._account.api = account_api
        for schedule in self.scheduler.schedules.values():
            self._recorder.expose_totals(schedule.collector)
        self._adoption.begin(dict.fromkeys((*states, *self._states())), known, dropped, self._clock.monotonic())
        self.discovery.configure(source, discovery_interval)
        self._wake.set()

    def _states(self) -> list[TenantState]:
        """All that are polled: the tenants, and the account if a collector polls it."""
        account = self._account if self.scheduler.collectors(of_account=True) else None
        return [*self.discovery.tenants.values(), *([account] if account else [])]

    @property
    def changes(self) -> int:
        """How many polls, and jumps of the wall clock, have changed a history."""
        return self._recorder.changes + self._watch.changes + self.clock_watch.jumps

    def histories(self) -> list[tuple[str, History]]:
        """The ids and histories of all tenants, by the present wall clock, whenever they were polled."""
        moved = self.clock_watch.update()
        for state in self.discovery.tenants.values():
            state.follow_clock(moved)
        return self.discovery.histories(moved)

    def restore(self, histories: Mapping[str, History], saved_at: float | None) -> None:
        """Use these histories, by tenant id, for tenants when they are found; saved at Unix seconds `saved_at`."""
        self.discovery.restore(histories)
        if saved_at is not None:
            self.clock_watch.restored(saved_at)

    # Running

    async def run(self) -> None:
        """Discover and poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(unending(self._discover))
                group.create_task(unending(self._dispatch))
        finally:
            self._watch.log.flush()

    async def once(self) -> None:
        """Discover once, and poll every tenant once with every collector. Raises StuckError instead of hanging."""
        self.scheduler.repeat = False
        await self.discovery.discover()
        async with asyncio.TaskGroup() as group:
            dispatching = group.create_task(unending(self._dispatch))
            while not self.ready:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STUCK_CHECK_SECONDS):
                        await self._all_polled.wait()
                if not self.healthy:
                    raise StuckError
            dispatching.cancel()

    async def _discover(self) -> None:
        async for _ in self.discovery.run():
            self._progress_at = self._clock.monotonic()
            self._log_lag()
            self._wake.set()

    async def _dispatch(self) -> None:
        async with asyncio.TaskGroup() as polls:
            while True:
                polls.create_task(watched(self._poll, await self._next_poll()))

    async def _next_poll(self) -> ScheduledPoll:
        """The next poll, as soon as it is due and one of `api.concurrency` slots is free.

        A poll that waits before it sends again holds no slot. Requests that time out hold theirs for long: for tenants
        that do, there is half of the slots.
        """
        while True:
            if not self._adoption.is_over:
                self._adoption.step()
                await asyncio.sleep(0)
            free = self.scheduler.running - self._paused < self._client.concurrency
            poll = self.scheduler.next_due(max(1, self._client.concurrency // 2)) if free else None
            self._check_all_polled()
            if poll:
                return poll
            if not self._adoption.is_over:
                continue
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.scheduler.seconds_until_next() if free else None):
                    await self._wake.wait()

    def _check_all_polled(self) -> None:
        done = self.discovery.status.ok is not None and self.scheduler.first_polls_left == 0
        if done and self._adoption.is_over and not self.ready:
            self._all_polled.set()
            log.info("all tenants polled once", tenants=len(self.discovery.tenants))

    def _log_lag(self) -> None:
        """Log once when polling falls behind, and once when it has caught up."""
        behind = [each for each in self.scheduler.statuses() if each.lag > each.interval]
        if behind and self.ready and not self._behind:
            worst = max(behind, key=lambda each: each.lag)
            log.warning(
                "polling is behind schedule",
                collector=worst.name,
                behind_seconds=round(worst.lag),
                how_to_fix="raise api.rate_limit or api.concurrency, or lengthen the intervals",
            )
            self._behind = True
        if self._behind and not behind:
            log.info("polling is on schedule again")
            self._behind = False

    # One poll

    async def _poll(self, poll: ScheduledPoll) -> None:
        """Run one poll. This is the one error boundary: a failure ends here, as a reason of the closed set."""
        on_pause.set(self._count_paused)
        poll.count_requests()
        try:
            self._recorder.success(poll, await self._result(poll.state, poll.schedule.collector))
        except ApiError as error:
            self._recorder.failure(poll, error.reason, str(error))
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise
            self._recorder.failure(poll, "bug", internal_error(error))
        except Exception as error:  # noqa: BLE001 - an internal error must not affect the other tenants
            self._recorder.failure(poll, "bug", internal_error(error))
        finally:
            self._progress_at = self._clock.monotonic()
            self.scheduler.finish(poll)
            self._watch.update(poll.state)
            self._wake.set()

    def _count_paused(self, polls: int) -> None:
        self._paused += polls
        self._wake.set()

    async def _result(self, state: TenantState, collector: Collector[Any]) -> PollResult:
        try:
            facts = await self._facts(state, collector)
        except RefusedError as error:
            if collector.may_be_absent and error.by_api:
                return PollResult([], state.history.without(collector.name))
            raise
        return await self._worked_out(state, collector, facts)

    async def _worked_out(self, state: TenantState, collector: Collector[Any], facts: Any) -> PollResult:  # noqa: ANN401 - of the collector
        """The result of many facts is worked out in a thread, so that the event loop goes on; one at a time."""
        if collector.size(facts) <= _FACTS_AT_ONCE:
            return collector.result(state.id, state.history, facts, self._clock.now())
        async with self._working:
            while True:
                before, now = state.history, self._clock.now()
                result = await in_daemon_thread(collector.result, state.id, before, facts, now)
                if state.history is before:  # it moves with the wall clock
                    return result

    async def _facts(self, state: TenantState, collector: Collector[Any]) -> Any:  # noqa: ANN401 - of the collector
        try:
            api = state.api()
            return await collector.fetch(await api if isinstance(api, Awaitable) else api, state.history)
        finally:
            state.follow_clock(self.clock_watch.update())

    # The state for others

    @property
    def ready(self) -> bool:
        """Whether the first discovery, and a first poll of all that it found, have ended, successful or not."""
        return self._all_polled.is_set()

    @property
    def healthy(self) -> bool:
        """Whether there has been progress lately. Waiting because the server asked for it is no lack of progress."""
        limiter = self._client.rate_limiter
        last = max(self._progress_at, limiter.acquired_at)
        allowed = max(_STUCK_SECONDS, _STUCK_INTERVALS * self.discovery.interval, _STUCK_REQUESTS / limiter.full_rate)
        return self._clock.monotonic() - last < allowed + limiter.hold

    def entries(self, *, quiet: bool = True) -> Iterator[Entry]:
        """All tenants, and the account if it is polled, one by one; those with which nothing is wrong if `quiet`."""
        fresh_after = self._watch.fresh_after
        for state in self._states():
            if not state.removed and (quiet or not state.is_quiet):
                yield state.entry(problems_after=fresh_after)

    def overview(self, counts: Counts) -> Status:
        """The snapshot without any tenants, who have been counted."""
        return Status(
            version=__version__,
            api_url=self._client.transport.base_url,
            started_at=self._started_at,
            now=self._clock.now(),
            healthy=self.healthy,
            ready=self.ready,
            discovery=self.discovery.status,
            collectors=self.scheduler.statuses(counts.failing),
            tenants=len(self.discovery.tenants),
            failing=(),
            fleet=self._watch.fleet_problems(counts.kinds),
        )

    def status(self, *, with_working: bool = False) -> Status:
        """The snapshot for people; working tenants are in it if asked for. With many tenants, it takes long."""
        return whole_status((entry.tenant for entry in self.entries()), self.overview, with_working=with_working)

    def details(self, tenant_id: str) -> TenantDetails | None:
        """All that is known of a tenant; None if there is no such tenant."""
        state = self.discovery.tenants.get(tenant_id)
        if state is None:
            return None
        status = state.status(problems_after=self._watch.fresh_after)
        return details_of(state, status, self.scheduler.polls_of(state), self._clock)
