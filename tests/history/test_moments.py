"""Tests that a clock that is set moves the times that polls saw, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from exporter.history import History
from exporter.history.moments import moved
from tests.history.tenant import HOUR, OFF, START, Tenant, daily, rollover, run

_JSON: TypeAdapter[History] = TypeAdapter(History)
# What the API told, or may have told. `0` is the place in a pair or a list.
TOLD = {
    "started_at",
    "last_started",
    "good_starts",
    "last_run",
    "executed",
    "covered_at",
    "last_executed",
    "ended_starts",
    "ended_until",
}


@pytest.mark.parametrize(("moment", "expected"), [(None, None), (0.0, 0.0), (5.0, 5.0), (11.0, 1.0), (100.0, 90.0)])
def test_a_moment_is_moved_but_not_to_a_time_that_means_unknown_or_for_ever(
    moment: float | None, expected: float | None
) -> None:
    assert moved(moment, -10.0) == expected


@pytest.mark.parametrize("seconds", [10.0, 1e12])
def test_a_moment_is_not_moved_beyond_the_times_that_the_state_file_takes(seconds: float) -> None:
    assert moved(253_402_300_800.0, seconds) == 253_402_300_800.0


def numbers(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], float]:
    """The floating-point numbers in a value, by their places."""
    if isinstance(value, float):
        return {path: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {place: each for key, part in parts for place, each in numbers(part, (*path, str(key))).items()}


def everything() -> History:
    """A history in which all parts have times."""
    tenant = Tenant()
    tenant.flags(START, OFF)
    tenant.flags(START + HOUR, OFF | {"setup_mode_enabled": True})
    tenant.runs(START, run("a", began=START), run("b", began=START), run("c", began=START))
    tenant.runs(START + HOUR, run("a", began=START), left=[run("b", "success", START), run("c", "failed", START)])
    tenant.schedules(START + HOUR, daily(executed=START + 9 * HOUR), daily(executed=START, ident="t"))
    tenant.rollovers(START + HOUR, rollover(failure_reason="x"), rollover("s"))
    tenant.rollovers(START + HOUR, rollover(failure_reason="x"), rollover("s", status="completed"))
    tenant.application(START + HOUR, "invalid")
    return tenant.history.failed("scoping", START)


def test_times_that_polls_saw_move_with_the_clock_and_told_ones_stay() -> None:
    history = everything()
    before = numbers(json.loads(_JSON.dump_json(history)))
    after = numbers(json.loads(_JSON.dump_json(history.after_clock_change(-5 * HOUR))))
    assert before.keys() == after.keys()
    told = {place for place in before if not TOLD.isdisjoint(place) or place[-2:] == ("ahead", "0")}
    stays = {place for place in before if after[place] == before[place] and before[place]}
    assert stays == told
    assert all(after[place] == before[place] - 5 * HOUR for place in before.keys() - told if before[place])
    assert history.after_clock_change(-5 * HOUR).after_clock_change(5 * HOUR) == history
