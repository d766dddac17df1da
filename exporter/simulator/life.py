"""What happens to one tenant, and when?

A `Life` is a queue of events in time. It is advanced to a moment when somebody asks about the tenant, so that
months of a large fleet cost only what is looked at. All times are Unix seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.fleet import DAY, Tenant, new_id, new_secret, whole_ms
from exporter.simulator.records import (
    INGESTION_FINAL_STATES,
    PAUSING_FLAGS,
    STATE_FLAGS,
    Application,
    Course,
    Ingestion,
    Rollover,
    Schedule,
    School,
)

if TYPE_CHECKING:
    from exporter.simulator.ledger import Incident, Ledger

Event = Callable[[float], None]

HOUR = 3600.0
# How long a tenant has lived when it is first looked at: a weekly schedule has run once.
WARM_UP = 8 * DAY

_EVERY_DAY = frozenset(range(7))
_WEEKDAYS = frozenset(range(5))
_READABLE_DAYS: tuple[tuple[str | None, frozenset[int]], ...] = (
    (None, _EVERY_DAY),
    ("", _EVERY_DAY),
    ("mon-fri", _WEEKDAYS),
    ("Monday,Tuesday,Wednesday,Thursday,Friday", _WEEKDAYS),
    ("MTWRF", _WEEKDAYS),
    ("1-5", _WEEKDAYS),
    ("daily", _EVERY_DAY),
    (json.dumps(["monday", "wednesday", "friday"]), frozenset({0, 2, 4})),
    ("Sunday,Monday,Tuesday,Wednesday,Thursday", frozenset({6, 0, 1, 2, 3})),
)
_UNREADABLE_DAYS = "per district calendar"
OTHER_TYPES = ("bulk_load", "event_bundle", "bulk_attr_change", "mirror")
_KEPT_FINISHED = 400
# How often a run that waits for a person looks whether it may go on.
_APPROVAL_CHECK = 600.0
_SCHOOLS = ("Elementary School", "Middle School", "High School", "Academy")
_SUBJECTS = ("Algebra I", "Biology", "US History", "English 9", "Spanish II", "Art Foundations", "Physical Education")


def next_due(hour: int, days: frozenset[int], after: float) -> float:
    """The first moment later than `after` at which it is `hour` o'clock UTC on one of `days` (Monday is 0)."""
    day = int(after // DAY)
    while True:
        moment = day * DAY + hour * HOUR
        # The first of January 1970 was a Thursday.
        if moment > after and (day + 3) % 7 in days:
            return moment
        day += 1


class Life:
    """One tenant's flags, ingestions, schedules, rollovers, application and scoping, moving in time."""

    def __init__(self, tenant: Tenant, rng: Random, born: float, ledger: Ledger) -> None:
        self.tenant = tenant
        self.rng = rng
        self.now = born
        self.flags = dict.fromkeys(STATE_FLAGS, False)
        self.ingestions: dict[str, Ingestion] = {}
        self.unfinished: dict[str, Ingestion] = {}
        self.schedules: list[Schedule] = []
        self.rollovers: list[Rollover] = []
        self.application: Application | None = None
        # What stories turn on: runs end badly; schedules are forgotten.
        self.failing = False
        self.forgetful = False
        # The share of runs that the hub itself spoils, of any type. That is the hub's incident and not the tenant's.
        self.spoilt = 0.0
        self._ledger = ledger
        self._open: dict[str, Incident] = {}
        self._events: list[tuple[float, int, Event]] = []
        self._sequence = 0
        self._schools: list[School] | None = None
        self._courses: list[Course] | None = None
        self._settle()

    # Time

    def at(self, moment: float, event: Event) -> None:
        """Let `event` happen at `moment`; it is called with the moment."""
        self._sequence += 1
        heappush(self._events, (whole_ms(moment), self._sequence, event))

    def advance(self, now: float) -> None:
        """Live until `now`. A clock that went back changes nothing."""
        events = self._events
        while events and events[0][0] <= now:
            moment, _, event = heappop(events)
            self.now = max(self.now, moment)
            event(self.now)
        self.now = max(self.now, now)

    # Incidents

    def wrong(self, kind: str, since: float) -> None:
        """Write into the ledger that something is wrong, once."""
        if kind not in self._open:
            self._open[kind] = self._ledger.open(kind, self.tenant.id, since)

    def right(self, kind: str, until: float) -> None:
        """Write into the ledger that it is right again; nothing if it was never wrong."""
        incident = self._open.pop(kind, None)
        if incident is not None:
            incident.until = until

    # Ingestions

    def run(self, kind: str, at: float) -> Ingestion:
        """Start a run of ingestion type `kind` that goes through its states by itself."""
        rng = self.rng
        begins_late = rng.random() < 0.3
        ingestion = self.add_ingestion(
            kind, "unspecified" if rng.random() < 0.1 else "preparing", None if begins_late else at, at
        )
        if rng.random() < 0.5:
            ingestion.external_import_ids = [f"import-{rng.getrandbits(32):08x}"]
        queued = at + rng.uniform(5, 60)
        executing = queued + rng.uniform(10, 240)
        self.at(queued, partial(self._move, ingestion, "scheduled"))
        self.at(executing, partial(self._move, ingestion, "executing"))
        self.at(executing + min(rng.lognormvariate(7.3, 0.6), 4 * HOUR), partial(self._end_of_run, ingestion))
        return ingestion

    def add_ingestion(
        self, kind: str, state: str, started_at: float | None, at: float, ingestion_id: str | None = None
    ) -> Ingestion:
        """Put an ingestion into the list that stays as it is until somebody moves or finishes it."""
        ingestion = Ingestion(ingestion_id or new_id(self.rng), kind, state, started_at, created_at=at, updated_at=at)
        ingestion.scheduled_at = at if kind == "collection" else None
        self.ingestions[ingestion.id] = ingestion
        self.unfinished[ingestion.id] = ingestion
        if state in INGESTION_FINAL_STATES:
            self.finish(ingestion, state, at)
        return ingestion

    def finish(self, ingestion: Ingestion, state: str, at: float) -> None:
        """End a run in `state`."""
        ingestion.state = state
        ingestion.ended_at = ingestion.updated_at = at
        ingestion.has_pending_task = False
        ingestion.stuck = False
        self.unfinished.pop(ingestion.id, None)
        self._forget_old()

    def forget(self, ingestion_id: str) -> None:
        """Lose an ingestion altogether; KeyError if there is none."""
        del self.ingestions[ingestion_id]
        self.unfinished.pop(ingestion_id, None)

    def collecting(self) -> bool:
        """Whether a collection is unfinished: the hub starts no second one beside it."""
        return any(one.type == "collection" for one in self.unfinished.values())

    def paused(self) -> bool:
        """Whether schedules are held by suspension, rollover or setup mode."""
        return any(self.flags[flag] for flag in PAUSING_FLAGS)

    def _move(self, ingestion: Ingestion, state: str, at: float) -> None:
        if ingestion.id not in self.unfinished or ingestion.stuck:
            return
        ingestion.state = state
        ingestion.updated_at = at
        if state == "executing":
            ingestion.has_pending_task = self.rng.random() < 0.15
            ingestion.started_at = ingestion.started_at or at

    def _end_of_run(self, ingestion: Ingestion, at: float) -> None:
        if ingestion.id not in self.unfinished or ingestion.stuck:
            return
        if self.flags["mass_change_pending"]:
            ingestion.has_pending_task = True
            self.at(at + _APPROVAL_CHECK, partial(self._end_of_run, ingestion))
            return
        if self.spoilt and self.rng.random() < self.spoilt:
            self.finish(ingestion, self.rng.choice(("failed", "failed", "timeout")), at)
            self.wrong("spoilt", at)
        elif ingestion.type == "collection":
            self._end_of_collection(ingestion, at)
        else:
            self.finish(ingestion, "success", at)

    def _end_of_collection(self, ingestion: Ingestion, at: float) -> None:
        if self.failing:
            self.finish(ingestion, self.rng.choice(("failed", "failed", "timeout", "cancelled")), at)
            self.wrong("failing", at)
            return
        if self.rng.random() < 0.02:  # a hiccup: the hub tries again at once
            self.finish(ingestion, "failed", at)
            self.at(at + self.rng.uniform(60, 300), partial(self.run_if_idle, "collection"))
            return
        self.finish(ingestion, "success", at)
        self.right("failing", at)
        self.right("spoilt", at)
        if self.rng.random() < 0.25:
            kind = self.rng.choice(OTHER_TYPES)
            self.at(at + self.rng.uniform(1, 5) * HOUR, partial(self.run_if_idle, kind))

    def run_again(self, at: float) -> None:
        """Collect, if the newest end is a bad one and no collection is under way."""
        ended = [one for one in self.ingestions.values() if one.ended_at is not None]
        newest = max(ended, key=lambda one: one.ended_at or 0.0, default=None)
        if newest is not None and newest.state != "success" and not self.collecting():
            self.run("collection", at)

    def run_if_idle(self, kind: str, at: float) -> None:
        """Start a run unless another is under way, or the tenant is paused."""
        if not self.paused() and not self.unfinished:
            self.run(kind, at)

    def _forget_old(self) -> None:
        if len(self.ingestions) <= 2 * _KEPT_FINISHED:
            return
        finished = [one.id for one in self.ingestions.values() if one.ended_at is not None]
        for ingestion_id in finished[:-_KEPT_FINISHED]:
            del self.ingestions[ingestion_id]

    # Schedules

    def add_schedule(self, schedule: Schedule) -> None:
        """Take up a schedule, from this moment on."""
        self.schedules.append(schedule)
        self.at(next_due(schedule.hour, schedule.works_on, self.now), partial(self._due, schedule))

    def move(self, schedule: Schedule, hour: int) -> None:
        """Let a schedule start at another hour (UTC) from now on."""
        schedule.hour = hour
        self.at(next_due(hour, schedule.works_on, self.now), partial(self._due, schedule))

    def daily_schedule(self) -> Schedule:
        """An enabled schedule for collections whose days anybody can read; a new one if there was none."""
        for schedule in self.schedules:
            if schedule.enabled and schedule.days_of_week is not None:
                return schedule
        schedule = self._new_schedule(0, enabled=True)
        schedule.created_at = self.now
        self.add_schedule(schedule)
        return schedule

    def execute(self, schedule: Schedule, at: float) -> None:
        """Run a schedule: note the time, and collect unless a collection is under way."""
        schedule.last_executed_at = at
        self.right("overdue", at)
        if not self.collecting():
            self.run("collection", at)

    def _due(self, schedule: Schedule, at: float) -> None:
        if at // HOUR % 24 != schedule.hour:  # it has been moved to another hour
            return
        self.at(next_due(schedule.hour, schedule.works_on, at), partial(self._due, schedule))
        if not schedule.enabled or self.paused():
            return
        if self.forgetful:
            self.wrong("overdue", at)
            return
        self.at(at + self.rng.uniform(1, 180), partial(self._start, schedule))

    def _start(self, schedule: Schedule, at: float) -> None:
        if schedule.enabled and not self.paused():
            self.execute(schedule, at)

    def _new_schedule(self, form: int, *, enabled: bool, kind: str = "collection") -> Schedule:
        days, meaning = _READABLE_DAYS[form % len(_READABLE_DAYS)]
        return Schedule(
            id=new_id(self.rng),
            type=kind,
            enabled=enabled,
            hour=self.rng.choice((4, 5, 6, 7, 8, 9, 10, 11, 23, 0)),
            days=days,
            days_of_week=meaning,
            works_on=meaning,
            created_at=self.tenant.created_at,
        )

    # Rollovers

    def plan_rollover(self, start: float, end: float) -> Rollover:
        """Plan a window; it opens and closes by itself."""
        rng = self.rng
        year = 1970 + int(start // (365.2425 * DAY))
        name = rng.choice((f"{year}-{(year + 1) % 100:02d} New Year Rollover", f"Summer {year}", f"Rollover {year}"))
        start, end, created = whole_ms(start), whole_ms(end), whole_ms(min(self.now, start - 30 * DAY))
        rollover = Rollover(new_id(rng), name, "new_year", start, end, created_at=created, updated_at=created)
        self.rollovers.append(rollover)
        self.at(start, partial(self._open_window, rollover))
        self.at(end, partial(self._close_window, rollover))
        return rollover

    def enter(self, rollover: Rollover, at: float) -> None:
        """Open the window: rollover mode is on."""
        rollover.status, rollover.updated_at = "ongoing", at
        rollover.failures, rollover.reason = 0, None
        self.flags["rollover_mode_enabled"] = True

    def leave(self, rollover: Rollover, at: float) -> None:
        """Close the window: rollover mode is off."""
        rollover.status, rollover.updated_at = "completed", at
        rollover.failures, rollover.reason = 0, None
        self.flags["rollover_mode_enabled"] = False

    def _open_window(self, rollover: Rollover, at: float) -> None:
        if rollover.opens and rollover in self.rollovers:
            self.enter(rollover, at)

    def _close_window(self, rollover: Rollover, at: float) -> None:
        if rollover.closes and rollover in self.rollovers:
            self.leave(rollover, at)

    # Application and scoping

    def connect(self) -> Application:
        """The application; a new one if the tenant had none."""
        if self.application is None:
            self.application = self._new_application()
        return self.application

    @property
    def is_integration(self) -> bool:
        """Whether there is an application and scoping at all."""
        return self.application is not None

    @property
    def schools(self) -> list[School]:
        """The schools, made up when first asked for."""
        if self._schools is None:
            rng = Random(f"{self.tenant.id}/schools")
            self._schools = [_new_school(rng, number) for number in range(rng.randrange(3, 15))]
        return self._schools

    @property
    def courses(self) -> list[Course]:
        """The courses, made up when first asked for."""
        if self._courses is None:
            rng = Random(f"{self.tenant.id}/courses")
            self._courses = [_new_course(rng, school) for school in self.schools for _ in range(rng.randrange(5))]
        return self._courses

    def _new_application(self) -> Application:
        rng = self.rng
        auth_type = ("oauth2", "basic", "unspecified")[self.tenant.index % 3]
        return Application(
            deliver_tasks=rng.random() < 0.9,
            validate_tasks=rng.random() < 0.5,
            auth_type=auth_type,
            auth_state="unspecified" if auth_type == "unspecified" else "confirmed",
            auth_message=None,
            auth_state_pending=rng.choice(("unspecified", "unspecified", "updating", "awaiting_consent")),
            updated_at=self.now,
            props={"access_token": new_secret(rng, "prop"), "host": "sis.example.org"},
        )

    # Birth

    def _settle(self) -> None:
        """Give the tenant what it has from the start; some places in the order of arrival are odd ones."""
        place = self.tenant.index % 25
        if place not in (15, 20):
            self.application = self._new_application()
        if place == 19:
            self.flags["read_only_mode_enabled"] = True
        if place == 23:
            self.flags["archival_enabled"] = False
        if place in (5, 17):
            self.plan_rollover(self.now + 40 * DAY, self.now + 54 * DAY)
        if place == 13:  # its schedule comes late, and has not run yet
            self.at(self.now + WARM_UP - 600, self._late_schedule)
        elif place != 16:
            self._settle_schedules(place)

    def _late_schedule(self, at: float) -> None:
        schedule = self._new_schedule(0, enabled=True)
        schedule.created_at = at
        self.add_schedule(schedule)

    def _settle_schedules(self, place: int) -> None:
        first = self._new_schedule(self.tenant.index, enabled=place != 17)
        if place == 18:
            first.days, first.days_of_week, first.works_on = _UNREADABLE_DAYS, None, _WEEKDAYS
        if place == 22:
            first.type = "unspecified"
        first.shows_metadata = place != 21
        self.add_schedule(first)
        if place in (8, 21):
            self.add_schedule(self._new_schedule(0, enabled=False, kind="unspecified"))
        if place == 24:
            self.add_schedule(self._new_schedule(6, enabled=True, kind="mirror"))


def _new_school(rng: Random, number: int) -> School:
    school_id = new_id(rng)
    name = f"PS {number + 1} {rng.choice(_SCHOOLS)}"
    return School(school_id, f"ref-{school_id[:8]}", name, f"{100 + number}", selected=rng.random() < 0.8)


def _new_course(rng: Random, school: School) -> Course:
    course_id = new_id(rng)
    name = rng.choice(_SUBJECTS)
    return Course(course_id, f"ref-{course_id[:8]}", school, name, course_id[:6], selected=rng.random() < 0.7)
