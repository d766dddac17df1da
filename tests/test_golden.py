"""Tests the pages that recorded replies give against golden pages.

One page a collector in `golden/`; `pytest tests/test_golden.py --golden` writes them anew, for a person to
read the difference. `published.txt` is the whole page that the published examples give, word for word.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.api import wire
from exporter.api.client import Api
from exporter.api.credentials import BearerToken
from exporter.api.fields import Fields
from exporter.api.models import (
    STATE_FLAGS,
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
from exporter.collectors import COLLECTORS, Collector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.families import FAMILIES
from exporter.history import SHARED, History
from exporter.history.reported import Names, Reported, ReportedProblem
from exporter.polling.poller import Poller
from exporter.polling.sources import AccountSource, Filter
from exporter.polling.tenant import IDENTITY_FAMILIES, TenantState
from exporter.status import Problem
from exporter.store import FLEET, Store
from exporter.telemetry import Telemetry
from exporter.totals import Totals
from tests.support.fetches import FETCHES, PATHS, is_list
from tests.support.processes import needed
from tests.support.replies import CREDENTIALS, FIXTURES, Replies, folder
from tests.support.virtual_time import START, run_virtual, virtual_clock

GOLDEN = Path(__file__).parent / "golden"
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


async def two_polls(collector: Collector) -> str:
    """The page after a second poll, ten minutes after the first, which had what `earlier` holds."""
    store, totals, history = Store(FAMILIES), Totals(), History()
    owner = FLEET if collector.of_account else TENANT
    for now, places in ((START, ("recorded/earlier", "recorded")), (START + 600, ("recorded",))):
        facts = await collector.fetch(Replies(folder(*places)).api(), history)
        result = collector.result(owner, history, facts, now)
        totals.apply(collector.fleet_families, result.fleet.new, result.fleet.observed)
        store.put(owner, collector.families, result.samples)
        store.put(FLEET, collector.fleet_families, totals.samples(collector.fleet_families))
        history = result.history
    return text(store)


async def over_two_days() -> str:
    """The page of a tenant whose pause has ended, and whose schedule has then been missed."""
    store, history, paused = Store(FAMILIES), History(), Replies(folder("recorded"))
    free = Replies(folder("recorded"))
    answer = free.answer
    free.answer = lambda path: {"data": dict.fromkeys(STATE_FLAGS, False)} if path == "/tenant/state" else answer(path)
    later = ((hours, free) for hours in (20, 26, 32, 38, 40))
    for hours, replies in ((0, paused), (13, paused), (14, free), *later):
        for collector in (StateCollector(), SchedulesCollector()):
            at = START + hours * 3600
            result = collector.result(TENANT, history, await collector.fetch(replies.api(), history), at)
            store.put(TENANT, collector.families, result.samples)
            history = result.history
    for shared in SHARED:
        store.put(TENANT, shared.families, shared.samples(history, TENANT, START + 40 * 3600))
    return text(store)


async def polled_once(replies: Replies, collectors: tuple[type[Collector], ...]) -> str:
    """The page after a discovery and one poll by each of these collectors of all targets."""
    clock, store, telemetry = virtual_clock(), Store(FAMILIES), Telemetry()
    client = replies.client(clock, telemetry)
    source = AccountSource(client, lambda: BearerToken("S3CR3T-account"), Filter())
    poller = Poller(client, store, telemetry, clock)
    poller.configure(source, 300.0, dict.fromkeys(collectors, 60.0), source.api)
    await poller.once()
    return text(store)


@pytest.mark.parametrize("kind", COLLECTORS, ids=lambda kind: kind.name)
def test_recorded_replies_give_the_golden_page(kind: type[Collector], compare: Rewrites) -> None:
    compare(kind.name, asyncio.run(two_polls(kind())))


def test_a_pause_and_a_missed_schedule_give_the_golden_page(compare: Rewrites) -> None:
    compare("history", asyncio.run(over_two_days()))


def test_a_tenant_that_was_renamed_while_it_has_a_problem_gives_the_golden_page(compare: Rewrites) -> None:
    tenant = Tenant(TENANT, name="Springfield East", account_name="Springfield", integration="reading-plus")
    problem, before = Problem("stalled", "critical", START), Names("Springfield West", "", "reading-plus")
    history = History(reported=Reported((ReportedProblem(problem, START),), before, START))
    store, state = Store(FAMILIES), TenantState(tenant, Replies(folder("recorded")).api, history)
    store.put(TENANT, IDENTITY_FAMILIES, state.identity_samples())
    compare("renamed", text(store))


def test_a_round_with_a_refused_tenant_gives_the_golden_page(compare: Rewrites) -> None:
    replies = Replies(folder("recorded"), refused={"refused"})
    compare("tenants", run_virtual(polled_once(replies, COLLECTORS[:1])))


def test_the_published_examples_give_the_golden_page(compare: Rewrites) -> None:
    compare("published", run_virtual(polled_once(Replies(folder("published")), COLLECTORS)))


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
def test_promtool_finds_nothing_to_fix_on_a_golden_page(page: Path) -> None:
    with page.open("rb") as content:
        done = subprocess.run([needed("promtool"), "check", "metrics"], stdin=content, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


# The published examples, one by one.

# How each call's object is read, and which of its members can't be: `text` is neither days nor a kind of credentials.
READERS: Mapping[str, tuple[Callable[[Fields], Any] | None, set[str]]] = {
    "actors": (Actor.parse, set()),
    "clouds": (None, set()),
    "clouds_ID": (None, set()),
    "clouds_ID_actors": (Actor.parse, set()),
    "clouds_search": (None, set()),
    "ingestions": (Ingestion.parse, set()),
    "ingestions_ID": (Ingestion.parse, set()),
    "integrations": (Integration.parse, set()),
    "integrations_ID": (Integration.parse, set()),
    "integrations_ID_versions": (IntegrationVersion.parse, set()),
    "tenant": (Tenant.parse, {"auth.type"}),
    "tenant_application": (Application.parse, set()),
    "tenant_rollovers": (Rollover.parse, set()),
    "tenant_rollovers_ID": (Rollover.parse, set()),
    "tenant_schedules": (Schedule.parse, {"days"}),
    "tenant_schedules_ID": (Schedule.parse, {"days"}),
    "tenant_scoping_courses": (Scope.parse, set()),
    "tenant_scoping_courses_ID": (Scope.parse, set()),
    "tenant_scoping_schools": (Scope.parse, set()),
    "tenant_scoping_schools_ID": (Scope.parse, set()),
    "tenant_state": (State.parse, set()),
    "tenants": (Tenant.parse, {"auth.type"}),
    "tenants_ID": (Tenant.parse, {"auth.type"}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_example_is_read(name: str) -> None:
    body = (FIXTURES / "published" / f"{name}.json").read_bytes()
    if name.endswith("_count"):
        assert wire.parse_json(body) == 1
        return
    model, unreadable = READERS[name]
    items = (
        wire.parse_page(body).items if isinstance(wire.parse_json(body)["data"], list) else [wire.parse_object(body)]
    )
    invalid: set[str] = set()
    read = [model(Fields(item, invalid.add)) if model else item for item in items]
    assert len(read) == 1
    assert read[0] is not None
    assert invalid == unreadable


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What each call of the client gives, in order."""
    values: list[object] = []

    def recorded(method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **more: Any) -> Any:
            values.append(await method(*args, **more))
            return values[-1]

        return call

    for name in ("get_one", "get_list"):
        monkeypatch.setattr(Api, name, recorded(getattr(Api, name)))
    return values


@pytest.mark.parametrize("name", FETCHES)
def test_every_call_takes_the_published_example_and_lists_end_though_pages_repeat(
    name: str, parsed: list[object]
) -> None:
    replies = Replies(folder("published"))
    run_virtual(awaited(FETCHES[name](replies.client(), CREDENTIALS)))
    assert len(parsed) == len(PATHS[name]) > 0
    for answer in parsed:
        assert (len(answer) == 1) if isinstance(answer, list) else (answer is not None)
    lists = [path for path in PATHS[name] if is_list(path)]
    assert Counter(replies.asked) == Counter(PATHS[name] + 2 * lists)


async def awaited(answer: Awaitable[object]) -> object:
    return await answer
