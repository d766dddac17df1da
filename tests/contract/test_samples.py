"""Tests that the page shows what is true in the simulated hub, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from exporter.collectors import COLLECTORS
from exporter.families import FAMILIES
from exporter.simulator.records import INGESTION_FINAL_STATES
from tests.contract.truth import CHECKS, Fleet, truths
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

# For tests of a day: they need no poll a minute.
SLOWLY = {f"collectors.{name}.interval": "30m" for name in ("state", "schedules", "rollovers", "application")}
# Types of runs, one after the other.
RUNS = ("collection", "collection", "mirror", "bulk_load")
ALL_COLLECTORS = {f"collectors.{each.name}.enabled": "true" for each in COLLECTORS}


def settled(seconds: float = 0, flags: Mapping[str, str] | None = None, **simulator: object) -> Fleet:
    """A page after the first polls, the hub, and the times when polling began and ended."""

    async def scenario() -> Fleet:
        async with running_exporter(
            {"api.rate_limit": "100000", **ALL_COLLECTORS, **(flags or {})}, **simulator
        ) as run:
            begun = run.clock.now()
            page = await run.until_ready()
            if seconds:
                page = await run.pass_time(seconds)
            return page, run.simulator, begun, run.clock.now()

    return run_virtual(scenario())


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return settled(tenants=60)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_page_shows_the_truth(check: Callable[[Fleet], None], fleet: Fleet) -> None:
    check(fleet)


async def two_days_of_runs(run: SimulatedExporter) -> Page:
    """Pass two days in which every tenant runs something every three hours, and some tenants' runs fail."""
    tenants = [run.simulator.tenant(each.id) for each in run.simulator.tenants()]
    for tenant in tenants[:4]:
        tenant.ingestions.hub_failure_rate = 0.5
    tenants[4].ingestions.collections_fail = True
    for number in range(16):
        await run.clock.sleep(3 * 3600)
        for tenant in tenants:
            tenant.ingestions.start_if_idle(RUNS[number % len(RUNS)], run.clock.now())
    return run.page()


@pytest.mark.slow
@pytest.mark.parametrize("lists_finished", [False, True])
def test_ends_and_durations_over_two_days_are_the_hubs_own(*, lists_finished: bool) -> None:
    async def scenario() -> None:
        flags = {"api.rate_limit": "100000", **SLOWLY, "collectors.ingestions.interval": "2m"}
        async with running_exporter(flags, tenants=12, lists_finished=lists_finished) as run:
            page = await run.until_ready()
            first = run.clock.now()
            page = await two_days_of_runs(run)
            now = run.clock.now()
            true: Counter[tuple[str, str, str]] = Counter()
            for truth in truths(run.simulator):
                for each in truth.ingestions:
                    # Those that began and ended between two polls are invisible to one kind of server, and
                    # what ended within the last poll is not seen yet.
                    lasted = (each.ended_at or now) - each.created_at > 240
                    if lasted and each.ended_at and first < each.ended_at < now - 240:
                        true[truth.tenant_id, each.type, each.state] += 1
            shown = {
                (dict(have)["tenant_id"], dict(have)["ingestion_type"], dict(have)["state"]): value
                for have, value in page.all("kimono_ingestions_finished_total").items()
                if value
            }
            assert shown == true
            assert sum(true.values()) > 100, "two days should see many ends"
            assert max(true.values()) > 3
            assert {state for *_, state in true} == set(INGESTION_FINAL_STATES)
            assert {kind for _, kind, _ in true} >= set(RUNS)
            by_kind: Counter[tuple[str, str]] = Counter()
            for (_, kind, state), count in true.items():
                by_kind[kind, state] += count
            for (kind, state), count in by_kind.items():
                labels = {"ingestion_type": kind, "state": state}
                # Where the hub does not say when an ingestion started, its duration is not known.
                assert 0 < (page.value("kimono_ingestion_duration_seconds_count", **labels) or 0) <= count
            assert sum(page.all("kimono_ingestion_duration_seconds_sum").values()) > 3600

    run_virtual(scenario())


@pytest.mark.slow
def test_every_declared_family_is_on_the_page_of_a_day() -> None:
    page, *_ = settled(86_400, {**SLOWLY, "collectors.ingestions.interval": "10m"}, tenants=40)
    shown = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name, _ in page.series}
    # No poll fails, no tenant is renamed, and all times can be parsed.
    failing = {"kimono_tenant_failure_info", "kimono_tenant_failure_since_timestamp_seconds"}
    unknown = {"kimono_rollover_start_unknown", "kimono_rollover_end_unknown"}
    assert {family.name for family in FAMILIES} - shown == {*failing, *unknown, "kimono_tenant_reported_info"}


def test_an_object_listed_twice_gives_one_series() -> None:
    schedule = {"id": "s", "type": "collection", "enabled": True, "hour": 3, "days": None}
    anonymous = {"type": "collection", "enabled": True, "hour": 4}

    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000"}, tenants=1, stories=[]) as run:
            run.simulator.override(
                "/tenant/schedules", {"data": [None, schedule, anonymous, schedule, {**anonymous, "days": "mon-fri"}]}
            )
            page = await run.until_ready()
            assert page.labels("kimono_schedule_enabled", "schedule_id") == {"s", "collection@4"}
            assert len(page.all("kimono_schedule_info")) == 2

    run_virtual(scenario())


def test_a_value_that_the_api_does_not_return_has_no_sample() -> None:
    bare = {
        "/tenant/state": {"data": {"rollover_mode_enabled": None, "synchronization_suspended": "yes"}},
        "/ingestions": {"data": [{"id": "a", "type": "collection", "state": "executing", "started_at": None}]},
        "/tenant/schedules": {"data": [{"id": "s", "type": "collection"}]},
        "/tenant/rollovers": {"data": [{"id": "r"}]},
        "/tenant/application": {"data": {"auth_type": "oauth2"}},
    }

    async def scenario() -> None:
        async with running_exporter({"api.rate_limit": "1000"}, tenants=1, stories=[]) as run:
            for endpoint, body in bare.items():
                run.simulator.override(endpoint, body)
            page = await run.until_ready()
            present = {name for name in page.names() if not name.startswith(("kimono_exporter_", "process", "python"))}
            assert present - {"kimono_up", "kimono_tenants"} == {
                "kimono_tenant_info",
                "kimono_tenant_up",
                "kimono_tenant_credentials_updated_timestamp_seconds",
                "kimono_collector_last_success_timestamp_seconds",
                "kimono_ingestions",
                "kimono_ingestions_finished_total",
                # The exporter's own count: no end yet.
                *(f"kimono_ingestion_duration_seconds_{part}" for part in ("bucket", "count", "sum")),
                "kimono_ingestion_pending_tasks",
                # When the exporter first saw it: without a start, that is the run's time.
                "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds",
                "kimono_ingestion_blocking_seen_timestamp_seconds",
                "kimono_tenant_last_run_timestamp_seconds",
                "kimono_schedule_info",
                "kimono_schedule_changed_timestamp_seconds",
                "kimono_rollover_info",
            }
            assert set(page.all("kimono_ingestion_duration_seconds_count").values()) == {0}
            invalid = page.value(
                "kimono_exporter_invalid_fields_total", endpoint="/tenant/state", field="synchronization_suspended"
            )
            assert invalid == 1

    run_virtual(scenario())


def test_the_simulated_exporter_runs_the_real_scheduler() -> None:
    """The poller in these tests must be the one that `run` starts."""

    async def scenario() -> None:
        async with running_exporter(tenants=1) as run:
            assert isinstance(run, SimulatedExporter)
            assert run.exporter.poller.scheduler.schedules.keys() == {
                "state",
                "ingestions",
                "schedules",
                "rollovers",
                "application",
            }

    run_virtual(scenario())
