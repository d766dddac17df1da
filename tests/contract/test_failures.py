"""What does the page show when things fail? Each rule of the contract, lived through on the injected clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.families import FAMILIES
from exporter.settings import Settings, load
from exporter.simulator import Fault
from tests.contract.harness import House, Page, house
from tests.virtual_time import run_virtual

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
    """What is logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def about(page: Page, tenant_id: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {key: value for key, value in page.series.items() if ("tenant_id", tenant_id) in key[1]}


def first_ids(home: House) -> tuple[str, str]:
    ids = [row.id for row in home.simulator.tenants()]
    return ids[0], ids[1]


def test_one_tenants_failure_touches_that_tenant_alone() -> None:
    async def live() -> None:
        async with house(FAST, stories=[]) as home:
            await home.until_ready()
            bad, good = first_ids(home)
            home.simulator.faults.add(Fault("server_error", tenant_id=bad))
            await home.pass_time(70)
            page = await home.pass_time(1000)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0
            assert page.labels("kimono_tenant_up", "tenant_id") == {row.id for row in home.simulator.tenants()}
            assert sum(page.all("kimono_tenant_up").values()) == len(home.simulator.tenants()) - 1
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == {bad}
            assert page.names(tenant_id=good) - OWN
            assert page.value("kimono_up") == 1

    run_virtual(live())


def test_last_good_series_stay_for_three_intervals_and_then_vanish() -> None:
    async def live() -> None:
        async with house(FAST, stories=[]) as home:
            page = await home.until_ready()
            bad, _ = first_ids(home)
            page = await home.pass_time(120)
            good = page.all("kimono_tenant_state", tenant_id=bad)
            succeeded = page.value("kimono_collector_last_success_timestamp_seconds", tenant_id=bad, collector="state")
            assert good
            assert succeeded is not None
            home.simulator.faults.add(Fault("reset", tenant_id=bad, endpoint="/tenant/state"))
            page = await home.pass_time(62)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0, "up is 0 at once"
            while home.clock.now() < succeeded + 179:
                page = await home.pass_time(1)
                assert page.all("kimono_tenant_state", tenant_id=bad) == good
            page = await home.pass_time(succeeded + 181 - home.clock.now())
            assert not page.all("kimono_tenant_state", tenant_id=bad)
            # Another collector's rows, and the exporter's own, are not touched.
            assert page.all("kimono_ingestion_pending_tasks", tenant_id=bad)
            assert page.value("kimono_tenant_up", tenant_id=bad) == 0
            labels = {"tenant_id": bad, "collector": "state"}
            assert page.value("kimono_collector_last_success_timestamp_seconds", **labels) == succeeded
            assert page.labels("kimono_tenant_failure_info", "reason", **labels) == {"network"}
            home.simulator.faults.clear()
            page = await home.pass_time(61)
            assert page.all("kimono_tenant_state", tenant_id=bad) == good
            assert not page.all("kimono_tenant_failure_info")
            assert page.value("kimono_tenant_up", tenant_id=bad) == 1

    run_virtual(live())


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
    async def live() -> None:
        async with house(FAST, stories=[], tenants=2) as home:
            await home.until_ready()
            bad, good = first_ids(home)
            home.simulator.faults.add(Fault(kind, tenant_id=bad, endpoint="/tenant/state"))
            page = await home.pass_time(300)
            labels = {"tenant_id": bad, "collector": "state", "reason": reason}
            assert page.all("kimono_tenant_failure_info") == {frozenset(labels.items()): 1}
            polls = {"collector": "state", "outcome": reason}
            assert (page.value("kimono_exporter_polls_total", **polls) or 0) >= 1
            assert page.value("kimono_tenant_up", tenant_id=good) == 1

    run_virtual(live())


def test_our_own_mistake_is_a_bug_of_that_tenant_alone(monkeypatch: pytest.MonkeyPatch, lines: list[Any]) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=3) as home:
            await home.until_ready()
            bad, good = first_ids(home)
            collector = home.exporter.poller.plans["state"].collector
            really = type(collector).read

            def read(self: object, tenant_id: str, *rest: Any) -> Any:
                if tenant_id == bad:
                    raise KeyError("S3CR3T of a reply")
                return really(self, tenant_id, *rest)

            monkeypatch.setattr(type(collector), "read", read)
            page = await home.pass_time(70)
            assert page.labels("kimono_tenant_failure_info", "reason", tenant_id=bad) == {"bug"}
            assert page.value("kimono_tenant_up", tenant_id=good) == 1
            assert "S3CR3T" not in json.dumps(lines)

    run_virtual(live())


@pytest.mark.parametrize("kind", ["forbidden", "not_found"])
def test_no_application_is_no_failure(kind: str) -> None:
    async def live() -> None:
        flags = {**FAST, "collectors.scoping.enabled": "true"}
        async with house(flags, stories=[], tenants=2) as home:
            bad, _ = first_ids(home)
            for endpoint in ("/tenant/application", "/tenant/scoping/schools"):
                home.simulator.faults.add(Fault(kind, tenant_id=bad, endpoint=endpoint))
            page = await home.until_ready()
            assert not page.all("kimono_tenant_failure_info")
            assert page.value("kimono_tenant_up", tenant_id=bad) == 1
            assert not {name for name in page.names(tenant_id=bad) if "application" in name or "scoping" in name}

    run_virtual(live())


def test_an_ingestion_that_nobody_knows_any_more_is_lost_and_not_counted() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1) as home:
            ident, *_ = (row.id for row in home.simulator.tenants())
            started = home.clock.now() - 60
            lost = home.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=started)
            page = await home.until_ready()
            assert page.value("kimono_exporter_ingestions_lost_total") == 0
            home.simulator.forget_ingestion(ident, lost)
            page = await home.pass_time(130)
            assert page.value("kimono_exporter_ingestions_lost_total") == 1
            finished = page.all("kimono_ingestions_finished_total", ingestion_type="mirror")
            assert set(finished.values()) == {0}
            assert page.value("kimono_tenant_up", tenant_id=ident) == 1

    run_virtual(live())


def test_a_failed_discovery_keeps_the_tenants() -> None:
    async def live() -> None:
        async with house(FAST, stories=[]) as home:
            await home.until_ready()
            fault = home.simulator.faults.add(Fault("server_error", endpoint="/tenants"))
            page = await home.pass_time(400)
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 6
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert len(page.all("kimono_tenant_state")) >= 6 * 4
            fault.remove()
            page = await home.pass_time(300)
            assert page.value("kimono_up") == 1

    run_virtual(live())


def test_half_a_list_of_tenants_takes_nobody_away() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=10, page_size_max=3) as home:
            await home.until_ready()
            # The second page of each discovery fails, retries included.
            home.simulator.faults.add(Fault("server_error", endpoint="/tenants", every=2))
            home.simulator.faults.add(Fault("html", endpoint="/tenants", every=3))
            page = await home.pass_time(700)
            assert page.value("kimono_tenants") == 10
            assert len(page.all("kimono_tenant_info")) == 10

    run_virtual(live())


@pytest.mark.parametrize("paging", ["next", "none", "empty_last"])
def test_half_a_list_is_never_shown_as_the_whole(paging: str) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1, page_size_max=2, paging=paging) as home:
            ident = home.simulator.tenants()[0].id
            for _ in range(7):
                now = home.clock.now()
                home.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=now)
            page = await home.until_ready()
            assert page.all("kimono_ingestions", ingestion_type="mirror").values()
            assert list(page.all("kimono_ingestions", ingestion_type="mirror").values()) == [7]
            home.simulator.faults.add(Fault("not_json", endpoint="/ingestions", every=3))
            page = await home.pass_time(170)
            assert list(page.all("kimono_ingestions", ingestion_type="mirror").values()) == [7]
            assert page.labels("kimono_tenant_failure_info", "collector") == {"ingestions"}
            page = await home.pass_time(60)
            assert not page.all("kimono_ingestions")

    run_virtual(live())


def test_tenants_come_and_go_without_a_restart() -> None:
    async def live() -> None:
        async with house(FAST, stories=[]) as home:
            await home.until_ready()
            gone, stays = first_ids(home)
            home.simulator.remove_tenant(gone)
            new = home.simulator.add_tenant("Newfound District")
            home.simulator.rename(stays, "Renamed District")
            page = await home.pass_time(330)
            assert not about(page, gone)
            assert page.value("kimono_tenant_up", tenant_id=new) == 1
            assert page.labels("kimono_tenant_info", "tenant_name", tenant_id=stays) == {"Renamed District"}
            assert len(page.all("kimono_tenant_info", tenant_id=stays)) == 1
            assert page.value("kimono_tenants") == 6

    run_virtual(live())


def test_a_tenant_that_vanishes_in_the_middle_of_a_visit_stays_gone() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=2) as home:
            await home.until_ready()
            gone, _ = first_ids(home)
            home.simulator.faults.add(Fault("hang", tenant_id=gone))
            await home.pass_time(270)
            home.simulator.remove_tenant(gone)
            for _ in range(100):
                page = await home.pass_time(1)
            assert not about(page, gone)
            page = await home.pass_time(600)
            assert not about(page, gone)

    run_virtual(live())


def test_a_rotated_secret_is_picked_up_from_the_next_discovery() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=8) as home:
            await home.until_ready()
            for row in home.simulator.tenants():
                home.simulator.rotate(row.id)
            before = home.clock.now()
            page = await home.pass_time(90)
            assert set(page.all("kimono_tenant_up").values()) == {0}
            assert page.labels("kimono_tenant_failure_info", "reason") == {"auth"}
            # Whoever failed is visited again as soon as the new secret is known.
            page = await home.pass_time(230)
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert "S3CR3T" not in page.text
            updated = page.all("kimono_tenant_credentials_updated_timestamp_seconds").values()
            assert all(when == pytest.approx(before, abs=2) for when in updated)

    run_virtual(live())


def test_failure_and_recovery_are_logged_once_with_the_name_and_no_secret(lines: list[Any]) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=3) as home:
            await home.until_ready()
            bad, _ = first_ids(home)
            name = next(row.name for row in home.simulator.tenants() if row.id == bad)
            home.simulator.faults.add(Fault("revoked_secret", tenant_id=bad))
            await home.pass_time(1800)
            home.simulator.faults.clear()
            await home.pass_time(1200)
            told = [line for line in lines if line.get("tenant_id") == bad]
            assert [line["log_level"] for line in told] == ["warning", "info"]
            assert {line["tenant"] for line in told} == {name}
            assert "S3CR3T" not in json.dumps(lines)

    run_virtual(live())


def test_discovery_that_fails_is_logged_once(lines: list[Any]) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=2) as home:
            await home.until_ready()
            home.simulator.faults.add(Fault("unauthorized", endpoint="/tenants"))
            await home.pass_time(3600)
            home.simulator.faults.clear()
            await home.pass_time(300)
            told = [line for line in lines if "be discovered" in line["event"]]
            assert [line["log_level"] for line in told] == ["error", "info"]

    run_virtual(live())


def test_a_restart_shows_the_same_and_counts_from_zero() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=3) as home:
            await home.until_ready()
            ident, _ = first_ids(home)
            now = home.clock.now()
            done = home.simulator.start_ingestion(ident, type="mirror", state="executing", started_at=now)
            await home.pass_time(61)
            home.simulator.finish_ingestion(ident, done)
            old = await home.pass_time(61)
            labels = {"tenant_id": ident, "ingestion_type": "mirror", "state": "success"}
            assert old.value("kimono_ingestions_finished_total", **labels) == 1
            settings = home.exporter._settings
            again = type(home.exporter)(settings, home.transport, home.clock)
            await again.poller.once()
            new = Page(b"".join(again.page(openmetrics=False)).decode())
            assert not new.value("kimono_ingestions_finished_total", **labels)
            for name in ("kimono_tenant_info", "kimono_tenant_state", "kimono_schedule_info", "kimono_rollover_info"):
                assert new.all(name) == old.all(name)

    run_virtual(live())


def test_ready_comes_even_if_everything_fails() -> None:
    async def live() -> None:
        async with house(FAST, tenants=3) as home:
            home.simulator.faults.add(Fault("server_error"))
            await home.until_ready(60)
            page = home.page()
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 0

    run_virtual(live())


def test_not_ready_before_everyone_was_visited() -> None:
    async def live() -> None:
        async with house({"api.rate_limit": "1"}, stories=[], tenants=3) as home:
            assert not home.exporter.ready()
            await home.pass_time(8)
            assert not home.exporter.ready()
            page = await home.until_ready()
            assert len(page.all("kimono_tenant_up")) == 3

    run_virtual(live())


def test_a_tenant_without_credentials_is_an_auth_failure() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1) as home:
            home.simulator.override(
                "/tenants", {"data": [None, {"id": "t-1", "name": "No Credentials"}, {"name": "x"}]}
            )
            page = await home.until_ready()
            assert page.labels("kimono_tenant_info", "tenant_id") == {"t-1"}
            assert page.value("kimono_tenant_up", tenant_id="t-1") == 0
            assert page.labels("kimono_tenant_failure_info", "reason") == {"auth"}
            assert page.value("kimono_exporter_invalid_fields_total", endpoint="/tenants", field="id") == 1

    run_virtual(live())


def test_health_fails_when_nothing_has_moved_for_far_too_long() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1) as home:
            await home.until_ready()
            assert home.exporter.healthy()
            await home.pass_time(7200)
            assert home.exporter.healthy(), "an idle fleet is a healthy one"
            home.exporter.poller._jobs.clear()
            home.exporter.poller._discovery_interval = 1e9
            await home.pass_time(400)
            home.exporter.poller._discovery_interval = 300
            await home.pass_time(1000)
            assert not home.exporter.healthy()

    run_virtual(live())


def test_a_server_that_asks_us_to_wait_is_no_reason_to_be_killed() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1) as home:
            await home.until_ready()
            home.simulator.faults.add(Fault("throttle", retry_after=900, times=50))
            for _ in range(100):
                await home.pass_time(60)
                assert home.exporter.healthy()

    run_virtual(live())


def test_the_status_page_is_told_who_fails_why_and_since_when() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=60) as home:
            await home.until_ready()
            refused, slow, *rest = [row.id for row in home.simulator.tenants()]
            begun = home.clock.now()
            home.simulator.faults.add(Fault("unauthorized", tenant_id=refused))
            home.simulator.faults.add(Fault("hang", tenant_id=slow, endpoint="/tenant/state"))
            await home.pass_time(1000)
            overview = home.exporter.overview()
            assert (overview.tenants, overview.tenants_failing, overview.failing_unlisted) == (60, 2, 0)
            rows = {row.tenant_id: row for row in overview.failing}
            assert rows[refused].reason == "auth"
            assert set(rows[refused].collectors.split(", ")) == set(home.exporter.poller.plans)
            assert rows[slow].collectors == "state"
            assert all(begun < row.since < begun + 200 for row in rows.values())
            failing = {row.name: row.tenants_failing for row in overview.collectors}
            assert failing == {"state": 2, "ingestions": 1, "schedules": 1, "rollovers": 1, "application": 1}
            for ident in rest:
                home.simulator.faults.add(Fault("forbidden", tenant_id=ident))
            await home.pass_time(1000)
            overview = home.exporter.overview()
            assert len(overview.failing) == 50
            assert overview.failing_unlisted == 10
            assert "S3CR3T" not in repr(overview)

    run_virtual(live())


def test_other_tenants_troubles_do_not_lengthen_three_intervals() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=40) as home:
            await home.until_ready()
            bad, *others = [row.id for row in home.simulator.tenants()]
            for ident in others[:20]:
                home.simulator.faults.add(Fault("hang", tenant_id=ident))
            await home.pass_time(600)
            home.simulator.faults.add(Fault("unauthorized", tenant_id=bad))
            page = await home.pass_time(330)
            assert not page.all("kimono_tenant_state", tenant_id=bad)
            assert page.all("kimono_tenant_state", tenant_id=others[-1])

    run_virtual(live())


def test_an_outage_is_over_when_it_is_over() -> None:
    async def live() -> None:
        async with house({}, stories=[], tenants=200) as home:
            await home.until_ready()
            fault = home.simulator.faults.add(Fault("hang"))
            await home.pass_time(300)
            fault.remove()
            page = await home.pass_time(90)
            assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 200
            page = await home.pass_time(120)
            assert page.value("kimono_exporter_poll_lag_seconds", collector="state") == pytest.approx(0, abs=5)

    run_virtual(live())


def test_once_keeps_every_good_row_however_long_it_takes() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=6) as home:
            home.simulator.faults.add(Fault("throttle", retry_after=600, times=1, endpoint="/tenant/rollovers"))
            again = type(home.exporter)(home.exporter._settings, home.transport, home.clock)
            await again.poller.once()
            page = Page(b"".join(again.page(openmetrics=False)).decode())
            assert len({dict(have)["tenant_id"] for have in page.all("kimono_tenant_state")}) == 6

    run_virtual(live())


def test_up_is_0_until_the_first_discovery_has_ended() -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=1) as home:
            home.simulator.faults.add(Fault("hang", endpoint="/tenants"))
            page = await home.pass_time(5)
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 0

    run_virtual(live())


def test_the_accounts_own_failure_is_shown_and_touches_no_tenant(lines: list[Any]) -> None:
    async def live() -> None:
        async with house({**FAST, "collectors.account.enabled": "true"}, stories=[], tenants=2) as home:
            home.simulator.faults.add(Fault("forbidden", endpoint="/actors"))
            page = await home.until_ready()
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert page.value("kimono_actors", actor_type="connector") is None
            overview = home.exporter.overview()
            assert [row.tenant_name for row in overview.failing] == ["account"]
            assert {row.name: row.tenants_failing for row in overview.collectors}["account"] == 1
            assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
                "the account's own lists can't be read"
            ]

    run_virtual(live())


def entries(home: House, *broken: int) -> list[dict[str, str]]:
    """A tenants file of the whole fleet; the secrets of some entries are wrong."""
    shown = [row.credentials for row in home.simulator.tenants()]
    return [
        {"type": one.type, "client_id": one.client_id, "client_secret": "x" if number in broken else one.client_secret}
        for number, one in enumerate(shown)
    ]


def file_settings(file: Path) -> Settings:
    return load({"api.url": "http://127.0.0.1:1", "api.rate_limit": "1000", "api.tenants_file": str(file)}, {})


def test_the_tenants_file_asks_all_at_once_and_keeps_its_tokens(tmp_path: Path) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=12) as home:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(home)))
            slow = home.simulator.tenants()[0].id
            home.simulator.faults.add(Fault("hang", tenant_id=slow, endpoint="/tenant"))
            home.exporter.apply(file_settings(file))
            await home.pass_time(100)
            home.transport.sent.clear()
            await home.pass_time(3000)
            tokens = sum(path == "/oauth/token" for _, path in home.transport.sent)
            assert tokens <= 12, "a token for each, not one for each discovery"

    run_virtual(live())


def test_one_entry_whose_secret_is_revoked_touches_that_tenant_alone(tmp_path: Path) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=5) as home:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(home)))
            home.exporter.apply(file_settings(file))
            await home.pass_time(400)
            revoked = home.simulator.tenants()[2].id
            home.simulator.rotate(revoked)
            home.transport.sent.clear()
            page = await home.pass_time(3600)
            assert page.value("kimono_up") == 1, "it is known who this is, and its own row tells that it fails"
            assert page.value("kimono_tenants") == 5
            assert page.labels("kimono_tenant_failure_info", "tenant_id") == {revoked}
            assert sum(path.endswith("/tenant") for _, path in home.transport.sent) <= 5 * 13

    run_virtual(live())


def test_an_entry_that_was_never_known_fails_the_discovery_and_hides_nobody(tmp_path: Path) -> None:
    async def live() -> None:
        async with house(FAST, stories=[], tenants=5) as home:
            file = tmp_path / "tenants.yaml"
            file.write_text(json.dumps(entries(home, 3)))
            again = type(home.exporter)(file_settings(file), home.transport, home.clock)
            await again.poller.once()
            page = Page(b"".join(again.page(openmetrics=False)).decode())
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 4

    run_virtual(live())
