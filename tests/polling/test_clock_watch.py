"""Tests that times move with a wall clock that is set, and not while the machine is suspended."""

from __future__ import annotations

import pytest

from exporter.clock import Clock
from exporter.polling.clock_watch import ClockWatch

START, HOUR, DAY = 1_788_220_800.0, 3600.0, 86_400.0


class Clocks:
    """A wall clock that is set, a steady one that is not, and how long the machine has been suspended."""

    def __init__(self) -> None:
        self.wall, self.steady, self.suspended = START, 5.0, 0.0

    def watch(self) -> ClockWatch:
        return ClockWatch(Clock(lambda: self.wall, lambda: self.steady, suspended=lambda: self.suspended))

    def pass_time(self, seconds: float, jump: float = 0.0) -> None:
        self.wall += seconds + jump
        self.steady += seconds

    def suspend(self, seconds: float) -> None:
        self.wall += seconds
        self.suspended += seconds


@pytest.mark.parametrize(
    ("jumps", "moved"),
    [
        ([0.0] * 5, 0.0),
        ([-50.0, 50.0, 40.0], 0.0),
        ([-5 * HOUR], -5 * HOUR),
        ([-5 * HOUR, 5 * HOUR], 0.0),
        ([-5 * HOUR, 2 * HOUR], -3 * HOUR),
        ([9 * HOUR], 9 * HOUR),
        ([9 * HOUR, -9 * HOUR], 0.0),
        ([9 * HOUR, -12 * HOUR, 3 * HOUR], 0.0),
        ([20_000 * DAY, -20_000 * DAY], 0.0),
        ([-25.0, -25.0, -25.0], -75.0),
        ([25.0, 25.0, 25.0], 75.0),
    ],
)
def test_times_move_with_the_clock(jumps: list[float], moved: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    for jump in jumps:
        clocks.pass_time(3 * DAY)
        assert watch.update() == watch.update()
        clocks.pass_time(10.0, jump)
        watch.update()
    assert watch.update() == watch.moved == moved


@pytest.mark.parametrize("seconds", [50.0, HOUR, 30 * DAY])
def test_times_stay_while_the_machine_is_suspended(seconds: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.suspend(seconds)
    assert watch.update() == 0.0


def test_the_clock_of_the_system_is_steady() -> None:
    clock = Clock()
    assert clock.steady() == pytest.approx(clock.monotonic() + clock.suspended(), abs=10)
    assert clock.suspended() > -1.0
    assert ClockWatch(clock).update() == 0.0


@pytest.mark.parametrize(
    ("age", "moved"),
    [(HOUR, 0.0), (-50.0, 0.0), (-5 * HOUR, -5 * HOUR), (-DAY, -DAY), (-1.01 * DAY, 0.0), (-(10.0**11), 0.0)],
)
def test_times_that_were_saved_in_the_future_are_moved_unless_it_is_too_far_to_believe(
    age: float, moved: float
) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.restored(START - age)
    assert watch.update() == moved
    clocks.pass_time(60.0, 5 * HOUR)
    assert watch.update() == moved + 5 * HOUR


@pytest.mark.parametrize(
    ("jumps", "moved"),
    [
        ([-2 * HOUR], 0.0),
        ([-3 * HOUR], 0.0),
        ([-4 * HOUR], -HOUR),
        ([-2 * HOUR, 2 * HOUR, -2 * HOUR], HOUR),
        ([HOUR], HOUR),
    ],
)
def test_a_clock_set_back_after_an_absence_may_have_been_ahead_at_the_start(jumps: list[float], moved: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.restored(START - 3 * HOUR)
    for jump in jumps:
        clocks.pass_time(60.0, jump)
        before = watch.moved
        assert watch.update() - before >= jump, "what was seen before the jump gets no older"
    assert watch.update() == moved


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
def test_a_clock_that_is_set_while_the_file_is_read_moves_no_time_twice(jump: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.pass_time(1.0, jump)
    watch.restored(START)
    assert watch.update() == pytest.approx(min(0.0, jump), abs=2)


@pytest.mark.parametrize("ahead", [HOUR, 9 * HOUR])
def test_a_clock_that_was_ahead_and_is_right_after_a_restart_makes_nothing_older(ahead: float) -> None:
    clocks = Clocks()
    since, watch = START - 300.0, clocks.watch()
    clocks.pass_time(60.0, ahead)
    since += watch.update()
    clocks.pass_time(600.0)
    saved_at = clocks.wall
    clocks.pass_time(30.0, -ahead)
    watch = clocks.watch()
    watch.restored(saved_at)
    age = clocks.wall - (since + watch.update())
    assert age == 960.0, "as old as when it was saved"
