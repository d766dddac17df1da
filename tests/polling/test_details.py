"""Tests what a tenant's page gets to know of it: all of it, but nothing that is out of date."""

from __future__ import annotations

import pytest

from exporter.simulator import Fault
from exporter.tenant_details import TenantDetails
from tests.support.simulated_exporter import SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

HOUR = 3600.0
FAST = {"api.rate_limit": "100000"}


def found(run: SimulatedExporter, ident: str) -> TenantDetails:
    details = run.exporter.details(ident)
    assert details is not None
    return details


def test_the_details_of_a_tenant_are_those_of_its_metrics() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, tenants=2, stories=[]) as run:
            await run.until_ready()
            first, _ = (tenant.id for tenant in run.simulator.tenants())
            run.simulator.tenant(first).flags["mass_change_pending"] = True
            run.simulator.start_ingestion(first, started_at=run.simulator.now() - 7 * HOUR)
            page = await run.pass_time(2 * HOUR)
            details = found(run, first)
            assert details.status.id == first
            assert {each.kind for each in details.status.problems} == {"mass_change"}
            assert details.flags is not None
            assert details.ingestions is not None
            assert details.schedules is not None
            waiting = next(flag for flag in details.flags.entries if flag.name == "mass_change_pending")
            since = page.value(
                "kimono_tenant_state_since_timestamp_seconds", tenant_id=first, flag="mass_change_pending"
            )
            assert (waiting.on, waiting.since) == (True, since)
            assert details.flags.entries[0] == waiting, "those that are on come first"
            assert details.paused_by == ("mass_change_pending",)
            unfinished = details.ingestions.unfinished.entries[0]
            assert details.now - (unfinished.started_at or 0.0) == pytest.approx(9 * HOUR, abs=5)
            for schedule in details.schedules.entries:
                labels = {"tenant_id": first, "schedule_id": schedule.id, "schedule_type": schedule.type}
                for name, value in (
                    ("last_due", schedule.last_due),
                    ("next_due", schedule.next_due),
                    ("last_executed", schedule.last_executed_at),
                    ("active_since", schedule.active_since),
                    ("missed_since", schedule.missed_since),
                ):
                    assert page.value(f"kimono_schedule_{name}_timestamp_seconds", **labels) == value, name
            for each in details.collectors:
                labels = {"tenant_id": first, "collector": each.name}
                success = page.value("kimono_collector_last_success_timestamp_seconds", **labels)
                assert each.last_success == success
                assert details.now <= each.next_poll <= details.now + each.interval_seconds
            assert {each.name for each in details.collectors} == {*run.exporter.poller.scheduler.schedules}

    run_virtual(scenario())


def test_what_has_expired_is_unknown_and_what_fails_is_said() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, tenants=1, stories=[]) as run:
            await run.until_ready()
            (tenant,) = run.simulator.tenants()
            run.simulator.faults.add(Fault("server_error", tenant_id=tenant.id, endpoint="/tenant/state"))
            await run.pass_time(90)
            assert found(run, tenant.id).flags is not None, "three intervals have not passed"
            await run.pass_time(300)
            details = found(run, tenant.id)
            assert details.flags is None
            assert details.paused_by == ()
            assert details.schedules is not None
            assert [each.name for each in details.collectors if each.failing] == ["state"]
            assert [each.reason for each in details.status.failures] == ["server"]
            assert run.exporter.details("no such id") is None

    run_virtual(scenario())


def test_lines_of_what_is_wrong_are_made_by_polls_and_dropped_when_it_is_over() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, tenants=2, stories=[]) as run:
            await run.until_ready()
            first, second = run.exporter.poller.discovery.tenants.values()
            run.simulator.faults.add(Fault("server_error", tenant_id=first.id, endpoint="/tenant/state"))
            await run.pass_time(200)
            assert first._entry is not None
            assert first._entry is first.entry(problems_after=0.0)
            assert [*run.exporter.entries(quiet=True)][1].tenant.id == second.id
            assert second._entry is None, "most tenants are fine, and would only take memory"
            run.simulator.faults.clear()
            await run.pass_time(200)
            assert first._entry is None

    run_virtual(scenario())


def test_a_snapshot_stays_the_same_until_something_changes() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, tenants=2, stories=[]) as run:
            await run.until_ready()
            first, second = run.exporter.poller.discovery.tenants.values()
            run.simulator.faults.add(Fault("server_error", tenant_id=first.id, endpoint="/tenant/state"))
            await run.pass_time(200)
            before, other = first.status(problems_after=0.0), second.status(problems_after=0.0)
            await run.pass_time(200)
            assert first.status(problems_after=0.0) is before
            assert second.status(problems_after=0.0) is other
            assert [each.tenant.id for each in run.exporter.entries(quiet=False)] == [first.id]
            assert len([*run.exporter.entries(quiet=True)]) == 2
            run.simulator.faults.clear()
            await run.pass_time(200)
            assert first.status(problems_after=0.0).failures == ()
            assert [*run.exporter.entries(quiet=False)] == []
            first.follow_clock(first.clock_moved + 60)
            assert first.status(problems_after=0.0) is not before

    run_virtual(scenario())
