"""Tests the effects of scripted stories about rollovers, whose status can be any word."""

from __future__ import annotations

import pytest

from exporter.simulator import Simulator, Story
from exporter.simulator.times import DAY, HOUR
from tests.simulator.calls import ManualClock


def begin(simulator: Simulator, kind: str, tenant_id: str, duration: float) -> None:
    simulator.add_story(Story(kind, tenant_id, simulator.now(), simulator.now() + duration))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rollover_in_progress", ("in_progress", True, False)),
        ("rollover_called_off", ("cancelled", False, False)),
        ("rollover_completed_early", ("completed", False, False)),
        ("suspended_after_rollover", ("completed", False, False)),
        ("rollover_stuck_in_progress", ("in_progress", True, True)),
        ("rollover_stuck_called_off", ("cancelled", True, False)),
    ],
)
def test_a_rollover_has_the_status_and_the_mode_of_its_story(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str, expected: tuple[str, bool, bool]
) -> None:
    begin(simulator, kind, tenant_id, 2 * DAY)
    clock.at += 6 * HOUR
    truth = simulator.truth(tenant_id)
    (rollover,) = truth.rollovers
    assert (rollover.status, truth.flags["rollover_mode_enabled"], rollover.end < clock()) == expected
    assert rollover.start < clock()
    assert truth.flags["synchronization_suspended"] == (kind == "suspended_after_rollover")
    clock.at += 2 * DAY
    assert not any(simulator.truth(tenant_id).flags.values())


def test_a_rollover_that_failed_for_good_has_failures_and_a_reason(simulator: Simulator, clock: ManualClock) -> None:
    second = simulator.tenants()[1].id
    begin(simulator, "rollover_called_off", second, 4 * DAY)
    clock.at += 3.5 * DAY
    (rollover,) = simulator.truth(second).rollovers
    assert (rollover.status, rollover.failures, rollover.reason) == ("failed", 3, "unspecified")
    assert simulator.incidents == ()


@pytest.mark.parametrize(
    "kind", ["suspended_after_rollover", "rollover_stuck_in_progress", "rollover_stuck_called_off"]
)
def test_an_incident_lasts_as_long_as_its_story(
    simulator: Simulator, clock: ManualClock, tenant_id: str, kind: str
) -> None:
    start = clock()
    begin(simulator, kind, tenant_id, 2 * DAY)
    clock.at += 3 * DAY
    assert [(one.kind, one.since, one.until) for one in simulator.incidents] == [(kind, start, start + 2 * DAY)]
