"""Tests that every query in the documentation is valid and names only metrics and labels that the exporter has."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from exporter import families, telemetry
from tests.support.processes import needed

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Prometheus gives each series of a target these labels.
OF_TARGET = {"job", "instance"}
METRICS = dict.fromkeys(("up", "scrape_duration_seconds", "process_start_time_seconds"), OF_TARGET)
for each in (*families.FAMILIES, *telemetry.FAMILIES):
    if each.kind == "histogram":
        METRICS |= {f"{each.name}_{end}": {*each.labels, *OF_TARGET} for end in ("sum", "count")}
        METRICS[f"{each.name}_bucket"] = {*each.labels, *OF_TARGET, "le"}
    else:
        METRICS[each.name] = {*each.labels, *OF_TARGET}


def queries(page: Path) -> list[str]:
    """The code blocks in PromQL, also those in lists."""
    blocks = re.findall(r"^( *)```promql\n(.*?)\n\1```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in blocks]


QUERIES = [
    pytest.param(query, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, query in enumerate(queries(page), start=1)
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_only_metrics_and_labels_that_exist(query: str) -> None:
    nodes: list[Any] = []
    promql.walk(promql.parse(query), lambda node: nodes.append(node) or True)
    known: set[str] = set()
    for node in nodes:
        if isinstance(node, promql.VectorSelector):
            assert node.name in METRICS, f"{node.name} is no metric of the exporter"
            assert {matcher.name for matcher in node.matchers.matchers} <= METRICS[node.name], node.name
            known |= METRICS[node.name]
    assert known, "no metric at all"
    assert grouped(query) <= known


def grouped(query: str) -> set[str]:
    """The labels by which a query groups and joins."""
    lists = re.findall(r"\b(?:by|on|group_left|group_right|ignoring|without) \(([^)]*)\)", query)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def test_promtool_accepts_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"q{number}", "expr": each.values[0]} for number, each in enumerate(QUERIES)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "documentation", "rules": rules}]}), encoding="utf-8")
    command = [needed("promtool"), "check", "rules", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr


def test_every_runbook_has_a_query() -> None:
    runbooks = [page for page in PAGES if page.parent.name == "runbooks" and page.stem != "README"]
    assert runbooks
    assert [page.name for page in runbooks if not queries(page)] == []
