"""Tests that every reply becomes a model, or else an `ApiError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.api import models
from exporter.api.client import Client
from exporter.api.credentials import BasicCredentials, ClientCredentials
from exporter.api.errors import ApiError
from exporter.api.fields import Fields
from exporter.api.ingestions import get_ended
from exporter.api.wire import PREFIX, Reply
from exporter.polling.sources import AccountSource, Filter
from tests.api.fakes import SECRET, Call, FakeTransport, client, data, json_values, replies, reply
from tests.support.fetches import FETCHES, PATHS, good_reply
from tests.support.replies import CREDENTIALS
from tests.support.virtual_time import run_virtual

UUID = "123e4567-e89b-12d3-a456-426614174000"
TIME = 1_755_262_726.28
STAMP = "2025-08-15T12:58:46.280Z"

TENANT = {
    "id": UUID,
    "name": "Springfield",
    "actor_id": UUID,
    "account": {"id": "a1", "name": "District", "public_id": "P1", "timezone": "UTC", "userdata": {}},
    "cloud": {"id": "c1", "name": "Cloud", "generation": 2, "env": {"id": "e1", "name": "prod"}},
    "integration": {"id": "i1", "name": "Rosters", "version": "1.2"},
    "auth": {"type": "oauth2", "client_id": "id", "client_secret": SECRET, "updated_at": STAMP},
    "app_auth": {"password": SECRET, "api_key": SECRET},
    "a_new_member": {"deep": [1]},
}

# Every model by its name.
MODELS: dict[str, Callable[[Fields], Any]] = {
    name: each.parse for name, each in vars(models).items() if isinstance(each, type) and hasattr(each, "parse")
}


class Asked(dict[str, Any]):
    """An object of a reply that notes the name of each member that is asked for."""

    names: ClassVar[set[str]] = set()

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - the signature of a dict
        self.names.add(name)
        return "1" if name == "id" else Asked()


def members() -> list[str]:
    """The names of all members that the models parse, and of one that none does."""
    for parse in MODELS.values():
        parse(Fields(Asked(), lambda _: None))
    return [*sorted(Asked.names), "a_new_flag"]


MEMBERS = st.sampled_from(members())

OTHER = UUID.replace("0", "1")
KNOWN = models.Ingestion(UUID, "collection", "executing", 1.0, None)


def read(model: str, raw: dict[str, Any]) -> tuple[Any, list[str]]:
    """The model, and the names of the members that it could not read."""
    reported: list[str] = []
    return MODELS[model](Fields(raw, reported.append)), reported


def test_a_tenant_is_read_with_its_credentials() -> None:
    found, reported = read("Tenant", TENANT)
    assert found == models.Tenant(
        id=UUID,
        name="Springfield",
        account_id="a1",
        account_public_id="P1",
        account_name="District",
        cloud_id="c1",
        cloud_name="Cloud",
        integration_id="i1",
        integration="Rosters",
        integration_version="1.2",
        credentials=ClientCredentials("id", SECRET),
        credentials_updated_at=TIME,
    )
    assert reported == []
    assert SECRET not in repr(found)


def test_a_tenant_may_be_nothing_but_an_id() -> None:
    parts = dict.fromkeys(("name", "account", "cloud", "integration", "auth", "app_auth"))
    assert read("Tenant", {"id": UUID, **parts}) == (models.Tenant(UUID), [])


@pytest.mark.parametrize("ident", [None, "", "a/b", True])
def test_a_tenant_without_an_id_is_none_and_reported(ident: Any) -> None:
    found, reported = read("Tenant", {**TENANT, "id": ident})
    assert found is None
    assert "id" in reported


@pytest.mark.parametrize(
    ("auth", "credentials", "reported"),
    [
        ({"type": "basic"}, BasicCredentials("id", "secret"), []),
        ({"type": "Basic"}, BasicCredentials("id", "secret"), []),
        ({"type": "OAuth2"}, ClientCredentials("id", "secret"), []),
        ({"type": None}, ClientCredentials("id", "secret"), []),
        ({"type": "text"}, ClientCredentials("id", "secret"), ["auth.type"]),
        ({"client_secret": None}, None, []),
        ({"client_id": ""}, None, []),
        ({"client_secret": "\ud800"}, None, ["auth.client_secret"]),
        ({"client_id": 4711}, ClientCredentials("4711", "secret"), []),
        ({"client_secret": "x" * 1400}, ClientCredentials("id", "x" * 1400), []),
        ({"client_secret": " e\u0301 "}, ClientCredentials("id", " e\u0301 "), []),
        ({"client_secret": 653247040368672768}, ClientCredentials("id", "653247040368672768"), []),
        ({"client_secret": "x" * 65_537}, None, ["auth.client_secret"]),
        ({"updated_at": 5}, ClientCredentials("id", "secret"), ["auth.updated_at"]),
    ],
)
def test_credentials_of_every_kind_are_read(auth: dict[str, Any], credentials: Any, reported: list[str]) -> None:
    found, names = read("Tenant", {"id": UUID, "auth": {"client_id": "id", "client_secret": "secret", **auth}})
    assert (found.credentials, names) == (credentials, reported)


def test_every_boolean_of_the_state_is_a_flag_and_nothing_else_is() -> None:
    raw = {"rollover_mode_enabled": True, "setup_mode_enabled": None, "mass_change_pending": "yes", "new_flag": False}
    found, reported = read("State", {**raw, "id": UUID, "count": 1})
    assert found.flags == {"rollover_mode_enabled": True, "new_flag": False}
    assert reported == ["mass_change_pending"]


@pytest.mark.parametrize(
    "name", ["read-only", "2fa_required", "not a name", "größe", "学区", "a.b/c", 'quo"ted\\', "x" * 128, "é 👍"]
)
def test_a_flag_of_any_name_that_can_be_seen_is_shown(name: str) -> None:
    assert read("State", {name: True}) == (models.State({name: True}), [])


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "\u200b", "a\u200bb", "\ud800", "x" * 129])
def test_a_flag_of_any_other_name_is_counted(name: str) -> None:
    assert read("State", {name: True, "a": False}) == (models.State({"a": False}), ["flag_name"])


def test_two_spellings_of_a_name_are_one_flag() -> None:
    found, _ = read("State", {"z": True, "e\u0301": True, "b": False, "\xe9": False, "mass_change_pending": True})
    assert found.flags == {"mass_change_pending": True, "b": False, "z": True, "\xe9": False}


def test_an_ingestion_with_an_unknown_state_is_unfinished() -> None:
    raw = {"type": "a_new_type", "state": "a_new_state", "started_at": "0001-01-01T00:00:00Z", "has_pending_task": None}
    found, reported = read("Ingestion", raw)
    assert found == models.Ingestion(None, "a_new_type", "a_new_state", None, None)
    assert not found.finished
    assert reported == ["started_at"]


@pytest.mark.parametrize("state", ["success", "failed", "cancelled", "timeout"])
def test_four_states_are_final(state: str) -> None:
    assert read("Ingestion", {"state": state})[0].finished


def test_a_schedule_is_read_as_published() -> None:
    raw = {
        "type": "unspecified",
        "last_executed_at": STAMP,
        "enabled": True,
        "hour": 1,
        "days": "text",
        "metadata": None,
    }
    found, reported = read("Schedule", raw)
    assert found == models.Schedule(
        id=None,
        type="unspecified",
        enabled=True,
        hour=1,
        days="text",
        weekdays=None,
        last_executed_at=TIME,
        created_at=None,
    )
    assert reported == ["days"]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (None, ""),
        ("1-5", "1-5"),
        ([1, 2], "[1, 2]"),
        ({"mon": True}, '{"mon": true}'),
        ("x" * 201, ""),
        ("a\nb", ""),
        ("\ud800", ""),
    ],
)
def test_days_are_a_label_only_if_they_can_be_one(days: Any, text: str) -> None:
    assert read("Schedule", {"days": days})[0].days == text


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(0, 0), (23, 23), (7.0, 7), ("5", 5), (24, None), (-1, None), (7.5, None), ("7 am", None), (True, None)],
)
def test_an_hour_is_from_0_to_23(hour: Any, expected: int | None) -> None:
    assert read("Schedule", {"hour": hour})[0].hour == expected


def test_a_schedule_knows_when_it_was_made() -> None:
    assert read("Schedule", {"metadata": {"created": STAMP, "updated": None}})[0].created_at == TIME


def test_a_rollover_is_read() -> None:
    raw = {
        "id": 5,
        "name": "Summer",
        "type": "new_year",
        "start_date": "2025-08-15",
        "end_date": STAMP,
        "status": "ongoing",
        "status_change_failure_count": 2,
        "failure_reason": "",
    }
    found, reported = read("Rollover", raw)
    assert found == models.Rollover("5", "Summer", "new_year", "ongoing", 1_755_216_000.0, TIME, 2, None)
    assert reported == []


@pytest.mark.parametrize("value", ["in April", "", 1_755_216_000, 1_755_216_000_000.0, True, [], "2026-13-01"])
def test_a_window_of_a_rollover_that_can_not_be_parsed_is_unknown(value: Any) -> None:
    start, reported = read("Rollover", {"start_date": value, "end_date": STAMP})
    assert (start.start, start.has_unknown_start, start.has_unknown_end) == (None, True, False)
    assert reported == ["start_date"]
    end, reported = read("Rollover", {"start_date": STAMP, "end_date": value})
    assert (end.end, end.has_unknown_start, end.has_unknown_end) == (None, False, True)
    assert reported == ["end_date"]


@pytest.mark.parametrize("raw", [{}, {"start_date": None, "end_date": None}])
def test_a_window_of_a_rollover_that_is_null_or_missing_is_not_unknown(raw: dict[str, Any]) -> None:
    found, reported = read("Rollover", raw)
    assert (found.has_unknown_start, found.has_unknown_end, reported) == (False, False, [])


def test_the_small_models_are_read() -> None:
    raw = {"auth_type": "oauth2", "auth_state": "error", "deliver_tasks": True, "auth_props": {"password": SECRET}}
    application, _ = read("Application", raw)
    assert application == models.Application("oauth2", "error", deliver_tasks=True, validate_tasks=None)
    assert SECRET not in repr(application)
    assert read("Scope", {"selected": False})[0].selected is False
    assert read("Actor", {"type": None})[0].type == ""
    assert read("Integration", {"id": "i", "name": "n", "version": "v"})[0] == models.Integration("i", "n", "v")
    assert read("IntegrationVersion", {"version": "1", "release_state": "beta"})[0] == models.IntegrationVersion(
        "1", "beta"
    )


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_object_is_a_model_of_nothing(model: str) -> None:
    _, reported = read(model, {})
    assert reported == (["id"] if model == "Tenant" else [])


@given(st.dictionaries(MEMBERS, json_values(MEMBERS), max_size=8))
def test_any_object_is_a_model(raw: dict[str, Any]) -> None:
    for model in MODELS:
        found, _ = read(model, raw)
        repr(found).encode()


async def outcomes(answer: Reply) -> None:
    """Answer so to each path that the exporter asks for, one path at a time; all others get a good reply."""
    for name, paths in PATHS.items():
        for path in paths:
            one = client(FakeTransport(partial(_answer, path, answer)))
            with suppress(ApiError):
                await FETCHES[name](one, CREDENTIALS)


def _answer(path: str, answer: Reply, call: Call) -> Reply:
    asked = call.path.removeprefix(PREFIX)
    return answer if asked == path else reply(good_reply(asked))


DEEPEST = [b'{"data": [{"days": ' + b"[" * depth + b"]" * depth + b"}]}" for depth in range(930, 1000, 3)]


@settings(max_examples=60)
@given(st.binary(max_size=100) | json_values(st.just("data") | MEMBERS).map(lambda value: json.dumps(value).encode()))
@example(b'{"data": null}')
@example(b'{"data": {"id": 1e999}}')
def test_any_reply_to_any_call_gives_a_value_or_an_api_error(body: bytes) -> None:
    run_virtual(outcomes(reply(body)))


@settings(max_examples=60)
@given(st.dictionaries(MEMBERS, json_values(MEMBERS), max_size=6))
def test_any_object_in_a_good_envelope_gives_a_value_or_an_api_error(raw: dict[str, Any]) -> None:
    run_virtual(outcomes(data(raw)))
    run_virtual(outcomes(data([None, raw, raw])))


def test_nesting_as_deep_as_json_allows_gives_a_value_or_an_api_error() -> None:
    for body in DEEPEST:
        run_virtual(outcomes(reply(body)))


def test_what_cannot_be_read_is_counted_by_endpoint_and_field() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(data([{"hour": 99, "days": "text"}]))))
        assert len(await one.api(CREDENTIALS).get_list("/tenant/schedules", models.Schedule.parse)) == 1
        assert one.observer.invalid_fields == [("/tenant/schedules", "days"), ("/tenant/schedules", "hour")]

    run_virtual(scenario())


def test_an_ingestion_that_is_gone_is_none() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(reply({"error": {}}, 404)))
        assert await get_ended(client(transport).api(CREDENTIALS), KNOWN) is None
        assert transport.calls[0].path == f"/v2/interop/ingestions/{UUID}"

    run_virtual(scenario())


def test_an_ingestion_is_not_gone_because_the_token_endpoint_is() -> None:
    async def scenario() -> None:
        one = client(FakeTransport(replies(data({})), replies(reply({}, 404))))
        assert await get_ended(one.api(CREDENTIALS), KNOWN) is KNOWN

    run_virtual(scenario())


def test_the_filters_of_the_tenant_list_are_sent_where_there_are_any() -> None:
    async def scenario() -> None:
        transport = FakeTransport(replies(data([TENANT, {"name": "no id"}, None])))

        async def found(one: Client, wanted: Filter) -> list[models.Tenant]:
            return (await AccountSource(one, lambda: CREDENTIALS, wanted).get_tenants()).tenants

        assert [one.id for one in await found(client(transport), Filter())] == [UUID]
        assert transport.calls[0].query == {"page": "0"}
        await found(client(transport), Filter([UUID, OTHER], [UUID]))
        filters = {"accounts": f"{UUID},{OTHER}", "integrations": UUID}
        assert transport.calls[-3].query == {**filters, "page": "0"}
        await found(client(transport), Filter([UUID, "a name"], ["x"]))
        assert transport.calls[-3].query == {"page": "0"}, "the server knows no names: the exporter alone filters"

    run_virtual(scenario())
