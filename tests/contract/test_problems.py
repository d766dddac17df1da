"""Tests what the exporter says of tenants with problems: in the status, in the log, on the page, over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.history import problems
from exporter.simulator import Fault, Simulator
from exporter.status import Status
from tests.support.simulated_exporter import running_exporter
from tests.support.virtual_time import run_virtual, virtual_clock

HOUR = 3600.0
FAST = {"api.rate_limit": "100000"}
BEGUN, OVER, MANY = "tenant has a problem", "problem of tenant is over", "many tenants have the same problem"
REPORTED = "kimono_tenant_reported_info"


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines that are logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def calm_hub(tenants: int = 3) -> Simulator:
    """Tenants that have no problem and get none by themselves: no schedules, and nothing runs."""
    hub = Simulator(tenants=tenants, stories=[], now=virtual_clock().now)
    for row in hub.tenants():
        tenant = hub.tenant(row.id)
        tenant.schedules.all.clear()
    return hub


def found(status: Status) -> dict[str, list[str]]:
    return {tenant.id: [problem.kind for problem in tenant.problems] for tenant in status.with_problems}


def logged(lines: list[Any], *events: str) -> list[tuple[str, str]]:
    return [(line["event"], line["kind"]) for line in lines if line["event"] in (events or (BEGUN, OVER, MANY))]


def test_the_status_has_the_worst_problems_first_and_the_log_has_each_once(lines: list[Any]) -> None:
    async def scenario() -> None:
        hub = calm_hub()
        calm, waiting, stalled = (tenant.id for tenant in hub.tenants())
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            assert found(run.exporter.status()) == {}
            hub.tenant(waiting).flags["mass_change_pending"] = True
            running = hub.start_ingestion(stalled, started_at=hub.now() - 5.5 * HOUR)
            await run.pass_time(1.5 * HOUR)
            status = run.exporter.status()
            assert list(found(status).items()) == [(stalled, ["stalled"]), (waiting, ["mass_change"])]
            assert [tenant.problems[0].severity for tenant in status.with_problems] == ["critical", "warning"]
            assert calm not in found(status)
            assert status.failing == status.fleet == ()
            for tenant in run.exporter.poller.status(with_working=True).working:
                assert [problem.kind for problem in tenant.problems] == found(status).get(tenant.id, [])
            assert sorted(logged(lines)) == [(BEGUN, "mass_change"), (BEGUN, "stalled")]
            assert {line["log_level"] for line in lines if line.get("kind") == "stalled"} == {"warning"}
            assert {line["log_level"] for line in lines if line.get("kind") == "mass_change"} == {"info"}
            hub.finish_ingestion(stalled, running)
            hub.tenant(waiting).flags["mass_change_pending"] = False
            await run.pass_time(200)
            assert found(run.exporter.status()) == {}
            assert logged(lines, OVER) == []
            await run.pass_time(900)
            assert sorted(logged(lines, OVER)) == [(OVER, "mass_change"), (OVER, "stalled")]
            assert len(logged(lines)) == 4

    run_virtual(scenario())


def test_a_restart_logs_neither_a_begin_nor_an_end_again(tmp_path: Path, lines: list[Any]) -> None:
    async def scenario() -> None:
        hub, kept = calm_hub(), {**FAST, "state.file": str(tmp_path / "state")}
        _, unreachable, stalled = (tenant.id for tenant in hub.tenants())
        hub.start_ingestion(stalled, started_at=hub.now() - 7 * HOUR)
        hub.faults.add(Fault("unauthorized", tenant_id=unreachable))
        async with running_exporter(kept, hub=hub) as run:
            await run.until_ready()
            await run.pass_time(HOUR)
            assert sorted(logged(lines)) == [(BEGUN, "credentials_rejected"), (BEGUN, "stalled")]
        async with running_exporter(kept, hub=hub) as run:
            await run.until_ready()
            await run.pass_time(HOUR)
            assert {*found(run.exporter.status())} == {unreachable, stalled}
        assert len(logged(lines)) == 2
        hub.faults.clear()
        async with running_exporter(kept, hub=hub) as run:
            await run.until_ready()
            await run.pass_time(1000)
        assert logged(lines, OVER) == [(OVER, "credentials_rejected")]

    run_virtual(scenario())


def test_what_waits_to_be_logged_is_logged_at_the_end(lines: list[Any]) -> None:
    async def scenario() -> None:
        hub = calm_hub()
        hub.start_ingestion(hub.tenants()[0].id, started_at=hub.now() - 7 * HOUR)
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            assert logged(lines) == []
        assert logged(lines) == [(BEGUN, "stalled")]

    run_virtual(scenario())


def test_a_problem_of_many_tenants_is_one_message_and_a_problem_of_the_fleet(lines: list[Any]) -> None:
    async def scenario() -> None:
        hub = calm_hub(tenants=40)
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            begun = hub.now()
            for tenant in hub.tenants()[:30]:
                hub.start_ingestion(tenant.id, started_at=begun)
            await run.pass_time(6 * HOUR + 300)
            assert logged(lines) == [(MANY, "stalled")]
            status = run.exporter.status()
            assert len(found(status)) == 30
            assert [(each.kind, each.tenants, each.since) for each in status.fleet] == [("stalled", 30, begun)]
            assert not run.page().all(REPORTED)

    run_virtual(scenario())


@pytest.mark.parametrize(("stalled", "shared"), [(4, False), (5, False), (12, True)])
def test_a_few_tenants_are_not_the_fleet(stalled: int, *, shared: bool) -> None:
    async def scenario() -> None:
        hub = calm_hub(tenants=40 if stalled > 4 else 10)
        for tenant in hub.tenants()[:stalled]:
            hub.start_ingestion(tenant.id, started_at=hub.now() - 7 * HOUR)
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            assert bool(run.exporter.status().fleet) is shared

    run_virtual(scenario())


def test_while_much_of_the_fleet_is_unreachable_single_tenants_are_not() -> None:
    async def scenario() -> None:
        hub = calm_hub(tenants=10)
        first, second, *_ = (tenant.id for tenant in hub.tenants())
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            hub.faults.add(Fault("unauthorized", tenant_id=first))
            await run.pass_time(HOUR)
            assert found(run.exporter.status()) == {first: ["credentials_rejected"]}
            hub.faults.add(Fault("server_error", tenant_id=second))
            await run.pass_time(HOUR)
            status = run.exporter.status()
            assert found(status) == {}
            assert [(each.kind, each.tenants) for each in status.fleet] == [("unreachable", 2)]
            for tenant in hub.tenants():
                hub.remove_tenant(tenant.id)
            await run.pass_time(HOUR)
            status = run.exporter.status()
            assert (status.tenants, status.fleet) == (0, ())

    run_virtual(scenario())


def test_a_renamed_tenant_keeps_its_names_until_half_an_hour_after_its_problems(tmp_path: Path) -> None:
    async def scenario() -> None:
        hub, kept = calm_hub(), {**FAST, "state.file": str(tmp_path / "state")}
        row = hub.tenants()[0]
        running = hub.start_ingestion(row.id, started_at=hub.now() - 7 * HOUR)
        async with running_exporter(kept, hub=hub) as run:
            await run.until_ready()
            assert not run.page().all(REPORTED)
            hub.rename(row.id, "Another Name")
            page = await run.pass_time(600)
            assert page.labels("kimono_tenant_info", "tenant_name", tenant_id=row.id) == {"Another Name"}
            assert page.labels(REPORTED, "tenant_name") == {row.name}
            assert page.labels(REPORTED, "tenant_id") == {row.id}
        async with running_exporter(kept, hub=hub) as run:
            await run.until_ready()
            page = await run.pass_time(120)
            assert page.labels(REPORTED, "tenant_name") == {row.name}
            hub.finish_ingestion(row.id, running)
            page = await run.pass_time(25 * 60)
            assert page.labels(REPORTED, "tenant_name") == {row.name}
            page = await run.pass_time(10 * 60)
            assert not page.all(REPORTED)

    run_virtual(scenario())


@pytest.mark.parametrize(("ahead", "old"), [(-2 * 60, True), (8 * 60, True), (30 * 60, False)])
def test_a_problem_that_begins_about_when_its_tenant_is_renamed_has_the_old_names(ahead: float, *, old: bool) -> None:
    """Rules may know of it before the next poll does, and have the names of the scrape before."""

    async def scenario() -> None:
        hub = calm_hub()
        row = hub.tenants()[0]
        hub.start_ingestion(row.id, started_at=hub.now() - 5 * HOUR)
        rare = {f"collectors.{name}.interval": "3000" for name in ("state", "ingestions", "schedules", "rollovers")}
        async with running_exporter({**FAST, **rare}, hub=hub) as run:
            await run.until_ready()
            await run.pass_time(HOUR - ahead - 300)
            hub.rename(row.id, "Another Name")
            page = await run.pass_time(301)
            assert page.labels("kimono_tenant_info", "tenant_name", tenant_id=row.id) == {"Another Name"}
            assert page.labels(REPORTED, "tenant_name") == ({row.name} if old else set())
            page = await run.pass_time(HOUR)
            assert found(run.exporter.status())
            assert page.labels(REPORTED, "tenant_name") == ({row.name} if old else set())

    run_virtual(scenario())


def test_an_internal_error_in_a_condition_stops_no_poll(monkeypatch: pytest.MonkeyPatch, lines: list[Any]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("S3CR3T")

    async def scenario() -> None:
        monkeypatch.setattr(problems, "find", broken)
        hub = calm_hub()
        async with running_exporter(FAST, hub=hub) as run:
            await run.until_ready()
            hub.rename(hub.tenants()[0].id, "Another Name")
            page = await run.pass_time(600)
            assert "Another Name" in page.labels("kimono_tenant_info", "tenant_name")
            assert run.exporter.status().tenants_failing == 0
        told = [line for line in lines if line["event"] == "problems of tenants are unknown"]
        assert len(told) == 1
        assert "ZeroDivisionError" in told[0]["detail"]
        assert "S3CR3T" not in str(lines)

    run_virtual(scenario())
