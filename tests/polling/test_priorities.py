"""Tests that requests go where something happens, and that no poll waits for more than twice as long because of it."""

from __future__ import annotations

import gc
import math
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.client import Api
from exporter.api.models import Schedule, Tenant
from exporter.clock import Clock
from exporter.collectors.collector import Collector
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.history import History, outlook
from exporter.history.ingestions import IngestionsHistory
from exporter.history.schedules import ScheduleHistory, SchedulesHistory
from exporter.polling.poll_queue import PollQueue
from exporter.polling.polls import ORDINARY, CollectorSchedule, ScheduledPoll
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import TenantState
from exporter.status import Failure
from exporter.thresholds import HOUR, MINUTE
from tests.support.virtual_time import START

INTERVALS: Mapping[type[Collector], float] = {
    StateCollector: 60.0,
    IngestionsCollector: 60.0,
    SchedulesCollector: 300.0,
    RolloversCollector: 900.0,
}
Poll = tuple[str, str]
Cost = Callable[[ScheduledPoll], int]


def _no_api() -> Api:
    raise AssertionError("the scheduler calls no API")


def _one(_: ScheduledPoll) -> int:
    return 1


@dataclass
class Fleet:
    """Tenants that are polled one after the other, at so many requests a second; `polls` has the begin of each."""

    tenants: int
    rate: float
    priorities: bool = True
    intervals: Mapping[type[Collector], float] = field(default_factory=lambda: INTERVALS)
    cost: Cost = _one
    seconds: float = 0.0
    most_late: float = 0.0
    polls: list[tuple[float, str, str]] = field(default_factory=list)
    spent: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        clock = Clock(monotonic=lambda: self.seconds, now=lambda: START + self.seconds)
        self.scheduler = Scheduler(clock, priorities=self.priorities)
        self.scheduler.configure(self.intervals)
        self.states = [TenantState(Tenant(str(number)), _no_api) for number in range(self.tenants)]
        for state in self.states:
            self.scheduler.add(state, 0.0)

    def run(self, seconds: float) -> None:
        """Poll for so long."""
        end = self.seconds + seconds
        while self.seconds < end:
            poll = self.scheduler.next_due()
            if poll is None:
                self.seconds = min(end, self.seconds + max(self.scheduler.seconds_until_next() or 0.0, 0.001))
            else:
                self._poll(poll)

    def _poll(self, poll: ScheduledPoll) -> None:
        if not poll.first:
            self.most_late = max(self.most_late, self.seconds - poll.due)
        self.polls.append((self.seconds, poll.state.id, poll.schedule.name))
        requests = self.cost(poll)
        for _ in range(requests):
            poll._count_request()
        self.spent[poll.sign] += requests
        self.seconds += requests / self.rate
        self.scheduler.finish(poll)

    def gaps(self) -> Iterator[tuple[Poll, float]]:
        """The seconds between polls of the same tenant by the same collector, from the second poll on, and until now.

        The second poll is early, to spread the polls.
        """
        begun: dict[Poll, list[float]] = defaultdict(list)
        for at, tenant, name in self.polls:
            begun[tenant, name].append(at)
        for poll, moments in begun.items():
            for earlier, later in pairwise([*moments[1:], self.seconds]):
                yield poll, later - earlier

    def longest(self, name: str, *tenants: str) -> float:
        """The longest gap between polls by a collector, of all or of these tenants."""
        return max(gap for (tenant, each), gap in self.gaps() if each == name and (not tenants or tenant in tenants))


def busy(at: float) -> History:
    """An ingestion is unfinished, first seen at Unix seconds `at`."""
    return History(ingestions=IngestionsHistory(seen={"a": at}))


def due_at(hour: int) -> History:
    """A schedule is due at this hour, and no start has been told."""
    every_day = frozenset(range(7))
    schedule = Schedule("s", "collection", True, hour, "", every_day, None, None)  # noqa: FBT003 - in the order of its fields
    known = ScheduleHistory(("collection", hour, "", True), START, active_since=START)
    return History(schedules=SchedulesHistory({"s": known}, listed={"s": schedule}, polled_at=START))


def test_an_unfinished_ingestion_is_looked_at_far_more_often_than_plain_rounds_do() -> None:
    plain, priority = Fleet(100, 0.5, priorities=False), Fleet(100, 0.5)
    for fleet in (plain, priority):
        fleet.run(800)
        for state in fleet.states[:3]:
            state.history = busy(START + fleet.seconds)
        fleet.run(4 * HOUR)
    assert plain.longest("ingestions", "1") > 600
    last = [gap for poll, gap in priority.gaps() if poll == ("1", "ingestions")][2:]
    assert max(last) < 200
    assert sum(last[:-1]) / len(last[:-1]) >= 59.9, "but no more often than its interval"


def test_a_schedule_that_becomes_due_is_looked_at_without_a_poll_that_says_so() -> None:
    fleet = Fleet(100, 0.5)
    fleet.run(2000)
    fleet.states[7].history = due_at(2)
    fleet.run(2 * HOUR - fleet.seconds)
    fleet.polls.clear()
    fleet.run(20)
    assert {name for _, tenant, name in fleet.polls if tenant == "7"} == {"ingestions", "schedules"}


def test_a_new_tenant_is_polled_before_all_that_are_late() -> None:
    fleet = Fleet(100, 0.5)
    fleet.run(2000)
    new = TenantState(Tenant("new"), _no_api)
    fleet.scheduler.add(new, fleet.seconds)
    fleet.polls.clear()
    fleet.run(17)
    assert [tenant for _, tenant, _ in fleet.polls].count("new") == 4


def test_a_tenant_with_new_credentials_is_polled_soon_and_its_failing_collectors_at_once() -> None:
    fleet = Fleet(100, 0.5)
    fleet.run(4000)
    renewed = fleet.states[30]
    renewed.failures["state"] = Failure("state", "auth", "", 0.0)
    fleet.scheduler.hurry([renewed])
    fleet.polls.clear()
    fleet.run(20)
    assert {name for _, tenant, name in fleet.polls if tenant == "30"} == {poll.name for poll in INTERVALS}
    fleet.polls.clear()
    fleet.run(100)
    assert not [name for _, tenant, name in fleet.polls if tenant == "30"], "once"


def test_after_a_recovery_the_other_failing_collectors_are_polled_soon() -> None:
    fleet = Fleet(100, 0.5)
    fleet.run(4000)
    state = fleet.states[30]
    for name in ("state", "schedules"):
        state.failures[name] = Failure(name, "network", "", 0.0)

    def recovered(poll: ScheduledPoll) -> int:
        if poll.state is state:
            state.failures.pop(poll.schedule.name, None)
        return 1

    fleet.cost = recovered
    fleet.polls.clear()
    while not any(tenant == "30" and name in ("state", "schedules") for _, tenant, name in fleet.polls):
        fleet.run(2)
    fleet.run(10)
    assert {name for _, tenant, name in fleet.polls if tenant == "30"} >= {"state", "schedules"}


def test_half_of_the_requests_go_to_the_most_overdue_polls_whatever_the_others_cost() -> None:
    fleet = Fleet(60, 0.5, cost=lambda poll: 9 if poll.state.history.ingestions.seen else 1)
    fleet.run(600)
    for state in fleet.states[:30]:
        state.history = busy(START + fleet.seconds)
    fleet.spent.clear()
    fleet.run(4 * HOUR)
    assert fleet.spent[1] == pytest.approx(fleet.spent[-1], abs=20)
    assert fleet.spent[0] == 0


def test_of_polls_with_the_same_weight_those_with_short_intervals_come_more_often() -> None:
    fleet = Fleet(60, 0.5)
    fleet.run(4 * HOUR)
    times = Counter(name for _, _, name in fleet.polls)
    assert times["state"] > 1.5 * times["schedules"] > 1.5 * times["rollovers"]


def test_what_is_worth_the_same_is_polled_in_turn() -> None:
    """More is under way than half of the rate limit can follow."""
    fleet = Fleet(60, 0.2)
    fleet.run(1300)
    for state in fleet.states[:40]:
        state.history = busy(START + fleet.seconds)
    fleet.polls.clear()
    fleet.run(3 * HOUR)
    busy_ones = [str(number) for number in range(40)]
    longest = {one: fleet.longest("ingestions", one) for one in busy_ones}
    assert max(longest.values()) <= 2 * min(longest.values())


def test_while_nothing_is_late_the_heaps_keep_no_entries_of_polls_that_are_over() -> None:
    fleet = Fleet(20, 10)
    for state in fleet.states:
        state.history = busy(START)
    fleet.run(3 * HOUR)
    heaps = [heap for heaps in fleet.scheduler._queue._heaps.values() for heap in heaps.values()]
    assert sum(map(len, heaps)) <= 2 * 20 * len(INTERVALS)


def test_while_polls_are_late_there_are_at_most_about_as_many_such_entries_as_polls() -> None:
    fleet = Fleet(100, 0.5)
    fleet.run(1000)
    for state in fleet.states[:5]:
        state.history = busy(START + fleet.seconds)
    most = 0
    for _ in range(40):
        fleet.run(300)
        heaps = [heap for heaps in fleet.scheduler._queue._heaps.values() for heap in heaps.values()]
        most = max(most, sum(map(len, heaps)))
    assert most <= 3 * 100 * len(INTERVALS)


def test_an_internal_error_about_a_history_stops_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: History, now: float) -> tuple[Mapping[str, float], float]:
        raise KeyError(now)

    monkeypatch.setattr(outlook, "weights", breaks)
    fleet = Fleet(3, 10)
    fleet.run(600)
    assert fleet.most_late < 1


def test_at_the_full_hour_many_tenants_are_weighed_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(200, 100)
    for state in fleet.states:
        state.history = due_at(1)
    fleet.run(HOUR - 1)
    weighed: list[float] = []
    monkeypatch.setattr(outlook, "weights", lambda _, now: (weighed.append(now) or {}, math.inf))
    fleet.seconds = HOUR
    poll = fleet.scheduler.next_due()
    assert poll
    assert len(weighed) == 20
    fleet.scheduler.finish(poll)
    fleet.run(10)
    assert len(weighed) >= 200


def test_a_tenant_that_was_removed_is_not_kept_for_its_next_due_time() -> None:
    fleet = Fleet(3, 100)
    for state in fleet.states:
        state.history = due_at(23)
    fleet.run(2 * MINUTE)
    gone = weakref.ref(fleet.states[0])
    fleet.scheduler.remove(fleet.states.pop(0))
    del state
    fleet.run(20 * MINUTE)
    gc.collect()
    assert gone() is None


def test_a_change_of_the_strategy_while_it_runs_loses_no_poll() -> None:
    fleet = Fleet(50, 0.5)
    for strategy in (False, True, False, True):
        fleet.scheduler.priorities = strategy
        for state in fleet.states[:20]:
            state.history = busy(START + fleet.seconds)
        fleet.polls.clear()
        fleet.run(2000)
        assert len({(tenant, name) for _, tenant, name in fleet.polls}) == 50 * len(INTERVALS)


# Properties

happenings = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 11), st.sampled_from(("busy", "due", "failing", "new", "quiet"))),
    max_size=30,
)


def happen(fleet: Fleet, number: int, kind: str) -> None:
    """Let something happen to a tenant."""
    state = fleet.states[number % len(fleet.states)]
    now = START + fleet.seconds
    if kind == "busy":
        state.history = busy(now)
    elif kind == "due":
        state.history = due_at(int(now // HOUR + 1) % 24)
    elif kind == "failing":
        state.history = state.history.failed("state", now)
        state.failures["state"] = Failure("state", "network", "", now)
    elif kind == "new":
        fleet.scheduler.hurry([state])
    else:
        state.history = History()
        state.failures.clear()


def live(fleet: Fleet, happens: list[tuple[int, int, str]], step: float) -> Fleet:
    """Eight steps (seconds), at the begin of which things happen."""
    for each in range(8):
        for at, number, kind in happens:
            if at == each:
                happen(fleet, number, kind)
        fleet.run(step)
    return fleet


def test_times_far_ahead_are_kept_once_however_often_a_nearer_one_comes_and_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollover may be planned for a day in months, and meanwhile polls fail and recover."""
    fleet = Fleet(10, 100.0)
    months = START + 90 * 24 * HOUR
    turns = iter(range(10**6))
    monkeypatch.setattr(outlook, "weights", lambda _, now: ({}, months if next(turns) % 2 else now + MINUTE))
    fleet.run(2 * HOUR)
    assert len(fleet.scheduler._changes) <= 2 * fleet.tenants + 100


def test_a_delay_of_less_than_the_shortest_interval_changes_nothing() -> None:
    happens = [(0, number, "busy") for number in range(4)] + [(2, 5, "failing"), (3, 7, "new"), (4, 2, "quiet")]
    plain, priority = (live(Fleet(12, 0.8, priorities=each), happens, 300) for each in (False, True))
    assert 5 < plain.most_late < 60
    assert priority.polls == plain.polls


@settings(max_examples=30)
@given(tenants=st.integers(1, 12), happens=happenings)
def test_if_the_rate_limit_suffices_nothing_changes(tenants: int, happens: list[tuple[int, int, str]]) -> None:
    """The same polls begin at the same times."""
    # The first polls end within the shortest interval, and later ones need three quarters of the rate limit at most.
    rate = 0.8 if tenants == 12 else 1.0
    plain = live(Fleet(tenants, rate, priorities=False), happens, 900)
    priority = live(Fleet(tenants, rate), happens, 900)
    assert plain.most_late <= 60
    assert priority.polls == plain.polls


@settings(max_examples=30)
@given(
    tenants=st.integers(1, 12),
    rate=st.floats(0.02, 0.4),
    dear=st.integers(1, 6),
    happens=happenings,
)
def test_no_poll_waits_for_more_than_twice_the_time_of_a_round_after_its_interval(
    tenants: int, rate: float, dear: int, happens: list[tuple[int, int, str]]
) -> None:
    """`dear`: the requests of a poll of a tenant whose number is even."""
    cost = dear_for_some(dear)
    fleet = live(Fleet(tenants, rate, cost=cost), happens, 2 * HOUR)
    requests = sum(dear if number % 2 == 0 else 1 for number in range(tenants)) * len(INTERVALS)
    slack = 3 * dear / rate
    for (tenant, name), gap in fleet.gaps():
        interval = next(each for kind, each in INTERVALS.items() if kind.name == name)
        assert gap <= interval + 2 * requests / rate + slack, (tenant, name)


@settings(max_examples=30)
@given(tenants=st.integers(4, 12), share=st.floats(0.02, 0.9), happens=happenings)
def test_no_tenant_is_polled_less_often_than_half_as_often_as_plain_rounds_do(
    tenants: int, share: float, happens: list[tuple[int, int, str]]
) -> None:
    """`share`: of the requests that the intervals take."""
    rate = share * tenants * sum(1 / interval for interval in INTERVALS.values())
    plain = live(Fleet(tenants, rate, priorities=False), happens, 1.5 * HOUR)
    priority = live(Fleet(tenants, rate), happens, 1.5 * HOUR)
    for kind, interval in INTERVALS.items():
        assert priority.longest(kind.name) <= 2 * plain.longest(kind.name) + interval, kind.name


def dear_for_some(requests: int) -> Cost:
    return lambda poll: requests if int(poll.state.id) % 2 == 0 else 1


@settings(max_examples=30)
@given(tenants=st.integers(1, 8), rate=st.floats(0.05, 2), happens=happenings)
def test_plain_rounds_poll_the_most_overdue_one_and_nothing_else(
    tenants: int, rate: float, happens: list[tuple[int, int, str]]
) -> None:
    fleet = Fleet(tenants, rate, priorities=False)
    taken: list[tuple[tuple[float, int, int], list[tuple[float, int, int]]]] = []
    take = fleet.scheduler._queue.take

    def key(poll: ScheduledPoll) -> tuple[float, int, int]:
        return poll.due, poll.schedule.order, poll.number

    def noted(poll: ScheduledPoll) -> None:
        waiting = [key(each) for tenant in fleet.scheduler._tenants.values() for each in tenant.polls if each.queued]
        taken.append((key(poll), waiting))
        take(poll)

    fleet.scheduler._queue.take = noted  # type: ignore[method-assign]  # looks at each poll
    live(fleet, happens, 600)
    assert taken
    assert all(chosen == min(waiting) for chosen, waiting in taken)


@settings(max_examples=30)
@given(tenants=st.integers(1, 8), rate=st.floats(0.05, 1), happens=happenings)
def test_the_order_is_the_same_each_time(tenants: int, rate: float, happens: list[tuple[int, int, str]]) -> None:
    first = live(Fleet(tenants, rate), happens, 20 * MINUTE)
    assert live(Fleet(tenants, rate), happens, 20 * MINUTE).polls == first.polls


def test_weights_that_come_and_go_between_polls_leave_few_entries() -> None:
    queue, schedule = PollQueue(), CollectorSchedule(StateCollector(), 60.0, 0)
    polls = [ScheduledPoll(0.0, number, TenantState(Tenant(f"t{number}"), _no_api), schedule) for number in range(50)]
    for poll in polls:
        poll.weight = ORDINARY
        queue.push(poll)
    for _ in range(100 * len(polls)):
        first = queue.most_overdue()
        assert first
        queue.weigh(first, outlook.HIGH)
        queue.weigh(first, ORDINARY)
        queue.take(first)
        first.due += schedule.interval
        queue.push(first)
    assert max(map(len, queue._heaps[schedule].values())) <= 2 * len(polls) + 101
    for poll in polls:
        queue.weigh(poll, outlook.HIGH)
    assert queue.worth_most(10**6) is queue.most_overdue()
