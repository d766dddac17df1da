"""Defines the effects of the stories that the simulator makes up: what each kind does to a tenant."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.simulator.times import DAY, HOUR

if TYPE_CHECKING:
    from exporter.simulator.tenant import SimulatedTenant


class StoryEffect:
    """What one kind of story does to a tenant."""

    def __init__(self, tenant: SimulatedTenant, kind: str) -> None:
        self.tenant = tenant
        self.kind = kind
        self.active = False

    def begin(self, at: float) -> None:
        """Begin at Unix seconds `at`."""
        raise NotImplementedError

    def end(self, at: float) -> None:
        """End at Unix seconds `at`, and restore the tenant."""
        raise NotImplementedError


class Stalled(StoryEffect):
    """An ingestion executes and never finishes."""

    def begin(self, at: float) -> None:
        """Start a stuck run; a few are stuck before they execute."""
        self._add_stuck("scheduled" if self.tenant.info.index % 5 == 4 else "executing", at, at)

    def _add_stuck(self, state: str, started_at: float | None, at: float) -> None:
        self.ingestion = self.tenant.ingestions.add("collection", state, started_at, at)
        self.ingestion.stuck = True
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Finish the run, unless a test has removed it."""
        if self.ingestion.id in self.tenant.ingestions.unfinished:
            self.tenant.ingestions.finish(self.ingestion, "success", at)
        self.tenant.incidents.end(self.kind, at)


class Failing(StoryEffect):
    """Every collection fails. The incident lasts from the first failed run to the next successful one."""

    def begin(self, at: float) -> None:
        """Start a collection, which fails."""
        self.tenant.ingestions.collections_fail = True
        _collect(self.tenant, at)

    def end(self, at: float) -> None:
        """Let collections succeed, and start one."""
        self.tenant.ingestions.collections_fail = False
        _collect(self.tenant, at)


class Overdue(StoryEffect):
    """Schedules are due and do not run. The incident lasts from the first missed start to the next run."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - the incident begins at the first missed start
        """Make the schedules miss their runs."""
        self.schedule = self.tenant.schedules.enabled_or_new()
        self.missing = list(self.tenant.schedules.all)
        for schedule in self.missing:
            schedule.misses_as = self.kind

    def end(self, at: float) -> None:
        """Run the missed schedules now, unless the tenant is paused."""
        for schedule in self.missing:
            schedule.misses_as = None
        for schedule in self.missing:
            if self.tenant.is_paused():
                schedule.missed = None
                self.tenant.incidents.end(self.kind, at)
            elif schedule.missed or schedule is self.schedule:
                self.tenant.schedules.execute(schedule, at)


class FlagSet(StoryEffect):
    """A flag of the state reply is on."""

    flag = ""

    def begin(self, at: float) -> None:
        """Set the flag."""
        self.tenant.flags[self.flag] = True
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Clear the flag."""
        self.tenant.flags[self.flag] = False
        self.tenant.incidents.end(self.kind, at)


class Suspended(FlagSet):
    """Syncing is suspended, and no rollover explains it."""

    flag = "synchronization_suspended"


class Setup(FlagSet):
    """Setup mode stays on."""

    flag = "setup_mode_enabled"


class MassChange(FlagSet):
    """A mass change is pending: runs start, and do not finish until it is approved."""

    flag = "mass_change_pending"

    def begin(self, at: float) -> None:
        """Set the flag, and start a collection."""
        super().begin(at)
        _collect(self.tenant, at)


class RolloverStuck(StoryEffect):
    """The window has ended, and rollover mode is still on."""

    window_ends_after = 0.0

    def begin(self, at: float) -> None:
        """Start a rollover whose window ends now and that does not end by itself."""
        self.rollover = self.tenant.rollovers.plan(at - 10 * DAY, at + self.window_ends_after)
        self.rollover.starts_by_itself = self.rollover.ends_by_itself = False
        self._start(at)
        self.tenant.incidents.begin(self.kind, at)

    def _start(self, at: float) -> None:
        self.tenant.rollovers.start(self.rollover, at)

    def end(self, at: float) -> None:
        """Complete the rollover."""
        self.tenant.rollovers.complete(self.rollover, at)
        self.tenant.incidents.end(self.kind, at)


class RolloverNotStarted(StoryEffect):
    """The window has begun, and the rollover has not started."""

    def begin(self, at: float) -> None:
        """Plan a rollover whose window begins now and that does not start by itself."""
        self.rollover = self.tenant.rollovers.plan(at, at + 14 * DAY)
        self.rollover.starts_by_itself = self.rollover.ends_by_itself = False
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Start the rollover, or complete it if its window has ended."""
        if at < self.rollover.end:
            self.rollover.ends_by_itself = True
            self.tenant.rollovers.start(self.rollover, at)
        else:
            self.tenant.rollovers.complete(self.rollover, at)
        self.tenant.incidents.end(self.kind, at)


class RolloverFailing(RolloverNotStarted):
    """The window has begun; the hub tries to start the rollover every hour, and fails."""

    reasons = ("alreadyInRolloverMode", "ingestionInProgress", "unspecified")

    def begin(self, at: float) -> None:
        """Try for the first time."""
        super().begin(at)
        self._try(at)

    def _try(self, at: float) -> None:
        if self.rollover.status != "upcoming":
            return
        self.rollover.reason = self.reasons[self.tenant.info.index % len(self.reasons)]
        self.rollover.failures += 1
        self.rollover.updated_at = at
        self.tenant.events.add(at + HOUR, partial(RolloverFailing._try, self))


class ApplicationAuth(StoryEffect):
    """The product behind the integration rejects its credentials."""

    def begin(self, at: float) -> None:
        """Set the authorization to an error."""
        application = self.tenant.application_or_new()
        self.state_before = application.auth_state
        application.auth_state, application.auth_message = "error", "The application answered 401 Unauthorized."
        application.updated_at = at
        self.tenant.incidents.begin(self.kind, at)

    def end(self, at: float) -> None:
        """Restore the authorization."""
        application = self.tenant.application_or_new()
        application.auth_state, application.auth_message = self.state_before, None
        application.updated_at = at
        self.tenant.incidents.end(self.kind, at)


class RolloverWindow(StoryEffect):
    """A rollover window that starts and ends as planned: no incident."""

    starts_after = 0.0
    ends_after = 0.0

    def begin(self, at: float) -> None:
        """Plan the window around this moment."""
        self.rollover = self.tenant.rollovers.plan(at + self.starts_after, at + self.ends_after)

    def end(self, at: float) -> None:
        """Remove the rollover."""
        self.tenant.rollovers.remove(self.rollover, at)


class InRollover(RolloverWindow):
    """The tenant is in rollover."""

    starts_after, ends_after = -2 * DAY, 12 * DAY


class BeforeRollover(RolloverWindow):
    """A rollover is near."""

    starts_after, ends_after = 5 * DAY, 19 * DAY


class AfterRollover(RolloverWindow):
    """A rollover is over."""

    starts_after, ends_after = -15 * DAY, -1 * DAY


def _collect(tenant: SimulatedTenant, at: float) -> None:
    if not tenant.ingestions.is_collecting():
        tenant.ingestions.start("collection", at)


INCIDENT_EFFECTS: dict[str, type[StoryEffect]] = {
    "stalled": Stalled,
    "failing": Failing,
    "overdue": Overdue,
    "suspended": Suspended,
    "setup": Setup,
    "mass_change": MassChange,
    "rollover_stuck": RolloverStuck,
    "rollover_not_started": RolloverNotStarted,
    "rollover_failing": RolloverFailing,
    "application_auth": ApplicationAuth,
}
HARMLESS_EFFECTS: dict[str, type[StoryEffect]] = {
    "in_rollover": InRollover,
    "before_rollover": BeforeRollover,
    "after_rollover": AfterRollover,
}
RANDOM_EFFECTS = INCIDENT_EFFECTS | HARMLESS_EFFECTS
