"""Tests that every link and anchor of the Markdown files exists, as a page that hosts code follows them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.site.pages import DOCS, LINKED, ROOT, anchors, prose


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?![a-z]+:)([^()\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_no_two_headings_of_a_page_have_the_same_anchor(page: Path) -> None:
    # The second one would have a number, which differs between the site and pages that host code.
    assert [anchor for anchor, count in Counter(anchors(page)).items() if count > 1] == []
