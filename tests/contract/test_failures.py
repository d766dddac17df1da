"""Tests what the page shows when requests fail, rule by rule of the contract, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.api.models import State
from exporter.collectors.collector import Poll
from exporter.collectors.state import StateCollector
from exporter.families import FAMILIES
from exporter.metrics import Sample
from exporter.settings import Settings, load
from exporter.simulator import Fault
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

FAST = {"api.rate_limit": "1000"}
POLLED = {family.name for family in FAMILIES}
OWN = {
    "kimono_tenant_info",
    "kimono_tenant_up",
    "kimono_tenant_failure_info",
    "kimono_tenant_credentials_updated_timestamp_seconds",
    "kimono_collector_last_success_timestamp_seconds",
}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines that are logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def about(page: Page, tenant_id: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {key: value for key, value in page.series.items() if ("tenant_id", tenant_id) in key[1]}


def first_ids(run: SimulatedExporter) -> tuple[str, str]:
    ids = [tenant.id for tenant in run.simulator.tenants()]
    return ids[0], ids[1]


def test_a_failing_tenant_does_not_affect_the_others() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[]) as run:
            await run.until_ready()
            bad, good = first_ids(run)
            run.simulator.faults.add(Fault("server_error", tenant_id=bad))
            await run.pass_time(70)
            page = await run.pass_time(1000)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0
            assert page.labels("kimono_tenant_up", "tenant_id") == {tenant.id for tenant in run.simulator.tenants()}
            assert sum(page.all("kimono_tenant_up").values()) == len(run.simulator.tenants()) - 1
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == {bad}
            assert page.names(tenant_id=good) - OWN
            assert page.value("kimono_up") == 1

    run_virtual(scenario())


def test_last_good_series_stay_for_three_intervals_and_then_vanish() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[]) as run:
            page = await run.until_ready()
            bad, _ = first_ids(run)
            page = await run.pass_time(120)
            good = page.all("kimono_tenant_state", tenant_id=bad)
            succeeded = page.value("kimono_collector_last_success_timestamp_seconds", tenant_id=bad, collector="state")
            assert good
            assert succeeded is not None
            run.simulator.faults.add(Fault("reset", tenant_id=bad, endpoint="/tenant/state"))
            page = await run.pass_time(62)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0, "up is 0 at once"
            while run.clock.now() < succeeded + 179:
                page = await run.pass_time(1)
                assert page.all("kimono_tenant_state", tenant_id=bad) == good
            page = await run.pass_time(succeeded + 181 - run.clock.now())
            assert not page.all("kimono_tenant_state", tenant_id=bad)
            # Samples of other collectors, and the exporter's own, stay.
            assert page.all("kimono_ingestion_pending_tasks", tenant_id=bad)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0
            labels = {"tenant_id": bad, "collector": "state"}
            assert page.value("kimono_collector_last_success_timestamp_seconds", **labels) == succeeded
            assert page.labels("kimono_tenant_failure_info", "reason", **labels) == {"network"}
            run.simulator.faults.clear()
            page = await run.pass_time(61)
            assert page.all("kimono_tenant_state", tenant_id=bad) == good
            assert not page.all("kimono_tenant_failure_info")
            assert page.value("kimono_tenant_up", tenant_id=bad) == 1

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unauthorized", "auth"),
        ("forbidden", "forbidden"),
        ("not_found", "not_found"),
        ("throttle", "throttled"),
        ("hang", "timeout"),
        ("reset", "network"),
        ("server_error", "server"),
        ("html", "server"),
        ("not_json", "bad_response"),
        ("wrong_json", "bad_response"),
        ("redirect", "bad_response"),
    ],
)
def test_each_fault_has_its_reason(kind: str, reason: str) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=2) as run:
            await run.until_ready()
            bad, good = first_ids(run)
            run.simulator.faults.add(Fault(kind, tenant_id=bad, endpoint="/tenant/state"))
            page = await run.pass_time(300)
            labels = {"tenant_id": bad, "collector": "state", "reason": reason}
            assert page.all("kimono_tenant_failure_info") == {frozenset(labels.items()): 1}
            polls = {"collector": "state", "outcome": reason}
            assert (page.value("kimono_exporter_polls_total", **polls) or 0) >= 1
            assert page.value("kimono_tenant_up", tenant_id=good) == 1

    run_virtual(scenario())


def test_an_internal_error_is_a_bug_of_that_tenant_alone(monkeypatch: pytest.MonkeyPatch, lines: list[Any]) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=3) as run:
            await run.until_ready()
            bad, good = first_ids(run)
            really = StateCollector.samples

            def samples(self: StateCollector, poll: Poll[State]) -> Iterable[Sample]:
                if poll.tenant_id == bad:
                    raise KeyError("S3CR3T of a reply")
                return really(self, poll)

            monkeypatch.setattr(StateCollector, "samples", samples)
            page = await run.pass_time(70)
            assert page.labels("kimono_tenant_failure_info", "reason", tenant_id=bad) == {"bug"}
            assert page.value("kimono_tenant_up", tenant_id=good) == 1
            assert "S3CR3T" not in json.dumps(lines)

    run_virtual(scenario())


@pytest.mark.parametrize("kind", ["forbidden", "not_found"])
def test_no_application_is_no_failure(kind: str) -> None:
    async def scenario() -> None:
        flags = {**FAST, "collectors.scoping.enabled": "true"}
        async with running_exporter(flags, stories=[], tenants=2) as run:
            bad, _ = first_ids(run)
            for endpoint in ("/tenant/application", "/tenant/scoping/schools"):
                run.simulator.faults.add(Fault(kind, tenant_id=bad, endpoint=endpoint))
            page = await run.until_ready()
            assert not page.all("kimono_tenant_failure_info")
            assert page.value("kimono_tenant_up", tenant_id=bad) == 1
            assert not {name for name in page.names(tenant_id=bad) if "application" in name or "scoping" in name}

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("throttle", status=403, retry_after=30), "throttled"),
        (Fault("throttle", status=403, retry_after="date"), "throttled"),
        (Fault("throttle", status=403, retry_after=7200), "throttled"),
        (Fault("html", status=403), "forbidden"),
        (Fault("html", status=404), "not_found"),
        (Fault("html", status=410), "not_found"),
        (Fault("throttle", status=404, retry_after=30), "not_found"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_a_gateway_or_a_rate_limit_does_not_say_that_there_is_no_application(fault: Fault, reason: str) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=2) as run:
            await run.until_ready()
            page = await run.pass_time(310)
            bad, good = first_ids(run)
            rows = page.all("kimono_application_deliver_tasks", tenant_id=bad)
            assert rows
            run.simulator.faults.add(replace(fault, tenant_id=bad, endpoint="/tenant/application"))
            page = await run.pass_time(400)
            assert page.all("kimono_application_deliver_tasks", tenant_id=bad) == rows
            failing = page.all("kimono_tenant_failure_info", collector="application")
            assert {dict(have)["reason"] for have in failing} == {reason}
            assert page.value("kimono_tenant_up", tenant_id=good) == 1
            page = await run.pass_time(900)
            assert not page.all("kimono_application_deliver_tasks", tenant_id=bad), "three intervals without success"
            run.simulator.faults.clear()
            page = await run.pass_time(910)
            assert page.all("kimono_application_deliver_tasks", tenant_id=bad) == rows

    run_virtual(scenario())


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_gateways_page_does_not_say_that_an_ingestion_is_lost(status: int) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            ident = run.simulator.tenants()[0].id
            one = run.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=run.clock.now())
            await run.until_ready()
            run.simulator.faults.add(Fault("html", endpoint="/ingestions/{id}", status=status))
            run.simulator.finish_ingestion(ident, one)
            page = await run.pass_time(130)
            assert page.value("kimono_exporter_ingestions_lost_total") == 0
            run.simulator.faults.clear()
            page = await run.pass_time(70)
            labels = {"tenant_id": ident, "ingestion_type": "mirror", "state": "success"}
            assert page.value("kimono_ingestions_finished_total", **labels) == 1

    run_virtual(scenario())


def test_an_ingestion_that_the_api_no_longer_knows_is_lost_and_not_counted() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            ident, *_ = (tenant.id for tenant in run.simulator.tenants())
            started = run.clock.now() - 60
            lost = run.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=started)
            page = await run.until_ready()
            assert page.value("kimono_exporter_ingestions_lost_total") == 0
            run.simulator.remove_ingestion(ident, lost)
            page = await run.pass_time(130)
            assert page.value("kimono_exporter_ingestions_lost_total") == 1
            finished = page.all("kimono_ingestions_finished_total", ingestion_type="mirror")
            assert set(finished.values()) == {0}
            assert page.value("kimono_tenant_up", tenant_id=ident) == 1

    run_virtual(scenario())


def test_a_failed_discovery_keeps_the_tenants() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[]) as run:
            await run.until_ready()
            fault = run.simulator.faults.add(Fault("server_error", endpoint="/tenants"))
            page = await run.pass_time(400)
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 6
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert len(page.all("kimono_tenant_state")) >= 6 * 4
            fault.remove()
            page = await run.pass_time(300)
            assert page.value("kimono_up") == 1

    run_virtual(scenario())


def test_a_partial_list_of_tenants_removes_no_tenant() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=10, page_size_max=3) as run:
            await run.until_ready()
            # The second page of each discovery fails, retries included.
            run.simulator.faults.add(Fault("server_error", endpoint="/tenants", every=2))
            run.simulator.faults.add(Fault("html", endpoint="/tenants", every=3))
            page = await run.pass_time(700)
            assert page.value("kimono_tenants") == 10
            assert len(page.all("kimono_tenant_info")) == 10

    run_virtual(scenario())


@pytest.mark.parametrize("paging", ["next", "none", "empty_last"])
def test_a_partial_list_is_never_shown(paging: str) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1, page_size_max=2, paging=paging) as run:
            ident = run.simulator.tenants()[0].id
            for _ in range(7):
                now = run.clock.now()
                run.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=now)
            page = await run.until_ready()
            assert page.all("kimono_ingestions", ingestion_type="mirror").values()
            assert list(page.all("kimono_ingestions", ingestion_type="mirror").values()) == [7]
            run.simulator.faults.add(Fault("not_json", endpoint="/ingestions", every=3))
            page = await run.pass_time(170)
            assert list(page.all("kimono_ingestions", ingestion_type="mirror").values()) == [7]
            assert page.labels("kimono_tenant_failure_info", "collector") == {"ingestions"}
            page = await run.pass_time(60)
            assert not page.all("kimono_ingestions")

    run_virtual(scenario())


def test_tenants_come_and_go_without_a_restart() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[]) as run:
            await run.until_ready()
            gone, stays = first_ids(run)
            run.simulator.remove_tenant(gone)
            new = run.simulator.add_tenant("Newfound District")
            run.simulator.rename(stays, "Renamed District")
            page = await run.pass_time(330)
            assert not about(page, gone)
            assert page.value("kimono_tenant_up", tenant_id=new) == 1
            assert page.labels("kimono_tenant_info", "tenant_name", tenant_id=stays) == {"Renamed District"}
            assert len(page.all("kimono_tenant_info", tenant_id=stays)) == 1
            assert page.value("kimono_tenants") == 6

    run_virtual(scenario())


def test_a_tenant_that_is_removed_during_a_poll_stays_removed() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=2) as run:
            await run.until_ready()
            gone, _ = first_ids(run)
            run.simulator.faults.add(Fault("hang", tenant_id=gone))
            await run.pass_time(270)
            run.simulator.remove_tenant(gone)
            for _ in range(100):
                page = await run.pass_time(1)
            assert not about(page, gone)
            page = await run.pass_time(600)
            assert not about(page, gone)

    run_virtual(scenario())


def test_a_rotated_secret_is_picked_up_from_the_next_discovery() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=8) as run:
            await run.until_ready()
            for tenant in run.simulator.tenants():
                run.simulator.rotate(tenant.id)
            before = run.clock.now()
            page = await run.pass_time(90)
            assert set(page.all("kimono_tenant_up").values()) == {0}
            assert page.labels("kimono_tenant_failure_info", "reason") == {"auth"}
            # Failing tenants are polled again as soon as their new secrets are known.
            page = await run.pass_time(230)
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert "S3CR3T" not in page.text
            updated = page.all("kimono_tenant_credentials_updated_timestamp_seconds").values()
            assert all(when == pytest.approx(before, abs=2) for when in updated)

    run_virtual(scenario())


def test_failure_and_recovery_are_logged_once_with_the_name_and_no_secret(lines: list[Any]) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=3) as run:
            await run.until_ready()
            bad, _ = first_ids(run)
            name = next(tenant.name for tenant in run.simulator.tenants() if tenant.id == bad)
            run.simulator.faults.add(Fault("revoked_secret", tenant_id=bad))
            await run.pass_time(1800)
            run.simulator.faults.clear()
            await run.pass_time(1200)
            logged = [line for line in lines if line.get("tenant_id") == bad]
            assert [line["log_level"] for line in logged] == ["warning", "info"]
            assert {line["tenant"] for line in logged} == {name}
            assert "S3CR3T" not in json.dumps(lines)

    run_virtual(scenario())


def test_discovery_that_fails_is_logged_once(lines: list[Any]) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=2) as run:
            await run.until_ready()
            run.simulator.faults.add(Fault("unauthorized", endpoint="/tenants"))
            await run.pass_time(3600)
            run.simulator.faults.clear()
            await run.pass_time(300)
            logged = [line for line in lines if line["event"].startswith("discovery ")]
            assert [line["log_level"] for line in logged] == ["error", "info"]

    run_virtual(scenario())


def test_a_restart_shows_the_same_and_counts_from_zero() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=3) as run:
            await run.until_ready()
            ident, _ = first_ids(run)
            now = run.clock.now()
            done = run.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=now)
            await run.pass_time(61)
            run.simulator.finish_ingestion(ident, done)
            old = await run.pass_time(61)
            labels = {"tenant_id": ident, "ingestion_type": "mirror", "state": "success"}
            assert old.value("kimono_ingestions_finished_total", **labels) == 1
            again = type(run.exporter)(run.settings, run.transport, run.clock)
            await again.poller.once()
            new = Page(b"".join(again.page(openmetrics=False)).decode())
            assert not new.value("kimono_ingestions_finished_total", **labels)
            for name in ("kimono_tenant_info", "kimono_tenant_state", "kimono_schedule_info", "kimono_rollover_info"):
                assert new.all(name) == old.all(name)

    run_virtual(scenario())


def test_ready_comes_even_if_everything_fails() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, tenants=3) as run:
            run.simulator.faults.add(Fault("server_error"))
            await run.until_ready(60)
            page = run.page()
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 0

    run_virtual(scenario())


def test_not_ready_before_every_tenant_was_polled() -> None:
    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1"}, stories=[], tenants=3) as run:
            assert not run.exporter.ready()
            await run.pass_time(8)
            assert not run.exporter.ready()
            page = await run.until_ready()
            assert len(page.all("kimono_tenant_up")) == 3

    run_virtual(scenario())


def test_a_tenant_without_credentials_is_an_auth_failure() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            run.simulator.override("/tenants", {"data": [None, {"id": "t-1", "name": "No Credentials"}, {"name": "x"}]})
            page = await run.until_ready()
            assert page.labels("kimono_tenant_info", "tenant_id") == {"t-1"}
            assert page.value("kimono_tenant_up", tenant_id="t-1") == 0
            assert page.labels("kimono_tenant_failure_info", "reason") == {"auth"}
            assert page.value("kimono_exporter_invalid_fields_total", endpoint="/tenants", field="id") == 1

    run_virtual(scenario())


def test_health_fails_when_nothing_has_moved_for_far_too_long() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            await run.until_ready()
            assert run.exporter.healthy()
            await run.pass_time(7200)
            assert run.exporter.healthy(), "an idle fleet is a healthy one"
            run.exporter.poller.scheduler._queue.clear()
            run.exporter.poller.discovery.interval = 1e9
            await run.pass_time(400)
            run.exporter.poller.discovery.interval = 300
            await run.pass_time(1000)
            assert not run.exporter.healthy()

    run_virtual(scenario())


def test_a_server_that_asks_to_wait_does_not_make_the_exporter_unhealthy() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            await run.until_ready()
            run.simulator.faults.add(Fault("throttle", retry_after=900, times=50))
            for _ in range(100):
                await run.pass_time(60)
                assert run.exporter.healthy()

    run_virtual(scenario())


def test_the_status_says_which_tenants_fail_why_and_since_when() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=60) as run:
            await run.until_ready()
            refused, slow, *rest = [tenant.id for tenant in run.simulator.tenants()]
            begun = run.clock.now()
            run.simulator.faults.add(Fault("unauthorized", tenant_id=refused))
            run.simulator.faults.add(Fault("hang", tenant_id=slow, endpoint="/tenant/state"))
            await run.pass_time(1000)
            status = run.exporter.status()
            assert (status.tenants, status.tenants_failing) == (60, 2)
            failures = {tenant.id: {each.collector: each for each in tenant.failures} for tenant in status.failing}
            assert {each.reason for each in failures[refused].values()} == {"auth"}
            assert failures[refused].keys() == run.exporter.poller.scheduler.schedules.keys()
            assert failures[slow].keys() == {"state"}
            assert begun < min(each.since for each in failures[refused].values()) < begun + 200
            assert begun < failures[slow]["state"].since < begun + 200
            failing = {each.name: each.failing for each in status.collectors}
            assert failing == {"state": 2, "ingestions": 1, "schedules": 1, "rollovers": 1, "application": 1}
            for ident in rest:
                run.simulator.faults.add(Fault("forbidden", tenant_id=ident))
            await run.pass_time(1000)
            status = run.exporter.status()
            assert len(status.failing) == 60
            assert "S3CR3T" not in repr(status)

    run_virtual(scenario())


def test_failing_tenants_do_not_delay_the_expiry_of_another() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=40) as run:
            await run.until_ready()
            bad, *others = [tenant.id for tenant in run.simulator.tenants()]
            for ident in others[:20]:
                run.simulator.faults.add(Fault("hang", tenant_id=ident))
            await run.pass_time(600)
            run.simulator.faults.add(Fault("unauthorized", tenant_id=bad))
            page = await run.pass_time(330)
            assert not page.all("kimono_tenant_state", tenant_id=bad)
            assert page.all("kimono_tenant_state", tenant_id=others[-1])

    run_virtual(scenario())


def test_polling_recovers_at_once_after_an_outage() -> None:
    async def scenario() -> None:
        async with running_exporter({}, stories=[], tenants=200) as run:
            await run.until_ready()
            fault = run.simulator.faults.add(Fault("hang"))
            await run.pass_time(300)
            fault.remove()
            page = await run.pass_time(90)
            assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 200
            page = await run.pass_time(120)
            assert page.value("kimono_exporter_poll_lag_seconds", collector="state") == pytest.approx(0, abs=5)

    run_virtual(scenario())


def test_once_keeps_all_samples_however_long_it_takes() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=6) as run:
            run.simulator.faults.add(Fault("throttle", retry_after=600, times=1, endpoint="/tenant/rollovers"))
            again = type(run.exporter)(run.settings, run.transport, run.clock)
            await again.poller.once()
            page = Page(b"".join(again.page(openmetrics=False)).decode())
            assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 6

    run_virtual(scenario())


def test_once_ends_if_an_internal_error_stops_the_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=2) as run:
            again = type(run.exporter)(run.settings, run.transport, run.clock)
            monkeypatch.setattr(again.poller.scheduler, "finish", lambda _: 1 / 0)
            with pytest.raises(ExceptionGroup):
                await asyncio.wait_for(again.poller.once(), 60)

    run_virtual(scenario())


def test_up_is_0_until_the_first_discovery_has_ended() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=1) as run:
            run.simulator.faults.add(Fault("hang", endpoint="/tenants"))
            page = await run.pass_time(5)
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 0

    run_virtual(scenario())


def test_a_failure_of_the_account_is_shown_and_affects_no_tenant(lines: list[Any]) -> None:
    async def scenario() -> None:
        async with running_exporter({**FAST, "collectors.account.enabled": "true"}, stories=[], tenants=2) as run:
            run.simulator.faults.add(Fault("forbidden", endpoint="/actors"))
            page = await run.until_ready()
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert page.value("kimono_actors", actor_type="connector") is None
            status = run.exporter.status()
            assert [tenant.name for tenant in status.failing] == ["account"]
            assert status.tenants_failing == 0
            assert {each.name: each.failing for each in status.collectors}["account"] == 1
            assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["account fails"]

    run_virtual(scenario())


def entries(run: SimulatedExporter, *broken: int) -> list[dict[str, str]]:
    """A tenants file of the whole fleet; the secrets of the `broken` entries are wrong."""
    shown = [tenant.credentials for tenant in run.simulator.tenants()]
    return [
        {"type": one.type, "client_id": one.client_id, "client_secret": "x" if number in broken else one.client_secret}
        for number, one in enumerate(shown)
    ]


def file_settings(file: Path, url: str = "http://127.0.0.1:1") -> Settings:
    return load({"api.url": url, "api.rate_limit": "1000", "api.tenants_file": str(file)}, {})


def test_the_tenants_file_asks_all_at_once_and_keeps_its_tokens(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=12) as run:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(run)))
            slow = run.simulator.tenants()[0].id
            run.simulator.faults.add(Fault("hang", tenant_id=slow, endpoint="/tenant"))
            run.exporter.apply(file_settings(file))
            await run.pass_time(100)
            run.transport.sent.clear()
            await run.pass_time(3000)
            tokens = sum(path == "/oauth/token" for _, path in run.transport.sent)
            assert tokens <= 12, "a token for each, not one for each discovery"
            run.exporter.apply(file_settings(file))
            run.transport.sent.clear()
            await run.pass_time(300)
            assert not [path for _, path in run.transport.sent if path == "/oauth/token"], "nor one for each reload"
            run.exporter.apply(file_settings(file, "http://127.0.0.1:2"))
            await run.pass_time(300)
            (other,) = run.transport.others
            tokens = [path for _, path in other.sent if path == "/oauth/token"]
            clients = [entry for entry in entries(run) if entry["type"] == "oauth2"]
            assert len(tokens) == len(clients), "a token is for one API only"

    run_virtual(scenario())


def test_a_reload_hides_no_entry_that_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=3) as run:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(run)))
            run.exporter.apply(file_settings(file))
            page = await run.pass_time(100)
            assert page.value("kimono_up") == 1
            run.simulator.faults.add(Fault("forbidden", endpoint="/tenant", tenant_id=run.simulator.tenants()[0].id))
            run.exporter.apply(file_settings(file))
            page = await run.pass_time(100)
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 3

    run_virtual(scenario())


def test_one_entry_whose_secret_is_revoked_touches_that_tenant_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(run)))
            run.exporter.apply(file_settings(file))
            await run.pass_time(400)
            revoked = run.simulator.tenants()[2].id
            run.simulator.rotate(revoked)
            run.transport.sent.clear()
            page = await run.pass_time(3600)
            assert page.value("kimono_up") == 1, "the tenant is known, and its own series show that it fails"
            assert page.value("kimono_tenants") == 5
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == {revoked}
            assert sum(path.endswith("/tenant") for _, path in run.transport.sent) <= 5 * 13

    run_virtual(scenario())


def test_an_entry_that_was_never_known_fails_the_discovery_and_hides_no_tenant(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(run, 3)))
            again = type(run.exporter)(file_settings(file), run.transport, run.clock)
            await again.poller.once()
            page = Page(b"".join(again.page(openmetrics=False)).decode())
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 4

    run_virtual(scenario())
