"""Does the status page tell an operator at night what is wrong, and show nothing that could do harm?"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from exporter.web import CollectorRow, Overview
from exporter.web.status import REASONS, moment, span, verdict
from tests.web.serving import CALM, NOW, FakeSource, failing, serving

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&amp;<!--'


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


def page(facts: Overview, *, healthy: bool = True) -> str:
    async def fetch() -> str:
        source = FakeSource(facts=facts, is_healthy=healthy)
        async with serving(source) as (client, _), client.get("/") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            return await response.text()

    return asyncio.run(fetch())


@pytest.mark.parametrize(
    ("changes", "healthy", "level", "text"),
    [
        ({}, True, "good", "412 tenants watched, all of them read"),
        ({"tenants": 1}, True, "good", "1 tenant watched, all of them read"),
        ({"tenants": 0}, True, "warning", "There are no tenants to watch"),
        ({"tenants": 10_000, "tenants_failing": 1200}, True, "warning", "1,200 of 10,000 tenants can't be read"),
        ({"ready": False, "discovery_ok": None}, True, "waiting", "Starting: not every tenant has been visited yet"),
        ({"discovery_ok": False, "tenants_failing": 3}, True, "bad", "The list of tenants can't be read"),
        ({"discovery_ok": False}, False, "bad", "The poller has stopped making progress"),
    ],
)
def test_the_verdict_says_the_worst_first(changes: dict[str, object], healthy: bool, level: str, text: str) -> None:  # noqa: FBT001 - parametrized
    facts = replace(CALM, **changes)  # type: ignore[arg-type]
    result = verdict(facts, healthy=healthy)
    assert (result.level, result.text) == (level, text)
    assert f"<h1>{text.replace(chr(39), '&#39;')}</h1>" in page(facts, healthy=healthy)


def test_a_failing_tenant_is_named_with_its_reason_and_for_how_long() -> None:
    text = Elements(page(replace(CALM, tenants_failing=1, failing=(failing("Oak School"),)))).text
    for expected in ("Oak School", "id of Oak School", "District", "state", "credentials rejected", "auth", "1 h"):
        assert expected in text


@pytest.mark.parametrize("reason", [*REASONS, "a reason yet unknown"])
def test_every_reason_is_shown(reason: str) -> None:
    assert reason in Elements(page(replace(CALM, tenants_failing=1, failing=(failing("Oak", reason=reason),)))).text


def test_no_more_than_fifty_are_listed_and_the_rest_is_counted() -> None:
    many = tuple(failing(f"School {number:03}") for number in range(60))
    text = Elements(page(replace(CALM, tenants_failing=80, failing=many, failing_unlisted=1220))).text
    assert "School 049" in text
    assert "School 050" not in text
    assert "and 1,230 more" in text


def test_the_collectors_are_shown_with_interval_and_lag() -> None:
    rows = (CollectorRow("state", 60.0, 95.0, 7), CollectorRow("rollovers", 900.0, None, 0))
    words = Elements(page(replace(CALM, collectors=rows))).text.split()
    assert " ".join(words).count("state 1 min 1 min 35 s 7") == 1
    assert " ".join(words).count("rollovers 15 min not run yet 0") == 1


def test_the_age_of_the_last_discovery_is_shown() -> None:
    assert "last succeeded 42 s ago" in page(CALM)
    assert "has never succeeded" in page(replace(CALM, discovery_ok=False, discovered=None))


def test_hostile_names_stay_text() -> None:
    changes = dict.fromkeys(("tenant_id", "account_name", "collectors", "reason"), HOSTILE)
    rows = (CollectorRow(HOSTILE, 60.0, 0.0, 0),)
    facts = replace(
        CALM,
        version=HOSTILE,
        api_url=HOSTILE,
        collectors=rows,
        tenants_failing=1,
        failing=(failing(HOSTILE, **changes),),
    )
    calm, hostile = Elements(page(replace(facts, failing=(failing("Oak"),)))), Elements(page(facts))
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
def test_a_span_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_is_written_in_utc() -> None:
    assert moment(NOW) == "2026-09-01 00:00:00 UTC"
