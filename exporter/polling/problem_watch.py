"""Finds the problems of each tenant after each of its polls, and sums them up for the fleet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import structlog

from exporter.clock import Clock
from exporter.history import problems, reported
from exporter.history.problems import Found
from exporter.logs import internal_error
from exporter.polling.problem_log import ProblemLog
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import IDENTITY_FAMILIES, TenantState
from exporter.polling.unreachable import UnreachableTenants
from exporter.status import FleetProblem
from exporter.store import FLEET, Store
from exporter.thresholds import threshold

log = structlog.get_logger("exporter.polling.problem_watch")


class ProblemWatch:
    """The problems of the tenants, as of the last poll of each."""

    def __init__(self, scheduler: Scheduler, tenants: Mapping[str, TenantState], store: Store, clock: Clock) -> None:
        """`tenants` are those watched now, by id."""
        self.log = ProblemLog(clock)
        # How many polls have changed what is reported of a tenant.
        self.changes = 0
        self._scheduler = scheduler
        self._tenants = tenants
        self._store = store
        self._clock = clock
        self._unreachable = UnreachableTenants(tenants, self._enabled, clock)
        self._broken = False

    def update(self, state: TenantState) -> None:
        """Find the problems of a tenant after a poll of it, and log what has changed."""
        self.log.flush_due()
        if state.id == FLEET or state.removed:
            return
        try:
            self._update(state)
            state.prepare_entry(problems_after=self.fresh_after)
        except Exception as error:  # noqa: BLE001 - an internal error here must not stop the polls
            if not self._broken:
                log.warning("problems of tenants are unknown", tenant_id=state.id, detail=internal_error(error))
            self._broken = True
            state.found = Found()

    def _update(self, state: TenantState) -> None:
        now, before = self._clock.now(), state.history.reported
        health = state.health(self._enabled(), self._clock.monotonic())
        self._unreachable.update(state)
        state.found = problems.find(state.history, health, now, many_unreachable=self._unreachable.many)
        if not state.found.problems and before == reported.Reported():
            return
        after = reported.advance(before, state.found.problems, state.found.unknown, state.names, now)
        self.changes += after != before
        state.history = replace(state.history, reported=after)
        if after.names != before.names:
            self._store.put(state.id, IDENTITY_FAMILIES, state.identity_samples())
        for problem in reported.begun(before, after):
            self.log.begun(state, problem)
        for each in reported.over(before, after):
            self.log.over(state, each.problem, each.last_at)

    def _enabled(self) -> Collection[str]:
        return [each.name for each in self._scheduler.collectors(of_account=False)]

    # The state for others

    @property
    def fresh_after(self) -> float:
        """Problems found until then (Unix seconds) may be over: their tenants have not been polled for too long."""
        return self._clock.now() - threshold("data_age_always")

    def fleet_problems(self, kinds: Mapping[str, tuple[int, float]]) -> tuple[FleetProblem, ...]:
        """The problems that many tenants share, the most frequent first; `kinds` as in `status.Counts`."""
        unreachable = self._unreachable.problem
        many = [unreachable] if unreachable else []
        most = max(threshold("fleet_tenants"), threshold("fleet_share") * len(self._tenants))
        many += [FleetProblem(kind, count, since) for kind, (count, since) in kinds.items() if count >= most]
        return tuple(sorted(many, key=lambda each: -each.tenants))
