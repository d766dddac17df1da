"""Tests that each tenant is polled once an interval, never twice at a time, and the most overdue first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from exporter.api.client import Api
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.collectors.account import AccountCollector
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.state import StateCollector
from exporter.polling.polls import ScheduledPoll
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import TenantState
from exporter.status import Failure
from exporter.store import FLEET


class ManualClock:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.seconds)


def _no_api() -> Api:
    raise AssertionError("the scheduler calls no API")


def state(name: str) -> TenantState:
    return TenantState(Tenant(name), _no_api)


def drained(scheduler: Scheduler) -> list[ScheduledPoll]:
    """All polls that are due now; none is finished."""
    due = []
    while poll := scheduler.next_due():
        due.append(poll)
    return due


def names(polls: list[ScheduledPoll]) -> list[tuple[str, str]]:
    return [(poll.state.id, poll.schedule.name) for poll in polls]


def scheduled(*tenants: str, interval: float = 60.0) -> tuple[Scheduler, ManualClock, list[TenantState]]:
    clock = ManualClock()
    scheduler = Scheduler(clock.clock())
    scheduler.configure({StateCollector: interval})
    states = [state(name) for name in tenants]
    for each in states:
        scheduler.add(each, 0.0)
    return scheduler, clock, states


def test_first_polls_are_due_at_once_and_a_tenants_other_collectors_wait_for_it() -> None:
    clock = ManualClock()
    scheduler = Scheduler(clock.clock())
    scheduler.configure({StateCollector: 60.0, IngestionsCollector: 60.0})
    scheduler.add(state("a"), 0.0)
    scheduler.add(state("b"), 0.0)
    first = drained(scheduler)
    assert names(first) == [("a", "state"), ("b", "state")]
    assert scheduler.first_polls_left == 4
    scheduler.finish(first[0])
    assert names(drained(scheduler)) == [("a", "ingestions")]
    assert scheduler.first_polls_left == 3


def test_the_most_overdue_poll_is_next() -> None:
    scheduler, clock, _ = scheduled("a", "b", "c")
    for poll in drained(scheduler):
        scheduler.finish(poll)
    clock.seconds = 600.0
    due = drained(scheduler)
    assert len(due) == 3
    assert [poll.due for poll in due] == sorted(poll.due for poll in due)


def test_missed_polls_are_not_made_up_for() -> None:
    scheduler, clock, _ = scheduled("a")
    scheduler.finish(drained(scheduler)[0])
    clock.seconds = 1000.0
    (poll,) = drained(scheduler)
    due = poll.due
    scheduler.finish(poll)
    assert not drained(scheduler)
    assert 0 < poll.due - clock.seconds <= 60.0
    assert (poll.due - due) % 60.0 == 0.0, "it keeps its phase"


def test_a_removed_target_is_polled_no_more_and_lags_nowhere() -> None:
    scheduler, clock, (gone, kept) = scheduled("gone", "kept")
    scheduler.remove(gone)
    assert names(drained(scheduler)) == [("kept", "state")]
    assert scheduler.first_polls_left == 1
    assert scheduler.polls_per_interval == 1
    clock.seconds = 200.0
    assert scheduler.lags() == {"state": 140.0}
    assert not kept.removed


def test_a_target_that_is_removed_while_it_is_polled_is_not_scheduled_again() -> None:
    scheduler, clock, (gone,) = scheduled("gone")
    (poll,) = drained(scheduler)
    scheduler.remove(gone)
    scheduler.finish(poll)
    clock.seconds = 1000.0
    assert not drained(scheduler)
    assert scheduler.first_polls_left == 0


def test_another_interval_polls_at_once_and_the_same_one_changes_nothing() -> None:
    scheduler, clock, states = scheduled("a", "b")
    for poll in drained(scheduler):
        scheduler.finish(poll)
    clock.seconds = 1.0
    for interval, due in ((60.0, 0), (30.0, 2)):
        known = set(scheduler.schedules.values())
        assert scheduler.configure({StateCollector: interval}) == []
        for each in states:
            scheduler.add(each, clock.seconds, known)
        polls = drained(scheduler)
        assert len(polls) == due
        for poll in polls:
            scheduler.finish(poll)
    clock.seconds = 31.5
    assert Counter(names(drained(scheduler))) == {("a", "state"): 1, ("b", "state"): 1}, "the old polls are cancelled"


def test_a_collector_that_is_no_longer_enabled_is_returned_and_polls_no_more() -> None:
    scheduler, clock, _ = scheduled("a")
    assert [each.name for each in scheduler.configure({})] == ["state"]
    clock.seconds = 1000.0
    assert not drained(scheduler)
    assert scheduler.lags() == {}


def test_many_polls_that_can_not_begin_are_passed_over_in_steps() -> None:
    """New settings for 10,000 tenants cancel 50,000 polls, and the event loop must not stand still meanwhile."""
    scheduler, _, states = scheduled(*(f"t{number}" for number in range(1_000)))
    scheduler.configure({StateCollector: 30.0})
    scheduler.add(states[0], 1.0)
    steps = 0
    while scheduler.first_polls_left > 1:
        assert scheduler.seconds_until_next() == 0, "the dispatcher comes back at once"
        assert scheduler.next_due() is None
        steps += 1
    assert steps == 4


def test_collectors_of_the_account_poll_the_account_alone() -> None:
    scheduler = Scheduler(ManualClock().clock())
    scheduler.configure({StateCollector: 60.0, AccountCollector: 60.0})
    scheduler.add(state(FLEET), 0.0)
    scheduler.add(state("a"), 0.0)
    assert names(drained(scheduler)) == [("a", "state"), ("", "account")]


def test_hurry_moves_the_polls_of_failing_collectors_alone() -> None:
    scheduler, clock, (failing, working) = scheduled("failing", "working", interval=1000.0)
    for poll in drained(scheduler):
        scheduler.finish(poll)
    clock.seconds = 1.0
    failing.failures["state"] = Failure("state", "auth", "", 0.0)
    scheduler.hurry([failing, working])
    assert names(drained(scheduler)) == [("failing", "state")]


@given(
    tenants=st.integers(1, 8),
    steps=st.lists(st.tuples(st.sampled_from((0.0, 1.0, 20.0, 75.0, 400.0)), st.integers(0, 9)), max_size=40),
)
def test_no_target_is_polled_twice_at_a_time_or_more_than_once_an_interval(
    tenants: int, steps: list[tuple[float, int]]
) -> None:
    """Time passes, polls begin when they are due, and any one of the running polls ends."""
    clock = ManualClock()
    scheduler = Scheduler(clock.clock())
    scheduler.configure({StateCollector: 60.0, IngestionsCollector: 90.0})
    for number in range(tenants):
        scheduler.add(state(str(number)), 0.0)
    running: list[ScheduledPoll] = []
    begun: Counter[tuple[str, str]] = Counter()
    for seconds, chosen in steps:
        clock.seconds += seconds
        running += _begin(scheduler, begun)
        assert len({poll.state.id for poll in running}) == len(running)
        if running:
            scheduler.finish(running.pop(chosen % len(running)))
    for (_, name), count in begun.items():
        interval = 60.0 if name == "state" else 90.0
        # The first poll, and the second one, which comes before an interval has passed.
        assert count <= clock.seconds / interval + 2


def _begin(scheduler: Scheduler, begun: Counter[tuple[str, str]]) -> list[ScheduledPoll]:
    polls = drained(scheduler)
    begun.update(names(polls))
    return polls


def timing_out(each: TenantState) -> None:
    each.failures["state"] = Failure("state", "timeout", "no reply", 0.0)


def test_tenants_that_time_out_leave_room_for_the_others() -> None:
    """Of those, two at a time; the others are not held back, and the waiting ones go on in turn."""
    scheduler, _, states = scheduled(*(f"slow-{n}" for n in range(5)), "a", "b")
    for each in states[:5]:
        timing_out(each)
    polls = []
    while poll := scheduler.next_due(2):
        polls.append(poll)
    assert [one for one, _ in names(polls)] == ["slow-0", "slow-1", "a", "b"]
    scheduler.finish(polls[2])
    assert scheduler.next_due(2) is None
    for _ in range(3):
        scheduler.finish(polls.pop(0))
        following = scheduler.next_due(2)
        assert following
        assert scheduler.next_due(2) is None
        polls.insert(1, following)
    assert {one for one, _ in names(polls)} >= {"slow-3", "slow-4"}


def test_a_tenant_that_answers_again_needs_no_room_of_its_own() -> None:
    scheduler, _, states = scheduled("slow", "better", "other")
    timing_out(states[0])
    timing_out(states[1])
    first = scheduler.next_due(1)
    assert first
    assert [one for one, _ in names(drained_slow(scheduler))] == ["other"]
    states[1].failures.clear()
    scheduler.finish(first)
    following = scheduler.next_due(0)
    assert following
    assert following.state is states[1]


def drained_slow(scheduler: Scheduler) -> list[ScheduledPoll]:
    due = []
    while poll := scheduler.next_due(1):
        due.append(poll)
    return due


def test_a_single_round_polls_all_tenants_at_once_whatever_times_out() -> None:
    scheduler, _, states = scheduled("a", "b", "c")
    scheduler.repeat = False
    for each in states:
        timing_out(each)
    assert len(drained_slow(scheduler)) == 3
