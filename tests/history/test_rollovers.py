"""Tests since when a rollover has been failing to change its status."""

from __future__ import annotations

import pytest

from exporter.api.models import Rollover
from exporter.history.rollovers import FAILING_SINCE
from tests.history.tenant import DAY, HOUR, START, Tenant, rollover

FIRST, SECOND, THIRD = START, START + HOUR, START + 2 * HOUR


def seen(status: str | None = "upcoming", failures: int | None = 0, reason: str | None = None) -> Rollover:
    return rollover(status=status, status_change_failures=failures, failure_reason=reason)


@pytest.mark.parametrize(
    ("polls", "since"),
    [
        ([seen()], None),
        ([seen(failures=None)], None),
        ([seen(failures=1)], FIRST),
        ([seen(reason="no_space")], FIRST),
        ([seen(), seen(failures=1)], SECOND),
        ([seen(failures=1), seen(failures=2)], FIRST),
        ([seen(failures=1), seen(reason="no_space")], FIRST),
        ([seen(reason="no_space"), seen(reason="timeout")], FIRST),
        ([seen(failures=1), seen()], None),
        ([seen(failures=1), seen(), seen(failures=1)], THIRD),
        # The status has changed: what was before is overcome.
        ([seen(failures=1), seen("ongoing", 1)], None),
        ([seen(failures=1), seen("ongoing", 1), seen("ongoing", 1)], None),
        ([seen(failures=1), seen("ongoing", 1), seen("ongoing", 2)], THIRD),
        ([seen(reason="no_space"), seen("ongoing", reason="no_space")], None),
        ([seen(reason="no_space"), seen("ongoing", reason="timeout")], SECOND),
        ([seen(), seen("failed", reason="no_space")], SECOND),
        ([seen(failures=1), seen("ongoing"), seen("ongoing", 1)], THIRD),
        ([seen(failures=1), seen("ongoing", 1), seen("completed", 1)], None),
        # What is null is unknown, and has not changed.
        ([seen(failures=1), seen(None, 1)], FIRST),
        ([seen(None, 1), seen("upcoming", 1)], FIRST),
        ([seen(failures=1), seen(failures=None), seen(failures=1)], FIRST),
        ([seen(failures=1), seen("ongoing", 1), seen("ongoing", None), seen("ongoing", 1)], None),
    ],
)
def test_it_fails_since_the_first_failure_that_no_change_of_status_has_followed(
    polls: list[Rollover], since: float | None
) -> None:
    tenant = Tenant()
    for number, each in enumerate(polls):
        tenant.rollovers(START + number * HOUR, each)
    assert tenant.value(FAILING_SINCE) == since


def test_each_rollover_fails_by_itself_and_those_without_ids_go_by_name_and_start() -> None:
    bad = rollover(None, status_change_failures=1)
    tenant = Tenant()
    tenant.rollovers(START, rollover("good"), bad)
    tenant.rollovers(START + HOUR, bad, rollover("good"), rollover("new", failure_reason="no_space"))
    assert tenant.series(FAILING_SINCE) == {"summer@2026-09-01T00:00:00+00:00": START, "new": START + HOUR}


def test_a_rollover_that_leaves_the_list_is_gone() -> None:
    tenant = Tenant()
    tenant.rollovers(START, rollover(status_change_failures=1))
    tenant.rollovers(START + HOUR)
    assert tenant.series(FAILING_SINCE) == {}
    assert tenant.history.rollovers.by_key == {}


def test_a_failure_and_what_is_overcome_outlive_a_restart() -> None:
    tenant = Tenant()
    for at, *both in (
        (START, rollover("a", status_change_failures=1), rollover("b", status_change_failures=1)),
        (START + HOUR, rollover("a", status_change_failures=1), rollover("b", "ongoing", status_change_failures=1)),
    ):
        tenant.rollovers(at, *both)
    tenant.restart()
    tenant.rollovers(START + DAY, *both)
    assert tenant.series(FAILING_SINCE) == {"a": START}


def test_a_clock_that_was_ahead_leaves_no_time_in_the_future() -> None:
    tenant = Tenant()
    tenant.rollovers(START + 300 * DAY, rollover(status_change_failures=1))
    tenant.rollovers(START, rollover(status_change_failures=1))
    tenant.rollovers(START + HOUR, rollover(status_change_failures=1))
    assert tenant.value(FAILING_SINCE) == START
