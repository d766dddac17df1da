"""Tests that changes of the simulated API show on the exporter's page, as they do on dashboards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from exporter.simulator import Simulator
from tests.simulator.calls import AsTenant, body, moment, send
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

HOUR = 3600.0
FLAGS = {
    "api.rate_limit": "200",
    "collectors.scoping.enabled": "true",
    "collectors.account.enabled": "true",
    **{
        f"collectors.{name}.interval": "60s" for name in ("schedules", "rollovers", "scoping", "account", "application")
    },
}


class Watched:
    """A tenant, and the exporter that polls it."""

    def __init__(self, run: SimulatedExporter) -> None:
        self.run = run
        self.tenant = AsTenant(run.simulator, run.simulator.tenants()[3].id)

    def value(self, page: Page, name: str, **labels: str) -> float | None:
        """The one series of the tenant with at least these labels."""
        found = list(page.all(name, tenant_id=self.tenant.tenant_id, **labels).values())
        assert len(found) <= 1
        return found[0] if found else None


def watch(test: Callable[[Watched], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with running_exporter(FLAGS, tenants=4, stories=()) as run:
            await run.until_ready()
            await test(Watched(run))

    run_virtual(scenario())


def test_a_schedule_that_runs_by_hand_shows_its_states_and_its_end() -> None:
    async def test(watched: Watched) -> None:
        run, tenant = watched.run, watched.tenant
        (schedule,) = tenant.get("/tenant/schedules")
        pressed = run.clock.now()
        assert tenant.send("POST", f"/tenant/schedules/{schedule['id']}/run").status == 204
        states: set[str] = set()
        for _ in range(12):
            page = await run.pass_time(300)
            states |= page.labels("kimono_ingestions", "state", tenant_id=tenant.tenant_id, ingestion_type="collection")
        assert "executing" in states
        executed = watched.value(page, "kimono_schedule_last_executed_timestamp_seconds", schedule_id=schedule["id"])
        assert executed is not None
        assert abs(executed - pressed) < 1
        ended = page.all("kimono_ingestions_finished_total", tenant_id=tenant.tenant_id, ingestion_type="collection")
        assert sum(ended.values()) == 1

    watch(test)


def test_schedules_that_come_and_go_do_so_on_the_page() -> None:
    async def test(watched: Watched) -> None:
        run, tenant = watched.run, watched.tenant
        created = body(tenant.send("POST", "/tenant/schedules", {"hour": 2}))["data"]["id"]
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_schedule_enabled", schedule_id=created) == 1
        due = watched.value(page, "kimono_schedule_next_due_timestamp_seconds", schedule_id=created)
        assert due is not None
        assert due % (24 * HOUR) == 2 * HOUR
        tenant.send("PUT", f"/tenant/schedules/{created}", {"enabled": False})
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_schedule_enabled", schedule_id=created) == 0
        assert watched.value(page, "kimono_schedule_next_due_timestamp_seconds", schedule_id=created) is None
        tenant.send("DELETE", f"/tenant/schedules/{created}")
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_schedule_enabled", schedule_id=created) is None

    watch(test)


def test_a_rollover_that_opens_pauses_the_tenant_on_the_page() -> None:
    async def test(watched: Watched) -> None:
        run, tenant, now = watched.run, watched.tenant, watched.run.clock.now()
        sent = {"name": "Drill", "type": "new_year", "status": "upcoming"}
        sent |= {"start_date": moment(now + 200), "end_date": moment(now + 500)}
        sent["cloud_id"] = tenant.get("/tenant")["cloud"]["id"]
        created = body(tenant.send("POST", "/tenant/rollovers", sent))["data"]["id"]
        seen = []
        for seconds in (150, 200, 300):
            page = await run.pass_time(seconds)
            flag = watched.value(page, "kimono_tenant_state", flag="rollover_mode_enabled")
            (status,) = page.labels("kimono_rollover_status", "status", rollover_id=created)
            seen.append((flag, status))
        assert seen == [(0, "upcoming"), (1, "ongoing"), (0, "completed")]
        start = watched.value(page, "kimono_rollover_start_timestamp_seconds", rollover_id=created)
        assert abs((start or 0) - now - 200) < 1

    watch(test)


def test_schools_that_are_selected_count_as_such_on_the_page() -> None:
    async def test(watched: Watched) -> None:
        run, tenant = watched.run, watched.tenant
        tenant.send("POST", "/tenant/scoping/schools", {"data": [{"selected": True}, {}, {}]})
        page = await run.pass_time(120)
        counts = [watched.value(page, "kimono_scoping_schools", selected=on) for on in ("true", "false")]
        assert counts == [1, 2]
        for school in tenant.get("/tenant/scoping/schools"):
            tenant.send("PUT", f"/tenant/scoping/schools/{school['school_id']}", {"selected": True})
        tenant.send("DELETE", "/tenant/scoping/courses")
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_scoping_schools", selected="true") == 3
        assert watched.value(page, "kimono_scoping_courses", selected="true") == 0

    watch(test)


def test_credentials_that_are_confirmed_mend_the_application_on_the_page() -> None:
    async def test(watched: Watched) -> None:
        run, tenant = watched.run, watched.tenant
        run.simulator.begin_story("application_auth", tenant.tenant_id)
        run.simulator.tenant(tenant.tenant_id).application_or_new().auth_state_pending = "updating"
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_application_auth_state", state="error") == 1
        assert tenant.send("PUT", "/tenant/application", {"auth_state_pending": "confirmed"}).status == 200
        page = await run.pass_time(120)
        assert watched.value(page, "kimono_application_auth_state", state="confirmed") == 1

    watch(test)


def test_clouds_and_versions_of_the_account_show_on_the_page() -> None:
    async def test(watched: Watched) -> None:
        run = watched.run
        before = run.page().value("kimono_clouds")
        assert before is not None
        send(run.simulator, "POST", "/clouds", json_body={"name": "Hub"})
        created = body(send(run.simulator, "POST", "/integrations", json_body={"name": "new"}))["data"]["id"]
        sent = {"version": "0.1", "release_state": "beta"}
        send(run.simulator, "POST", f"/integrations/{created}/versions", json_body=sent)
        page = await run.pass_time(120)
        assert page.value("kimono_clouds") == before + 1
        labels = {"integration": "new", "version": "0.1", "release_state": "beta"}
        assert page.value("kimono_integration_version_info", **labels) == 1

    watch(test)


def test_all_that_the_exporter_sends_while_it_polls_reads() -> None:
    """The exporter, with every collector, makes none of the calls that change things."""

    async def scenario() -> None:
        async with running_exporter(FLAGS, tenants=8, record=True) as run:
            await run.until_ready()
            await run.pass_time(300)
            sent = {(one.method, one.endpoint) for one in run.simulator.requests}
            assert len(sent) > 10
            assert {method for method, endpoint in sent if endpoint != "/oauth/token"} == {"GET"}

    run_virtual(scenario())


def test_what_a_client_creates_has_the_same_ids_each_time() -> None:
    def ids() -> list[str]:
        simulator = Simulator(stories=(), tenants=4, now=lambda: 1_788_220_800.0)
        tenant = AsTenant(simulator, simulator.tenants()[3].id)
        return [
            body(tenant.send("POST", "/tenant/schedules", {"hour": 2}))["data"]["id"],
            body(send(simulator, "POST", "/clouds", json_body={"name": "Hub"}))["data"]["id"],
        ]

    assert ids() == ids()
