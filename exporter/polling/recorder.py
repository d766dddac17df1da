"""Records the outcome of each poll: in the tenant's state, in the store, in the counters and in the log."""

from __future__ import annotations

from typing import Any

import structlog

from exporter.clock import Clock
from exporter.collectors import Collector, PollResult
from exporter.history import SHARED, History
from exporter.polling.polls import ScheduledPoll
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import HEALTH_FAMILIES, SUCCESS_FAMILIES, TenantState
from exporter.status import Failure
from exporter.store import FLEET, Store
from exporter.telemetry import Telemetry
from exporter.totals import Totals

log = structlog.get_logger("exporter.polling.recorder")

# After this many intervals without success, a failing collector's samples are too old to expose.
_INTERVALS_KEPT = 3


class Recorder:
    """Keeps the store up to date with what polls have shown. A poll that was cancelled meanwhile is only counted."""

    def __init__(self, scheduler: Scheduler, store: Store, telemetry: Telemetry, clock: Clock) -> None:
        self._scheduler = scheduler
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._totals = Totals(telemetry.dropped)
        # How many polls have changed a tenant's history.
        self.changes = 0

    def success(self, poll: ScheduledPoll, result: PollResult) -> None:
        """Record a successful poll. Samples that can't be put raise `ValueError`, and then nothing is recorded."""
        is_news = poll.schedule.name in poll.state.failures or poll.schedule.name not in poll.state.succeeded_at
        state, collector, name = poll.state, poll.schedule.collector, poll.schedule.name
        if not poll.cancelled:
            self._store.put(state.id, collector.families, result.samples)
            if self._totals.apply(collector.fleet_families, result.fleet.new, result.fleet.observed):
                self.expose_totals(collector)
            for family, samples in result.dropped.items():
                self._telemetry.dropped(family, samples)
            self._change(state, result.history.recovered(name))
            # More digits would only make pages dearer.
            state.succeeded_at[name] = round(self._clock.now(), 3)
            state.expires_at[name] = self._clock.monotonic() + _INTERVALS_KEPT * poll.schedule.interval
            failure = state.failures.pop(name, None)
            if failure and not state.failures:
                event, seconds = f"{state.kind} recovered", round(self._clock.now() - failure.since)
                log.info(event, tenant=state.name, tenant_id=state.id, after_seconds=seconds)
        self._end(poll, "success", is_news=is_news)

    def failure(self, poll: ScheduledPoll, reason: str, detail: str) -> None:
        """Record a failed poll; `detail` holds no secret."""
        state, name = poll.state, poll.schedule.name
        if not poll.cancelled:
            # Samples of a tenant that is merely waiting for its next poll are kept; those of a failing one expire.
            self._store.expire(state.id, poll.schedule.collector.families, state.expires_at.get(name, 0.0))
            if not state.failures:
                event, about = f"{state.kind} fails", {"tenant": state.name, "tenant_id": state.id}
                log.warning(event, **about, collector=name, reason=reason, detail=detail)
            self._change(state, state.history.failed(name, self._clock.now()))
            state.failures[name] = Failure(name, reason, detail, state.history.failing_since[name])
        self._end(poll, reason, is_news=True)

    def _change(self, state: TenantState, history: History) -> None:
        self.changes += history != state.history
        state.history = history

    def _end(self, poll: ScheduledPoll, outcome: str, *, is_news: bool) -> None:
        self._telemetry.polled(poll.schedule.name, outcome)
        if not poll.cancelled:
            self._expose_shared(poll.state, poll.schedule.name)
            if is_news:
                self.expose_health(poll.state)
            elif poll.state.id != FLEET:
                self._store.put(poll.state.id, SUCCESS_FAMILIES, poll.state.success_samples())

    def _expose_shared(self, state: TenantState, collector: str) -> None:
        """Put the samples that also depend on other collectors' facts, for as long as these are known."""
        for shared in SHARED:
            if collector in shared.collectors:
                until = shared.known_until(map(state.known_until, shared.collectors))
                if until > self._clock.monotonic():
                    samples = shared.samples(state.history, state.id, self._clock.now())
                    self._store.put(state.id, shared.families, samples)
                self._store.expire(state.id, shared.families, until)

    def expose_health(self, state: TenantState) -> None:
        """Put the tenant's health. The account has none: `kimono_exporter_polls_total` has its collector's outcomes."""
        if state.id != FLEET:
            collectors = [each.name for each in self._scheduler.collectors(of_account=False)]
            self._store.put(state.id, HEALTH_FAMILIES, state.health_samples(collectors))
            self._store.put(state.id, SUCCESS_FAMILIES, state.success_samples())

    def expose_totals(self, collector: Collector[Any]) -> None:
        """Put the collector's series without a tenant."""
        if collector.fleet_families:
            self._store.put(FLEET, collector.fleet_families, self._totals.samples(collector.fleet_families))

    def drop_totals(self, collector: Collector[Any]) -> None:
        """Remove all that a disabled collector has shown of the fleet."""
        self._store.remove(FLEET, collector.fleet_families)
        self._totals.drop(collector.fleet_families)

    def drop(self, collector: Collector[Any], state: TenantState) -> None:
        """Remove all that a disabled collector has shown of a tenant."""
        self._store.remove(state.id, collector.families)
        state.drop(collector.name)
        self._expose_shared(state, collector.name)
