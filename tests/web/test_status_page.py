"""Tests that the status page shows what is failing, and nothing that could do harm."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from exporter.shards import Shard
from exporter.status import MEANING, CollectorStatus, DiscoveryStatus, Status, TenantStatus
from exporter.web.status_page import failure_lines, format_duration, format_time, summarize
from tests.support.virtual_time import run_virtual
from tests.web.serving import CALM, NOW, FakeSource, failing, failure, serving

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&amp;<!--'


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


def page(status: Status) -> str:
    async def fetch() -> str:
        async with serving(FakeSource(snapshot=status)) as (client, _), client.get("/") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            return await response.text()

    return asyncio.run(fetch())


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
        ({"failing": (failing("account", ident=""),)}, "warning", "Polling of the account is failing"),
        ({"failing": (failing("account", ident=""), *schools(1))}, "warning", "1 of 412 tenants is failing"),
        ({"tenants": 10_000, "failing": schools(1200)}, "warning", "1,200 of 10,000 tenants are failing"),
        ({"tenants": 10, "failing": schools(2)}, "bad", "2 of 10 tenants are failing"),
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
    summary = summarize(status)
    assert (summary.level, summary.text) == (level, text)
    assert f"<h1>{text}</h1>" in page(status)


def test_a_failing_tenant_is_named_with_its_reason_and_for_how_long() -> None:
    text = Elements(page(replace(CALM, failing=(failing("Oak School"),)))).text
    for expected in ("Oak School", "id of Oak School", "District", "state", "credentials rejected", "auth", "1 h"):
        assert expected in text


def test_the_page_says_which_shard_it_is_about() -> None:
    sharded = replace(CALM, discovery=replace(CALM.discovery, shard=Shard(1, 3)))
    assert "412 of shard 1 of 3" in " ".join(Elements(page(sharded)).text.split())
    assert "shard" not in Elements(page(CALM)).text


@pytest.mark.parametrize("reason", [*MEANING, "a reason yet unknown"])
def test_every_reason_is_shown(reason: str) -> None:
    assert reason in Elements(page(replace(CALM, failing=(failing("Oak", failure(reason=reason)),)))).text


def test_collectors_of_a_tenant_that_fail_for_the_same_reason_share_a_line() -> None:
    failures = (
        failure("rollovers", since=NOW - 60),
        failure("schedules", "timeout", since=NOW - 120),
        failure("state", since=NOW - 90),
    )
    names = ("state", "schedules", "rollovers")
    collectors = tuple(CollectorStatus(name, 60.0, 0.0, 1) for name in names)
    lines = failure_lines(replace(CALM, collectors=collectors, failing=(failing("Oak", *failures),)))
    assert [(line.tenant.name, line.collectors, line.reason, line.since) for line in lines] == [
        ("Oak", "schedules", "timeout", NOW - 120),
        ("Oak", "state, rollovers", "auth", NOW - 90),
    ]


def test_the_oldest_failure_comes_first() -> None:
    elm = failing("Elm", failure(since=NOW - 60), failure("rollovers", "timeout", since=NOW - 9000))
    oak = failing("Oak", failure(since=NOW - 3600))
    lines = failure_lines(replace(CALM, failing=(oak, elm)))
    assert [(line.tenant.name, line.reason) for line in lines] == [("Elm", "timeout"), ("Oak", "auth"), ("Elm", "auth")]


def test_no_more_than_fifty_are_listed_and_the_rest_is_counted() -> None:
    text = Elements(page(replace(CALM, failing=schools(1280)))).text
    assert "School 049" in text
    assert "School 050" not in text
    assert "and 1,230 more" in text
    assert "more:" not in page(replace(CALM, failing=schools(50)))


def test_the_collectors_are_shown_with_interval_and_lag() -> None:
    collectors = (CollectorStatus("state", 60.0, 95.0, 7), CollectorStatus("rollovers", 900.0, 0.0, 0))
    words = Elements(page(replace(CALM, collectors=collectors))).text.split()
    assert " ".join(words).count("state 1 min 1 min 35 s 7") == 1
    assert " ".join(words).count("rollovers 15 min 0 s 0") == 1


def test_the_age_of_the_last_discovery_is_shown() -> None:
    assert "last succeeded 42 s ago" in page(CALM)
    assert "has never succeeded" in page(replace(CALM, discovery=DiscoveryStatus(ok=False)))


def test_hostile_names_stay_text() -> None:
    status = replace(
        CALM,
        version=HOSTILE,
        api_url=HOSTILE,
        collectors=(CollectorStatus(HOSTILE, 60.0, 0.0, 0),),
        failing=(failing(HOSTILE, failure(HOSTILE, HOSTILE), ident=HOSTILE, account_name=HOSTILE),),
    )
    calm, hostile = Elements(page(replace(status, failing=(failing("Oak"),)))), Elements(page(status))
    assert "script" not in hostile.tags
    assert "img" not in hostile.tags
    assert hostile.text.count(HOSTILE) == 8
    assert {name for name, _ in hostile.attributes} == {name for name, _ in calm.attributes}


def test_nothing_foreign_is_loaded_and_the_policy_forbids_it() -> None:
    async def scenario() -> None:
        async with serving() as (client, _), client.get("/") as response:
            text = await response.text()
            elements = Elements(text)
            (nonce,) = re.findall(r'<style nonce="([^"]+)">', text)
            assert response.headers["Content-Security-Policy"] == (
                f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            links = [value for name, value in elements.attributes if name in {"href", "src"}]
            assert links[0] is not None
            assert links[0].startswith("data:image/svg+xml,")
            assert links[1:] == ["metrics", "-/healthy", "-/ready"]
            assert not [name for name, _ in elements.attributes if name.startswith("on") or name == "style"]
            assert "url(" not in text

    asyncio.run(scenario())


def test_the_nonce_is_new_each_time() -> None:
    assert page(CALM) != page(CALM)


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


def test_a_time_is_written_in_utc() -> None:
    assert format_time(NOW) == "2026-09-01 00:00:00 UTC"


def test_the_page_is_made_at_most_once_a_second_however_often_it_is_asked_for() -> None:
    class Counted(FakeSource):
        made = 0

        def status(self) -> Status:
            self.made += 1
            return replace(CALM, tenants=self.made)

    async def scenario() -> None:
        source = Counted()
        async with serving(source) as (client, _):
            for seconds, expected in [(0.0, 1), (0.0, 1), (0.5, 1), (0.6, 2), (60.0, 3)]:
                await asyncio.sleep(seconds)
                async with client.get("/") as response:
                    assert f"{expected} tenant" in await response.text()
        assert source.made == 3

    run_virtual(scenario())
