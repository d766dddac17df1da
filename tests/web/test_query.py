"""Tests which queries the status page accepts, and which lines they list in which order."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Iterator
from typing import Literal
from urllib.parse import parse_qsl

import pytest

from exporter.issues import Entry, entry_of
from exporter.status import Status
from exporter.web.listing import PAGE_LINES, Listing, select
from exporter.web.query import Query, QueryError, parse
from exporter.web.snapshot import Snapshots
from exporter.web.status_page import StatusPages
from tests.support.virtual_time import run_virtual
from tests.web.fleets import fails, fleet, problem, tenant
from tests.web.serving import FakeSource

ACCOUNT_FAILS = tenant("account", fails("account"), ident="", account="", integration="")
FLEET = fleet(
    tenant("Elm", problem("setup", "info", 9), account="North", integration="ledger"),
    tenant("Oak", problem("stalled", "critical", 2), problem("mass_change", "warning", 30)),
    tenant("Ash", problem("stalled", "critical", 5), fails("rollovers", "timeout"), ident="a/b?c"),
    tenant("Yew", account="North"),
    ACCOUNT_FAILS,
)


def listed(status: Status, query: Query, *, grouped: bool = False) -> Listing:
    async def scenario() -> Listing:
        snapshots = Snapshots(FakeSource(snapshot=status))
        return await select(await snapshots.get(quiet=query.with_healthy), query, grouped=grouped)

    return asyncio.run(scenario())


def lines(status: Status, query: Query, *, grouped: bool = False) -> list[tuple[str, str]]:
    return [(line.tenant.name, line.kind) for line in listed(status, query, grouped=grouped).lines]


def test_the_worst_come_first_then_the_oldest() -> None:
    assert lines(FLEET, Query()) == [
        ("Ash", "stalled"),
        ("Oak", "stalled"),
        ("Oak", "mass_change"),
        ("account", "polls_failing"),
        ("Ash", "polls_failing"),
        ("Elm", "setup"),
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(problem="stalled"), ["Ash", "Oak"]),
        (Query(severity="info"), ["Elm"]),
        (Query(severity="warning", q="oa"), ["Oak"]),
        (Query(reason="timeout"), ["Ash"]),
        (Query(collector="rollovers"), ["Ash"]),
        (Query(collector="state"), []),
        (Query(account="North"), ["Elm", "Yew"]),
        (Query(integration="ledger"), ["Elm"]),
        (Query(q="YEW"), ["Yew"]),
        (Query(q="A/B?"), ["Ash", "Ash"]),
        (Query(q="nobody"), []),
        (Query(show="all"), ["Ash", "Oak", "Oak", "account", "Ash", "Elm", "Yew"]),
        (Query(show="all", severity="critical"), ["Ash", "Oak"]),
    ],
)
def test_filters_and_the_search_select_lines(query: Query, expected: list[str]) -> None:
    assert [name for name, _ in lines(FLEET, query)] == expected


def test_each_tenant_is_listed_once_even_if_it_changes_from_one_request_to_the_next() -> None:
    async def scenario() -> None:
        source = FakeSource(snapshot=fleet(tenant("Oak", problem()), more=2))
        pages = StatusPages(source)

        async def names() -> list[str]:
            reply = json.loads((await pages._status_json(Query(show="all"))).body)
            return [each["tenant_name"] for each in reply["issues"]]

        await pages._status_json(Query())
        await asyncio.sleep(0.9)
        source.snapshot = fleet(tenant("Oak"), more=2)
        assert sorted(await names()) == ["Healthy 00000", "Healthy 00001", "Oak"]
        await asyncio.sleep(0.5)
        await pages._status_json(Query())
        source.snapshot = fleet(tenant("Oak", problem()), more=2)
        await asyncio.sleep(0.6)
        assert sorted(await names()) == ["Healthy 00000", "Healthy 00001", "Oak"]

    run_virtual(scenario())


def test_a_tenant_that_comes_twice_while_the_snapshot_is_taken_is_listed_once() -> None:
    class Twice(FakeSource):
        def entries(self, *, quiet: bool) -> Iterator[Entry]:
            for _ in range(2):
                yield from super().entries(quiet=quiet)
            yield entry_of(tenant("Oak", problem()))

    async def scenario() -> list[str]:
        snapshots, query = Snapshots(Twice(snapshot=fleet(tenant("Oak"), more=2))), Query(show="all")
        listing = await select(await snapshots.get(quiet=True), query, grouped=False)
        return [line.tenant.name for line in listing.lines]

    assert asyncio.run(scenario()) == ["Oak", "Healthy 00000", "Healthy 00001"]


def test_lines_that_began_together_are_by_name_whatever_their_problem() -> None:
    kinds = ("overdue", "stalled", "overdue", "stalled")
    some = fleet(*(tenant(name, problem(kind)) for name, kind in zip("DCBA", kinds, strict=True)))
    for grouped in (True, False):
        assert [name for name, _ in lines(some, Query(), grouped=grouped)] == ["A", "B", "C", "D"]


def test_lines_of_groups_are_left_out_unless_there_is_a_filter() -> None:
    many = fleet(*(tenant(f"T{number}", problem()) for number in range(9)), tenant("Oak", problem("stalled")))
    assert lines(many, Query(), grouped=True) == [("Oak", "stalled")]
    assert len(lines(many, Query(problem="overdue"), grouped=True)) == 9
    assert len(lines(many, Query())) == 10


def test_pages_are_whole_and_in_one_order() -> None:
    many = fleet(*(tenant(f"T{number:03}", problem(hours=number % 3)) for number in range(120)))
    pages = [listed(many, Query(problem="overdue", page=number)) for number in (1, 2, 3, 4)]
    assert [len(page.lines) for page in pages] == [PAGE_LINES, PAGE_LINES, 20, 0]
    assert {(page.total, page.pages) for page in pages} == {(120, 3)}
    names = [line.tenant.name for page in pages for line in page.lines]
    assert len(set(names)) == 120
    assert names == sorted(names, key=lambda name: (-(int(name[1:]) % 3), name)), "those that began together, by name"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["q", "account", "integration"])
def test_names_are_found_in_whichever_form_they_are_written(name: str, form: Literal["NFC", "NFD"]) -> None:
    cafe = tenant("École Café", problem(), account="Café", integration="Café")
    query = parse([(name, unicodedata.normalize(form, "Café"))])
    assert len(lines(fleet(cafe, tenant("Oak", problem())), query)) == 1


@pytest.mark.parametrize("name", [" Padded ", "\u3000Padded", "Padded\n"])
def test_the_link_to_an_account_or_integration_finds_it_whatever_blanks_it_has(name: str) -> None:
    padded = fleet(tenant("Oak", problem(), account=name, integration=name), tenant("Elm", problem()))
    for query in (Query(account=name), Query(integration=name)):
        followed = parse(parse_qsl(query.link().removeprefix("?")))
        assert [each for each, _ in lines(padded, followed)] == ["Oak"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], Query()),
        ([("q", "  oak "), ("problem", "")], Query(q="oak")),
        ([("problem", "polls_failing"), ("page", "7")], Query(problem="polls_failing", page=7)),
        ([("refresh", "off")], Query(refresh="off")),
    ],
)
def test_a_query_is_read(given: list[tuple[str, str]], expected: Query) -> None:
    assert parse(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        [("<script>", "1")],
        [("problem", "<script>")],
        [("severity", "CRITICAL")],
        [("reason", "x")],
        [("show", "x")],
        [("refresh", "5")],
        *([("page", value)] for value in ("0", "-1", "1.5", "x", "1" * 10, "²")),
        [("q", "a"), ("q", "b")],
        [("q", ""), ("q", "b")],
        [("id", "a")],
    ],
)
def test_a_query_that_cannot_be_used_is_refused_without_its_values(given: list[tuple[str, str]]) -> None:
    with pytest.raises(QueryError) as refused:
        parse(given)
    assert "script" not in str(refused.value)


def test_a_link_keeps_the_filters_and_goes_to_the_first_page() -> None:
    query = Query(q="a&b", severity="critical", page=3, refresh="off")
    assert query.link(severity="") == "?q=a%26b&refresh=off"
    assert query.link(page=4) == "?q=a%26b&severity=critical&page=4&refresh=off"
    assert Query().link() == "?"
    assert parse([("page", "3")]).link(page=3) == "?page=3"
