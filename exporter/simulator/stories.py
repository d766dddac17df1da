"""What can go wrong with a tenant, and how does it begin and end?

A story is data: a kind, a tenant, and when it begins and ends. What it does is its plot, one small class a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter.simulator.fleet import DAY
from exporter.simulator.life import HOUR

if TYPE_CHECKING:
    from exporter.simulator.life import Life


@dataclass(slots=True)
class Story:
    """One thing that happens to one tenant. Unix seconds; `ends` is None for a story without an end."""

    kind: str
    tenant_id: str
    begins: float
    ends: float | None = None


class Plot:
    """What a kind of story does to a life."""

    def __init__(self, life: Life, kind: str) -> None:
        self.life = life
        self.kind = kind
        self.running = False

    def begin(self, at: float) -> None:
        """Begin at Unix seconds `at`."""
        raise NotImplementedError

    def end(self, at: float) -> None:
        """End at Unix seconds `at`, and leave things in order."""
        raise NotImplementedError


class Stalled(Plot):
    """An ingestion executes and never finishes."""

    def begin(self, at: float) -> None:
        """Start the run that hangs; a few hang before they execute."""
        state = "scheduled" if self.life.tenant.index % 5 == 4 else "executing"
        self.ingestion = self.life.add_ingestion("collection", state, at, at)
        self.ingestion.stuck = True
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """It finishes after all, unless a test has forgotten it."""
        if self.ingestion.id in self.life.unfinished:
            self.life.finish(self.ingestion, "success", at)
        self.life.right(self.kind, at)


class Failing(Plot):
    """Collections end badly, each of them. The incident lasts from the first bad end to the next good one."""

    def begin(self, at: float) -> None:
        """Collect now, to no good end."""
        self.life.failing = True
        self._collect(at)

    def end(self, at: float) -> None:
        """Somebody repaired it and runs it again."""
        self.life.failing = False
        self._collect(at)

    def _collect(self, at: float) -> None:
        if not self.life.collecting():
            self.life.run("collection", at)


class Overdue(Plot):
    """Schedules come due and do not run. The incident lasts from the first missed start to the next run."""

    def begin(self, at: float) -> None:  # noqa: ARG002 - nothing is wrong before the first missed start
        """Forget the schedules."""
        self.schedule = self.life.daily_schedule()
        self.life.forgetful = True

    def end(self, at: float) -> None:
        """Remember them, and make good for the missed run, unless the tenant is paused by now."""
        self.life.forgetful = False
        if self.life.paused():
            self.life.right(self.kind, at)
        else:
            self.life.execute(self.schedule, at)


class Raised(Plot):
    """A flag of the state reply is on."""

    flag = ""

    def begin(self, at: float) -> None:
        """Raise the flag."""
        self.life.flags[self.flag] = True
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """Lower it."""
        self.life.flags[self.flag] = False
        self.life.right(self.kind, at)


class Suspended(Raised):
    """Syncing is suspended, and no rollover explains it."""

    flag = "synchronization_suspended"


class Setup(Raised):
    """Setup mode lingers."""

    flag = "setup_mode_enabled"


class MassChange(Raised):
    """A large change waits for a person: runs start, and then wait with it until it is approved."""

    flag = "mass_change_pending"

    def begin(self, at: float) -> None:
        """Collect the large change."""
        super().begin(at)
        if not self.life.collecting():
            self.life.run("collection", at)


class RolloverStuck(Plot):
    """The window has ended, and rollover mode has not."""

    def begin(self, at: float) -> None:
        """Come to the end of a window that does not close."""
        self.rollover = self.life.plan_rollover(at - 10 * DAY, at)
        self.rollover.closes = False
        self.life.enter(self.rollover, at)
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """Close it by hand."""
        self.life.leave(self.rollover, at)
        self.life.right(self.kind, at)


class RolloverNotStarted(Plot):
    """The window has opened, and nothing happened."""

    def begin(self, at: float) -> None:
        """Come to the start of a window that does not open."""
        self.rollover = self.life.plan_rollover(at, at + 14 * DAY)
        self.rollover.opens = self.rollover.closes = False
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """Open it by hand, or be done with it if it is over."""
        if at < self.rollover.end:
            self.rollover.closes = True
            self.life.enter(self.rollover, at)
        else:
            self.life.leave(self.rollover, at)
        self.life.right(self.kind, at)


class RolloverFailing(RolloverNotStarted):
    """The window has opened, and the hub tries every hour, and fails every time."""

    reasons = ("alreadyInRolloverMode", "ingestionInProgress", "unspecified")

    def begin(self, at: float) -> None:
        """Try for the first time."""
        super().begin(at)
        self._try(at)

    def _try(self, at: float) -> None:
        if self.rollover.status != "upcoming":
            return
        self.rollover.reason = self.reasons[self.life.tenant.index % len(self.reasons)]
        self.rollover.failures += 1
        self.rollover.updated_at = at
        self.life.at(at + HOUR, partial(RolloverFailing._try, self))


class ApplicationAuth(Plot):
    """The product behind the integration rejects its credentials."""

    def begin(self, at: float) -> None:
        """Lose the connection."""
        application = self.life.connect()
        self.before = application.auth_state
        application.auth_state, application.auth_message = "error", "The application answered 401 Unauthorized."
        application.updated_at = at
        self.life.wrong(self.kind, at)

    def end(self, at: float) -> None:
        """Connect again."""
        application = self.life.connect()
        application.auth_state, application.auth_message = self.before, None
        application.updated_at = at
        self.life.right(self.kind, at)


class Window(Plot):
    """A rollover window as it should be: nothing is wrong."""

    starts_after = 0.0
    ends_after = 0.0

    def begin(self, at: float) -> None:
        """Plan the window around this moment."""
        self.rollover = self.life.plan_rollover(at + self.starts_after, at + self.ends_after)

    def end(self, at: float) -> None:
        """Take the window out of the list; if it was open, close it."""
        if self.rollover.status == "ongoing":
            self.life.leave(self.rollover, at)
        self.life.rollovers.remove(self.rollover)


class InRollover(Window):
    """The tenant is in rollover."""

    starts_after, ends_after = -2 * DAY, 12 * DAY


class BeforeRollover(Window):
    """A rollover is near."""

    starts_after, ends_after = 5 * DAY, 19 * DAY


class AfterRollover(Window):
    """A rollover is over."""

    starts_after, ends_after = -15 * DAY, -1 * DAY


UNHEALTHY: dict[str, type[Plot]] = {
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
HARMLESS: dict[str, type[Plot]] = {
    "in_rollover": InRollover,
    "before_rollover": BeforeRollover,
    "after_rollover": AfterRollover,
}
PLOTS = UNHEALTHY | HARMLESS
