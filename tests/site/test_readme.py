"""Tests that README.md stays what a newcomer reads: a picture, a start, one configuration, two queries, links."""

from __future__ import annotations

import re

from tests.site.pages import DOCS, ROOT, blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST = 150
# Pages that another page of the documentation leads to.
BY_OTHERS = {"check.md", "compatibility.md", "dashboards.md", "licences.md", "performance.md", "release.md"}
BY_OTHERS |= {"reliability.md", "threat-model.md"}


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST


def test_it_begins_with_a_picture() -> None:
    before = README.partition("![")[0]
    assert before != README
    assert "\n## " not in before


def test_it_has_one_configuration_and_two_queries() -> None:
    languages = [block.language for block in blocks("yaml", "promql") if block.page.name == "README.md"]
    assert [block for block in languages if block == "yaml"] == ["yaml"]
    of_readme = [block for block in blocks("promql") if block.page == ROOT / "README.md"]
    assert len(of_readme) == 2


def test_it_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README))
    assert {page.name for page in DOCS.glob("*.md")} - linked - {"index.md"} <= BY_OTHERS
