"""Tests that a tenant's health says how its polls go, and nothing that is not known yet."""

from __future__ import annotations

import pytest

from exporter.api.models import Tenant
from exporter.polling.tenant import TENANT_UP, TenantState
from exporter.status import Failure
from tests.support.replies import Replies, table

BOTH = ("state", "schedules")
FAILURE = Failure("schedules", "auth", "refused", 0.0)


@pytest.mark.parametrize(
    ("succeeded", "failing", "up"),
    [
        ([], [], []),
        (["state"], [], []),
        (["state", "schedules"], [], [1]),
        (["state", "rollovers"], [], []),
        (["state"], [FAILURE], [0]),
        ([], [FAILURE], [0]),
        (["state", "schedules"], [FAILURE], [0]),
    ],
)
def test_a_tenant_is_up_once_both_collectors_have_succeeded_and_down_while_one_fails(
    succeeded: list[str], failing: list[Failure], up: list[int]
) -> None:
    state = TenantState(Tenant("a"), Replies(table({})).api)
    state.succeeded_at = dict.fromkeys(succeeded, 1.0)
    state.failures = {failure.collector: failure for failure in failing}
    assert [sample.value for sample in state.health_samples(BOTH) if sample.family == TENANT_UP] == up
