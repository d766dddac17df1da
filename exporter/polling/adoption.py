"""Lets tenants follow a change of the collectors or the strategy, a few at a time.

10,000 at once would block the event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from exporter.collectors import Collector
from exporter.polling.polls import CollectorSchedule
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import TenantState

# Tenants at once, which takes some milliseconds.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Change:
    """What a tenant has to follow: its polls are those of the `known` schedules. New ones are `due` (monotonic)."""

    known: Collection[CollectorSchedule]
    dropped: tuple[Collector[Any], ...]
    due: float


class Adoption:
    """The tenants that have yet to follow a change."""

    def __init__(self, scheduler: Scheduler, recorder: Recorder) -> None:
        self._scheduler = scheduler
        self._recorder = recorder
        self._left: dict[TenantState, _Change] = {}
        self._priorities = scheduler.priorities

    @property
    def is_over(self) -> bool:
        """Whether all have followed."""
        return not self._left

    def begin(
        self,
        states: Iterable[TenantState],
        known: Collection[CollectorSchedule],
        dropped: Iterable[Collector[Any]],
        due: float,
    ) -> None:
        """The scheduler may have other collectors now than the `known`; `dropped` are those no longer enabled. Without
        priorities, it weighed no polls, so they are weighed once it has priorities.

        The first few tenants follow at once, the others with each `step`.
        """
        change = _Change(known, tuple(dropped), due)
        for collector in change.dropped:
            self._recorder.drop_totals(collector)
        reweigh, self._priorities = self._priorities != self._scheduler.priorities, self._scheduler.priorities
        if reweigh or change.dropped or not set(self._scheduler.schedules.values()) <= set(known):
            for state in states:
                left = self._left.get(state)  # from the change before this one
                self._left[state] = _Change(left.known, left.dropped + change.dropped, due) if left else change
        self.step()

    def step(self) -> None:
        """Let the next few tenants follow."""
        for state in list(islice(self._left, _AT_ONCE)):
            change = self._left.pop(state)
            if state.removed:
                continue
            for collector in change.dropped:
                self._recorder.drop(collector, state)
            self._scheduler.add(state, change.due, change.known)
            self._scheduler.weigh(state)
            self._recorder.expose_health(state)
