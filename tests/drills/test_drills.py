"""Tests that each drill shows on the exporter's status as it says, and nothing else does, and that it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from exporter.drills import DRILLS, AlertState, Drill, DrillStateError, Run, UnknownDrillError, find
from tests.drills.demo import running_demo
from tests.support.virtual_time import run_virtual

OF_TENANTS = [drill for drill in DRILLS.values() if drill.whose == "tenant"]
OF_FLEETS = [drill for drill in DRILLS.values() if drill.whose == "fleet"]
SHOWN = [drill for drill in OF_TENANTS if drill.problem]
# Polls take 10 s at most.
POLLS = 20.0


@dataclass
class Played:
    """What happened: the runs by name and the second ones, and the problems before, during and after."""

    runs: Mapping[str, Run]
    again: Mapping[str, Run]
    before: set[tuple[str, str]]
    during: set[tuple[str, str]]
    after: set[tuple[str, str]]


slow = pytest.mark.slow


@pytest.fixture(scope="module")
def played() -> Played:
    """All drills of single tenants at once, on a tenant each, and all of them again."""

    async def play() -> Played:
        async with running_demo(30) as demo:
            await demo.clock.sleep(60)
            before, during = demo.problems(), set[tuple[str, str]]()
            rounds = []
            for _ in range(2):
                rounds.append({drill.name: demo.drills.begin(drill.name) for drill in OF_TENANTS})
                for _ in range(190):
                    await demo.clock.sleep(1)
                    during |= demo.problems()
                demo.drills.end_all()
                await demo.clock.sleep(60)
            after = demo.problems()
            for _ in range(18):  # a run that nobody ends becomes a problem later
                await demo.clock.sleep(5)
                after |= demo.problems()
            return Played(*rounds, before, during, after)

    return run_virtual(play())


@slow
def test_nothing_is_wrong_before_and_after(played: Played) -> None:
    assert (played.before, played.after) == (set(), set())


@slow
@pytest.mark.parametrize("drill", SHOWN, ids=lambda drill: drill.name)
def test_a_drill_shows_its_problem_in_time_and_no_more_after_its_end(played: Played, drill: Drill) -> None:
    for run in (played.runs[drill.name], played.again[drill.name]):
        assert run.shown is not None
        assert run.shown - run.began <= drill.after
        assert run.gone is not None
        assert run.ended is not None
        assert run.gone - run.ended <= POLLS


@slow
def test_no_tenant_has_a_problem_that_its_drill_does_not_name(played: Played) -> None:
    expected = {(tenant, run.drill.problem) for run in played.runs.values() for tenant in run.ids}
    assert played.during <= expected


@slow
def test_each_drill_has_a_tenant_of_its_own(played: Played) -> None:
    tenants = [tenant for run in played.runs.values() for tenant in run.ids]
    assert len(set(tenants)) == len(tenants) == len(OF_TENANTS)


def test_a_drill_can_be_repeated() -> None:
    async def play() -> list[tuple[bool, bool]]:
        async with running_demo(2) as demo:
            seen = []
            for name in ("overdue", "overdue", "dormant", "dormant", "rollover_not_started", "rollover_not_started"):
                run = demo.drills.begin(name)
                await demo.clock.sleep(30)
                demo.drills.end(name)
                await demo.clock.sleep(30)
                seen.append((run.shown is not None, run.gone is not None))
            return seen

    assert run_virtual(play()) == [(True, True)] * 6


@pytest.mark.parametrize("name", ["rollover_not_started", "rollover_failing"])
def test_a_rollover_that_started_late_is_seen_and_then_leaves_its_tenant_free(name: str) -> None:
    async def play() -> list[tuple[bool, int]]:
        async with running_demo(2) as demo:
            (tenant,) = demo.drills.begin(name).ids
            simulated = demo.fleet.simulator.tenant(tenant)
            await demo.clock.sleep(20)
            demo.drills.end(name)
            states = []
            for seconds in (10, 30):
                await demo.clock.sleep(seconds)
                states.append((simulated.flags["rollover_mode_enabled"], len(simulated.rollovers.all)))
            run = demo.drills.begin("fleet_stalled")
            await demo.clock.sleep(75)  # the exporter waits for 60 s after a pause
            assert run.shown is not None
            return states

    assert run_virtual(play()) == [(True, 1), (False, 0)]


def test_a_rollover_that_started_late_leaves_a_later_one_alone() -> None:
    async def play() -> bool:
        async with running_demo(2) as demo:
            (tenant,) = demo.drills.begin("rollover_not_started").ids
            demo.drills.end("rollover_not_started")
            demo.drills.begin("rollover_stuck")
            await demo.clock.sleep(60)
            return demo.fleet.simulator.tenant(tenant).flags["rollover_mode_enabled"]

    assert run_virtual(play())


@pytest.mark.parametrize("drill", OF_FLEETS, ids=lambda drill: drill.name)
def test_a_drill_of_the_fleet_shows_as_a_problem_of_many(drill: Drill) -> None:
    async def play() -> list[set[str]]:
        async with running_demo(10) as demo:
            seen = []
            for _ in range(2):
                run = demo.drills.begin(drill.name)
                await demo.clock.sleep(75)
                seen.append({each.kind for each in demo.exporter.status().fleet})
                demo.drills.end(drill.name)
                await demo.clock.sleep(75)
                assert run.is_settled
                seen.append({each.kind for each in demo.exporter.status().fleet})
            return seen

    assert run_virtual(play()) == [{drill.problem}, set()] * 2


def test_a_drill_ends_by_itself() -> None:
    async def play() -> tuple[float | None, set[tuple[str, str]]]:
        async with running_demo(2) as demo:
            run = demo.drills.begin("stalled")
            await demo.clock.sleep(run.drill.lasts + 60)
            return run.ended and run.ended - run.began, demo.problems()

    lasted, problems = run_virtual(play())
    assert lasted is not None
    assert lasted == pytest.approx(DRILLS["stalled"].lasts, abs=2)
    assert problems == set()


def test_an_alert_is_pending_then_fires_then_is_resolved() -> None:
    told: list[list[AlertState] | None] = []

    async def ask() -> list[AlertState] | None:
        return told[-1] if told else None

    async def play() -> list[str]:
        async with running_demo(2, ask) as demo:
            run = demo.drills.begin("stalled")
            (tenant,) = run.ids
            states = []

            def alert(state: str, whose: str = tenant) -> AlertState:
                return AlertState("KimonoIngestionStalled", whose, "critical", state)

            for alerts in (
                None,
                [alert("firing", "another tenant")],
                [alert("pending")],
                [alert("firing"), AlertState("KimonoOther", tenant, "warning", "firing")],
                None,
                [],
            ):
                told.append(alerts)
                await demo.clock.sleep(1.5)
                states.append(run.alert_state)
            assert run.others == {"KimonoOther"}
            return states

    assert run_virtual(play()) == ["none", "none", "pending", "firing", "firing", "resolved"]


def test_a_drill_can_not_begin_twice_nor_end_before_it_begins() -> None:
    async def play() -> None:
        async with running_demo(2) as demo:
            with pytest.raises(DrillStateError, match="not active"):
                demo.drills.end("stalled")
            demo.drills.begin("stalled")
            with pytest.raises(DrillStateError, match="active already"):
                demo.drills.begin("stalled")
            with pytest.raises(DrillStateError, match="other drills have the tenants"):
                demo.drills.begin("overdue")  # the other tenant is for `dormant`
            demo.drills.begin("dormant")
            assert len(demo.drills.end_all()) == 2
            assert demo.drills.end_all() == []

    run_virtual(play())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("xyzzy", "drill --list"),
        ("mass-chnge", "did you mean mass_change"),
        ("rollover", "rollover_stuck"),
        ("KimonoSyncStale", "did you mean dormant"),
        ("KimonoExporterDown", "the demo is the exporter"),
    ],
)
def test_an_unknown_drill_is_an_error_that_names_similar_ones(name: str, hint: str) -> None:
    with pytest.raises(UnknownDrillError, match=hint):
        find(name)


def test_hyphens_are_as_good_as_underscores() -> None:
    assert find("mass-change") is DRILLS["mass_change"]
