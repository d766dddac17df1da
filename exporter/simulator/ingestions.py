"""Runs one tenant's ingestions through their states."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial

from exporter.simulator.context import TenantContext
from exporter.simulator.inventory import new_id
from exporter.simulator.records import INGESTION_FINAL_STATES, Ingestion
from exporter.simulator.times import HOUR

OTHER_TYPES = ("bulk_load", "event_bundle", "bulk_attr_change", "mirror")
_KEPT_FINISHED = 400
# How often a run checks whether its mass change is approved, in seconds.
_APPROVAL_CHECK_INTERVAL = 600.0
# The kinds of incidents that the backtest expects when the hub fails or stalls the runs of a tenant.
_HUB_FAILURE, _HUB_STALL = "spoilt", "stalled_by_hub"
# The next successful collection ends these.
_FAILURES = ("failing", "fails_once", _HUB_FAILURE)
_RETRY_CHANCE = 0.02
_FOLLOW_UP_CHANCE = 0.25


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """How a collection ends, and after how many seconds. If it fails, it begins an incident of this kind."""

    state: str
    lasts: float
    incident: str = "failing"


class Ingestions:
    """The ingestions of one tenant, by id, and the unfinished ones among them."""

    def __init__(self, context: TenantContext) -> None:
        self._context = context
        self._rng = context.rng
        self.by_id: dict[str, Ingestion] = {}
        self.unfinished: dict[str, Ingestion] = {}
        self.collections_fail = False
        # The share of runs, of any type, that fail because of the hub. It is an incident of the hub, not of the tenant.
        self.hub_failure_rate = 0.0
        # The hub's workers are down: runs start, and go no further.
        self.hub_stalls = False
        self._stalled_by_hub: list[Ingestion] = []
        # The next collections go as planned here, instead of by chance.
        self.planned: deque[PlannedRun] = deque()
        # Seconds that every run takes; None for a realistic duration.
        self.runs_last: float | None = None
        # Whether the list has the ingestions that finished lately, too, even if the simulator's others have not.
        self.lists_finished = False

    def start(self, kind: str, at: float) -> Ingestion:
        """Start a run of ingestion type `kind` that goes through its states by itself."""
        rng = self._rng
        has_no_start_yet = rng.random() < 0.3
        ingestion = self.add(
            kind, "unspecified" if rng.random() < 0.1 else "preparing", None if has_no_start_yet else at, at
        )
        if rng.random() < 0.5:
            ingestion.external_import_ids = [f"import-{rng.getrandbits(32):08x}"]
        scheduled = at + rng.uniform(5, 60)
        executing = scheduled + rng.uniform(10, 240)
        ends = executing + min(rng.lognormvariate(7.3, 0.6), 4 * HOUR)
        plan = self.planned.popleft() if self.planned and kind == "collection" else None
        lasts = plan.lasts if plan else self.runs_last
        if lasts is not None:
            scheduled, executing, ends = min(scheduled, at + lasts / 4), min(executing, at + lasts / 2), at + lasts
        events = self._context.events
        events.add(scheduled, partial(self._set_state, ingestion, "scheduled"))
        events.add(executing, partial(self._set_state, ingestion, "executing"))
        events.add(ends, partial(self._complete, ingestion, plan))
        return ingestion

    def start_if_idle(self, kind: str, at: float) -> None:
        """Start a run, unless another one is unfinished or the tenant is paused."""
        if not self._context.is_paused() and not self.under_way():
            self.start(kind, at)

    def rerun_failed(self, at: float) -> None:
        """Start a collection if the newest finished run failed and no collection is unfinished."""
        finished = [one for one in self.by_id.values() if one.ended_at is not None]
        newest = max(finished, key=lambda one: one.ended_at or 0.0, default=None)
        if newest is not None and newest.state != "success" and not self.is_collecting():
            self.start("collection", at)

    def add(
        self, kind: str, state: str, started_at: float | None, at: float, ingestion_id: str | None = None
    ) -> Ingestion:
        """Add an ingestion that keeps its state until a caller changes or finishes it."""
        ingestion = Ingestion(ingestion_id or new_id(self._rng), kind, state, started_at, created_at=at, updated_at=at)
        ingestion.scheduled_at = at if kind == "collection" else None
        self.by_id[ingestion.id] = ingestion
        self.unfinished[ingestion.id] = ingestion
        if state in INGESTION_FINAL_STATES:
            self.finish(ingestion, state, at)
        return ingestion

    def finish(self, ingestion: Ingestion, state: str, at: float) -> None:
        """Finish a run in `state`."""
        ingestion.state = state
        ingestion.ended_at = ingestion.updated_at = at
        ingestion.has_pending_task = False
        ingestion.stuck = False
        self.unfinished.pop(ingestion.id, None)
        self._remove_old()

    def remove(self, ingestion_id: str) -> None:
        """Remove an ingestion; KeyError if there is none."""
        del self.by_id[ingestion_id]
        self.unfinished.pop(ingestion_id, None)

    def is_collecting(self) -> bool:
        """Whether a collection is unfinished: the hub starts no second one beside it."""
        return any(one.type == "collection" for one in self.under_way())

    def under_way(self) -> list[Ingestion]:
        """The unfinished runs, without those that are only listed still."""
        return [one for one in self.unfinished.values() if not one.lingers]

    def _is_running(self, ingestion: Ingestion) -> bool:
        return ingestion.id in self.unfinished and not ingestion.stuck

    def _set_state(self, ingestion: Ingestion, state: str, at: float) -> None:
        if not self._is_running(ingestion):
            return
        ingestion.state = state
        ingestion.updated_at = at
        if state == "executing":
            ingestion.has_pending_task = self._rng.random() < 0.15
            ingestion.started_at = ingestion.started_at or at
        if self.hub_stalls:
            self.stall(ingestion, at)

    def stall(self, ingestion: Ingestion, at: float) -> None:
        """Stop a run because of the hub, until `resume`."""
        ingestion.stuck = True
        self._stalled_by_hub.append(ingestion)
        self._context.incidents.begin(_HUB_STALL, ingestion.started_at or at)

    def resume(self, at: float) -> None:
        """Let all runs that the hub has stopped succeed at once."""
        self.hub_stalls = False
        for ingestion in self._stalled_by_hub:
            self.finish(ingestion, "success", at)
        self._stalled_by_hub.clear()
        self._context.incidents.end(_HUB_STALL, at)

    def _complete(self, ingestion: Ingestion, plan: PlannedRun | None, at: float) -> None:
        if not self._is_running(ingestion):
            return
        if self._context.flags["mass_change_pending"]:
            ingestion.has_pending_task = True
            self._context.events.add(at + _APPROVAL_CHECK_INTERVAL, partial(self._complete, ingestion, plan))
            return
        if self.hub_failure_rate and self._rng.random() < self.hub_failure_rate:
            self.finish(ingestion, self._rng.choice(("failed", "failed", "timeout")), at)
            self._context.incidents.begin(_HUB_FAILURE, at)
        elif ingestion.type == "collection":
            self._complete_collection(ingestion, plan, at)
        else:
            self.finish(ingestion, "success", at)

    def _complete_collection(self, ingestion: Ingestion, plan: PlannedRun | None, at: float) -> None:
        rng, context = self._rng, self._context
        if plan is not None:
            self._end_as(ingestion, plan.state, plan.incident, at)
            return
        if self.collections_fail:
            self._end_as(ingestion, rng.choice(("failed", "failed", "timeout", "cancelled")), "failing", at)
            return
        if rng.random() < _RETRY_CHANCE:  # the hub retries at once, so this is no incident
            self.finish(ingestion, "failed", at)
            context.events.add(at + rng.uniform(60, 300), partial(self.start_if_idle, "collection"))
            return
        self._end_as(ingestion, "success", "failing", at)
        if rng.random() < _FOLLOW_UP_CHANCE:
            kind = rng.choice(OTHER_TYPES)
            context.events.add(at + rng.uniform(1, 5) * HOUR, partial(self.start_if_idle, kind))

    def _end_as(self, ingestion: Ingestion, state: str, incident: str, at: float) -> None:
        """Finish a collection, and begin or end the incident. `cancelled` is a person's deed, and does neither."""
        self.finish(ingestion, state, at)
        if state in ("failed", "timeout"):
            self._context.incidents.begin(incident, at)
        elif state == "success":
            for kind in _FAILURES:
                self._context.incidents.end(kind, at)

    def _remove_old(self) -> None:
        if len(self.by_id) <= 2 * _KEPT_FINISHED:
            return
        finished = [one.id for one in self.by_id.values() if one.ended_at is not None]
        for ingestion_id in finished[:-_KEPT_FINISHED]:
            del self.by_id[ingestion_id]
