"""Tests that every promised metric has its name, type and labels, and that the reference is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter import telemetry
from exporter.families import FAMILIES
from exporter.metrics import Family
from exporter.reference import metrics_markdown

METRICS_PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"

# What dashboards, rules and scripts rely on: type, name, labels. Written by hand, not derived from the code,
# because a changed line breaks dashboards of users.
POLLED = """
gauge kimono_up
gauge kimono_tenants
gauge kimono_tenant_info tenant_id tenant_name account_id account_name cloud_id cloud_name integration \
integration_version
gauge kimono_tenant_up tenant_id
gauge kimono_tenant_failure_info tenant_id collector reason
gauge kimono_tenant_credentials_updated_timestamp_seconds tenant_id
gauge kimono_collector_last_success_timestamp_seconds tenant_id collector
gauge kimono_tenant_state tenant_id flag
gauge kimono_ingestions tenant_id ingestion_type state
gauge kimono_ingestion_oldest_unfinished_started_timestamp_seconds tenant_id ingestion_type state
gauge kimono_ingestion_last_started_timestamp_seconds tenant_id ingestion_type state
counter kimono_ingestions_finished_total tenant_id ingestion_type state
gauge kimono_ingestion_pending_tasks tenant_id
histogram kimono_ingestion_duration_seconds ingestion_type state
gauge kimono_schedule_info tenant_id schedule_id schedule_type hour days
gauge kimono_schedule_enabled tenant_id schedule_id schedule_type
gauge kimono_schedule_last_executed_timestamp_seconds tenant_id schedule_id schedule_type
gauge kimono_schedule_last_due_timestamp_seconds tenant_id schedule_id schedule_type
gauge kimono_schedule_next_due_timestamp_seconds tenant_id schedule_id schedule_type
gauge kimono_rollover_info tenant_id rollover_id rollover_name rollover_type
gauge kimono_rollover_status tenant_id rollover_id status
gauge kimono_rollover_start_timestamp_seconds tenant_id rollover_id
gauge kimono_rollover_start_unknown tenant_id rollover_id
gauge kimono_rollover_end_timestamp_seconds tenant_id rollover_id
gauge kimono_rollover_end_unknown tenant_id rollover_id
gauge kimono_rollover_status_change_failures tenant_id rollover_id
gauge kimono_rollover_failure_info tenant_id rollover_id reason
gauge kimono_application_auth_state tenant_id auth_type state
gauge kimono_application_deliver_tasks tenant_id
gauge kimono_application_validate_tasks tenant_id
gauge kimono_scoping_schools tenant_id selected
gauge kimono_scoping_courses tenant_id selected
gauge kimono_actors actor_type
gauge kimono_clouds
gauge kimono_integration_version_info integration version release_state
counter kimono_exporter_ingestions_lost_total
"""
OWN = """
counter kimono_exporter_api_requests_total endpoint code
histogram kimono_exporter_api_request_duration_seconds endpoint
counter kimono_exporter_api_retries_total reason
counter kimono_exporter_token_requests_total outcome
counter kimono_exporter_rate_limit_wait_seconds_total
counter kimono_exporter_polls_total collector outcome
gauge kimono_exporter_poll_lag_seconds collector
counter kimono_exporter_invalid_fields_total endpoint field
counter kimono_exporter_lists_truncated_total endpoint
counter kimono_exporter_samples_dropped_total family
gauge kimono_exporter_event_loop_lag_seconds
gauge kimono_exporter_state_saved_timestamp_seconds
"""


# Not promised, but needed by the dashboards.
BEYOND = """
gauge kimono_exporter_rate_limit_requests_per_second
gauge kimono_exporter_rate_limit_allowed_requests_per_second
gauge kimono_exporter_shard_info shard shards
"""


def promised(lines: str) -> set[tuple[str, ...]]:
    """Type, name and sorted labels of each line."""
    return {(kind, name, *sorted(labels)) for kind, name, *labels in map(str.split, lines.strip().splitlines())}


def declared(families: tuple[Family, ...]) -> set[tuple[str, ...]]:
    return {(family.kind, family.name, *family.labels) for family in families}


def test_the_promised_metrics_are_declared() -> None:
    assert declared(FAMILIES) >= promised(POLLED)


def test_the_metrics_about_the_exporter_are_those_that_were_promised() -> None:
    # The labels of the build metric are not promised.
    others = tuple(family for family in telemetry.FAMILIES if family is not telemetry.BUILD)
    assert declared(others) == promised(OWN) | promised(BEYOND)
    assert (telemetry.BUILD.kind, telemetry.BUILD.name) == ("gauge", "kimono_exporter_build_info")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_help_of_a_polled_metric_says_that_it_is_cached_from_the_last_poll(family: Family) -> None:
    assert family.help.endswith(". Cached from the last poll.")


@pytest.mark.parametrize("family", telemetry.FAMILIES, ids=lambda family: family.name)
def test_the_exporter_says_nothing_of_tenants_about_itself(family: Family) -> None:
    assert not [label for label in family.labels if "tenant" in label]


def test_the_reference_in_the_documentation_is_what_the_code_gives() -> None:
    assert METRICS_PAGE.read_text(encoding="utf-8") == metrics_markdown(), "docs/metrics.md is stale; to fix: make docs"


def test_the_reference_has_a_row_of_four_cells_for_each_metric() -> None:
    rows = [line for line in metrics_markdown().split("\n") if line.startswith("| `kimono_")]
    families = (*FAMILIES, *telemetry.FAMILIES)
    for row, family in zip(rows, families, strict=True):
        name, kind, labels, meaning = (cell.strip() for cell in row.strip("|").split("|"))
        assert (name, kind, meaning) == (f"`{family.name}`", family.kind, family.help)
        assert labels == ", ".join(f"`{label}`" for label in family.labels)
