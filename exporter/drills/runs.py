"""Begins and ends drills, and records what the exporter and Prometheus make of each."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.clock import Clock
from exporter.drills.catalog import DRILLS, find
from exporter.drills.causes import End
from exporter.drills.drill import Drill
from exporter.drills.fleet import CalmFleet
from exporter.drills.watch import AlertState
from exporter.simulator import TenantFacts
from exporter.status import Status

log = structlog.get_logger(__name__)

_EVERY = 1.0
# Runs that are over; the page shows the newest ones.
_KEPT = 20


class DrillStateError(Exception):
    """The drill can't begin, or end, now; `str()` says why."""


@dataclass
class Run:
    """A drill that has begun. All times are Unix seconds, None if it has not been so.

    `ends_at` is when it ends by itself. `ended` is when its cause ended. `shown` is when the exporter's status first
    had the problem, `gone` when it had it no more. `pending`, `fired` and `resolved` are those of its alert, as
    Prometheus says; `later` is when it fired with its later severity. `others` are other alerts of the same tenant.
    """

    drill: Drill
    tenants: tuple[TenantFacts, ...]
    began: float
    ends_at: float
    end: End = field(repr=False)
    ended: float | None = None
    shown: float | None = None
    gone: float | None = None
    pending: float | None = None
    fired: float | None = None
    later: float | None = None
    resolved: float | None = None
    others: set[str] = field(default_factory=set)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its tenants."""
        return frozenset(tenant.id for tenant in self.tenants)

    @property
    def alert_state(self) -> str:
        """`none`, `pending`, `firing` or `resolved`."""
        if self.resolved is not None:
            return "resolved"
        return "firing" if self.fired is not None else "pending" if self.pending is not None else "none"

    @property
    def is_settled(self) -> bool:
        """Whether it has ended, and neither the exporter nor Prometheus shows it any more."""
        shown = self.shown is not None and self.gone is None
        return self.ended is not None and not shown and self.alert_state in ("none", "resolved")


class Drills:
    """The drills of one demo.

    `status` is the exporter's snapshot, and `is_ready` says whether it has polled all tenants. `ask` gives the alerts
    in Prometheus, None if it does not say; `ask` is None if there is no Prometheus.
    """

    def __init__(
        self,
        fleet: CalmFleet,
        clock: Clock,
        status: Callable[[], Status],
        ask: Callable[[], Awaitable[Sequence[AlertState] | None]] | None,
        is_ready: Callable[[], bool],
    ) -> None:
        self.runs: list[Run] = []
        self.is_ready = is_ready
        self._fleet = fleet
        self._clock = clock
        self._status = status
        self._ask = ask

    def active(self) -> list[Run]:
        """The runs whose cause has not ended."""
        return [run for run in self.runs if run.ended is None]

    def begin(self, name: str) -> Run:
        """Begin a drill now. Raises UnknownDrillError, and DrillStateError if it can't begin now."""
        drill, now = find(name), self._clock.now()
        active = self.active()
        # Before, polls would not see it as a change, and the fleet may still be in the past.
        if not self.is_ready():
            raise DrillStateError("the demo is not ready yet: try again in some seconds")
        if any(run.drill is drill for run in active):
            raise DrillStateError(f"the drill {drill.name} is active already; 'kimono-exporter drill --end' ends it")
        tenants = self._tenants(drill)
        if not tenants and drill.whose != "exporter":
            raise DrillStateError(f"other drills have the tenants that {drill.name} needs: end them first")
        end = drill.cause(self._fleet.simulator, [one.id for one in tenants])
        run = Run(drill, tenants, now, now + drill.lasts, end)
        over = [one for one in self.runs if one.ended is not None][-_KEPT:]
        self.runs = [*over, *active, run]
        return run

    def end(self, name: str) -> Run:
        """End a drill now. Raises UnknownDrillError, and DrillStateError if it is not active."""
        drill = find(name)
        for run in self.active():
            if run.drill is drill:
                self._end(run)
                return run
        raise DrillStateError(f"the drill {drill.name} is not active")

    def end_all(self) -> list[Run]:
        """End all active drills now, and return them."""
        active = self.active()
        for run in active:
            self._end(run)
        return active

    def _end(self, run: Run) -> None:
        run.end()
        run.ended = self._clock.now()

    def _tenants(self, drill: Drill) -> tuple[TenantFacts, ...]:
        """The tenants that it may have: each drill of one tenant has its own, which no other active drill has."""
        simulator = self._fleet.simulator
        taken = {tenant for run in self.active() for tenant in run.ids}
        free = [one for one in simulator.tenants() if one.id not in taken and one.id != self._fleet.idle]
        if drill.whose == "exporter":
            return ()
        if drill.whose == "fleet":
            return tuple(free[: math.ceil(drill.share * len(simulator.tenants()))])
        if drill.name == "dormant":
            return tuple(one for one in simulator.tenants() if one.id == self._fleet.idle and one.id not in taken)
        own = list(DRILLS).index(drill.name) % len(simulator.tenants())
        wanted = simulator.tenants()[own]
        return (wanted,) if wanted in free else tuple(free[:1])

    # Observation

    async def run(self) -> None:
        """End drills that have lasted long enough, and observe all, until cancelled."""
        fails = False
        while True:
            await self._clock.sleep(_EVERY)
            try:
                await self._look()
                fails = False
            except Exception:
                # The demo goes on, and the next look may succeed. One message is enough.
                if not fails:
                    log.exception("can't follow the drills")
                fails = True

    async def _look(self) -> None:
        self.end_overdue()
        unsettled = [run for run in self.runs if not run.is_settled]
        if unsettled:
            alerts = await self._ask() if self._ask else None
            self.observe(unsettled, alerts)

    def end_overdue(self) -> None:
        """End the drills that have lasted as long as they should."""
        for run in self.active():
            if self._clock.now() >= run.ends_at:
                self._end(run)

    def observe(self, runs: Collection[Run], alerts: Sequence[AlertState] | None) -> None:
        """Record what the exporter's status and these alerts say of the runs. `alerts` is None if that is unknown."""
        now, status = self._clock.now(), self._status()
        for run in runs:
            if run.drill.problem:
                _record_problem(run, status, now)
            if alerts is not None:
                _record_alerts(run, alerts, now)


def _record_problem(run: Run, status: Status, now: float) -> None:
    kind = run.drill.problem
    single = any(
        tenant.id in run.ids and any(problem.kind == kind for problem in tenant.problems)
        for tenant in status.with_problems
    )
    shown = single or (run.drill.whose == "fleet" and any(each.kind == kind for each in status.fleet))
    if shown:
        run.shown, run.gone = run.shown or now, None
    elif run.shown is not None and run.gone is None:
        run.gone = now


def _record_alerts(run: Run, alerts: Sequence[AlertState], now: float) -> None:
    of_tenant = run.drill.whose == "tenant"
    about = [each for each in alerts if not of_tenant or each.tenant_id in run.ids]
    own = [each for each in about if each.name == run.drill.alert]
    if of_tenant:
        run.others |= {each.name for each in about if each.name != run.drill.alert and each.state == "firing"}
    if own:
        run.resolved = None
        run.pending = run.pending or now
        if any(each.state == "firing" for each in own):
            run.fired = run.fired or now
        if run.drill.later and any(each.severity == run.drill.later[0] and each.state == "firing" for each in own):
            run.later = run.later or now
    elif run.pending is not None and run.resolved is None:
        run.resolved = now
