"""Tests that the status pages show what is wrong and with whom, and nothing that could do harm."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from exporter.issues import Entry
from exporter.shards import Shard
from exporter.status import (
    ALERTS,
    HOW_TO_FIX,
    POLL_PROBLEMS,
    PROBLEMS,
    CollectorStatus,
    DiscoveryStatus,
    FleetProblem,
    Status,
    TenantStatus,
)
from exporter.tenant_details import MOST_LISTED
from exporter.web.formats import format_duration, format_relative, format_time, shown, tenant_link
from exporter.web.limits import STATUS_PAGES_KEPT, TURN_SECONDS
from exporter.web.query import Query
from exporter.web.snapshot import Snapshot, Snapshots
from exporter.web.status_page import StatusPages
from exporter.web.summary import summarize
from tests.support.virtual_time import run_virtual
from tests.web.fleets import COLLECTORS, HOUR, details, fails, fleet, problem, tenant
from tests.web.serving import CALM, NOW, FakeSource, failing, failure, serving

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&amp;<!--'
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"

EMPTY_SHARD = DiscoveryStatus(ok=True, succeeded_at=NOW - 42, shard=Shard(1, 3), elsewhere=5)


class Elements(HTMLParser):
    """Collects what a browser would see: tags, attributes, and the text outside style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data + " "

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    @property
    def links(self) -> list[str | None]:
        return [value for name, value in self.attributes if name == "href"]


def get(source: FakeSource, path: str = "/", status: int = 200) -> str:
    async def fetch() -> str:
        async with serving(source) as (client, _), client.get(path) as response:
            assert response.status == status
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            return await response.text()

    return asyncio.run(fetch())


def page(status: Status, path: str = "/") -> Elements:
    return Elements(get(FakeSource(snapshot=status), path))


def snapshot(status: Status) -> Snapshot:
    return asyncio.run(Snapshots(FakeSource(snapshot=status)).get())


def schools(count: int) -> tuple[TenantStatus, ...]:
    return tuple(failing(f"School {number:03}") for number in range(count))


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({}, "good", "412 tenants, all up to date"),
        ({"tenants": 1}, "good", "1 tenant, all up to date"),
        ({"tenants": 0}, "warning", "No tenants found"),
        ({"tenants": 0, "discovery": EMPTY_SHARD}, "good", "No tenants of shard 1 of 3: all belong to others"),
        ({"collectors": (CollectorStatus("state", 60.0, 60.0, 0),)}, "good", "412 tenants, all up to date"),
        (
            {"collectors": (CollectorStatus("state", 60.0, 1200.0, 0), CollectorStatus("rollovers", 900.0, 950.0, 0))},
            "warning",
            "Polling is 20 min behind schedule",
        ),
        (
            {"with_problems": (tenant("Oak", problem("setup", "info")),)},
            "good",
            "1 of 412 tenants has a problem of severity info",
        ),
        ({"with_problems": (tenant("Oak", problem("stale", "warning")),)}, "warning", "1 of 412 tenants has a problem"),
        ({"failing": (failing("account", ident=""),)}, "warning", "Polling of the account is failing"),
        ({"failing": (failing("account", ident=""), *schools(1))}, "warning", "1 of 412 tenants can't be polled"),
        ({"tenants": 10_000, "failing": schools(1200)}, "warning", "1,200 of 10,000 tenants can't be polled"),
        ({"tenants": 10, "failing": schools(2)}, "bad", "2 of 10 tenants can't be polled"),
        (
            {"failing": schools(3), "with_problems": (tenant("Oak", problem()), tenant("Elm", problem()))},
            "bad",
            "2 of 412 tenants have a critical problem",
        ),
        ({"fleet": (FleetProblem("overdue", 300, NOW),)}, "bad", "300 of 412 tenants: a scheduled sync has not run"),
        (
            {"ready": False, "discovery": DiscoveryStatus(), "failing": schools(3)},
            "waiting",
            "Starting: not every tenant has been polled yet",
        ),
        ({"discovery": DiscoveryStatus(ok=False), "failing": schools(3)}, "bad", "Tenant discovery is failing"),
        ({"discovery": DiscoveryStatus(ok=False), "healthy": False}, "bad", "Polling has stopped"),
    ],
)
def test_the_summary_says_the_worst_first(changes: dict[str, object], level: str, text: str) -> None:
    status = replace(CALM, **changes)  # type: ignore[arg-type]
    summary = summarize(snapshot(status))
    assert (summary.level, summary.text) == (level, text)
    assert text in page(status).words


def test_a_failing_tenant_is_named_with_its_reason_and_since_when() -> None:
    text = page(replace(CALM, failing=(failing("Oak School"),))).words
    for expected in ("Oak School", "id of Oak School", "District", "state", "credentials rejected", "1 h ago"):
        assert expected in text
    assert format_time(NOW - HOUR) in text


def test_many_tenants_with_a_problem_are_one_line_that_leads_to_them() -> None:
    source = FakeSource(snapshot=fleet(*(tenant(f"School {each:03}", problem()) for each in range(312)), more=10))
    shown_page = Elements(get(source))
    line = "312 tenants of integration canopy of account District : a scheduled sync has not run"
    assert line in shown_page.words
    assert "School 000" not in shown_page.words
    assert "?problem=overdue" in shown_page.links
    listed = Elements(get(source, "/?problem=overdue"))
    assert "School 000" in listed.words
    assert "School 050" not in listed.words
    assert "page 1 of 7" in listed.words
    assert "?problem=overdue&page=2" in listed.links
    assert "School 050" in Elements(get(source, "/?problem=overdue&page=2")).words


def test_a_problem_of_the_fleet_is_on_top_once_and_says_so() -> None:
    tenants = [tenant(f"T{each}", problem("stale", "warning")) for each in range(20)]
    tenants += [tenant(f"U{each}", problem("stalled")) for each in range(7)]
    unreachable = FleetProblem("unreachable", 30, NOW - HOUR)
    status = fleet(*tenants, problems=(unreachable, FleetProblem("stale", 20, NOW - HOUR)))
    text = page(status).words
    assert text.count("no sync has run for days") == 2, "a line, and an entry of the filter"
    places = [text.index(each) for each in ("30 tenants can't be polled", "20 tenants of", "7 tenants of")]
    assert places == sorted(places)
    assert text.count("the cause is more likely the hub") == 2


def test_groups_that_are_less_severe_than_a_single_line_stand_below_it() -> None:
    groups = [tenant(f"S{each}", problem("setup", "info", 100)) for each in range(6)]
    groups += [tenant(f"C{each}", problem("overdue", "critical", 100)) for each in range(7)]
    text = page(fleet(*groups, tenant("Burning", problem("stalled", "critical", 9)), more=5)).words
    places = [
        text.index(each) for each in ("7 tenants of", "Other problems", "Burning", "6 tenants of", "The exporter")
    ]
    assert places == sorted(places)
    text = page(fleet(*groups[:6], tenant("Burning", problem("stalled", "critical", 9)), more=5)).words
    places = [text.index(each) for each in (" Problems 1", "Burning", "Less severe, shared by many", "6 tenants of")]
    assert places == sorted(places)


def test_the_page_says_which_shard_it_is_about() -> None:
    sharded = replace(CALM, discovery=replace(CALM.discovery, shard=Shard(1, 3)))
    assert "412 of shard 1 of 3" in page(sharded).words
    assert "shard" not in page(CALM).words


def test_the_collectors_are_shown_with_interval_and_lag() -> None:
    collectors = (CollectorStatus("state", 60.0, 95.0, 0), CollectorStatus("rollovers", 900.0, 0.0, 0))
    status = replace(CALM, collectors=collectors, failing=schools(3))
    assert page(status).words.count("state 1 min 1 min 35 s 3") == 1
    assert page(status).words.count("rollovers 15 min 0 s 0") == 1
    assert "?collector=state" in page(status).links


def test_the_age_and_the_failure_of_discovery_are_shown() -> None:
    assert "last succeeded 42 s ago" in page(CALM).words
    failed = DiscoveryStatus(ok=False, reason="auth", detail="the API returned HTTP 401")
    text = page(replace(CALM, discovery=failed)).words
    assert "has never succeeded" in text
    assert "credentials rejected: the API returned HTTP 401" in text


@pytest.mark.parametrize(
    "path", ["/", "/?q=alert", f"/?q={HOSTILE[:8]}%3C", "/?show=all", "/tenants/1", "/?problem=<b>"]
)
def test_hostile_names_stay_text(path: str) -> None:
    def source(name: str) -> FakeSource:
        what = (problem(), fails(name, name), problem("setup", "info"))
        named = tenant(name, *what, ident=name, account=name, integration=name)
        status = replace(fleet(named), version=name, api_url=name, collectors=(CollectorStatus(name, 60.0, 0.0, 0),))
        return FakeSource(snapshot=status, known={"1": details(named)})

    code = 400 if "problem" in path else 200
    calm, hostile = (Elements(get(source(name), path, code)) for name in ("alert <script>%3C", HOSTILE))
    assert not {"script", "img"} & {*hostile.tags}
    assert {name for name, _ in hostile.attributes} <= {name for name, _ in calm.attributes}
    if path == "/":
        assert HOSTILE in hostile.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Oak", "Oak"),
        ("Élan 学校 مدرسة", "Élan 学校 مدرسة"),
        ("a\u202eb\u0000\n", "a\\u202eb\\u0000\\u000a"),
        ("\ud800", "\\ud800"),
        ("", "(no name)"),
        ("  ", "(no name)"),
        ("x" * 100_000, "x" * 119 + "…"),
    ],
)
def test_a_name_is_shown_so_that_it_changes_nothing_around_it(name: str, text: str) -> None:
    assert shown(name) == text
    assert text in page(fleet(tenant(name, problem(), ident="1"))).text


def test_long_names_make_no_large_page() -> None:
    long = "x" * 100_000
    status = fleet(*(tenant(long, problem(kind), ident=f"{kind}{long}", account=long) for kind in PROBLEMS))
    assert len(get(FakeSource(snapshot=status), "/?show=all")) < 3_500_000


def test_nothing_foreign_is_loaded_and_the_policy_forbids_it() -> None:
    async def scenario() -> None:
        source = FakeSource(snapshot=fleet(tenant("Oak", problem())), known={"1": details(tenant("Oak", problem()))})
        async with serving(source) as (client, _):
            for path in ("/", "/tenants/1", "/tenants/2", "/?x=1"):
                async with client.get(path) as response:
                    text = await response.text()
                    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
                    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
                    assert response.headers["Content-Security-Policy"] == (
                        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
                        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
                    )
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                    assert response.headers["Cache-Control"] == "no-store"
                    elements = Elements(text)
                    assert not [link for link in elements.links[1:] if not link or "//" in link or ":" in link]
                    assert not [name for name, _ in elements.attributes if name.startswith("on") or name == "style"]
                    assert "script" not in elements.tags
                    assert "url(" not in text

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/", "/tenants/1", "/?severity=critical"])
def test_pages_reload_themselves_until_that_is_turned_off(path: str) -> None:
    oak = tenant("Oak", problem())
    source = FakeSource(snapshot=fleet(oak), known={"1": details(oak)})
    text = get(source, path)
    assert '<meta http-equiv="refresh" content="60">' in text
    assert "reloads itself every 60 s" in text
    (off,) = [link for link in Elements(text).links if link and "refresh=off" in link]
    still = get(source, path.partition("?")[0] + off)
    assert "http-equiv" not in still
    others = [link for link in Elements(still).links if link and ("?" in link or link in ("./", "../"))]
    without = [link for link in others if "refresh=off" not in link and "api/" not in link]
    assert len(without) == 1, "all links keep it, but the one that turns it on"


@pytest.mark.parametrize("ident", [".", "..", "Oak"])
def test_a_tenants_page_that_does_not_reload_itself_is_of_the_same_tenant(ident: str) -> None:
    oak = tenant("Oak", problem(), ident=ident)
    source = FakeSource(snapshot=fleet(oak), known={ident: details(oak)})
    path = "/" + tenant_link(ident)
    for expected in ("http-equiv", "does not reload itself"):
        text = get(source, path)
        assert expected in text
        (link,) = [link for link in Elements(text).links if link and link.startswith("?")]
        path = path.partition("?")[0] + link
    assert "reloads itself" in get(source, path)
    (followed,) = [link for link in page(fleet(oak), "/?refresh=off").links if link and link.startswith("tenants/")]
    assert "does not reload itself" in get(source, "/" + followed)


def test_the_number_of_lines_that_match_is_not_called_one_of_tenants() -> None:
    oak = tenant("Oak", problem(), problem("setup", "info"))
    assert "Lines that match 2 " in page(fleet(oak), "/?q=oak").words


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/?page=9", 200, "There is no page 9: the list has 1"),
        ("/?page=0", 400, "must be a whole number from 1 on"),
        ("/?problem=x", 400, "The parameter problem has an unknown value. The known ones are stalled,"),
        ("/?problme=overdue", 400, "There is an unknown parameter. The known ones are q,"),
        ("/?q=a&q=b", 400, "is given twice"),
        ("/?q=nobody", 200, "No tenant matches"),
        ("/?account=nobody", 200, "No tenant matches"),
        ("/tenants/nobody", 404, "There is no tenant with this id"),
        ("/tenants/?id=a&id=b", 400, "The parameter id is given twice"),
        ("/tenants/a?id=b", 400, "There is an unknown parameter"),
        ("/?id=a", 400, "There is an unknown parameter"),
        ("/tenants/nobody?page=x", 400, "must be a whole number"),
    ],
)
def test_what_cannot_be_shown_is_a_plain_message(path: str, status: int, text: str) -> None:
    assert text in Elements(get(FakeSource(), path, status)).words


def test_a_tenants_page_has_all_that_is_known_of_it() -> None:
    oak = tenant("Oak School", problem(), problem("credentials_rejected", "warning"), fails("schedules"))
    text = Elements(get(FakeSource(known={"1": details(oak)}), "/tenants/1")).words
    for expected in (
        *("Oak School", "id of Oak School", "District", "account-1", "Springfield Hub", "cloud-1", "canopy", "1.8.2"),
        *("a scheduled sync has not run", "KimonoSyncOverdue", "docs/runbooks/KimonoSyncOverdue.md"),
        *("schedules : credentials rejected", "it refused the credentials", HOW_TO_FIX["auth"], *COLLECTORS),
        *(
            "mass_change_pending on",
            "setup_mode_enabled off",
            "collection executing",
            "ingestions of type event_bundle fail",
        ),
        *("MTWRF", "schedule-0", "New school year", "rollover-0", "hub_busy", "4 failures", "confirmed", "in 3 h"),
        *(format_time(NOW - hours * HOUR) for hours in (3, 1, 30, 8, 7, 40, 45, 21, 60, 9, 900, 50, 22, 700)),
    ):
        assert expected in text, expected


def test_what_is_unknown_of_a_tenant_is_said_to_be_unknown() -> None:
    known = replace(details(tenant("Oak")), ingestions=None, schedules=None, rollovers=None, application=None)
    oak = replace(known, flags=None, paused_by=())
    text = Elements(get(FakeSource(known={"1": oak}), "/tenants/1")).words
    assert text.count("Unknown: no poll has shown them lately.") == 4
    assert "No problem is known." in text


def test_the_page_of_a_tenant_that_is_paused_says_so_where_no_problem_is_known() -> None:
    page = get(FakeSource(known={"1": details(tenant("Oak"))}), "/tenants/1")
    text = Elements(page).words
    assert "Paused by mass_change_pending : no sync is expected meanwhile." in text
    assert "No problem is known" not in text
    assert 'class="summary waiting"' in page


def test_a_tenants_page_lists_only_so_many_of_everything() -> None:
    text = Elements(get(FakeSource(known={"1": details(tenant("Oak"), 1000)}), "/tenants/1")).words
    assert text.count("and 900 more") == 5
    assert f"schedule-{MOST_LISTED - 1}" in text
    assert f"schedule-{MOST_LISTED}" not in text


def test_a_tenants_page_with_full_lists_is_made_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the time takes a tenth of a turn, so a page that looks often gives way often."""

    async def scenario() -> None:
        others = 0

        async def other() -> None:
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        oak = tenant("Oak", problem())
        pages = StatusPages(FakeSource(known={"1": details(oak, MOST_LISTED)}))
        times = itertools.count()
        monkeypatch.setattr(time, "perf_counter", lambda: next(times) * TURN_SECONDS / 10)
        task = asyncio.create_task(other())
        await pages._tenant_page("1", Query())
        assert others > MOST_LISTED
        task.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "ident",
    [
        "a b",
        "a/b",
        "a?b#c",
        "%2F",
        "%",
        "ä",
        "学校",
        "a&b=c",
        "..",
        ".",
        "...",
        "+",
        "\u202e",
        "a;b",
        "C:\\x",
        "\ud800",
    ],
)
def test_the_link_to_a_tenant_works_whatever_its_id(ident: str) -> None:
    async def scenario() -> None:
        oak = tenant("Oak", problem(), ident=ident)
        async with serving(FakeSource(snapshot=fleet(oak), known={ident: details(oak)})) as (_, running):
            host, _, port = running.addresses[0].removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for path in (f"/{tenant_link(ident)}", f"/api/{tenant_link(ident)}"):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("ascii"))
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), path
                length = re.search(rb"Content-Length: (\d+)", head)
                assert length is not None
                await reader.readexactly(int(length[1]))
            writer.close()

    assert tenant_link(ident) in page(fleet(tenant("Oak", problem(), ident=ident))).links
    asyncio.run(scenario())


def test_every_problem_has_an_alert_with_a_runbook() -> None:
    assert set(ALERTS) == set(PROBLEMS)
    assert set(POLL_PROBLEMS) <= set(PROBLEMS)
    for alert in ALERTS.values():
        assert (RUNBOOKS / f"{alert}.md").is_file()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 40 + 3600, "40 d 1 h"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_time_is_written_in_utc_and_as_how_far_it_is_from_now() -> None:
    assert format_time(NOW) == "2026-09-01 00:00:00 UTC"
    assert format_time(253_402_300_799.9) == format_time(1e300) == "9999-12-31 23:59:59 UTC"
    assert format_relative(NOW - 60, NOW) == "1 min ago"
    assert format_relative(NOW + 7200, NOW) == "in 2 h"


class Counted(FakeSource):
    """Counts how often it is looked through, and how many tenants are shown."""

    made = 0
    looked_up = 0

    def entries(self, *, quiet: bool) -> Iterator[Entry]:
        self.made += 1
        self.snapshot = replace(CALM, tenants=self.made)
        return super().entries(quiet=quiet)

    def details(self, _tenant_id: str) -> None:
        self.looked_up += 1


def test_the_snapshot_is_taken_at_most_once_a_second_however_often_and_with_whatever_filters_it_is_asked_for() -> None:
    async def scenario() -> None:
        source = Counted()
        async with serving(source) as (client, _):
            for seconds, expected in [(0.0, 1), (0.0, 1), (0.5, 1), (0.6, 2), (60.0, 3)]:
                await asyncio.sleep(seconds)
                async with client.get("/") as response:
                    assert f"{expected} tenant" in await response.text()
            for number in range(100):
                async with client.get(f"/?q={number}&severity=info") as response:
                    assert response.status == 200
        assert source.made == 3

    run_virtual(scenario())


def test_a_page_of_a_moment_ago_is_sent_again_and_only_so_many_are_kept() -> None:
    async def scenario() -> None:
        source = Counted()
        pages = StatusPages(source)
        async with serving(source) as (client, _):
            for _ in range(5):
                async with client.get("/tenants/1"):
                    pass
        assert source.looked_up == 1
        for number in range(3 * STATUS_PAGES_KEPT):
            await pages._kept.get(number, pages_made(number))
        assert len(pages._kept._made) == STATUS_PAGES_KEPT

    run_virtual(scenario())


def pages_made(number: int):  # type: ignore[no-untyped-def]  # noqa: ANN201 - what `get` takes
    async def made() -> int:
        return number

    return made


def test_pages_that_are_asked_for_together_are_made_one_at_a_time() -> None:
    async def scenario() -> None:
        at_once, most = 0, 0

        async def make() -> int:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            return 1

        kept = StatusPages(FakeSource())._kept
        await asyncio.gather(*(kept.get(number % 4, make) for number in range(20)))  # type: ignore[arg-type]
        assert most == 1

    run_virtual(scenario())


def test_failures_and_problems_that_change_are_shown_at_the_next_look() -> None:
    async def scenario() -> None:
        source = FakeSource(snapshot=replace(CALM, failing=(failing("Oak", failure(reason="timeout")),)))
        snapshots = Snapshots(source)
        first = await snapshots.get()
        await asyncio.sleep(2)
        again = await snapshots.get()
        assert again.issues is first.issues, "nothing has changed"
        source.snapshot = replace(CALM, failing=(failing("Oak", failure(reason="server")),))
        await asyncio.sleep(2)
        assert [issue.reason for issue in (await snapshots.get()).issues] == ["server"]

    run_virtual(scenario())
