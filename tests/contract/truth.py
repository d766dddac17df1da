"""Checks a page of metrics against the simulated hub: one check for each part of the contract.

The checks apply to the exporter's page and to what a real Prometheus has scraped.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from exporter.collectors import COLLECTORS
from exporter.families import FAMILIES
from exporter.simulator import Simulator
from exporter.simulator.records import INGESTION_FINAL_STATES, Schedule, Truth
from tests.support.simulated_exporter import Page

UNFINISHED = ("unspecified", "preparing", "scheduled", "executing")

# A page, the hub behind it, and the times when polling began and ended.
Fleet = tuple[Page, Simulator, float, float]


def times(values: dict[frozenset[tuple[str, str]], float]) -> set[float]:
    return {round(value) for value in values.values()}


def tenants_are_counted(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    assert page.value("kimono_up") == 1
    assert page.value("kimono_tenants") == len(hub.tenants())


def identity_is_the_tenant_list_and_a_null_part_is_empty(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    shown = {frozenset(labels) for labels in page.all("kimono_tenant_info")}
    listed = {
        frozenset(
            {
                "tenant_id": tenant.id,
                "tenant_name": tenant.name,
                "account_id": tenant.account_id or "",
                "account_name": tenant.account_name or "",
                "cloud_id": tenant.cloud_id or "",
                "cloud_name": tenant.cloud_name or "",
                "integration": tenant.integration or "",
                "integration_version": tenant.integration_version or "",
            }.items()
        )
        for tenant in hub.tenants()
    }
    assert shown == listed
    assert any(tenant.account_id is None for tenant in hub.tenants()), "the fleet should have a tenant with null parts"


def every_tenant_is_up_and_none_has_a_failure(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    assert page.labels("kimono_tenant_up", "tenant_id") == {tenant.id for tenant in hub.tenants()}
    assert set(page.all("kimono_tenant_up").values()) == {1}
    assert not page.all("kimono_tenant_failure_info")


def credentials_are_as_old_as_the_list_says(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    for tenant in hub.tenants():
        shown = page.value("kimono_tenant_credentials_updated_timestamp_seconds", tenant_id=tenant.id)
        assert shown == pytest.approx(tenant.credentials.updated_at, abs=0.01)


def last_success_is_the_time_of_the_poll(fleet: Fleet) -> None:
    page, hub, begun, now = fleet
    samples = page.all("kimono_collector_last_success_timestamp_seconds")
    assert len(samples) == len(hub.tenants()) * sum(not each.of_account for each in COLLECTORS)
    assert all(begun <= when <= now for when in samples.values())


def truths(hub: Simulator) -> list[Truth]:
    return [hub.truth(tenant.id) for tenant in hub.tenants()]


def each_flag_is_a_series_unknown_ones_too(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    for truth in truths(hub):
        shown = {dict(labels)["flag"]: value for labels, value in
                 page.all("kimono_tenant_state", tenant_id=truth.tenant_id).items()}  # fmt: skip
        assert shown == {flag: float(on) for flag, on in truth.flags.items()}
    assert any(len(truth.flags) > 4 for truth in truths(hub)), "the fleet should have an unknown flag"


def ingestions_are_those_in_the_list(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    seen_any = False
    for truth in truths(hub):
        unfinished = [each for each in truth.ingestions if each.state in UNFINISHED]
        counts = Counter((each.type, each.state) for each in unfinished)
        shown = page.all("kimono_ingestions", tenant_id=truth.tenant_id)
        assert {(dict(have)["ingestion_type"], dict(have)["state"]): value for have, value in shown.items()} == counts
        oldest = page.all("kimono_ingestion_oldest_unfinished_started_timestamp_seconds", tenant_id=truth.tenant_id)
        started = [each.started_at for each in unfinished if each.started_at is not None]
        assert (min(oldest.values()) if oldest else None) == pytest.approx(min(started) if started else None, abs=0.01)
        newest = page.all("kimono_ingestion_last_started_timestamp_seconds", tenant_id=truth.tenant_id)
        assert (max(newest.values()) if newest else None) == pytest.approx(max(started) if started else None, abs=0.01)
        pending = sum(each.has_pending_task for each in unfinished)
        assert page.value("kimono_ingestion_pending_tasks", tenant_id=truth.tenant_id) == pending
        seen_any = seen_any or bool(counts)
    assert seen_any, "the fleet should have ingestions under way"


def ends_are_counted_from_zero_for_every_type_seen(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    for truth in truths(hub):
        types = {each.type for each in truth.ingestions if each.state in UNFINISHED}
        shown = page.all("kimono_ingestions_finished_total", tenant_id=truth.tenant_id)
        kinds = {(dict(have)["ingestion_type"], dict(have)["state"]) for have in shown}
        assert kinds == {(each, state) for each in types for state in INGESTION_FINAL_STATES}
        assert set(shown.values()) <= {0}


def due_moments(schedule: Schedule, now: float) -> tuple[float | None, float | None]:
    """The contract's definition of due, hour by hour: simple enough to be certainly right."""
    if not schedule.enabled or schedule.days_of_week is None:
        return None, None
    hour = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)

    def is_due(moment: datetime) -> bool:
        return moment.hour == schedule.hour and moment.weekday() in (schedule.days_of_week or ())

    back = (hour - timedelta(hours=hours) for hours in range(24 * 8))
    ahead = (hour + timedelta(hours=hours) for hours in range(1, 24 * 8))
    last = next((moment.timestamp() for moment in back if is_due(moment)), None)
    coming = next((moment.timestamp() for moment in ahead if is_due(moment)), None)
    created = schedule.created_at if schedule.shows_metadata else 0
    return (last if last is not None and last >= created else None), coming


def schedules_are_shown_with_what_is_due(fleet: Fleet) -> None:
    page, hub, _, now = fleet
    schedules = [(truth.tenant_id, each) for truth in truths(hub) for each in truth.schedules]
    unparsed = disabled = never = 0
    for tenant_id, schedule in schedules:
        labels = {"tenant_id": tenant_id, "schedule_id": schedule.id, "schedule_type": schedule.type}
        info = {"hour": str(schedule.hour), "days": schedule.days or ""}
        assert page.value("kimono_schedule_info", **labels, **info) == 1
        assert page.value("kimono_schedule_enabled", **labels) == float(schedule.enabled)
        executed = page.value("kimono_schedule_last_executed_timestamp_seconds", **labels)
        assert executed == (pytest.approx(schedule.last_executed_at, abs=0.01) if schedule.last_executed_at else None)
        last, coming = due_moments(schedule, now)
        assert page.value("kimono_schedule_last_due_timestamp_seconds", **labels) == last
        assert page.value("kimono_schedule_next_due_timestamp_seconds", **labels) == coming
        unparsed += schedule.days_of_week is None
        disabled += not schedule.enabled
        never += schedule.last_executed_at is None
    assert len(page.all("kimono_schedule_info")) == len(schedules)
    assert unparsed, "the fleet should have a schedule whose days can't be parsed"
    assert disabled, "and one that is off"
    assert never, "and one that never ran"
    shown = page.value("kimono_exporter_invalid_fields_total", endpoint="/tenant/schedules", field="days")
    assert shown == unparsed


def rollovers_are_shown(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    rollovers = [(truth.tenant_id, each) for truth in truths(hub) for each in truth.rollovers]
    for tenant_id, rollover in rollovers:
        labels = {"tenant_id": tenant_id, "rollover_id": rollover.id}
        info = {"rollover_name": rollover.name, "rollover_type": rollover.type}
        assert page.value("kimono_rollover_info", **labels, **info) == 1
        assert page.labels("kimono_rollover_status", "status", **labels) == {rollover.status}
        assert page.value("kimono_rollover_start_timestamp_seconds", **labels) == pytest.approx(rollover.start)
        assert page.value("kimono_rollover_end_timestamp_seconds", **labels) == pytest.approx(rollover.end)
        assert page.value("kimono_rollover_status_change_failures", **labels) == rollover.failures
        reasons = page.labels("kimono_rollover_failure_info", "reason", **labels)
        assert reasons == ({rollover.reason} if rollover.reason else set())
    assert len(page.all("kimono_rollover_info")) == len(rollovers) > 0
    assert page.all("kimono_rollover_failure_info"), "the fleet should have a rollover that fails"


def applications_are_shown_and_their_absence_is_no_failure(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    absent = 0
    for truth in truths(hub):
        labels, application = {"tenant_id": truth.tenant_id}, truth.application
        if application is None:
            absent += 1
            assert not page.names(**labels) & {family.name for family in FAMILIES if "_application_" in family.name}
            continue
        state = {"auth_type": application.auth_type, "state": application.auth_state}
        assert page.all("kimono_application_auth_state", **labels) == {frozenset((labels | state).items()): 1}
        assert page.value("kimono_application_deliver_tasks", **labels) == float(application.deliver_tasks)
        assert page.value("kimono_application_validate_tasks", **labels) == float(application.validate_tasks)
    assert absent, "the fleet should have a tenant that is no integration"


def scopes_are_counted(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    for truth in truths(hub):
        for selected, schools, courses in (
            ("true", truth.schools_selected, truth.courses_selected),
            ("false", truth.schools_unselected, truth.courses_unselected),
        ):
            labels = {"tenant_id": truth.tenant_id, "selected": selected}
            if truth.application is None:
                assert page.value("kimono_scoping_schools", **labels) is None
            else:
                assert page.value("kimono_scoping_schools", **labels) == schools
                assert page.value("kimono_scoping_courses", **labels) == courses


def the_accounts_own_lists_are_counted(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    assert sum(page.all("kimono_actors").values()) > 0
    assert page.labels("kimono_actors", "actor_type") <= {"connector", "integration", "repository", "application"}
    assert page.value("kimono_clouds") == len(hub.inventory.clouds)
    shown = {(dict(have)["integration"], dict(have)["version"]) for have in page.all("kimono_integration_version_info")}
    assert {(tenant.integration, tenant.integration_version) for tenant in hub.tenants() if tenant.integration} <= shown


def no_secret_and_no_ingestion_id_is_on_the_page(fleet: Fleet) -> None:
    page, hub, *_ = fleet
    assert "S3CR3T" not in page.text
    for truth in truths(hub):
        assert not any(each.id in page.text for each in truth.ingestions)


CHECKS = (
    tenants_are_counted,
    identity_is_the_tenant_list_and_a_null_part_is_empty,
    every_tenant_is_up_and_none_has_a_failure,
    credentials_are_as_old_as_the_list_says,
    last_success_is_the_time_of_the_poll,
    each_flag_is_a_series_unknown_ones_too,
    ingestions_are_those_in_the_list,
    ends_are_counted_from_zero_for_every_type_seen,
    schedules_are_shown_with_what_is_due,
    rollovers_are_shown,
    applications_are_shown_and_their_absence_is_no_failure,
    scopes_are_counted,
    the_accounts_own_lists_are_counted,
    no_secret_and_no_ingestion_id_is_on_the_page,
)
