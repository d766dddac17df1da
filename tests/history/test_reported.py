"""Tests which problems are reported as new or over, and how long the names of the first report are kept."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from exporter.history.reported import Names, Reported, ReportedProblem, advance, begun, over, renamed
from exporter.status import Problem
from tests.support.virtual_time import START

OLD, NEW = Names("Oak", "District", "math"), Names("Elm", "District", "math")
STALL = Problem("stalled", "critical", START)
FAILING = Problem("failing", "warning", START)
FAILING_FOR_LONG = Problem("failing", "critical", START)


def after(before: Reported, *found: Problem, at: float = START, unknown: Sequence[str] = ()) -> Reported:
    return advance(before, found, unknown, NEW, at)


def test_a_problem_begins_once_and_is_over_once() -> None:
    first = after(Reported(), STALL)
    assert begun(Reported(), first) == [STALL]
    again = after(first, STALL, FAILING)
    assert begun(first, again) == [FAILING]
    assert over(first, again) == []
    waits = after(again, FAILING, at=START + 899)
    assert begun(again, waits) == over(again, waits) == []
    last = after(waits, FAILING, at=START + 900)
    assert begun(waits, last) == []
    assert over(waits, last) == [ReportedProblem(STALL, START)]


def test_a_problem_that_comes_back_within_a_quarter_of_an_hour_is_the_same() -> None:
    first = after(Reported(), STALL)
    again = after(after(first, at=START + 800), STALL, at=START + 890)
    assert begun(first, again) == []
    assert over(again, after(again, at=START + 1000)) == []


def test_a_problem_that_becomes_critical_begins_again_and_one_that_becomes_less_does_not() -> None:
    warning, critical = after(Reported(), FAILING), after(Reported(), FAILING_FOR_LONG)
    assert begun(warning, critical) == [FAILING_FOR_LONG]
    assert begun(critical, warning) == []
    assert over(warning, critical) == over(critical, warning) == []


def test_a_problem_that_is_unknown_now_goes_on() -> None:
    first = after(Reported(), STALL, FAILING)
    later = after(first, FAILING, unknown=["stalled", "overdue"])
    assert over(first, later) == []
    much_later = after(later, unknown=["stalled", "failing"], at=START + 86_400)
    assert over(later, much_later) == begun(later, much_later) == []
    soon = after(much_later, at=START + 86_400 + 800)
    assert over(much_later, soon) == []
    gone = [ReportedProblem(STALL, START + 86_400), ReportedProblem(FAILING, START + 86_400)]
    assert sorted(over(soon, after(soon, at=START + 86_400 + 900)), key=str) == sorted(gone, key=str)


def test_names_are_those_of_the_first_report_until_half_an_hour_after_the_last_problem() -> None:
    first = advance(Reported(), [STALL], (), OLD, START)
    assert first.names == OLD
    assert after(first, FAILING, at=START + 86_400).names == OLD
    later = after(first, FAILING, at=START + 86_400)
    assert after(later, at=START + 86_400 + 1799).names == OLD
    assert after(after(later, at=START + 86_400 + 900), at=START + 86_400 + 1800) == Reported()
    assert after(after(later, at=START + 86_400 + 900), STALL, at=START + 86_400 + 1790).names == OLD


def test_a_problem_that_begins_soon_after_a_renaming_has_the_old_names() -> None:
    held = renamed(Reported(), [STALL], OLD, START)
    assert held.names == OLD
    assert over(Reported(), held) == begun(Reported(), held) == []
    assert begun(held, after(held, STALL, at=START + 900)) == [STALL]
    assert after(held, STALL, at=START + 900).names == OLD
    assert after(held, at=START + 1800) == Reported()
    assert renamed(Reported(), [], OLD, START) == Reported()


def test_a_second_renaming_keeps_the_names_of_the_first_report() -> None:
    first = advance(Reported(), [STALL], (), OLD, START)
    assert renamed(first, [STALL], NEW, START + 900) == first


def test_a_clock_that_is_set_back_keeps_the_names_for_half_an_hour() -> None:
    later = after(after(Reported(), STALL, at=START + 86_400), at=START)
    assert later.names == NEW
    assert after(later, at=START + 1800) == Reported()


problems = st.lists(st.sampled_from([STALL, FAILING, FAILING_FOR_LONG]), max_size=2, unique_by=lambda each: each.kind)


@given(st.lists(st.tuples(problems, st.sets(st.sampled_from(["stalled", "failing"])), st.floats(0, 1e4))))
def test_begins_and_ends_take_turns(polls: list[tuple[list[Problem], set[str], float]]) -> None:
    reported, open_kinds = Reported(), set[str]()
    for found, unknown, seconds in polls:
        known = [problem for problem in found if problem.kind not in unknown]
        now = advance(reported, known, unknown, NEW, START + seconds)
        ended = {each.problem.kind for each in over(reported, now)}
        assert ended <= open_kinds
        open_kinds = (open_kinds - ended) | {problem.kind for problem in begun(reported, now)}
        assert open_kinds == {each.problem.kind for each in now.problems}
        assert len(now.problems) == len(open_kinds)
        assert not open_kinds or now.names
        reported = now
