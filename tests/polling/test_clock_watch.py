"""Tests that jumps of the wall clock are noticed, and told from the sleep of a machine."""

from __future__ import annotations

import pytest

from exporter.clock import Clock
from exporter.polling.clock_watch import ClockWatch

START, HOUR, DAY = 1_788_220_800.0, 3600.0, 86_400.0


class Clocks:
    """A wall clock that is set, and a steady one that is not."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 5.0

    def watch(self) -> ClockWatch:
        return ClockWatch(Clock(lambda: self.wall, lambda: self.steady))

    def pass_time(self, seconds: float, jump: float = 0.0) -> None:
        self.wall += seconds + jump
        self.steady += seconds


@pytest.mark.parametrize(
    ("jumps", "moved"),
    [
        ([0.0] * 5, 0.0),
        ([-50.0, 50.0, 40.0], 0.0),
        ([-5 * HOUR], -5 * HOUR),
        ([-5 * HOUR, 5 * HOUR], 0.0),
        ([-5 * HOUR, 2 * HOUR], -3 * HOUR),
        ([-5 * HOUR, 9 * HOUR], 0.0),
        ([9 * HOUR], 0.0),
        ([9 * HOUR, -9 * HOUR], 0.0),
        ([9 * HOUR, -12 * HOUR, 3 * HOUR], 0.0),
        ([9 * HOUR, -12 * HOUR, 1 * HOUR, -9 * HOUR], -11 * HOUR),
        ([9 * HOUR, -9 * HOUR, -9 * HOUR], -9 * HOUR),
        ([6 * DAY], 0.0),
        ([8 * DAY], 8 * DAY),
        ([20_000 * DAY, -20_000 * DAY], 0.0),
        ([-25.0, -25.0, -25.0], -75.0),
    ],
)
def test_times_move_with_the_clock_but_not_with_a_sleep(jumps: list[float], moved: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    for jump in jumps:
        clocks.pass_time(3 * DAY)
        assert watch.update() == watch.update()
        clocks.pass_time(10.0, jump)
        watch.update()
    assert watch.update() == watch.moved == moved


@pytest.mark.parametrize(("age", "moved"), [(HOUR, 0.0), (-50.0, 0.0), (-5 * HOUR, -5 * HOUR)])
def test_times_that_were_saved_in_the_future_are_moved_and_back_with_the_clock(age: float, moved: float) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.restored(START - age)
    assert watch.update() == moved
    clocks.pass_time(60.0, 5 * HOUR)
    assert watch.update() == 0.0
