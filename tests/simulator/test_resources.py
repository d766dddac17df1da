"""Tests that the simulator serves what the reference says, to authorised callers only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.simulator import Request, Simulator
from exporter.simulator.calls import Route
from exporter.simulator.routes import ROUTES
from tests.simulator.calls import (
    DAY,
    HOUR,
    ManualClock,
    account,
    actor,
    ask_token,
    basic,
    bearer,
    body,
    call,
    data,
    details,
    everything,
    send,
    serves,
    unix,
)

# The members that the published reference shows, by call.
AUTH = {"type", "client_id", "client_secret", "updated_at"}
APP_AUTH = {"scheme", "token", "refresh_token", "client_id", "client_secret", "username", "password", "api_key"}
INGESTION = {"type", "state", "started_at", "external_import_ids", "has_pending_task", "metadata"}
SCHEDULE = {"type", "last_executed_at", "enabled", "hour", "days", "metadata"}
ROLLOVER = {
    *("name", "type", "start_date", "end_date", "metadata", "status"),
    *("status_change_failure_count", "failure_reason"),
}
APPLICATION = {
    *("account_id", "tenant_id", "deliver_tasks", "validate_tasks", "auth_type", "auth_state", "options"),
    *("auth_props", "auth_session_id_pending", "auth_message", "auth_props_pending", "auth_state_pending"),
}
SCHOOL = {
    *("account_id", "tenant_id", "school_id", "school_ref_id", "name", "local_id", "keywords", "selected"),
}
TENANT = {"id", "name", "actor_id", "account", "cloud", "integration", "auth", "app_auth", "lti_developer_id"}
COMMON = {"id", "account_id", "tenant_id", "created_at", "updated_at"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(now=clock)


def healthy(clock: ManualClock, **options: Any) -> tuple[Simulator, str]:
    """A simulator with healthy tenants, and the id of one."""
    simulator = Simulator(now=clock, stories=(), tenants=4, **options)
    return simulator, simulator.tenants()[0].id


@serves("GET /tenants")
def test_tenants_carry_every_published_member(simulator: Simulator) -> None:
    tenants = everything(simulator, "/tenants")
    assert len(tenants) == 25
    for tenant in tenants:
        assert tenant.keys() == TENANT | COMMON
        assert tenant["auth"].keys() == AUTH
        assert tenant["app_auth"].keys() == APP_AUTH
    for part in ("account", "cloud", "integration"):
        assert any(tenant[part] is None for tenant in tenants), part
    assert tenants[0]["account"].keys() == {"id", "name", "public_id", "timezone", "userdata"}
    assert tenants[0]["cloud"]["env"].keys() == {"id", "name"}
    assert {tenant["auth"]["type"] for tenant in tenants} == {"oauth2", "basic"}


def test_tenants_agree_with_the_tenant_list(simulator: Simulator) -> None:
    for tenant, info in zip(simulator.tenants(), everything(simulator, "/tenants"), strict=True):
        assert (tenant.id, tenant.name) == (info["id"], info["name"])
        assert tenant.account_name == (info["account"] or {}).get("name")
        assert tenant.cloud_id == (info["cloud"] or {}).get("id")
        assert tenant.integration_version == (info["integration"] or {}).get("version")
        assert tenant.credentials.client_secret == info["auth"]["client_secret"]
        assert tenant.credentials.updated_at == unix(info["auth"]["updated_at"])


@serves("GET /tenants/{id}", "GET /tenant")
def test_a_tenant_is_served_by_id_and_to_itself(simulator: Simulator) -> None:
    tenant_id = simulator.tenants()[1].id
    assert data(simulator, f"/tenants/{tenant_id}")["id"] == tenant_id
    assert data(simulator, "/tenant", actor(simulator, tenant_id))["id"] == tenant_id


@serves("GET /tenants")
def test_filters_narrow_the_list_but_integrations_only_where_it_is_honoured(clock: ManualClock) -> None:
    for honours in (False, True):
        simulator = Simulator(now=clock, honours_integrations=honours)
        tenant = simulator.tenants()[0]
        assert tenant.account_id
        assert tenant.integration
        by_account = data(simulator, "/tenants", accounts=f"{tenant.account_id}, other")
        assert {one["account"]["id"] for one in by_account} == {tenant.account_id}
        by_integration = data(simulator, "/tenants", integrations=tenant.integration)
        assert (len(by_integration) < 25) is honours
        by_published_name = data(simulator, "/tenants", integration=tenant.integration)
        assert {one["integration"]["name"] for one in by_published_name} == {tenant.integration}


@serves("GET /tenant/state")
def test_the_state_reply_is_the_truth(simulator: Simulator) -> None:
    names: set[str] = set()
    for tenant in simulator.tenants():
        state = data(simulator, "/tenant/state", actor(simulator, tenant.id))
        assert state == simulator.truth(tenant.id).flags
        names |= state.keys()
    assert len(names) == 6  # the four documented flags, and two that no client knows


@serves(
    *("GET /tenant/schedules", "GET /tenant/schedules/count", "GET /tenant/schedules/{id}"),
    *("GET /tenant/rollovers", "GET /tenant/rollovers/count", "GET /tenant/rollovers/{id}"),
    *("GET /ingestions", "GET /ingestions/count"),
)
def test_schedules_rollovers_and_ingestions_are_the_truth(simulator: Simulator) -> None:
    for tenant in simulator.tenants():
        headers, truth = actor(simulator, tenant.id), simulator.truth(tenant.id)
        schedules = data(simulator, "/tenant/schedules", headers)
        assert [(one["id"], one["days"], one["hour"]) for one in schedules] == [
            (one.id, one.days, one.hour) for one in truth.schedules
        ]
        rollovers = data(simulator, "/tenant/rollovers", headers)
        assert [(one["id"], unix(one["start_date"]), one["status"]) for one in rollovers] == [
            (one.id, one.start, one.status) for one in truth.rollovers
        ]
        ingestions = data(simulator, "/ingestions", headers)
        unfinished = [one for one in truth.ingestions if one.ended_at is None]
        assert [(one["id"], one["state"]) for one in ingestions] == [(one.id, one.state) for one in unfinished]
        for shown, real in zip(ingestions, unfinished, strict=True):
            assert (shown["started_at"] and unix(shown["started_at"])) == real.started_at
        for kind, members in (("schedules", SCHEDULE), ("rollovers", ROLLOVER)):
            for one in data(simulator, f"/tenant/{kind}", headers):
                assert one.keys() == members | COMMON
                assert data(simulator, f"/tenant/{kind}/{one['id']}", headers) == one
        assert body(call(simulator, "/tenant/schedules/count", headers)) == len(truth.schedules)
        assert body(call(simulator, "/tenant/rollovers/count", headers)) == len(truth.rollovers)
        assert body(call(simulator, "/ingestions/count", headers)) == len(unfinished)


@serves("GET /ingestions/{id}")
def test_a_finished_ingestion_is_not_listed_and_is_still_served_by_id(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock)
    headers = actor(simulator, tenant_id)
    ingestion_id = simulator.start_ingestion(tenant_id, type="bulk_load", started_at=clock() - 60, id="mine")
    shown = data(simulator, "/ingestions/mine", headers)
    assert shown.keys() == INGESTION | COMMON
    assert (shown["type"], shown["state"], unix(shown["started_at"])) == ("bulk_load", "executing", clock() - 60)
    simulator.finish_ingestion(tenant_id, ingestion_id, "timeout")
    assert "mine" not in [one["id"] for one in data(simulator, "/ingestions", headers)]
    assert data(simulator, "/ingestions/mine", headers)["state"] == "timeout"
    simulator.remove_ingestion(tenant_id, ingestion_id)
    assert call(simulator, "/ingestions/mine", headers).status == 404


@serves("GET /ingestions")
def test_a_server_that_lists_finished_ingestions_does_so_for_two_days(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock, lists_finished=True, token_lifetime=90 * DAY)
    headers = actor(simulator, tenant_id)
    simulator.start_ingestion(tenant_id, id="mine", state="failed")
    for wait, listed in ((0.0, True), (47 * HOUR, True), (2 * HOUR, False)):
        clock.at += wait
        assert ("mine" in [one["id"] for one in data(simulator, "/ingestions", headers)]) is listed


def test_a_server_without_ids_shows_none(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock, ids=False)
    simulator.tenant(tenant_id).rollovers.plan(clock() + DAY, clock() + 2 * DAY)
    simulator.start_ingestion(tenant_id)
    headers = actor(simulator, tenant_id)
    for path in ("/ingestions", "/tenant/schedules", "/tenant/rollovers"):
        shown = data(simulator, path, headers)
        assert shown
        assert all("id" not in one for one in shown)


@serves("GET /tenant/rollovers")
def test_rollovers_come_in_the_order_asked_for(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock)
    rollovers = simulator.tenant(tenant_id).rollovers
    rollovers.plan(clock() + 9 * DAY, clock() + 10 * DAY)
    rollovers.plan(clock() + 5 * DAY, clock() + 20 * DAY)
    headers = actor(simulator, tenant_id)
    by_start = [one["start_date"] for one in data(simulator, "/tenant/rollovers", headers, sort="start_date")]
    assert by_start == sorted(by_start)
    by_end = [one["end_date"] for one in data(simulator, "/tenant/rollovers", headers, sort="-end_date")]
    assert by_end == sorted(by_end, reverse=True)
    refused = call(simulator, "/tenant/rollovers", headers, sort="nonsense")
    assert (refused.status, body(refused)["error"]["details"]) == (400, "sort")


@serves(
    *("GET /tenant/application", "GET /tenant/scoping/schools", "GET /tenant/scoping/schools/{id}"),
    *("GET /tenant/scoping/courses", "GET /tenant/scoping/courses/{id}"),
)
def test_scoping_and_application_are_the_truth_or_an_error(simulator: Simulator) -> None:
    refusals: set[int] = set()
    for tenant in simulator.tenants():
        headers, truth = actor(simulator, tenant.id), simulator.truth(tenant.id)
        if truth.application is None:
            refusals.add(call(simulator, "/tenant/application", headers).status)
            refusals.add(call(simulator, "/tenant/scoping/schools", headers).status)
            continue
        application = data(simulator, "/tenant/application", headers)
        assert application.keys() >= APPLICATION
        assert application["auth_state"] == truth.application.auth_state
        schools = data(simulator, "/tenant/scoping/schools", headers)
        assert schools[0].keys() == SCHOOL
        assert sum(one["selected"] for one in schools) == truth.schools_selected
        assert sum(not one["selected"] for one in schools) == truth.schools_unselected
        assert data(simulator, f"/tenant/scoping/schools/{schools[0]['school_id']}", headers) == schools[0]
        courses = data(simulator, "/tenant/scoping/courses", headers)
        assert sum(one["selected"] for one in courses) == truth.courses_selected
        for course in courses[:1]:
            assert course.keys() == SCHOOL | {"course_id", "course_ref_id"}
            assert data(simulator, f"/tenant/scoping/courses/{course['course_id']}", headers) == course
    assert refusals == {403, 404}


@serves(
    *("GET /actors", "GET /clouds", "GET /clouds/{id}", "GET /clouds/{id}/actors"),
    *("GET /integrations", "GET /integrations/{id}", "GET /integrations/{id}/versions"),
)
def test_the_account_lists_actors_clouds_and_integrations(simulator: Simulator) -> None:
    clouds = everything(simulator, "/clouds")
    assert clouds[0].keys() == COMMON | {"name", "userdata", "generation"}
    assert data(simulator, f"/clouds/{clouds[0]['id']}") == clouds[0]
    inside = data(simulator, f"/clouds/{clouds[0]['id']}/actors")
    assert {one["type"] for one in inside} == {"connector", "repository", "integration"}
    assert inside[0].keys() == COMMON | {"name", "type", "connector_type", "auth"}
    without = data(simulator, f"/clouds/{clouds[0]['id']}/actors", include_credentials="false")
    assert without == [{**one, "auth": None} for one in inside]
    refused = call(simulator, f"/clouds/{clouds[0]['id']}/actors", include_credentials="yes")
    assert details(refused) == (400, "include_credentials")
    assert len(everything(simulator, "/actors")) == 25 + 2 * len(clouds)
    integrations = data(simulator, "/integrations")
    one = data(simulator, f"/integrations/{integrations[0]['id']}")
    assert one == integrations[0]
    assert data(simulator, "/integrations", name=one["name"]) == [one]
    versions = data(simulator, f"/integrations/{one['id']}/versions")
    assert versions[0].keys() == COMMON | {"version", "title", "release_state"}
    assert len({version["release_state"] for version in versions}) == 5


@serves("GET /clouds/search")
def test_clouds_are_searched_by_name_generation_and_userdata(simulator: Simulator) -> None:
    cloud = everything(simulator, "/clouds")[0]
    by_name = data(simulator, "/clouds/search", name=cloud["name"].upper())
    by_all = data(simulator, "/clouds/search", generation=str(cloud["generation"]), userdata=cloud["userdata"])
    assert cloud in by_name
    assert by_all == [cloud]
    assert data(simulator, "/clouds/search", generation="99") == []
    assert details(call(simulator, "/clouds/search", generation="two")) == (400, "generation")


@pytest.mark.parametrize(("method", "route"), [(method, route) for route in ROUTES for method in route.methods])
def test_each_call_is_for_one_kind_of_credentials(simulator: Simulator, method: str, route: Route) -> None:
    tenant = actor(simulator, simulator.tenants()[0].id)
    path = route.template.replace("{id}", "no-such-id").replace("{version}", "1")
    wrong, right = (tenant, account(simulator)) if route.audience == "account" else (account(simulator), tenant)
    assert send(simulator, method, path, wrong).status == 403
    assert send(simulator, method, path, {}).status == 401
    if "{" in route.template:
        assert send(simulator, method, path, right).status == 404
    elif method != "DELETE":
        assert send(simulator, method, path, right).status == (200 if method == "GET" else 400)


def test_errors_come_in_the_envelope(simulator: Simulator) -> None:
    error = body(call(simulator, "/tenants", {}))["error"]
    assert error.keys() == {"status", "code", "message", "ext_message", "details"}
    assert error["status"] == 401


@pytest.mark.parametrize("path", ["/nowhere", "/tenant/nowhere/at/all", "/tenantsX"])
def test_what_does_not_exist_is_not_found(simulator: Simulator, path: str) -> None:
    assert call(simulator, path).status == 404
    assert simulator.reply(Request("GET", path)).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD"])
def test_other_methods_than_the_published_are_refused_and_logged(clock: ManualClock, method: str) -> None:
    simulator = Simulator(now=clock, record=True)
    reply = send(simulator, method, "/tenant/schedules")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")
    logged = simulator.requests[0]
    assert (logged.method, logged.endpoint, logged.status, logged.scheme) == (method, "/tenant/schedules", 405, "Basic")
    assert simulator.reply(Request("GET", "/oauth/token")).status == 405


def test_requests_are_always_counted_and_logged_on_demand(clock: ManualClock) -> None:
    simulator = Simulator(now=clock)
    call(simulator, "/tenants")
    call(simulator, f"/tenants/{simulator.tenants()[0].id}")
    assert simulator.counts == {"/tenants": 1, "/tenants/{id}": 1}
    assert not simulator.requests


# Credentials


def test_the_account_authenticates_by_key_client_and_ready_token(simulator: Simulator) -> None:
    assert call(simulator, "/tenants", basic(simulator.api_key, simulator.api_key)).status == 200
    assert call(simulator, "/tenants", basic(simulator.api_key, "other")).status == 401
    assert call(simulator, "/tenants", bearer(simulator.token)).status == 200
    granted = body(ask_token(simulator, simulator.client_id, simulator.client_secret))
    assert granted.keys() == {"access_token", "token_type", "expires_in"}
    assert call(simulator, "/tenants", bearer(granted["access_token"])).status == 200


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer", "Bearer nonsense"])
def test_bad_credentials_are_unauthorized(simulator: Simulator, header: str) -> None:
    assert call(simulator, "/tenants", {"Authorization": header}).status == 401


def test_tokens_expire_by_the_clock(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, token_lifetime=600)
    tenant_id = simulator.tenants()[0].id
    headers = actor(simulator, tenant_id)
    clock.at += 599
    assert call(simulator, "/tenant/state", headers).status == 200
    clock.at += 1
    assert call(simulator, "/tenant/state", headers).status == 401


def test_wrong_grants_are_answered_as_oauth_does(simulator: Simulator) -> None:
    good = simulator.client_id, simulator.client_secret
    tenants = simulator.tenants()
    basic_actor = next(tenant.credentials for tenant in tenants if tenant.credentials.type == "basic")
    answers = {
        "unsupported_grant_type": ask_token(simulator, *good, grant="password"),
        "invalid_client": ask_token(simulator, simulator.client_id, "wrong"),
        "unauthorized_client": ask_token(simulator, basic_actor.client_id, basic_actor.client_secret),
    }
    assert {error: body(reply)["error"] for error, reply in answers.items()} == {error: error for error in answers}
    assert [reply.status for reply in answers.values()] == [400, 401, 400]
    assert ask_token(simulator, "unknown", "x").status == 401
    no_form = Request("POST", "/oauth/token", {}, {"Content-Type": "application/json"}, b"{}")
    assert simulator.reply(no_form).status == 400


def test_an_oauth_actor_can_not_use_basic(simulator: Simulator) -> None:
    credentials = simulator.tenants()[0].credentials
    assert credentials.type == "oauth2"
    headers = basic(credentials.client_id, credentials.client_secret)
    assert call(simulator, "/tenant/state", headers).status == 401


@pytest.mark.parametrize("place", [0, 3], ids=["oauth2", "basic"])
def test_a_rotated_secret_replaces_the_old_one(clock: ManualClock, place: int) -> None:
    simulator = Simulator(now=clock)
    tenant_id = simulator.tenants()[place].id
    before = data(simulator, f"/tenants/{tenant_id}")["auth"]
    headers = actor(simulator, tenant_id)
    clock.at += 10
    simulator.rotate(tenant_id)
    assert call(simulator, "/tenant/state", headers).status == 401
    assert ask_token(simulator, before["client_id"], before["client_secret"]).status in (400, 401)
    after = data(simulator, f"/tenants/{tenant_id}")["auth"]
    assert unix(after["updated_at"]) == clock()
    assert call(simulator, "/tenant/state", actor(simulator, tenant_id)).status == 200


def test_expired_tokens_are_removed(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.simulator.authentication._MAX_TOKENS", 3)
    simulator = Simulator(now=clock, token_lifetime=60)
    for _ in range(10):
        clock.at += 61
        actor(simulator, simulator.tenants()[0].id)
    assert len(simulator._authenticator._tokens) <= 4


def test_secrets_are_marked_and_not_in_any_repr(simulator: Simulator) -> None:
    assert all("S3CR3T" in one for one in (simulator.api_key, simulator.client_secret, simulator.token))
    tenant = simulator.tenants()[0]
    granted = body(ask_token(simulator, tenant.credentials.client_id, tenant.credentials.client_secret))
    assert "S3CR3T" in granted["access_token"]
    shown = data(simulator, "/tenant/application", actor(simulator, tenant.id))
    assert "S3CR3T" in json.dumps(shown["auth_props"])
    request = Request("GET", "/", {}, account(simulator), b"S3CR3T")
    things = (simulator, tenant, simulator.inventory.tenants[tenant.id], simulator.truth(tenant.id), request)
    assert all("S3CR3T" not in repr(one) for one in (*things, call(simulator, "/tenants")))


# Paging


def test_all_pages_together_are_the_list(clock: ManualClock) -> None:
    simulator = Simulator(now=clock)
    ids = [tenant.id for tenant in simulator.tenants()]
    for size in ("1", "7", "8", "100", "5000"):
        assert [one["id"] for one in everything(simulator, "/tenants", page_size=size)] == ids


def test_lists_begin_with_a_null_by_default(clock: ManualClock) -> None:
    assert body(call(Simulator(now=clock), "/tenants"))["data"][0] is None
    assert None not in body(call(Simulator(now=clock, nulls=False), "/tenants"))["data"]


def test_the_page_size_is_limited(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, page_size_max=10, page_size=4, nulls=False)
    assert len(data(simulator, "/tenants")) == 4
    assert len(data(simulator, "/tenants", page_size="1000")) == 10


@pytest.mark.parametrize(
    "query", [{"page": "-1"}, {"page": "x"}, {"page_size": "0"}, {"page": "9" * 5000}, {"page": "²"}]
)
def test_invalid_page_numbers_are_bad_requests(simulator: Simulator, query: dict[str, str]) -> None:
    assert call(simulator, "/tenants", **query).status == 400


def test_a_server_may_page_without_a_paging_member(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, paging="none", page_size=10, nulls=False)
    reply = body(call(simulator, "/tenants", page="2"))
    assert reply.keys() == {"data"}
    assert len(reply["data"]) == 5


def test_a_server_may_repeat_a_page_for_ever(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, paging="ignored", page_size=10)
    first, later = (body(call(simulator, "/tenants", page=page)) for page in ("0", "77"))
    assert first["data"] == later["data"]
    assert later["paging"]["next"]


def test_a_server_may_list_tenants_without_end(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, paging="endless", page_size=10)
    far = [body(call(simulator, "/tenants", page=page)) for page in ("500", "501")]
    assert all(reply["paging"]["next"] and len(reply["data"]) == 10 for reply in far)
    assert far[0]["data"][0]["id"] != far[1]["data"][0]["id"]
    assert body(call(simulator, "/integrations"))["paging"]["next"] is None


def test_a_server_may_end_with_an_empty_page(clock: ManualClock) -> None:
    simulator = Simulator(now=clock, paging="empty_last")
    assert body(call(simulator, "/tenants"))["paging"]["next"]
    assert body(call(simulator, "/tenants", page="1")) == {"data": [], "paging": {"next": None}}


def test_an_unknown_paging_mode_is_an_error() -> None:
    with pytest.raises(ValueError, match="cursor"):
        Simulator(paging="cursor")


# Changes


def test_tenants_are_added_renamed_and_removed(clock: ManualClock) -> None:
    simulator = Simulator(now=clock)
    new = simulator.add_tenant("Newcomer")
    assert data(simulator, f"/tenants/{new}")["name"] == "Newcomer"
    assert data(simulator, "/tenant/state", actor(simulator, new))["mass_change_pending"] is False
    simulator.rename(new, "Renamed")
    headers = actor(simulator, new)
    assert data(simulator, "/tenant", headers)["name"] == "Renamed"
    simulator.remove_tenant(new)
    assert call(simulator, f"/tenants/{new}").status == 404
    assert call(simulator, "/tenant", headers).status == 401
    with pytest.raises(KeyError):
        simulator.truth(new)
    assert simulator.add_tenant() in [tenant.id for tenant in simulator.tenants()]


def test_any_truth_can_be_set(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock)
    simulator.set_flag(tenant_id, "brand_new_flag", on=True)
    ingestion_id = simulator.start_ingestion(tenant_id, has_pending_task=True)
    simulator.set_ingestion_state(tenant_id, ingestion_id, "quarantined")
    headers = actor(simulator, tenant_id)
    assert data(simulator, "/tenant/state", headers)["brand_new_flag"] is True
    shown = data(simulator, f"/ingestions/{ingestion_id}", headers)
    assert (shown["state"], shown["has_pending_task"], shown["started_at"]) == ("quarantined", True, None)
    with pytest.raises(ValueError, match="executing"):
        simulator.finish_ingestion(tenant_id, ingestion_id, "executing")


def test_a_reply_can_be_overridden_for_one_tenant_or_all(clock: ManualClock) -> None:
    simulator, tenant_id = healthy(clock)
    mine, others = actor(simulator, tenant_id), actor(simulator, simulator.tenants()[1].id)
    simulator.override("/tenant/state", {"data": {"a": True}})
    simulator.override("/tenant/state", 1, tenant_id)
    assert body(call(simulator, "/tenant/state", mine)) == 1
    assert body(call(simulator, "/tenant/state", others)) == {"data": {"a": True}}
    assert call(simulator, "/tenant/state", {}).status == 401
    assert call(simulator, "/tenant", mine).status == 200
    simulator.override("/tenant/state", None)
    assert len(data(simulator, "/tenant/state", others)) == 4


def test_the_same_seed_and_times_give_the_same_replies() -> None:
    def replies(seed: int, *, hourly: bool) -> list[bytes]:
        clock = ManualClock()
        simulator = Simulator(seed=seed, now=clock)
        for _ in range(24 if hourly else 0):
            clock.at += HOUR
            assert simulator.incidents is not None
        clock.at = ManualClock().at + DAY
        paths = ("/tenant", "/tenant/state", "/ingestions", "/tenant/schedules", "/tenant/rollovers")
        return [
            call(simulator, path, actor(simulator, tenant.id)).body for tenant in simulator.tenants() for path in paths
        ]

    assert replies(5, hourly=False) == replies(5, hourly=True)
    assert replies(5, hourly=False) != replies(6, hourly=False)
