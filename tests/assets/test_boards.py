"""Tests that dashboards with other thresholds are what the code that makes dashboards would make of these."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.assets import Choices, dashboards
from exporter.thresholds import DEFAULTS, THRESHOLDS
from tests.support.processes import measured

OTHERS = {name: value + 960 if THRESHOLDS[name].unit == "seconds" else value for name, value in DEFAULTS.items()}
GENERATE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from exporter import thresholds
values = json.loads(sys.stdin.read())
thresholds.use_thresholds(values)
thresholds.DEFAULTS = values  # what expressions have without other choices
from dashboards.__main__ import files
print(json.dumps({path.name: json.loads(text) for path, text in files()}))
"""


def generated(thresholds: dict[str, float]) -> Any:
    """The dashboards' JSON, by the names of their files."""
    result = subprocess.run(
        [sys.executable, "-c", GENERATE],
        input=json.dumps(thresholds),
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **measured()},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    if isinstance(one, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key], f"{path}.{key}")
    elif isinstance(one, list) and len(one) == len(other):
        for value, another in zip(one, other, strict=True):
            yield from differences(value, another, path)
    elif one != other:
        yield path


@pytest.fixture(scope="module")
def regenerated() -> Any:
    return generated(OTHERS)


def test_every_query_has_the_thresholds_and_only_steps_of_colours_keep_theirs(regenerated: Any) -> None:
    changed = {name: json.loads(text) for name, text in dashboards(Choices(thresholds=OTHERS)).items()}
    assert changed.keys() == regenerated.keys()
    found = set(differences(regenerated, changed))
    assert found
    assert {path for path in found if not path.endswith("steps.value")} == set()


def test_the_queries_that_have_a_threshold_are_the_ones_that_change(regenerated: Any) -> None:
    committed = {name: json.loads(text) for name, text in dashboards().items()}
    queries = {path for path in differences(committed, regenerated) if path.endswith(".expr")}
    assert queries == {f".kimono-{board}.json.panels.targets.expr" for board in ("fleet", "tenant", "rollovers")}
