"""Tests what a wall clock that is set does to times and problems, while the exporter runs and over a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.clock import Clock
from exporter.simulator import Fault, Simulator
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual, virtual_clock

FLAG, MINUTE, HOUR, DAY = "synchronization_suspended", 60.0, 3600.0, 86_400.0
YEARS = 20 * 365 * DAY
ON_SINCE = "kimono_tenant_state_since_timestamp_seconds"
# Told by the API, or of what is to come.
TOLD = ("_due_", "_end_", "_start_", "_started_", "_executed_", "credentials", "last_run")


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines that are logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


class Set:
    """A wall clock that can be set; the hub's is right."""

    def __init__(self) -> None:
        self.ahead = 0.0
        right = virtual_clock()
        self.clock: Clock = replace(right, now=lambda: right.now() + self.ahead)
        self.hub = Simulator(tenants=3, stories=[], now=right.now)
        one, two, three = (tenant.id for tenant in self.hub.tenants())
        self.one = one
        self.hub.set_flag(one, FLAG, on=True)
        self.hub.start_ingestion(two, state="preparing")
        self.hub.faults.add(Fault("forbidden", tenant_id=three, endpoint="/tenant/schedules"))

    def flags(self, path: Path | None) -> dict[str, str]:
        more = {"state.file": str(path)} if path else {}
        return {"api.rate_limit": "100000", "collectors.rollovers.interval": "300", **more}

    def running(self, path: Path | None = None) -> Any:
        return running_exporter(self.flags(path), hub=self.hub, clock=self.clock)


def observed(page: Page) -> dict[Any, float]:
    """All times on the page that polls saw."""
    return {
        key: value
        for key, value in page.series.items()
        if key[0].startswith("kimono_") and key[0].endswith("_timestamp_seconds") and not any(t in key[0] for t in TOLD)
    }


def since(page: Page) -> dict[Any, float]:
    return {key: value for key, value in observed(page).items() if "_since_" in key[0] or "_seen_" in key[0]}


async def settled(run: SimulatedExporter, clock: Clock, seconds: float = 11 * MINUTE) -> Page:
    """The page after every collector has polled; no time that a poll saw is in the future."""
    page = await run.pass_time(seconds)
    assert max(observed(page).values()) <= clock.now()
    return page


@pytest.mark.parametrize("jump", [-5 * HOUR, -YEARS, 5 * HOUR, 3 * DAY, YEARS])
def test_a_clock_that_is_set_and_set_right_again_changes_no_time_and_invents_no_problem(
    jump: float, lines: list[Any]
) -> None:
    async def scenario() -> None:
        world = Set()
        async with world.running() as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, 2 * HOUR))
            assert before
            world.ahead = jump
            while_set = await settled(run, world.clock)
            moved = since(while_set)
            assert moved == {key: pytest.approx(before[key] + jump, abs=1) for key in moved}
            world.ahead = 0.0
            after = since(await settled(run, world.clock))
            assert len(after) >= 3
            assert after == {key: pytest.approx(before[key], abs=1) for key in after}
        assert problems(lines) <= {"unreachable"}, "one that cannot be polled all the time"

    run_virtual(scenario())


def problems(lines: list[Any]) -> set[str]:
    return {line["kind"] for line in lines if line["event"] == "tenant has a problem"}


@pytest.mark.parametrize("jump", [-5 * HOUR, -YEARS])
def test_a_clock_that_was_wrong_at_the_start_invents_no_problem(jump: float, lines: list[Any]) -> None:
    async def scenario() -> None:
        world = Set()
        world.ahead = jump
        async with world.running() as run:
            await run.until_ready()
            began = world.clock.now() - jump
            await settled(run, world.clock, HOUR)
            world.ahead = 0.0
            page = await settled(run, world.clock)
            assert min(since(page).values()) >= began - 120

    run_virtual(scenario())
    assert problems(lines) <= {"unreachable"}, "one that cannot be polled all the time"


def test_a_clock_set_to_1970_and_right_again_makes_no_time_older(lines: list[Any]) -> None:
    async def scenario() -> None:
        world = Set()
        async with world.running() as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, 2 * HOUR))
            world.ahead = HOUR - world.clock.now()
            set_at = world.clock.now()
            while_set = since(await settled(run, world.clock))
            assert min(while_set.values()) >= set_at, "not as old as possible"
            world.ahead = 0.0
            after = since(await settled(run, world.clock))
            assert all(at >= before[key] - 1 for key, at in after.items())

    run_virtual(scenario())
    assert problems(lines) <= {"unreachable"}, "one that cannot be polled all the time"


@pytest.mark.parametrize("at_start", [5 * HOUR, 0.0])
def test_a_file_of_the_future_gives_times_that_are_as_long_ago_as_they_were(at_start: float, tmp_path: Path) -> None:
    """Whether the clock was wrong all the time, or set wrong just before the end, after the last poll."""

    async def scenario() -> None:
        world, path = Set(), tmp_path / "state"
        world.ahead = at_start
        async with world.running(path) as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, HOUR))
            right = {key: at - world.ahead for key, at in before.items()}
            world.ahead = 5 * HOUR
        world.ahead = 0.0
        async with world.running(path) as run:
            await run.until_ready()
            after = since(await settled(run, world.clock))
        assert after == {key: pytest.approx(at, abs=1) for key, at in right.items()}

    run_virtual(scenario())


def test_a_clock_that_was_slow_and_is_right_just_before_the_end_makes_no_time_older(tmp_path: Path) -> None:
    async def scenario() -> None:
        world, path = Set(), tmp_path / "state"
        world.ahead = -5 * HOUR
        async with world.running(path) as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, HOUR))
            world.ahead = 0.0
        async with world.running(path) as run:
            await run.until_ready()
            after = since(await settled(run, world.clock))
        assert after == {key: pytest.approx(at + 5 * HOUR, abs=1) for key, at in before.items()}

    run_virtual(scenario())


def test_a_file_of_the_far_future_gives_no_time_that_is_older(tmp_path: Path, lines: list[Any]) -> None:
    async def scenario() -> None:
        world, path = Set(), tmp_path / "state"
        async with world.running(path) as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, HOUR))
        first, rest = path.read_text().split("\n", 1)
        header = json.loads(first)
        path.write_text(json.dumps({**header, "saved_at": header["saved_at"] + YEARS}) + "\n" + rest)
        async with world.running(path) as run:
            await run.until_ready()
            after = since(await settled(run, world.clock))
        assert after == {key: pytest.approx(at, abs=1) for key, at in before.items()}

    run_virtual(scenario())
    assert problems(lines) <= {"unreachable"}, "one that cannot be polled all the time"


def test_a_clock_that_was_years_ahead_until_a_restart_gives_times_of_the_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        world, path = Set(), tmp_path / "state"
        world.ahead = YEARS
        async with world.running(path) as run:
            await run.until_ready()
            await settled(run, world.clock, HOUR)
        world.ahead = 0.0
        restarted = world.clock.now()
        async with world.running(path) as run:
            await run.until_ready()
            after = since(await settled(run, world.clock))
        assert min(after.values()) >= restarted

    run_virtual(scenario())


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR, 3 * DAY])
def test_a_file_saved_before_a_start_with_a_wrong_clock_gives_the_same_times_once_it_is_right(
    jump: float, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world, path = Set(), tmp_path / "state"
        async with world.running(path) as run:
            await run.until_ready()
            before = since(await settled(run, world.clock, HOUR))
        world.ahead = jump
        async with world.running(path) as run:
            await run.until_ready()
            await settled(run, world.clock)
            world.ahead = 0.0
            after = since(await settled(run, world.clock))
        gone = before.keys() - after.keys()
        assert {name for name, _ in gone} <= {"kimono_ingestion_blocking_seen_timestamp_seconds"}, "it expires"
        assert after == {key: pytest.approx(before[key], abs=5) for key in after}

    run_virtual(scenario())
