"""Runs one tenant's schedules."""

from __future__ import annotations

import json
from functools import partial

from exporter.simulator.context import TenantContext
from exporter.simulator.ingestions import Ingestions
from exporter.simulator.inventory import new_id
from exporter.simulator.records import Schedule
from exporter.simulator.times import DAY, HOUR

WEEKDAYS = frozenset(range(5))
UNPARSABLE_DAYS = "per district calendar"
EVERY_DAY = frozenset(range(7))
_FORMS_OF_DAYS: tuple[tuple[str | None, frozenset[int]], ...] = (
    (None, EVERY_DAY),
    ("", EVERY_DAY),
    ("mon-fri", WEEKDAYS),
    ("Monday,Tuesday,Wednesday,Thursday,Friday", WEEKDAYS),
    ("MTWRF", WEEKDAYS),
    ("1-5", WEEKDAYS),
    ("daily", EVERY_DAY),
    (json.dumps(["monday", "wednesday", "friday"]), frozenset({0, 2, 4})),
    ("Sunday,Monday,Tuesday,Wednesday,Thursday", frozenset({6, 0, 1, 2, 3})),
)


def next_due(hour: int, days: frozenset[int], after: float) -> float:
    """The first moment later than `after` at which it is `hour` o'clock UTC on one of `days` (Monday is 0)."""
    day = int(after // DAY)
    while True:
        moment = day * DAY + hour * HOUR
        # The first of January 1970 was a Thursday.
        if moment > after and (day + 3) % 7 in days:
            return moment
        day += 1


class Schedules:
    """The schedules of one tenant, and the events that run them."""

    def __init__(self, context: TenantContext, ingestions: Ingestions) -> None:
        self._context = context
        self._ingestions = ingestions
        self.all: list[Schedule] = []

    def make(self, form: int, *, enabled: bool, kind: str = "collection") -> Schedule:
        """Make a schedule at a random hour, with its days in one of the known forms. `add` puts it to work."""
        days, meaning = _FORMS_OF_DAYS[form % len(_FORMS_OF_DAYS)]
        return Schedule(
            id=new_id(self._context.rng),
            type=kind,
            enabled=enabled,
            hour=self._context.rng.choice((4, 5, 6, 7, 8, 9, 10, 11, 23, 0)),
            days=days,
            days_of_week=meaning,
            actual_days=meaning,
            created_at=self._context.info.created_at,
        )

    def add(self, schedule: Schedule) -> None:
        """Add a schedule, and run it from now on."""
        self.all.append(schedule)
        self._plan_next(schedule, self._context.events.now)

    def add_new(self, created_at: float) -> Schedule:
        """Make and add an enabled schedule for every day."""
        schedule = self.make(0, enabled=True)
        schedule.created_at = created_at
        self.add(schedule)
        return schedule

    def set_hour(self, schedule: Schedule, hour: int) -> None:
        """Start a schedule at another hour (UTC) from now on."""
        schedule.hour = hour
        self._plan_next(schedule, self._context.events.now)

    def set_days(self, schedule: Schedule, days: str | None, actual_days: frozenset[int]) -> None:
        """Start a schedule on other days from now on; the days have their meaning in the text."""
        schedule.days, schedule.days_of_week, schedule.actual_days = days, actual_days, actual_days
        self._plan_next(schedule, self._context.events.now)

    def create(self, hour: int, at: float) -> Schedule:
        """Add an enabled collection schedule for every day, as clients do."""
        schedule = Schedule(
            id=new_id(self._context.rng_of_calls),
            type="collection",
            enabled=True,
            hour=hour,
            days=None,
            days_of_week=EVERY_DAY,
            actual_days=EVERY_DAY,
            created_at=at,
        )
        self.add(schedule)
        return schedule

    def set_enabled(self, schedule: Schedule, at: float, *, enabled: bool) -> None:
        """Enable or disable a schedule. A disabled one misses no run."""
        schedule.enabled, schedule.edited_at = enabled, at
        if not enabled:
            self._end_missed(schedule, at)

    def remove(self, schedule: Schedule) -> None:
        """Remove a schedule; no effect if it is removed already."""
        if schedule.removed:
            return
        schedule.enabled, schedule.removed = False, True
        self.all.remove(schedule)
        self._end_missed(schedule, self._context.events.now)

    def _end_missed(self, schedule: Schedule, at: float) -> None:
        """End the incident of a missed schedule, unless another schedule is missed, too."""
        kind, schedule.missed = schedule.missed, None
        if kind and all(one.missed != kind for one in self.all):
            self._context.incidents.end(kind, at)

    def enabled_or_new(self) -> Schedule:
        """The first enabled schedule with known days; a new one if there is none."""
        for schedule in self.all:
            if schedule.enabled and schedule.days_of_week is not None:
                return schedule
        return self.add_new(self._context.events.now)

    def execute(self, schedule: Schedule, at: float) -> None:
        """Run a schedule: set its last execution, and start a collection unless one is unfinished."""
        if schedule.removed:
            return
        schedule.last_executed_at = at
        if schedule.missed:
            self._context.incidents.end(schedule.missed, at)
            schedule.missed = None
        if not self._ingestions.is_collecting():
            self._ingestions.start("collection", at)

    def _plan_next(self, schedule: Schedule, after: float) -> None:
        if schedule.removed:
            return
        schedule.due_at = next_due(schedule.hour, schedule.actual_days, after)
        self._context.events.add(schedule.due_at, partial(self._handle_due, schedule))

    def _handle_due(self, schedule: Schedule, at: float) -> None:
        if at != schedule.due_at:  # planned before its hour or days changed
            return
        self._plan_next(schedule, at)
        if not schedule.enabled or self._context.is_paused():
            return
        if schedule.misses_as:
            schedule.missed = schedule.misses_as
            self._context.incidents.begin(schedule.misses_as, at)
            return
        self._context.events.add(at + self._context.rng.uniform(1, 180), partial(self._start, schedule))

    def _start(self, schedule: Schedule, at: float) -> None:
        if schedule.enabled and not schedule.blocked and not self._context.is_paused():
            self.execute(schedule, at)
