"""Tests that faults apply to the right requests, and as often as they should."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from exporter.simulator import Fault, Simulator, WireFault
from exporter.simulator.faults import ACCOUNT, WIRE_KINDS
from tests.simulator.calls import ManualClock, actor, ask_token, body, call


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(now=clock, record=True)


@pytest.mark.parametrize(
    ("kind", "details", "status"),
    [
        ("throttle", {}, 429),
        ("unavailable", {}, 503),
        ("server_error", {}, 500),
        ("server_error", {"status": 502}, 502),
        ("html", {}, 502),
        ("html", {"status": 200}, 200),
        ("not_json", {}, 200),
        ("wrong_json", {}, 200),
        ("redirect", {}, 302),
        ("unauthorized", {}, 401),
        ("forbidden", {}, 403),
        ("not_found", {}, 404),
        ("revoked_secret", {}, 401),
        ("status", {"status": 410}, 410),
        ("empty", {}, 200),
        ("empty", {"status": 204}, 204),
        ("token_error", {}, 200),
        ("many_items", {}, 200),
        ("endless", {}, 200),
    ],
)
def test_a_fault_is_answered_with_its_status(
    simulator: Simulator, kind: str, details: dict[str, Any], status: int
) -> None:
    active = simulator.faults.add(Fault(kind, **details))
    assert call(simulator, "/tenants").status == status
    assert simulator.requests[-1].status == status
    active.remove()
    active.remove()
    assert call(simulator, "/tenants").status == 200
    assert active.applied == 1


@pytest.mark.parametrize("kind", sorted(WIRE_KINDS))
def test_a_wire_fault_without_a_socket_is_an_exception(simulator: Simulator, kind: str) -> None:
    simulator.faults.add(Fault(kind))
    with pytest.raises(WireFault, match=kind) as caught:
        call(simulator, "/tenants")
    assert caught.value.fault.kind == kind
    assert simulator.requests[-1].status == 0


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="gremlins"):
        Fault("gremlins")


@pytest.mark.parametrize("kind", ["throttle", "unavailable", "forbidden", "server_error", "html", "status"])
def test_retry_after_comes_in_every_form(simulator: Simulator, clock: ManualClock, kind: str) -> None:
    for value, shown in ((None, None), (7, "7"), (0.5, "0.5"), ("soon", "soon")):
        simulator.faults.add(Fault(kind, times=1, retry_after=value))
        assert call(simulator, "/tenants").headers.get("Retry-After") == shown
    simulator.faults.add(Fault(kind, retry_after="date", seconds=90))
    date = call(simulator, "/tenants").headers["Retry-After"]
    assert parsedate_to_datetime(date).timestamp() == clock() + 90


def test_a_fault_can_apply_to_one_tenant_only(simulator: Simulator) -> None:
    one, other = (simulator.tenants()[place].id for place in (0, 1))
    mine, others = actor(simulator, one), actor(simulator, other)
    simulator.faults.add(Fault("server_error", tenant_id=one))
    assert call(simulator, "/tenant/state", mine).status == 500
    assert call(simulator, "/tenant/state", others).status == 200
    assert call(simulator, "/tenants").status == 200
    credentials = simulator.tenants()[0].credentials
    assert ask_token(simulator, credentials.client_id, credentials.client_secret).status == 500


def test_a_fault_can_apply_to_the_account_only(simulator: Simulator) -> None:
    tenant = actor(simulator, simulator.tenants()[0].id)
    simulator.faults.add(Fault("server_error", tenant_id=ACCOUNT))
    assert call(simulator, "/tenants").status == 500
    assert ask_token(simulator, simulator.client_id, simulator.client_secret).status == 500
    assert call(simulator, "/tenant/state", tenant).status == 200


def test_a_fault_can_apply_to_one_page_only(simulator: Simulator) -> None:
    simulator.faults.add(Fault("server_error", page=2))
    assert [call(simulator, "/tenants", page=page).status for page in ("0", "1", "2", "3")] == [200, 200, 500, 200]
    simulator.faults.clear()
    simulator.faults.add(Fault("server_error", page=0))
    assert call(simulator, "/tenants").status == 500, "the first page is asked for without a number, too"


def test_a_fault_can_apply_to_one_endpoint_only(simulator: Simulator) -> None:
    tenant = actor(simulator, simulator.tenants()[0].id)
    simulator.faults.add(Fault("throttle", endpoint="/ingestions/{id}"))
    assert call(simulator, "/ingestions", tenant).status == 200
    assert call(simulator, "/ingestions/some", tenant).status == 429


def test_a_fault_ends_after_a_number_of_requests_or_at_its_time(simulator: Simulator, clock: ManualClock) -> None:
    simulator.faults.add(Fault("throttle", times=2))
    assert [call(simulator, "/tenants").status for _ in range(3)] == [429, 429, 200]
    simulator.faults.add(Fault("throttle", until=clock() + 10))
    assert call(simulator, "/tenants").status == 429
    clock.at += 10
    assert call(simulator, "/tenants").status == 200
    assert not simulator.faults


def test_a_fault_can_apply_to_every_third_request(simulator: Simulator) -> None:
    simulator.faults.add(Fault("unavailable", every=3))
    assert [call(simulator, "/tenants").status for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    simulator.faults.clear()
    assert call(simulator, "/tenants").status == 200


def test_wrong_json_differs_each_time(simulator: Simulator) -> None:
    simulator.faults.add(Fault("wrong_json"))
    bodies = [call(simulator, "/tenants").body for _ in range(7)]
    assert [json.loads(one) for one in bodies[:4]] == [[], "x", {"data": 5}, {}]
    assert bodies[4].startswith(b"[[[[")
    assert len(set(bodies)) == 7
    assert call(simulator, "/tenants").body == bodies[0]


def test_bodies_can_be_given(simulator: Simulator) -> None:
    simulator.faults.add(Fault("wrong_json", body='{"data": "mine"}', times=1))
    assert body(call(simulator, "/tenants")) == {"data": "mine"}
    simulator.faults.add(Fault("not_json", body="", times=1))
    assert call(simulator, "/tenants").body == b""
    simulator.faults.add(Fault("not_json", times=1))
    with pytest.raises(ValueError, match="Unterminated"):
        body(call(simulator, "/tenants"))


def test_many_items_have_their_size(simulator: Simulator) -> None:
    simulator.faults.add(Fault("many_items", size=9_000))
    reply = call(simulator, "/tenants")
    assert 8_990 < len(reply.body) <= 9_000
    assert len(body(reply)["data"]) > 2_900


def test_an_endless_list_announces_more_and_repeats_itself(simulator: Simulator) -> None:
    simulator.faults.add(Fault("endless"))
    pages = [body(call(simulator, "/tenants", page=str(page))) for page in range(3)]
    assert pages[0] == pages[1] == pages[2]
    assert pages[0]["paging"]["next"]


def test_a_request_with_a_cookie_is_logged_as_such(simulator: Simulator) -> None:
    call(simulator, "/tenants")
    call(simulator, "/tenants", {"Cookie": "session=x"})
    assert [one.cookie for one in simulator.requests] == [False, True]


def test_a_redirect_has_its_location(simulator: Simulator) -> None:
    simulator.faults.add(Fault("redirect", location="http://elsewhere.invalid/"))
    assert call(simulator, "/tenants").headers["Location"] == "http://elsewhere.invalid/"


def test_expired_tokens_are_rejected_and_new_ones_accepted(simulator: Simulator) -> None:
    tenant_id = simulator.tenants()[0].id
    headers, others = actor(simulator, tenant_id), actor(simulator, simulator.tenants()[1].id)
    simulator.faults.add(Fault("expired_token", endpoint="/tenant/state", times=1))
    assert call(simulator, "/tenant/state", headers).status == 401
    assert call(simulator, "/tenant/state", others).status == 401
    assert call(simulator, "/tenant/state", actor(simulator, tenant_id)).status == 200


def test_a_revoked_secret_gets_no_token(simulator: Simulator) -> None:
    tenant = simulator.tenants()[0]
    simulator.faults.add(Fault("revoked_secret", tenant_id=tenant.id))
    reply = ask_token(simulator, tenant.credentials.client_id, tenant.credentials.client_secret)
    assert (reply.status, body(reply)["error"]) == (401, "invalid_client")
