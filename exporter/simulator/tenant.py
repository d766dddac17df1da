"""Simulates one tenant: its flags, ingestions, schedules, rollovers, application and scoping."""

from __future__ import annotations

from random import Random

from exporter.simulator.context import TenantContext
from exporter.simulator.events import EventQueue
from exporter.simulator.incidents import IncidentLog, TenantIncidents
from exporter.simulator.ingestions import Ingestions
from exporter.simulator.inventory import Tenant, new_secret
from exporter.simulator.records import STATE_FLAGS, Application, Schedule
from exporter.simulator.rollovers import Rollovers
from exporter.simulator.schedules import UNPARSABLE_DAYS, WEEKDAYS, Schedules
from exporter.simulator.scoping import Scoping
from exporter.simulator.times import DAY

# How much history a tenant has at its first look-up: enough for a weekly schedule to have run once.
WARM_UP = 8 * DAY


class SimulatedTenant:
    """One tenant's state over time. It starts at Unix seconds `start`; `events.advance` moves it on."""

    def __init__(self, info: Tenant, rng: Random, start: float, incidents: IncidentLog) -> None:
        self.info = info
        self.rng = rng
        self.events = EventQueue(start)
        self.incidents = TenantIncidents(incidents, info.id)
        self.flags = dict.fromkeys(STATE_FLAGS, False)
        self.rng_of_calls = Random(f"{info.id}/calls")
        context = TenantContext(info, rng, self.events, self.incidents, self.flags, self.rng_of_calls)
        self._context = context
        self.ingestions = Ingestions(context)
        self.schedules = Schedules(context, self.ingestions)
        self.rollovers = Rollovers(context)
        self.scoping = Scoping(info.id)
        self.application: Application | None = None
        self._set_up()

    def is_paused(self) -> bool:
        """Whether suspension, rollover or setup mode pauses the schedules."""
        return self._context.is_paused()

    def application_or_new(self) -> Application:
        """The application; a new one if the tenant has none."""
        if self.application is None:
            self.application = self._new_application()
        return self.application

    def _new_application(self) -> Application:
        rng = self.rng
        auth_type = ("oauth2", "basic", "unspecified")[self.info.index % 3]
        return Application(
            deliver_tasks=rng.random() < 0.9,
            validate_tasks=rng.random() < 0.5,
            auth_type=auth_type,
            auth_state="unspecified" if auth_type == "unspecified" else "confirmed",
            auth_message=None,
            auth_state_pending=rng.choice(("unspecified", "unspecified", "updating", "awaiting_consent")),
            updated_at=self.events.now,
            props={"access_token": new_secret(rng, "prop"), "host": "sis.example.org"},
        )

    def _set_up(self) -> None:
        """Set the initial state. Of every 25 tenants, some are special cases."""
        case, now = self.info.index % 25, self.events.now
        if case not in (15, 20):
            self.application = self._new_application()
        if case == 19:
            self.flags["read_only_mode_enabled"] = True
        if case == 23:
            self.flags["archival_enabled"] = False
        if case in (5, 17):
            self.rollovers.plan(now + 40 * DAY, now + 54 * DAY)
        if case == 13:  # its schedule is new, and has not run yet
            self.events.add(now + WARM_UP - 600, self._add_schedule)
        elif case != 16:
            self._set_up_schedules(case)

    def _add_schedule(self, at: float) -> None:
        self.schedules.add_new(at)

    def _set_up_schedules(self, case: int) -> None:
        schedules = self.schedules
        schedules.add(self._first_schedule(case))
        if case in (8, 21):
            schedules.add(schedules.make(0, enabled=False, kind="unspecified"))
        if case == 24:
            schedules.add(schedules.make(6, enabled=True, kind="mirror"))

    def _first_schedule(self, case: int) -> Schedule:
        schedule = self.schedules.make(self.info.index, enabled=case != 17)
        if case == 18:
            schedule.days, schedule.days_of_week, schedule.actual_days = UNPARSABLE_DAYS, None, WEEKDAYS
        if case == 22:
            schedule.type = "unspecified"
        schedule.shows_metadata = case != 21
        return schedule
