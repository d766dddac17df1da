"""Tests that metrics show sooner what happens, with a rate limit of a twentieth of what the intervals take."""

from __future__ import annotations

from tests.support.delays import KINDS, NEEDED, Night, measure


def test_ends_of_runs_are_seen_within_minutes_and_stuck_rollovers_at_once() -> None:
    night = Night(80, NEEDED * 80 / 20, "priority", 3600.0)
    priority = measure(night)
    assert all(priority.delays[kind] for kind in KINDS)
    assert priority.quantile("run ends", 0.5) < 5 * 60
    assert priority.quantile("schedule missed", 0.5) < 10 * 60
    assert priority.quantile("rollover stuck", 0.5) < 60


def test_plain_rounds_show_them_much_later() -> None:
    plain = measure(Night(80, NEEDED * 80 / 20, "plain", 3600.0))
    assert plain.quantile("run ends", 0.5) > 10 * 60
    assert plain.quantile("rollover stuck", 0.5) > 10 * 60
