"""Tests that every link of an alert leads to a page that helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.rules import ALERTING, RULES, SEVERITIES

ROOT = RULES.parents[1]
FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
UIDS = {"kimono-fleet", "kimono-tenant", "kimono-rollovers", "kimono-exporter"}
# An alert whose two severities are two alerts: neither comes before the other.
EITHER = ("KimonoFleetIngestionsFailing",)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_links_to_its_own_page_and_every_page_is_linked_to() -> None:
    linked = {rule["annotations"]["runbook_url"] for rule in ALERTING}
    assert linked == {f"runbooks/{name}.md" for name in SEVERITIES}
    assert {page.stem for page in PAGES} == {*SEVERITIES, "README"}


def test_every_dashboard_link_has_a_known_uid() -> None:
    for rule in ALERTING:
        url = rule["annotations"]["dashboard_url"]
        uid, _, variables = url.removeprefix("/d/").partition("?")
        assert url.startswith("/d/")
        assert uid in UIDS
        assert variables in ("", "var-tenant={{ $labels.tenant_id }}")


@pytest.mark.parametrize("name", SEVERITIES)
def test_a_page_has_all_that_on_call_needs(name: str) -> None:
    page = FOLDER / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_and_anchor_of_a_page_exists(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", SEVERITIES)
def test_the_list_of_pages_says_how_urgent_each_is(name: str) -> None:
    urgent = (" or " if name in EITHER else ", then ").join(SEVERITIES[name])
    assert f"| [{name}]({name}.md) | {urgent} |" in (FOLDER / "README.md").read_text(encoding="utf-8")
