"""Tests that tenants follow a change of the collectors, all of them, and few at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.collectors import Collector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.families import FAMILIES
from exporter.polling.adoption import Adoption
from exporter.polling.polls import FIRST
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import TenantState
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.support.replies import Replies, table

TENANTS, AT_ONCE = 120, 50
Intervals = Mapping[type[Collector[Any]], float]


class Fleet:
    """Tenants whose collectors change at time 0."""

    def __init__(self, intervals: Intervals) -> None:
        clock = Clock(lambda: 0.0, lambda: 0.0)
        self.scheduler = Scheduler(clock)
        self.recorder = Recorder(self.scheduler, Store(FAMILIES), Telemetry(), clock)
        self.adoption = Adoption(self.scheduler, self.recorder)
        self.scheduler.configure(intervals)
        self.states = [TenantState(Tenant(f"t{n}"), Replies(table({})).api) for n in range(TENANTS)]
        for state in self.states:
            self.scheduler.add(state, 0.0)
        self.polled()

    def change(self, intervals: Intervals) -> None:
        known = self.scheduler.schedules.values()
        dropped = self.scheduler.configure(intervals)
        self.adoption.begin(self.states, known, dropped, 0.0)

    def polled(self) -> Counter[str]:
        """How many tenants are polled now, by collector. All that are due are polled."""
        found: Counter[str] = Counter()
        while poll := self.scheduler.next_due():
            found[poll.schedule.name] += 1
            poll.state.succeeded_at[poll.schedule.name] = 0.0
            self.scheduler.finish(poll)
        return found

    def weights(self, weight: float) -> list[str]:
        """The tenants of the polls that have this weight."""
        watched = self.scheduler._tenants.values()
        return [each.state.id for each in watched if each.state for poll in each.polls if poll.weight == weight]

    def follow(self) -> list[Counter[str]]:
        """Let all follow; returns what is polled after each step."""
        found = [self.polled()]
        while not self.adoption.is_over:
            self.adoption.step()
            found.append(self.polled())
        return found


def test_tenants_follow_a_new_interval_a_few_at_a_time() -> None:
    fleet = Fleet({StateCollector: 60.0, SchedulesCollector: 300.0})
    fleet.change({StateCollector: 60.0, SchedulesCollector: 200.0})
    assert [each["schedules"] for each in fleet.follow()] == [AT_ONCE, AT_ONCE, TENANTS - 2 * AT_ONCE]


def test_without_a_change_nothing_is_to_be_done() -> None:
    fleet = Fleet({StateCollector: 60.0})
    fleet.change({StateCollector: 60.0})
    assert fleet.adoption.is_over
    assert not fleet.polled()


def test_a_second_change_reaches_those_who_have_not_followed_the_first() -> None:
    fleet = Fleet({StateCollector: 60.0})
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0})
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0, RolloversCollector: 300.0})
    polled = sum(fleet.follow(), Counter())
    assert polled == {"schedules": TENANTS, "rollovers": TENANTS}


def test_a_collector_that_was_off_for_a_moment_has_shown_nothing_when_it_is_on_again() -> None:
    fleet = Fleet({StateCollector: 60.0, SchedulesCollector: 300.0})
    fleet.change({StateCollector: 60.0})
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0})
    assert all("schedules" not in state.succeeded_at for state in fleet.states[:AT_ONCE])
    polled = sum(fleet.follow(), Counter())
    assert polled == {"schedules": TENANTS}


def test_a_tenant_that_was_removed_meanwhile_is_not_polled() -> None:
    fleet = Fleet({StateCollector: 60.0})
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0})
    fleet.scheduler.remove(fleet.states[-1])
    assert sum(fleet.follow(), Counter()) == {"schedules": TENANTS - 1}


def test_after_plain_rounds_all_polls_are_weighed_again_a_few_at_a_time() -> None:
    fleet = Fleet({StateCollector: 60.0, SchedulesCollector: 300.0})
    fleet.scheduler.priorities = False
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0})
    while not fleet.adoption.is_over:
        fleet.adoption.step()
    new = TenantState(Tenant("new"), Replies(table({})).api)
    fleet.states.append(new)
    fleet.scheduler.add(new, 0.0)
    for state in fleet.states[:-1]:  # what a poll without priorities has shown
        state.history = replace(state.history, failing_since={"state": 0.0})
    fleet.scheduler.priorities = True
    fleet.change({StateCollector: 60.0, SchedulesCollector: 300.0})
    assert len(fleet.weights(4.0)) == AT_ONCE
    while not fleet.adoption.is_over:
        fleet.adoption.step()
    assert len(fleet.weights(4.0)) == TENANTS
    assert fleet.weights(FIRST) == ["new", "new"]
