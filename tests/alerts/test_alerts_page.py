"""Tests that docs/alerts.md lists every alert with its severities, and has the default of every threshold."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

from exporter.thresholds import THRESHOLDS, Threshold
from tests.support.rules import RULES, SEVERITIES

DOCS = RULES.parents[1] / "docs"
PAGE = (DOCS / "alerts.md").read_text(encoding="utf-8")
# An alert whose two severities are two alerts: neither comes before the other.
EITHER = ("KimonoFleetIngestionsFailing",)


@pytest.fixture(name="generate")
def _generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/generate.py, which is a script and in no package."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_lists_every_alert_with_its_severities() -> None:
    listed = dict(re.findall(r"^\| \[(Kimono\w+)\]\(runbooks/\1\.md\) \| ([^|]+) \|", PAGE, re.MULTILINE))
    joint = {name: " or " if name in EITHER else ", then " for name in SEVERITIES}
    assert listed == {name: joint[name].join(severities) for name, severities in SEVERITIES.items()}


def test_the_page_has_what_the_code_makes_and_every_threshold(generate: ModuleType) -> None:
    assert generate.alerts_markdown() == PAGE
    table = PAGE.partition("\n## Thresholds\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*THRESHOLDS]


def test_a_changed_default_is_written_wherever_the_threshold_is_named(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {**THRESHOLDS, "sync_overdue": Threshold(5400.0, "seconds", "Why not?")}
    monkeypatch.setattr(generate, "THRESHOLDS", changed)
    page = generate.alerts_markdown()
    assert "was due `sync_overdue` (90m) ago" in page
    assert "| `sync_overdue` | 90m | Why not? |" in page


def test_links_of_the_page_lead_to_files_and_headings() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE):
        path, _, anchor = link.partition("#")
        target = DOCS / path if path else DOCS / "alerts.md"
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, link
