"""What does a page look like that is made from recorded replies?

One page a collector in `golden/`; `pytest tests/test_golden.py --golden` writes them anew, for a person to
read the difference. `published.txt` is the whole page that the published examples give, word for word.
"""

from __future__ import annotations

import asyncio
import math
import subprocess
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.api import wire
from exporter.api.auth import BearerToken
from exporter.api.client import AccountApi, TenantApi
from exporter.api.fields import Fields
from exporter.api.models import (
    Actor,
    Application,
    Ingestion,
    Integration,
    IntegrationVersion,
    Rollover,
    Schedule,
    Scope,
    State,
    Tenant,
)
from exporter.collectors import ACCOUNT_COLLECTORS, TENANT_COLLECTORS, Collector
from exporter.discovery import AccountDiscovery, Filter
from exporter.families import FAMILIES
from exporter.poller import Poller
from exporter.store import FLEET, Store
from exporter.telemetry import Telemetry
from tests.replies import FIXTURES, Replies, folder
from tests.virtual_time import START, run_virtual, virtual_clock

GOLDEN = Path(__file__).parent / "golden"
COLLECTORS: tuple[type[Collector[Any, Any, Any]], ...] = (*TENANT_COLLECTORS, *ACCOUNT_COLLECTORS)
TENANT = "5b1c0de0-0000-4000-8000-000000000001"
PUBLISHED = sorted(path.stem for path in (FIXTURES / "published").glob("*.json"))

Rewrites = Callable[[str, str], None]


@pytest.fixture
def compare(request: pytest.FixtureRequest) -> Rewrites:
    """Compares a page with the golden one of that name, or writes it."""

    def compare_or_write(name: str, page: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--golden"):
            path.write_text(page, encoding="utf-8")
        assert page == path.read_text(encoding="utf-8"), f"{path.name} differs; to accept it: make golden"

    return compare_or_write


def text(store: Store) -> str:
    return b"".join(store.page(0.0, openmetrics=False)).decode()


async def two_polls(collector: Collector[Any, Any, Any]) -> str:
    """The page after a second poll, ten minutes after the first, which had what `earlier` holds."""
    store, memory = Store(FAMILIES), None
    owner = FLEET if isinstance(collector, ACCOUNT_COLLECTORS) else TENANT
    for now, places in ((START, ("recorded/earlier", "recorded")), (START + 600, ("recorded",))):
        replies = Replies(folder(*places))
        api = replies.tenant() if owner else replies.account()
        reading = collector.read(owner, await collector.fetch(api, memory), memory, now)
        if reading.news is not None:
            collector.take(reading.news)
        store.put(owner, collector.families, reading.samples, math.inf)
        store.put(FLEET, collector.fleet_families, collector.fleet(), math.inf)
        memory = reading.memory
    return text(store)


async def whole_round(replies: Replies, collectors: tuple[type[Collector[Any, Any, Any]], ...]) -> str:
    """The page after a discovery and one visit by each of these collectors to everyone."""
    clock, store, telemetry = virtual_clock(), Store(FAMILIES), Telemetry()
    client = replies.client(clock, telemetry)
    discovery = AccountDiscovery(client, lambda: BearerToken("S3CR3T-account"), Filter())
    poller = Poller(client, store, telemetry, clock)
    of_account = {kind(): 60.0 for kind in collectors if kind in ACCOUNT_COLLECTORS}
    of_tenants = {kind(): 60.0 for kind in collectors if kind not in ACCOUNT_COLLECTORS}
    poller.configure(discovery, 300.0, of_tenants, discovery.api, of_account)
    await poller.once()
    return text(store)


@pytest.mark.parametrize("kind", COLLECTORS, ids=lambda kind: kind.name)
def test_recorded_replies_give_the_golden_page(kind: type[Collector[Any, Any, Any]], compare: Rewrites) -> None:
    compare(kind.name, asyncio.run(two_polls(kind())))


def test_a_round_with_a_refused_tenant_gives_the_golden_page(compare: Rewrites) -> None:
    replies = Replies(folder("recorded"), refused={"refused"})
    compare("tenants", run_virtual(whole_round(replies, TENANT_COLLECTORS[:1])))


def test_the_published_examples_give_the_golden_page(compare: Rewrites) -> None:
    compare("published", run_virtual(whole_round(Replies(folder("published")), COLLECTORS)))


def test_every_declared_family_shows_in_a_golden_page() -> None:
    shown = {line.split()[2] for page in GOLDEN.glob("*.txt") for line in _lines(page) if line.startswith("# TYPE")}
    assert {family.name for family in FAMILIES} - shown == set()


def _lines(page: Path) -> list[str]:
    return page.read_text(encoding="utf-8").split("\n")


@pytest.mark.parametrize("page", sorted(GOLDEN.glob("*.txt")), ids=lambda page: page.stem)
def test_no_secret_of_the_replies_stands_on_a_golden_page(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    for secret in ("S3CR3T", "password", "@example.org"):
        assert secret not in content


def test_no_id_of_an_ingestion_stands_on_a_page() -> None:
    replies = [folder(place)("/ingestions")["data"] for place in ("recorded", "recorded/earlier")]
    idents = {row["id"] for rows in replies for row in rows if row}
    assert len(idents) > 5
    assert not [ident for ident in idents if ident in (GOLDEN / "ingestions.txt").read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", sorted(GOLDEN.glob("*.txt")), ids=lambda page: page.stem)
def test_promtool_finds_nothing_to_mend_on_a_golden_page(page: Path, promtool: str) -> None:
    with page.open("rb") as content:
        done = subprocess.run([promtool, "check", "metrics"], stdin=content, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


# The published examples, one by one.

# How each call's object is read, and which of its members can't be: `text` is neither days nor a kind of credentials.
READERS: Mapping[str, tuple[Callable[[Fields], Any] | None, set[str]]] = {
    "actors": (Actor.read, set()),
    "clouds": (None, set()),
    "clouds_ID": (None, set()),
    "clouds_ID_actors": (Actor.read, set()),
    "clouds_search": (None, set()),
    "ingestions": (Ingestion.read, set()),
    "ingestions_ID": (Ingestion.read, set()),
    "integrations": (Integration.read, set()),
    "integrations_ID": (Integration.read, set()),
    "integrations_ID_versions": (IntegrationVersion.read, set()),
    "tenant": (Tenant.read, {"auth.type"}),
    "tenant_application": (Application.read, set()),
    "tenant_rollovers": (Rollover.read, set()),
    "tenant_rollovers_ID": (Rollover.read, set()),
    "tenant_schedules": (Schedule.read, {"days"}),
    "tenant_schedules_ID": (Schedule.read, {"days"}),
    "tenant_scoping_courses": (Scope.read, set()),
    "tenant_scoping_courses_ID": (Scope.read, set()),
    "tenant_scoping_schools": (Scope.read, set()),
    "tenant_scoping_schools_ID": (Scope.read, set()),
    "tenant_state": (State.read, set()),
    "tenants": (Tenant.read, {"auth.type"}),
    "tenants_ID": (Tenant.read, {"auth.type"}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_example_is_read(name: str) -> None:
    body = (FIXTURES / "published" / f"{name}.json").read_bytes()
    if name.endswith("_count"):
        assert wire.decode(body) == 1
        return
    model, unreadable = READERS[name]
    items = wire.page(body).items if isinstance(wire.decode(body)["data"], list) else [wire.one(body)]
    invalid: set[str] = set()
    read = [model(Fields(item, invalid.add)) if model else item for item in items]
    assert len(read) == 1
    assert read[0] is not None
    assert invalid == unreadable


CALLS: Mapping[str, Callable[[TenantApi, AccountApi], Coroutine[Any, Any, Any]]] = {
    "/tenant": lambda tenant, _: tenant.myself(),
    "/tenant/state": lambda tenant, _: tenant.state(),
    "/tenant/application": lambda tenant, _: tenant.application(),
    "/tenant/rollovers": lambda tenant, _: tenant.rollovers(),
    "/tenant/schedules": lambda tenant, _: tenant.schedules(),
    "/tenant/scoping/schools": lambda tenant, _: tenant.schools(),
    "/tenant/scoping/courses": lambda tenant, _: tenant.courses(),
    "/ingestions": lambda tenant, _: tenant.ingestions(),
    "/ingestions/1": lambda tenant, _: tenant.ending("1", Ingestion("1", "", "", None, None)),
    "/tenants": lambda _, account: account.tenants(),
    "/actors": lambda _, account: account.actors(),
    "/clouds": lambda _, account: account.clouds(),
    "/integrations": lambda _, account: account.integrations(),
    "/integrations/1/versions": lambda _, account: account.versions("1"),
}


@pytest.mark.parametrize("path", CALLS)
def test_every_call_takes_the_published_example_and_lists_end_though_pages_repeat(path: str) -> None:
    replies = Replies(folder("published"))
    answer = asyncio.run(CALLS[path](replies.tenant(), replies.account()))
    assert answer == 1 or (not isinstance(answer, list) and answer is not None) or len(answer) == 1
    assert set(replies.asked) == {path}
    assert len(replies.asked) == (2 if isinstance(answer, list | int) else 1)
