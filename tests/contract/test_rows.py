"""Does every row of the metrics table show what is true in the simulated hub, and nothing else?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from exporter.collectors import ACCOUNT_COLLECTORS, TENANT_COLLECTORS
from exporter.families import FAMILIES
from tests.contract.harness import House, house
from tests.contract.truth import CHECKS, Fleet, truths
from tests.virtual_time import run_virtual

# For tests that live through a day: what they look at does not need a visit a minute.
SLOWLY = {f"collectors.{name}.interval": "30m" for name in ("state", "schedules", "rollovers", "application")}
ALL_COLLECTORS = {f"collectors.{each.name}.enabled": "true" for each in (*TENANT_COLLECTORS, *ACCOUNT_COLLECTORS)}


def settled(seconds: float = 0, flags: Mapping[str, str] | None = None, **simulator: object) -> Fleet:
    """A page after the first visits, with the hub as it was read, and the times when reading began and ended."""

    async def live() -> Fleet:
        async with house({"api.rate_limit": "100000", **ALL_COLLECTORS, **(flags or {})}, **simulator) as home:
            begun = home.clock.now()
            page = await home.until_ready()
            if seconds:
                page = await home.pass_time(seconds)
            return page, home.simulator, begun, home.clock.now()

    return run_virtual(live())


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return settled(tenants=60)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_page_shows_the_truth(check: Callable[[Fleet], None], fleet: Fleet) -> None:
    check(fleet)


@pytest.mark.parametrize("lists_finished", [False, True])
def test_ends_and_durations_over_a_week_are_the_hubs_own(*, lists_finished: bool) -> None:
    async def live() -> None:
        flags = {"api.rate_limit": "100000", **SLOWLY, "collectors.ingestions.interval": "2m"}
        async with house(flags, tenants=12, lists_finished=lists_finished) as home:
            page = await home.until_ready()
            first = home.clock.now()
            page = await home.pass_time(7 * 86_400)
            now = home.clock.now()
            true: Counter[tuple[str, str, str]] = Counter()
            for truth in truths(home.simulator):
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
            assert sum(true.values()) > 40, "a week should see many ends"
            assert max(true.values()) > 3
            by_kind: Counter[tuple[str, str]] = Counter()
            for (_, kind, state), count in true.items():
                by_kind[kind, state] += count
            for (kind, state), count in by_kind.items():
                labels = {"ingestion_type": kind, "state": state}
                # Where the hub does not say when an ingestion started, its duration is not known.
                assert 0 < (page.value("kimono_ingestion_duration_seconds_count", **labels) or 0) <= count
            assert sum(page.all("kimono_ingestion_duration_seconds_sum").values()) > 3600

    run_virtual(live())


def test_every_declared_family_is_on_the_page_of_a_day() -> None:
    page, *_ = settled(86_400, {**SLOWLY, "collectors.ingestions.interval": "10m"}, tenants=40)
    shown = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name, _ in page.series}
    # The fleet is healthy to us: nothing fails.
    assert {family.name for family in FAMILIES} - shown == {"kimono_tenant_failure_info"}


def test_an_object_listed_twice_gives_one_series() -> None:
    schedule = {"id": "s", "type": "collection", "enabled": True, "hour": 3, "days": None}
    anonymous = {"type": "collection", "enabled": True, "hour": 4}

    async def live() -> None:
        async with house({"api.rate_limit": "1000"}, tenants=1, stories=[]) as home:
            home.simulator.override(
                "/tenant/schedules", {"data": [None, schedule, anonymous, schedule, {**anonymous, "days": "mon-fri"}]}
            )
            page = await home.until_ready()
            assert page.labels("kimono_schedule_enabled", "schedule_id") == {"s", "collection@4"}
            assert len(page.all("kimono_schedule_info")) == 2

    run_virtual(live())


def test_a_fact_that_the_api_did_not_give_has_no_sample() -> None:
    bare = {
        "/tenant/state": {"data": {"rollover_mode_enabled": None, "synchronization_suspended": "yes"}},
        "/ingestions": {"data": [{"id": "a", "type": "collection", "state": "executing", "started_at": None}]},
        "/tenant/schedules": {"data": [{"id": "s", "type": "collection"}]},
        "/tenant/rollovers": {"data": [{"id": "r"}]},
        "/tenant/application": {"data": {"auth_type": "oauth2"}},
    }

    async def live() -> None:
        async with house({"api.rate_limit": "1000"}, tenants=1, stories=[]) as home:
            for endpoint, body in bare.items():
                home.simulator.override(endpoint, body)
            page = await home.until_ready()
            present = {name for name in page.names() if not name.startswith(("kimono_exporter_", "process", "python"))}
            assert present - {"kimono_up", "kimono_tenants"} == {
                "kimono_tenant_info",
                "kimono_tenant_up",
                "kimono_tenant_credentials_updated_timestamp_seconds",
                "kimono_collector_last_success_timestamp_seconds",
                "kimono_ingestions",
                "kimono_ingestions_finished_total",
                # What we have counted ourselves: no end yet.
                *(f"kimono_ingestion_duration_seconds_{part}" for part in ("bucket", "count", "sum")),
                "kimono_ingestion_pending_tasks",
                "kimono_schedule_info",
                "kimono_rollover_info",
            }
            assert set(page.all("kimono_ingestion_duration_seconds_count").values()) == {0}
            invalid = page.value(
                "kimono_exporter_invalid_fields_total", endpoint="/tenant/state", field="synchronization_suspended"
            )
            assert invalid == 1

    run_virtual(live())


def test_the_house_is_the_real_one() -> None:
    """The harness must not hide the assembly: the poller that it runs is the one that `run` runs."""

    async def live() -> None:
        async with house(tenants=1) as home:
            assert isinstance(home, House)
            assert set(home.exporter.poller.plans) == {"state", "ingestions", "schedules", "rollovers", "application"}

    run_virtual(live())
