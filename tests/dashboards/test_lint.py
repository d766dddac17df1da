"""Tests that each exception in dashboards/.lint has a reason, and names panels that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.dashboards.parts import FOLDER

EXCLUSIONS = yaml.safe_load((FOLDER / ".lint").read_text(encoding="utf-8"))["exclusions"]


def titles(panels: list[Any]) -> Iterator[str]:
    for panel in panels:
        yield panel["title"]
        yield from titles(panel.get("panels", []))


def test_each_exception_has_a_reason() -> None:
    assert EXCLUSIONS
    assert all(rule["reason"].endswith(".") for rule in EXCLUSIONS.values())


def test_exceptions_name_panels_that_exist() -> None:
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    known = {(board["title"], title) for board in boards for title in titles(board["panels"])}
    named = [(entry["dashboard"], entry["panel"]) for rule in EXCLUSIONS.values() for entry in rule.get("entries", [])]
    assert len(named) == 3
    assert set(named) <= known
