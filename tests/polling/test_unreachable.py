"""Does the exporter find out that it can't poll much of the fleet, without looking at all tenants at once?"""

from __future__ import annotations

import pytest

from exporter.api.client import Api
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.polling import unreachable
from exporter.polling.tenant import TenantState
from exporter.polling.unreachable import UnreachableTenants
from exporter.status import Failure, FleetProblem

NOW = 1_788_220_800.0
LONG_AGO = NOW - 3600


class Fleet:
    """Ten tenants, of which the first ones have been failing for an hour."""

    def __init__(self, failing: int) -> None:
        self.tenants = {str(number): TenantState(Tenant(id=str(number)), _no_api) for number in range(10)}
        for number in range(failing):
            self.fail(number)
        self.now = NOW
        clock = Clock(now=lambda: self.now, monotonic=lambda: self.now)
        self.found = UnreachableTenants(self.tenants, lambda: ["state"], clock)

    def fail(self, number: int) -> None:
        self.tenants[str(number)].failures["state"] = Failure("state", "server", "500", LONG_AGO + number)

    def poll(self, number: int = 9, times: int = 1) -> None:
        for _ in range(times):
            self.found.update(self.tenants[str(number)])

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


def _no_api() -> Api:
    raise AssertionError("nothing is polled")


@pytest.mark.parametrize(("failing", "many"), [(1, False), (2, True), (10, True)])
def test_a_fifth_of_the_fleet_is_many(failing: int, many: bool) -> None:  # noqa: FBT001 - a parameter of the test
    fleet = Fleet(failing)
    fleet.poll()
    assert fleet.found.many is many
    assert fleet.found.problem == (FleetProblem("unreachable", failing, LONG_AGO) if many else None)


def test_after_a_poll_only_some_of_the_tenants_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreachable, "_LOOK_AT", 4)
    fleet = Fleet(failing=3)
    fleet.poll(times=2)
    assert not fleet.found.many, "two of ten are left, and the look has not ended"
    fleet.poll()
    assert fleet.found.problem == FleetProblem("unreachable", 3, LONG_AGO)


def test_while_a_look_goes_on_what_the_last_one_found_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(failing=3)
    fleet.poll()
    monkeypatch.setattr(unreachable, "_LOOK_AT", 4)
    fleet.pass_time(31)
    for number in (3, 4):
        fleet.fail(number)
    counts = []
    for _ in range(4):
        fleet.poll()
        counts.append(fleet.found.problem and fleet.found.problem.tenants)
    assert counts == [3, 3, 5, 5]


def test_all_are_looked_at_again_after_half_a_minute_and_not_before() -> None:
    fleet = Fleet(failing=0)
    fleet.poll()
    for number in (0, 1):
        fleet.fail(number)
    fleet.pass_time(29)
    fleet.poll()
    assert not fleet.found.many
    fleet.pass_time(1)
    fleet.poll()
    assert fleet.found.many


def test_a_tenant_that_recovers_counts_no_more() -> None:
    fleet = Fleet(failing=2)
    fleet.poll()
    fleet.tenants["1"].failures.clear()
    assert fleet.found.many, "it has not been polled"
    fleet.poll(1)
    assert not fleet.found.many


def test_a_tenant_that_is_removed_counts_no_more() -> None:
    fleet = Fleet(failing=3)
    fleet.poll()
    for ident in ("0", "1"):
        fleet.tenants.pop(ident).removed = True
    assert not fleet.found.many


def test_what_recovers_or_is_removed_while_a_look_goes_on_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreachable, "_LOOK_AT", 4)
    fleet = Fleet(failing=0)
    for number in (6, 7, 8, 9):
        fleet.fail(number)
    fleet.poll(0)
    fleet.tenants["8"].failures.clear()
    fleet.poll(8)
    fleet.tenants.pop("9").removed = True
    fleet.poll(0)
    assert fleet.found.problem == FleetProblem("unreachable", 2, LONG_AGO + 6)


def test_a_tenant_that_another_replaces_counts_no_more() -> None:
    fleet = Fleet(failing=2)
    fleet.poll()
    fleet.tenants.pop("0").removed = True
    fleet.tenants["new"] = TenantState(Tenant(id="new"), _no_api)
    assert not fleet.found.many
