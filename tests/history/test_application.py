"""Tests since when an integration's own access has been in its state."""

from __future__ import annotations

import pytest

from exporter.history.application import STATE_SINCE
from tests.history.tenant import DAY, HOUR, START, Tenant


@pytest.mark.parametrize(
    ("states", "since"),
    [
        (["error"], {"error": START}),
        (["error", "error"], {"error": START}),
        (["confirmed", "error"], {"error": START + HOUR}),
        (["error", "confirmed", "error"], {"error": START + 2 * HOUR}),
        ([None], {}),
        (["error", None], {}),
        (["error", None, "error"], {"error": START}),
        (["error", None, "confirmed"], {"confirmed": START + 2 * HOUR}),
    ],
)
def test_a_state_has_lasted_since_the_first_poll_that_saw_it(states: list[str | None], since: dict[str, float]) -> None:
    tenant = Tenant()
    for number, state in enumerate(states):
        tenant.application(START + number * HOUR, state)
    assert tenant.series(STATE_SINCE) == since


def test_a_state_outlives_a_restart_and_a_clock_that_was_ahead() -> None:
    tenant = Tenant()
    tenant.application(START, "error")
    tenant.restart()
    tenant.application(START + DAY, "error")
    assert tenant.series(STATE_SINCE) == {"error": START}
    tenant.application(START + 300 * DAY, "refused")
    tenant.application(START + 2 * DAY, "refused")
    tenant.application(START + 3 * DAY, "refused")
    assert tenant.series(STATE_SINCE) == {"refused": START + 2 * DAY}


def test_a_tenant_that_is_no_longer_an_integration_has_no_state_to_go_on_from() -> None:
    tenant = Tenant()
    tenant.application(START, "error")
    tenant.history = tenant.history.without("application")
    tenant.application(START + HOUR, "error")
    assert tenant.series(STATE_SINCE) == {"error": START + HOUR}
