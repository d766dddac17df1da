"""Tests that with a state file a restart changes no time and no count, in virtual time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.simulator import Fault, Simulator
from exporter.state_file import StateFile
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import START, run_virtual, virtual_clock

MARK = "S3CR3T"
FINISHED, SAVED = "kimono_ingestions_finished_total", "kimono_exporter_state_saved_timestamp_seconds"
FLAG, HOUR = "synchronization_suspended", 3600.0


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines that are logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def flags(path: Path | str, **more: str) -> dict[str, str]:
    return {"api.rate_limit": "100000", "state.file": str(path), **more}


def new_hub(**simulator: Any) -> Simulator:
    return Simulator(**{"tenants": 3, "stories": [], "now": virtual_clock().now, **simulator})


async def poll(hub: Simulator, path: Path | str, seconds: float = 130, **more: str) -> Page:
    """Run an exporter for some time; its page at the end."""
    async with running_exporter(flags(path, **more), hub=hub) as run:
        await run.until_ready()
        return await run.pass_time(seconds)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    run_virtual(scenario)


def saved_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def saved_ids(path: Path) -> set[str]:
    _, *tenants, _ = map(json.loads, saved_lines(path))
    return {tenant["id"] for tenant in tenants}


def finished(page: Page, tenant: str, state: str = "success") -> float | None:
    return page.value(FINISHED, tenant_id=tenant, ingestion_type="collection", state=state)


@pytest.mark.parametrize("lists_finished", [False, True])
def test_an_ingestion_that_ended_while_the_exporter_was_down_is_counted_and_earlier_counts_go_on(
    lists_finished: bool,  # noqa: FBT001 - a table
    path: Path,
) -> None:
    async def scenario() -> None:
        hub = new_hub(lists_finished=lists_finished)
        one, two = (tenant.id for tenant in hub.tenants()[:2])
        async with running_exporter(flags(path), hub=hub) as first:
            await first.until_ready()
            before = hub.start_ingestion(one)
            await first.pass_time(70)
            hub.finish_ingestion(one, before)
            running, failing = (hub.start_ingestion(each, started_at=hub.now()) for each in (one, two))
            page = await first.pass_time(70)
            assert finished(page, one) == 1
        await virtual_clock().sleep(HOUR)
        hub.finish_ingestion(one, running)
        hub.finish_ingestion(two, failing, "failed")
        await virtual_clock().sleep(HOUR)

        page = await poll(hub, path)
        assert finished(page, one) == 2
        assert (finished(page, two), finished(page, two, "failed")) == (0, 1)
        durations = {
            state: page.value("kimono_ingestion_duration_seconds_count", ingestion_type="collection", state=state)
            for state in ("success", "failed", "cancelled", "timeout")
        }
        assert durations == {"success": 1, "failed": 1, "cancelled": 0, "timeout": 0}, "each is there after a restart"
        assert finished(await poll(hub, path), one) == 2, "each end counts once"

    run(scenario())


def test_times_go_on_over_a_restart(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        one, two = (tenant.id for tenant in hub.tenants()[:2])
        hub.set_flag(one, FLAG, on=True)
        hub.start_ingestion(one, state="preparing")
        hub.faults.add(Fault("forbidden", tenant_id=two, endpoint="/tenant/schedules"))
        before = await poll(hub, path)
        await virtual_clock().sleep(5 * HOUR)
        after = await poll(hub, path)
        for name, labels in {
            "kimono_tenant_state_since_timestamp_seconds": {"tenant_id": one, "flag": FLAG},
            "kimono_tenant_failure_since_timestamp_seconds": {
                "tenant_id": two,
                "collector": "schedules",
                "reason": "forbidden",
            },
            "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds": {
                "tenant_id": one,
                "ingestion_type": "collection",
                "state": "preparing",
            },
        }.items():
            since = before.value(name, **labels)
            assert since is not None
            assert since < START + 60
            assert after.value(name, **labels) == since, name
        assert before.all("kimono_schedule_active_since_timestamp_seconds") == after.all(
            "kimono_schedule_active_since_timestamp_seconds"
        )

    run(scenario())


def test_without_a_state_file_times_begin_anew_and_nothing_is_written(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        one = hub.tenants()[0].id
        hub.set_flag(one, FLAG, on=True)
        name, labels = "kimono_tenant_state_since_timestamp_seconds", {"tenant_id": one, "flag": FLAG}
        values = []
        for _ in range(2):
            page = await poll(hub, "")
            assert page.value(SAVED) is None
            values.append(page.value(name, **labels))
            await virtual_clock().sleep(HOUR)
        assert values[1] > values[0] + HOUR

    run(scenario())
    assert not list(path.parent.iterdir())


def test_a_killed_exporter_loses_no_more_than_a_minute(path: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        one = hub.tenants()[0].id
        async with running_exporter(flags(path), hub=hub) as first:
            await first.until_ready()
            ingestion = hub.start_ingestion(one)
            await first.pass_time(70)
            hub.finish_ingestion(one, ingestion)
            page = await first.pass_time(130)
            assert page.value(SAVED) > first.clock.now() - 61
            shutil.copy(path, tmp_path / "as it was")
        assert finished(await poll(hub, tmp_path / "as it was"), one) == 1

    run(scenario())


def test_a_tenant_that_is_not_found_yet_is_kept_until_a_whole_discovery_does_not_find_it(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        ids = {tenant.id for tenant in hub.tenants()}
        await poll(hub, path)
        assert saved_ids(path) == ids
        hub.faults.add(Fault("html", endpoint="/tenants"))
        async with running_exporter(flags(path), hub=hub) as failing:
            await failing.pass_time(2 * HOUR)
        assert saved_ids(path) == ids, "discovery fails: nothing is known of any tenant"
        hub.faults.clear()
        gone = hub.tenants()[0].id
        hub.remove_tenant(gone)
        await poll(hub, path)
        assert saved_ids(path) == ids - {gone}

    run(scenario())


def test_a_problem_that_is_new_is_saved_though_every_poll_fails_as_before(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        one = hub.tenants()[0].id
        hub.faults.add(Fault("server_error", tenant_id=one))
        async with running_exporter(flags(path, **{"discovery.exclude": ",".join(others(hub))}), hub=hub) as running:
            await running.until_ready()
            await running.pass_time(2000)
            assert reported(path) == []
            await running.pass_time(600)
            assert reported(path) == ["unreachable"]

    run(scenario())


def others(hub: Simulator) -> list[str]:
    """The ids of all tenants but the first."""
    return [tenant.id for tenant in hub.tenants()[1:]]


def reported(path: Path) -> list[str]:
    """The kinds of problems that the file has of its only tenant."""
    _, tenant, _ = map(json.loads, path.read_text().splitlines())
    return [each["problem"]["kind"] for each in tenant["history"]["reported"]["problems"]]


def test_with_another_api_url_no_history_of_the_old_api_is_used_or_saved(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        tenant = hub.tenants()[0].id
        hub.start_ingestion(tenant)
        async with running_exporter(flags(path), hub=hub) as running:
            await running.until_ready()
            assert dict(running.exporter.poller.discovery.histories())[tenant].ingestions.unfinished
            other = running.settings.api.model_copy(update={"url": "http://127.0.0.1:2"})
            running.exporter.apply(running.settings.model_copy(update={"api": other}))
            assert not running.exporter.poller.discovery.histories()

    run(scenario())


def test_what_a_disabled_collector_knew_is_not_used_later(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub()
        one = hub.tenants()[0].id
        hub.set_flag(one, FLAG, on=True)
        ingestion = hub.start_ingestion(one)
        await poll(hub, path)
        hub.finish_ingestion(one, ingestion)
        page = await poll(hub, path, **{"collectors.state.enabled": "false"})
        assert finished(page, one) == 1
        page = await poll(hub, path)
        since = page.value("kimono_tenant_state_since_timestamp_seconds", tenant_id=one, flag=FLAG)
        assert since is not None
        assert since > START + 200
        assert finished(page, one) == 1

    run(scenario())


def test_the_file_of_a_lively_fleet_can_be_read_and_has_no_secret(path: Path) -> None:
    async def scenario() -> None:
        hub = new_hub(tenants=20, stories=None)
        async with running_exporter(flags(path), hub=hub) as running:
            await running.until_ready()
            await running.pass_time(6 * HOUR)
        hubs.append(hub)

    hubs: list[Simulator] = []
    run(scenario())
    content, tenants = path.read_text(), hubs[0].tenants()
    assert saved_ids(path) == {tenant.id for tenant in tenants}
    assert set(StateFile(path).read("http://127.0.0.1:1", START).histories) == saved_ids(path)
    assert MARK in hubs[0].api_key
    assert MARK not in content
    for tenant in tenants:
        assert tenant.credentials.client_secret not in content
        assert tenant.credentials.client_id not in content


@pytest.mark.parametrize(
    ("ending", "reason"), [("damaged", "line 1 is not valid"), ("foreign", "it was saved with another api.url")]
)
def test_a_file_that_can_not_be_used_is_logged_once_and_replaced(
    ending: str, reason: str, path: Path, lines: list[Any]
) -> None:
    if ending == "damaged":
        path.write_bytes(b"\x00\n" * 1000)

    async def scenario() -> None:
        hub = new_hub()
        if ending == "foreign":
            await poll(hub, path, **{"api.url": "http://127.0.0.1:2"})
        page = await poll(hub, path)
        assert len(page.all("kimono_tenant_up")) == 3
        assert page.value(SAVED) is not None

    run(scenario())
    assert path.with_name(f"state.{ending}").exists()
    assert len(saved_ids(path)) == 3
    told = [line for line in lines if line["event"] == "state file not used"]
    assert [(line["reason"], line["moved_to"]) for line in told] == [(reason, f"{path}.{ending}")]


def test_a_disk_that_is_full_stops_no_poll(path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Any]) -> None:
    async def fill_the_disk(running: SimulatedExporter) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            page = await running.pass_time(600)
            polled = page.all("kimono_collector_last_success_timestamp_seconds", collector="state")
            assert min(polled.values()) > running.clock.now() - 70

    async def scenario() -> None:
        async with running_exporter(flags(path), hub=new_hub()) as running:
            await running.until_ready()
            await fill_the_disk(running)
            page = await running.pass_time(120)
            assert page.value(SAVED) > running.clock.now() - 61

    run(scenario())
    told = [line["event"] for line in lines if "state" in line["event"]]
    assert told == ["state can't be saved", "state is saved again"]


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_tenants_that_come_and_go_leave_a_file_of_constant_size(path: Path) -> None:
    async def scenario() -> None:
        hub, sizes = new_hub(tenants=6), []
        async with running_exporter(flags(path, **{"discovery.interval": "60"}), hub=hub) as running:
            await running.until_ready()
            for _ in range(40):
                hub.remove_tenant(hub.tenants()[0].id)
                hub.faults.add(Fault("server_error", tenant_id=hub.add_tenant()))
                await running.pass_time(180)
                assert saved_ids(path) == {tenant.id for tenant in hub.tenants()}
                sizes.append(sum(len(line) for line in saved_lines(path)))
        assert max(sizes[20:]) <= max(sizes[:20])

    run(scenario())
