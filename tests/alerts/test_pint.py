"""Tests that pint finds nothing in the rules but what .pint.hcl allows, and that each exception in it is needed.

pint of this version reads rules with the parser of Prometheus 3.11. Without a Prometheus to ask, it is `--offline`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.go_tools import go_tool

# Building pint takes more than a minute of CPU time.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / ".pint.hcl").read_text(encoding="utf-8")
PACKAGE = "github.com/cloudflare/pint/cmd/pint"
# Rules with their comments. What is before the first one holds for all.
BEGINNING, *EXCEPTIONS = re.split(r"^(?=# .*\nrule \{)", CONFIGURATION, flags=re.MULTILINE)


def reported(configuration: str, folder: Path) -> list[tuple[str, str]]:
    """The checks that find something in alerts/, and in which rules."""
    (folder / "pint.hcl").write_text(configuration)
    command = [str(go_tool(ROOT / "tests/support/pint", PACKAGE)), "--no-color", "--offline"]
    command += ["--config", str(folder / "pint.hcl"), "lint", "--min-severity=info", "--json", str(folder / "found")]
    done = subprocess.run([*command, "alerts"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert "entries=" in done.stderr, done.stderr
    found = json.loads((folder / "found").read_text()) or []
    return [(each["reporter"], each["path"]) for each in found]


def test_pint_finds_nothing(tmp_path: Path) -> None:
    assert reported(CONFIGURATION, tmp_path) == []


@pytest.mark.parametrize("number", range(len(EXCEPTIONS)))
def test_each_exception_is_needed(number: int, tmp_path: Path) -> None:
    others = [each for index, each in enumerate(EXCEPTIONS) if index != number]
    (disabled,) = re.findall(r'disable = \["(.+)"\]', EXCEPTIONS[number])
    found = reported("\n".join([BEGINNING, *others]), tmp_path)
    assert {name for name, _ in found} == {disabled}
    assert {path for _, path in found} == {"alerts/kimono.rules.yaml", "alerts/kimono.prometheusrule.yaml"}
