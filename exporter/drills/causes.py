"""Causes the incidents of drills in the simulated API, and ends them.

What the API gives a time for is backdated: an ingestion started seven hours ago, a schedule missed its last due time.
Of a flag, the API gives no time: such drills need shorter thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.simulator import Fault, Simulator
from exporter.simulator.faults import ACCOUNT
from exporter.simulator.records import Ingestion, Rollover, Schedule
from exporter.simulator.schedules import next_due
from exporter.simulator.tenant import SimulatedTenant

HOUR, DAY = 3600.0, 86_400.0
# Longer than the threshold `ingestion_stalled`, and long before the last due time of a calm fleet.
_STALLED_FOR = 7 * HOUR
# So long, polls see a run before it ends.
_RUN_SECONDS = 15.0
# How often the event bundle without a start is replaced. It must not count as stalled.
_BUNDLE_SECONDS = 45.0
_ROLLOVER_FIRST = 30.0
# So long, polls see a rollover that started late. Then its tenant is as it was before the drill.
_ROLLOVER_LASTS = 20.0
# Of the hub's start after the due time.
_LATE = 30.0

End = Callable[[], None]
Cause = Callable[[Simulator, Sequence[str]], End]


def each(cause: Callable[[Simulator, str], End]) -> Cause:
    """The cause for each tenant."""

    def begin(simulator: Simulator, tenant_ids: Sequence[str]) -> End:
        return _all(*[cause(simulator, one) for one in tenant_ids])

    return begin


def _all(*ends: End) -> End:
    def end() -> None:
        for one in ends:
            one()

    return end


def story(kind: str, ago: float = 0.0) -> Cause:
    """A story of the simulator, with the times of one that began `ago` seconds earlier."""

    def begin(simulator: Simulator, tenant_id: str) -> End:
        return partial(simulator.end_story, simulator.begin_story(kind, tenant_id, ago))

    return each(begin)


def rollover_begins_late(kind: str, ago: float = 0.0) -> Cause:
    """A story at whose end a rollover starts. It is removed soon after, because its window is open for days."""

    def begin(simulator: Simulator, tenant_id: str) -> End:
        late, tenant = simulator.begin_story(kind, tenant_id, ago), simulator.tenant(tenant_id)

        def end() -> None:
            simulator.end_story(late)
            started = [one for one in tenant.rollovers.all if one.is_on]
            tenant.events.add(simulator.now() + _ROLLOVER_LASTS, partial(_remove_rollovers, tenant, started))

        return end

    return each(begin)


def _remove_rollovers(tenant: SimulatedTenant, rollovers: Sequence[Rollover], at: float) -> None:
    """Remove these, and leave rollover mode on for another that has started since."""
    for one in rollovers:
        tenant.rollovers.remove(one, at)
    tenant.flags["rollover_mode_enabled"] = any(one.is_on for one in tenant.rollovers.all)


def fault(kind: str, *, every: int | None = None, seconds: float = 5.0, endpoint: str | None = None) -> Cause:
    """A fault of all requests for the tenants; without tenants, of all requests to `endpoint`, or of all."""

    def begin(simulator: Simulator, tenant_ids: Sequence[str]) -> End:
        # The tenant list is the account's.
        whose: list[str | None] = [*tenant_ids] or [ACCOUNT if endpoint else None]
        active = [
            simulator.faults.add(Fault(kind, tenant_id=one, endpoint=endpoint, every=every, seconds=seconds))
            for one in whose
        ]
        return _all(*[one.remove for one in active])

    return begin


def _stall(simulator: Simulator, tenant_id: str) -> End:
    now = simulator.now()
    run = simulator.start_ingestion(tenant_id, started_at=now - _STALLED_FOR)
    return partial(_finish, simulator, tenant_id, run, "success")


stalled = each(_stall)


def _await_approval(simulator: Simulator, tenant_id: str) -> End:
    waiting = simulator.begin_story("mass_change", tenant_id)

    def approve() -> None:
        simulator.end_story(waiting)
        # By itself, the run would notice the approval within ten minutes.
        for run in simulator.tenant(tenant_id).ingestions.under_way():
            _finish(simulator, tenant_id, run.id, "success")

    return approve


mass_change = each(_await_approval)


def _finish(simulator: Simulator, tenant_id: str, ingestion_id: str, state: str) -> None:
    if ingestion_id in simulator.tenant(tenant_id).ingestions.unfinished:
        simulator.finish_ingestion(tenant_id, ingestion_id, state)


def failing(kind: str) -> Cause:
    """Runs of a type of ingestion fail, until one succeeds."""

    def begin(simulator: Simulator, tenant_id: str) -> End:
        _run(simulator, tenant_id, kind, "failed")
        return partial(_run, simulator, tenant_id, kind, "success")

    return each(begin)


def _run(simulator: Simulator, tenant_id: str, kind: str, state: str) -> None:
    """Start a run that ends in `state` by itself."""
    tenant, now = simulator.tenant(tenant_id), simulator.now()
    run = tenant.ingestions.add(kind, "executing", now, now)
    tenant.events.add(now + _RUN_SECONDS, partial(_end, tenant, run, state))


def _end(tenant: SimulatedTenant, run: Ingestion, state: str, at: float) -> None:
    if run.id in tenant.ingestions.unfinished:
        tenant.ingestions.finish(run, state, at)


def _hiccup(simulator: Simulator, tenant_id: str) -> End:
    _run(simulator, tenant_id, "collection", "failed")
    tenant, now = simulator.tenant(tenant_id), simulator.now()
    tenant.events.add(now + _RUN_SECONDS + 1, lambda _: _run(simulator, tenant_id, "collection", "success"))
    return lambda: None


hiccup = each(_hiccup)


def _cancel(simulator: Simulator, tenant_id: str) -> End:
    _run(simulator, tenant_id, "collection", "cancelled")
    return lambda: None


cancelled = each(_cancel)


def _stall_in_rollover(simulator: Simulator, tenant_id: str) -> End:
    planned, now = simulator.begin_story("in_rollover", tenant_id), simulator.now()
    ends: list[End] = []
    # First, polls see the rollover.
    simulator.tenant(tenant_id).events.add(
        now + _ROLLOVER_FIRST, lambda _: ends.append(_stall(simulator, tenant_id)) if planned.ends is None else None
    )

    def end() -> None:
        for one in ends:
            one()
        simulator.end_story(planned)

    return end


stalled_in_rollover = each(_stall_in_rollover)


@dataclass
class _Missed:
    """A schedule that did not run at its last due time."""

    simulator: Simulator
    schedule: Schedule

    def begin(self) -> None:
        """The schedule started last a day before its last due time, and will not start by itself."""
        schedule = self.schedule
        due = next_due(schedule.hour, schedule.actual_days, self.simulator.now() - 7 * DAY)
        while due <= self.simulator.now():
            last, due = due, next_due(schedule.hour, schedule.actual_days, due)
        schedule.last_executed_at, schedule.misses_as = last - DAY + _LATE, "overdue"

    def end(self) -> None:
        """The schedule has started now. Its run is too short for a poll, so that the drill can be repeated."""
        self.schedule.last_executed_at, self.schedule.misses_as = self.simulator.now(), None


def _miss(simulator: Simulator, tenant_id: str) -> End:
    missed = _Missed(simulator, simulator.tenant(tenant_id).schedules.enabled_or_new())
    missed.begin()
    return missed.end


overdue = each(_miss)


def _miss_while_others_run(simulator: Simulator, tenant_id: str) -> End:
    _run(simulator, tenant_id, "event_bundle", "success")
    return _miss(simulator, tenant_id)


overdue_while_others_run = each(_miss_while_others_run)


class _Bundles:
    """There is always an unfinished event bundle without a start, until `end`."""

    def __init__(self, tenant: SimulatedTenant, at: float) -> None:
        self._tenant = tenant
        self._bundle: Ingestion | None = None
        self._next(at)

    def _next(self, at: float) -> None:
        if self._bundle:
            _end(self._tenant, self._bundle, "success", at)
        self._bundle = self._tenant.ingestions.add("event_bundle", "preparing", None, at)
        self._tenant.events.add(at + _BUNDLE_SECONDS, self._again)

    def _again(self, at: float) -> None:
        if self._bundle:
            self._next(at)

    def end(self, at: float) -> None:
        bundle, self._bundle = self._bundle, None
        if bundle:
            _end(self._tenant, bundle, "success", at)


def _miss_beside_unstarted(simulator: Simulator, tenant_id: str) -> End:
    bundles, end = _Bundles(simulator.tenant(tenant_id), simulator.now()), _miss(simulator, tenant_id)
    return _all(lambda: bundles.end(simulator.now()), end)


overdue_beside_unstarted = each(_miss_beside_unstarted)


def _disable(simulator: Simulator, tenant_id: str) -> End:
    schedules = simulator.tenant(tenant_id).schedules
    disabled = [one for one in schedules.all if one.enabled]
    for one in disabled:
        schedules.set_enabled(one, simulator.now(), enabled=False)

    def enable() -> None:
        for one in disabled:
            schedules.set_enabled(one, simulator.now(), enabled=True)

    return enable


dormant = each(_disable)
