"""Tests the call that reports the outcome of a pending authentication."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import Simulator
from tests.simulator.calls import AsTenant, ManualClock, assert_published, body, details, serves, unix

PATH = "/tenant/application"


@pytest.fixture
def pending(simulator: Simulator, tenant: AsTenant) -> AsTenant:
    """Calls of a tenant whose authentication fails, and is pending again."""
    application = simulator.tenant(tenant.tenant_id).application_or_new()
    application.auth_state, application.auth_state_pending = "error", "updating"
    application.auth_message = "The application answered 401 Unauthorized."
    return tenant


@serves("PUT /tenant/application", "GET /tenant/application")
def test_confirmed_credentials_become_those_of_the_application(pending: AsTenant, clock: ManualClock) -> None:
    clock.at += 60
    reply = pending.send("PUT", PATH, {"auth_props_pending": {"access_token": "S3CR3T-new"}, "auth_message": None})
    assert_published("tenant_application", body(reply))
    shown = body(reply)["data"]
    assert (shown["auth_state"], shown["auth_state_pending"], shown["auth_message"]) == ("error", "updating", None)
    assert shown["auth_props_pending"] == {"access_token": "S3CR3T-new"} != shown["auth_props"]
    assert unix(shown["updated_at"]) == clock()
    shown = body(pending.send("PUT", PATH, {"auth_state_pending": "confirmed"}))["data"]
    assert (shown["auth_state"], shown["auth_state_pending"]) == ("confirmed", "confirmed")
    assert (shown["auth_props"], shown["auth_props_pending"]) == ({"access_token": "S3CR3T-new"}, {})
    assert pending.get(PATH) == shown


@serves("PATCH /tenant/application")
def test_failed_credentials_leave_those_of_the_application(pending: AsTenant) -> None:
    before = pending.get(PATH)
    sent = {**before, "auth_state_pending": "error", "auth_message": "wrong password", "auth_state": "confirmed"}
    shown = body(pending.send("PATCH", PATH, sent))["data"]
    assert (shown["auth_state"], shown["auth_state_pending"]) == ("error", "error")
    assert (shown["auth_message"], shown["auth_props"]) == ("wrong password", before["auth_props"])


@pytest.mark.parametrize("state", ["unspecified", "confirmed", "error", "awaiting_consent"])
def test_only_a_pending_authentication_has_an_outcome(simulator: Simulator, pending: AsTenant, state: str) -> None:
    simulator.tenant(pending.tenant_id).application_or_new().auth_state_pending = state
    before = pending.get(PATH)
    refused = pending.send("PUT", PATH, {"auth_state_pending": "confirmed"})
    assert details(refused) == (409, f"auth_state_pending is {state}")
    assert pending.get(PATH) == before


@pytest.mark.parametrize(
    ("sent", "member"),
    [
        ({"auth_state_pending": "updating"}, "auth_state_pending"),
        ({"auth_state_pending": 5}, "auth_state_pending"),
        ({"auth_message": {}, "auth_state_pending": "confirmed"}, "auth_message"),
        ({"auth_message": "m", "auth_props_pending": []}, "auth_props_pending"),
        ({"auth_message": "m", "auth_props_pending": {"token": 5}}, "auth_props_pending.token"),
    ],
)
def test_a_wrong_member_is_named_and_changes_nothing(pending: AsTenant, sent: dict[str, Any], member: str) -> None:
    before = pending.get(PATH)
    assert details(pending.send("PUT", PATH, sent)) == (400, member)
    assert pending.get(PATH) == before


def test_a_tenant_without_an_application_has_nothing_to_update() -> None:
    simulator = Simulator(stories=(), tenants=25)
    tenants = [AsTenant(simulator, simulator.tenants()[number].id) for number in (15, 20)]
    assert {tenant.send("PUT", PATH, {}).status for tenant in tenants} == {403, 404}
