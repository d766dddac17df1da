"""Tests that a tenant from the tenants file keeps its token between discoveries, and for its polls."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import structlog

from exporter.api.client import Api
from exporter.api.credentials import BasicCredentials, ClientCredentials, NamedCredentials, TenantCredentials
from exporter.api.fields import Fields
from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.state import StateCollector
from exporter.families import FAMILIES
from exporter.polling.discovery import Discovery
from exporter.polling.poller import Poller
from exporter.polling.scheduler import Scheduler
from exporter.polling.sources import AccountSource, Discovered, FileSource, Filter
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.support.replies import Replies, table
from tests.support.virtual_time import run_virtual, virtual_clock

UP = b"kimono_up "
OLD, NEW = ClientCredentials("client", "old"), ClientCredentials("client", "new")
GOOD = {"/tenant": {"data": {"id": "a"}}, "/tenant/state": {"data": {"setup_mode_enabled": False}}}


class Counted(Replies):
    """Replies that count the tokens."""

    tokens = 0

    async def post_token(self, form: Mapping[str, str]) -> Any:
        self.tokens += 1
        return await super().post_token(form)


def test_discovery_and_polls_of_a_tenant_share_one_token() -> None:
    async def scenario() -> None:
        replies, clock, telemetry = Counted(table(GOOD)), virtual_clock(), Telemetry()
        client = replies.client(clock, telemetry)
        poller = Poller(client, Store(FAMILIES), telemetry, clock)
        source = FileSource(client, lambda: [NamedCredentials("entry", OLD)], Filter())
        poller.configure(source, 300.0, {StateCollector: 60.0})
        await poller.once()
        await poller.discovery.discover()
        assert replies.asked == ["/tenant", "/tenant/state", "/tenant"]
        assert replies.tokens == 1

    run_virtual(scenario())


@pytest.mark.parametrize(("second", "kept"), [(OLD, True), (NEW, False), (BasicCredentials("client", "old"), False)])
def test_the_api_of_a_tenant_is_kept_while_its_credentials_stay(second: TenantCredentials, kept: bool) -> None:  # noqa: FBT001 - a table
    async def scenario() -> tuple[Api, Api]:
        credentials: TenantCredentials = OLD
        source = FileSource(Replies(table(GOOD)).client(), lambda: [NamedCredentials("entry", credentials)], Filter())
        first = await source.get_tenants()
        credentials = second
        again = await source.get_tenants()
        assert again.tenants[0].credentials == second
        return first.apis["a"], again.apis["a"]

    before, after = run_virtual(scenario())
    assert (before is after) == kept


def test_a_tenant_that_is_known_stays_when_it_fails_and_with_new_credentials_it_does_not() -> None:
    async def scenario() -> list[Discovered]:
        answers, credentials = dict(GOOD), [OLD]
        source = FileSource(Replies(answers.get).client(), lambda: [NamedCredentials("entry", *credentials)], Filter())
        found = [await source.get_tenants()]
        answers["/tenant"] = 403
        found.append(await source.get_tenants())
        credentials[0] = NEW
        return [*found, await source.get_tenants()]

    good, failing, renewed = run_virtual(scenario())
    assert (failing.tenants, list(failing.failures), failing.apis) == (good.tenants, [], good.apis)
    assert (renewed.tenants, renewed.reason, renewed.apis) == ([], "forbidden", {})


class Script:
    """A source that finds what the test says."""

    def __init__(self, found: Discovered) -> None:
        self.found = found

    async def get_tenants(self) -> Discovered:
        return self.found


def test_a_partial_discovery_adds_tenants_and_removes_none() -> None:
    async def scenario() -> list[set[str]]:
        clock, telemetry, source = virtual_clock(), Telemetry(), Script(Discovered([Tenant("a"), Tenant("b")]))
        poller = Poller(Replies(table({})).client(clock, telemetry), Store(FAMILIES), telemetry, clock)
        poller.configure(source, 300.0, {})
        known = []
        for found in (source.found, Discovered([Tenant("c")], failures=["one fails"], reason="auth"), Discovered([])):
            source.found = found
            await poller.discovery.discover()
            known.append({*poller.discovery.tenants})
        return known

    assert run_virtual(scenario()) == [{"a", "b"}, {"a", "b", "c"}, set()]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Filter(), True),
        (Filter(include=["Map*"]), True),
        (Filter(include=["id-1"]), True),
        (Filter(include=["Oak*"]), False),
        (Filter(exclude=["Map*"]), False),
        (Filter(exclude=["id-?"]), False),
        (Filter(exclude=["Oak*"]), True),
        (Filter(include=["Map*"], exclude=["id-1"]), False),
    ],
)
def test_globs_match_the_id_or_the_name_and_exclude_wins(wanted: Filter, matches: bool) -> None:  # noqa: FBT001 - a table
    assert wanted.matches(Tenant("id-1", "Maple LMS")) == matches


@pytest.mark.parametrize("glob", ["École *", "E\u0301cole *", "*cole nº 1"])
@pytest.mark.parametrize("name", ["École nº 1", "E\u0301cole nº 1"])
def test_a_name_matches_however_its_accents_are_written(glob: str, name: str) -> None:
    tenant = Tenant.parse(Fields({"id": "a", "name": name, "account": {"name": name}}, lambda _: None))
    assert tenant is not None
    assert not Filter(exclude=[glob]).matches(tenant)
    assert Filter(include=[glob]).matches(tenant)


@pytest.mark.parametrize("wanted", ["É", "E\u0301"])
@pytest.mark.parametrize("given", ["É", "E\u0301"])
def test_accounts_and_integrations_match_however_their_accents_are_written(wanted: str, given: str) -> None:
    for part, of in (("name", "account"), ("public_id", "account"), ("name", "integration")):
        tenant = Tenant.parse(Fields({"id": "a", of: {part: given}}, lambda _: None))
        assert tenant is not None
        assert Filter(**{f"{of}s": [wanted]}).matches(tenant)
        assert not Filter(**{f"{of}s": ["E"]}).matches(tenant)


@pytest.mark.parametrize(
    ("idents", "found", "failures"),
    [
        (["a", 653247040368672768, 7.0, "7"], ["a", "653247040368672768", "7"], []),
        (["a", {}], ["a"], ["1 tenant in the list has no valid id"]),
        (["a", "a/b", True, None], ["a"], ["3 tenants in the list have no valid id"]),
        (["", "x" * 129, 1e300], [], ["3 tenants in the list have no valid id"]),
    ],
)
def test_tenants_without_a_valid_id_make_the_list_partial_and_a_number_is_one(
    idents: list[Any], found: list[str], failures: list[str]
) -> None:
    answers = {"/tenants": {"data": [None, *({"id": ident} for ident in idents)]}}
    source = AccountSource(Replies(table(answers)).client(), lambda: OLD, Filter())
    discovered = run_virtual(source.get_tenants())
    assert [tenant.id for tenant in discovered.tenants] == found
    assert (list(discovered.failures), discovered.reason) == (failures, "bad_response" if failures else "")


def test_a_tenant_without_a_valid_id_makes_discovery_partial_until_it_has_one() -> None:
    async def scenario() -> list[tuple[bytes, bool | None, str, set[str]]]:
        clock, telemetry, store, answers = virtual_clock(), Telemetry(), Store(FAMILIES), dict[str, Any]()
        client = Replies(answers.get).client(clock, telemetry)
        poller = Poller(client, store, telemetry, clock)
        poller.configure(AccountSource(client, lambda: OLD, Filter()), 300.0, {})
        seen = []
        for idents in (["a", "b"], ["a", "not valid"], ["a", 5]):
            answers["/tenants"] = {"data": [{"id": ident} for ident in idents]}
            await poller.discovery.discover()
            up = next(line for line in b"".join(store.page(0.0, openmetrics=False)).splitlines() if line[:10] == UP)
            seen.append(
                (up[10:], poller.discovery.status.ok, poller.discovery.status.detail, {*poller.discovery.tenants})
            )
        return seen

    with structlog.testing.capture_logs() as logged:
        seen = run_virtual(scenario())
    problem = "1 tenant in the list has no valid id"
    assert seen == [
        (b"1.0", True, "", {"a", "b"}),
        (b"0.0", False, problem, {"a", "b"}),
        (b"1.0", True, "", {"a", "5"}),
    ]
    assert [line["detail"] for line in logged if line["event"] == "discovery fails"] == [problem]


def test_each_collector_polls_all_new_tenants_before_the_next_collector() -> None:
    async def scenario() -> list[str]:
        # A clock that moves at each look, as a real one does.
        ticks = itertools.count()
        clock = Clock(monotonic=lambda: next(ticks) / 1000)
        replies = Replies(table({"/tenants": {"data": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}}))
        client, scheduler = replies.client(), Scheduler(clock)
        scheduler.configure({StateCollector: 60.0, IngestionsCollector: 60.0})
        discovery = Discovery(client, Store(FAMILIES), scheduler, clock)
        discovery.configure(AccountSource(client, lambda: OLD, Filter()), 300.0)
        await discovery.discover()
        polled = []
        while poll := scheduler.next_due():
            polled.append(poll.schedule.name)
            scheduler.finish(poll)
            if len(polled) == 6:
                break
        return polled

    assert run_virtual(scenario()) == ["state"] * 3 + ["ingestions"] * 3
