"""Defines what is known of one tenant from its polls: one part for each collector that needs a history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from exporter.history import flags, ingestions, reported, rollovers, schedules
from exporter.history.application import ApplicationHistory
from exporter.history.flags import FlagsHistory
from exporter.history.ingestions import IngestionsHistory
from exporter.history.moments import all_moved, moved
from exporter.history.reported import Reported
from exporter.history.rollovers import RolloversHistory
from exporter.history.schedules import SchedulesHistory
from exporter.history.sharing import SharesEmpty


@dataclass(frozen=True, slots=True)
class History(SharesEmpty):
    """One tenant's history. The parts have the names of their collectors.

    `failing_since` is when each failing collector began to fail, in Unix seconds. `reported` are the problems that the
    log has reported.
    """

    state: FlagsHistory = FlagsHistory()
    ingestions: IngestionsHistory = IngestionsHistory()
    schedules: SchedulesHistory = SchedulesHistory()
    rollovers: RolloversHistory = RolloversHistory()
    application: ApplicationHistory = ApplicationHistory()
    failing_since: Mapping[str, float] = field(default_factory=dict)
    reported: Reported = Reported()

    def without(self, collector: str) -> Self:
        """Without the part of this collector, which the tenant does not have, or which is no longer enabled."""
        part: Any = {each.name: each.default for each in fields(self) if each.name == collector}
        if collector == "state":  # from now on, pauses are not seen
            part["schedules"] = schedules.after_flags(self.schedules, 0.0, paused=True)
        return replace(self, **part).recovered(collector)

    def only(self, collectors: Collection[str]) -> Self:
        """Without the parts of all collectors but these."""
        history = self
        for collector in {*_PARTS, *self.failing_since} - {*collectors}:
            history = history.without(collector)
        return history

    def failed(self, collector: str, at: float) -> Self:
        """After a failed poll at Unix seconds `at`."""
        since = min(self.failing_since.get(collector, at), at)
        return replace(self, failing_since={**self.failing_since, collector: since})

    def recovered(self, collector: str) -> Self:
        """After a successful poll."""
        if collector not in self.failing_since:
            return self
        return replace(self, failing_since={k: v for k, v in self.failing_since.items() if k != collector})

    def after_clock_change(self, seconds: float) -> Self:
        """After the clock was set, so many seconds forward, or back if negative: times that polls saw move with it."""
        return replace(
            self,
            state=flags.after_clock_change(self.state, seconds),
            ingestions=ingestions.after_clock_change(self.ingestions, seconds),
            schedules=schedules.after_clock_change(self.schedules, seconds),
            rollovers=rollovers.after_clock_change(self.rollovers, seconds),
            application=replace(self.application, since=moved(self.application.since, seconds)),
            failing_since=all_moved(self.failing_since, seconds),
            reported=reported.after_clock_change(self.reported, seconds),
        )


# The names of the collectors that have a part.
_PARTS = tuple(each.name for each in fields(History) if each.name not in ("failing_since", "reported"))
