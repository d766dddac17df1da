"""Tests that an audit that did not take place is not taken for one that found nothing."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from deploy.supply_chain import audit

CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}, {"id": "X", "fix_versions": []}],
}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CLEAN], audit.CLEAN, "1 of 1 packages checked, 0 known vulnerabilities"),
        ([CLEAN, BAD], audit.VULNERABLE, "b 2: PYSEC-1, fixed in 3"),
        ([CLEAN, BAD], audit.VULNERABLE, "b 2: X, fixed in none"),
        ([BAD, SKIPPED], audit.VULNERABLE, "1 of 2 packages checked, 2 known vulnerabilities"),
        ([CLEAN, SKIPPED], audit.NOT_CHECKED, "does not know them: c"),
        ([SKIPPED], audit.NOT_CHECKED, "0 of 1 packages checked"),
        ([], audit.NOT_CHECKED, "0 of 0 packages checked"),
    ],
)
def test_the_exit_code_says_what_was_checked(packages: list[Any], code: int, said: str) -> None:
    found, lines = audit.verdict({"dependencies": packages})
    assert found == code
    assert any(said in line for line in lines), lines


@pytest.mark.parametrize(("stdout", "code"), [("", audit.NOT_CHECKED), ('{"dependencies": []}', audit.NOT_CHECKED)])
def test_a_service_that_can_not_be_reached_is_said_plainly(
    stdout: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.CompletedProcess([], 1, stdout, "a traceback\nConnectionError: no route")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert audit.main() == code
    said = capsys.readouterr().out
    assert ("can't be reached" in said and "no route" in said) if not stdout else "0 of 0" in said
