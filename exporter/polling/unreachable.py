"""Finds out whether so many tenants can't be polled that the exporter or the API is the cause, not single tenants."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from operator import attrgetter

from exporter.clock import Clock
from exporter.history.problems import counts_as_unreachable
from exporter.polling.tenant import TenantState
from exporter.status import FleetProblem
from exporter.thresholds import threshold

# How often to look at all tenants, in seconds.
_LOOK_EVERY = 30.0
# How many to look at after a poll: 10,000 at once would stop the event loop for 20 ms.
_LOOK_AT = 500
_REMOVED = attrgetter("removed")


class UnreachableTenants:
    """The tenants that can't be polled, as of half a minute ago; without those that have recovered or were removed."""

    def __init__(
        self, tenants: Mapping[str, TenantState], enabled: Callable[[], Collection[str]], clock: Clock
    ) -> None:
        """`tenants` are those watched now, by id; `enabled` gives the names of the enabled collectors."""
        self._tenants = tenants
        self._enabled = enabled
        self._clock = clock
        # With the time of the first failure, in Unix seconds.
        self._since: dict[TenantState, float] = {}
        self._looked_at = -math.inf
        self._left: list[TenantState] = []
        self._found: dict[TenantState, float] = {}

    def update(self, state: TenantState) -> None:
        """Take note of a poll of a tenant, and look at some others."""
        if self._clock.monotonic() - self._looked_at >= _LOOK_EVERY and not self._left:
            self._looked_at = self._clock.monotonic()
            self._left, self._found = list(self._tenants.values()), {}
        if self._left:
            self._look_at_some()
        if not state.failures:
            self._since.pop(state, None)
            self._found.pop(state, None)

    def _look_at_some(self) -> None:
        now, at, enabled = self._clock.monotonic(), self._clock.now(), self._enabled()
        some, self._left = self._left[-_LOOK_AT:], self._left[:-_LOOK_AT]
        for state in some:
            if state.failures and counts_as_unreachable(state.health(enabled, now), at):
                self._found[state] = min([failure.since for failure in state.failures.values()])
        if not self._left:
            self._since, self._found = self._found, {}

    @property
    def many(self) -> bool:
        """Whether they are so many."""
        if any(map(_REMOVED, self._since)):
            self._since = {state: since for state, since in self._since.items() if not state.removed}
        count = len(self._since)
        return count > 1 and count >= threshold("tenants_unreachable") * len(self._tenants)

    @property
    def problem(self) -> FleetProblem | None:
        """The problem of the fleet, if they are so many."""
        return FleetProblem("unreachable", len(self._since), min(self._since.values())) if self.many else None
