"""Tests the table of docs/compatibility.md: what it must have, and that rows that were not tried again are kept."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.compatibility import FAILED, NOT_TRIED, PASSED, Row, rows, with_rows
from tests.support.trial import Trial, running_tests, trial

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
ROWS = rows(PAGE)
OLD = Row("Grafana", "12.0.0", "types", "passed", "2026-01-01")
OTHER = Row("Prometheus", "2.42.0", "rules", "passed", "2026-01-01")
NEW = Row("Grafana", "13.0.0", "types", "failed", "2026-02-02")
PROGRAMS = ("Prometheus", "Grafana")


def versions(program: str) -> set[str]:
    """Those with a row. It may say that a trial could not be made, and why."""
    return {row.version for row in ROWS if row.program == program}


def test_nothing_in_the_table_failed_and_what_was_not_tried_says_why() -> None:
    assert ROWS
    assert not [row for row in ROWS if row.result == FAILED]
    assert all(": " in row.how for row in ROWS if row.result == NOT_TRIED)


def test_the_versions_that_the_project_promises_have_a_row() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    pythons = {".".join(version.split(".")[:2]) for version in versions("Python")}
    assert pythons >= {oldest, "3.12", "3.13"}
    promised = re.search(r"Grafana (\S+) to (\d+)", (ROOT / "docs" / "dashboards.md").read_text())
    assert promised
    assert all(any(version.startswith(f"{each}.") for version in versions("Grafana")) for each in promised.groups())
    assert {version.partition(".")[0] for version in versions("Prometheus") | versions("Prometheus 3")} == {"2", "3"}
    assert len(versions("Kubernetes")) == 3
    assert versions("vmalert")


def test_a_program_that_was_tried_again_has_new_rows_and_others_keep_theirs() -> None:
    begun = with_rows(
        "before\n<!-- Made by `make compatibility`. -->\n\n\n<!-- End. -->\nafter\n", PROGRAMS, [OLD, OTHER]
    )
    assert rows(begun) == [OTHER, OLD]
    page = with_rows(begun, PROGRAMS, [NEW])
    assert rows(page) == [OTHER, NEW]
    assert page.startswith("before\n")
    assert page.endswith("\n<!-- End. -->\nafter\n")


MISSING = "from tests.support.processes import needed; needed('no-such-program')"
SKIPPED = "import pytest; pytest.skip('today')"


@pytest.mark.parametrize(
    ("bodies", "how", "result"),
    [
        (["pass"], "rules", PASSED),
        (["assert not 'x is not installed;'"], "rules", FAILED),
        (["pass", MISSING], "rules: no-such-program is not installed", NOT_TRIED),
        ([MISSING, "assert not 1"], "rules", FAILED),
        ([SKIPPED], "rules: all tests were skipped", NOT_TRIED),
        (["pass", SKIPPED], "rules", PASSED),
    ],
)
def test_a_trial_passed_only_if_its_tests_ran(
    bodies: list[str], how: str, result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    text = "".join(f"def test_{number}() -> None:\n    {body}\n" for number, body in enumerate(bodies))
    (tmp_path / "test_it.py").write_text(text)
    command = running_tests(str(tmp_path / "test_it.py"), "-n", "0", "-c", str(ROOT / "pyproject.toml"))
    assert trial("Prometheus", "2.42.0", "rules", command) == Trial("Prometheus", "2.42.0", how, result)
