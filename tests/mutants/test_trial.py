"""Tests that a trial names the test that fails, and leaves the copy as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant, MutantError
from tests.mutants.trial import Copy

TESTS = ("test_code.py",)
FILES = {
    "code_under_test.py": "number = 1\n",
    "test_code.py": "import code_under_test\n\n\ndef test_number():\n    assert code_under_test.number == 1\n",
}


def replaces(text: str, replacement: str) -> Mutant:
    return Mutant("made up", "code_under_test.py", text, replacement, TESTS)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of a small project, of which one file is not tracked."""
    project = tmp_path / "project"
    project.mkdir()
    for name, content in FILES.items():
        (project / name).write_text(content, encoding="utf-8")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=project, check=True)
    (project / "untracked.txt").write_text("", encoding="utf-8")
    return Copy(tmp_path / "copy", project)


def test_a_mutant_that_a_test_notices_is_red_and_undone(copy: Copy, tmp_path: Path) -> None:
    assert copy.test(TESTS, replaces("number = 1", "number = 2")).failed == "test_code.py::test_number"
    assert not copy.test(TESTS).failed
    assert {path.name: path.read_text() for path in (tmp_path / "copy").glob("*.*") if path.is_file()} == FILES


def test_a_mutant_that_no_test_notices_survives(copy: Copy) -> None:
    assert not copy.test(TESTS, replaces("number = 1", "number = 1.0")).failed


@pytest.mark.parametrize("replacement", ["raise RuntimeError", "number ="])
def test_tests_that_cannot_be_collected_are_an_error_and_not_red(copy: Copy, replacement: str) -> None:
    with pytest.raises(MutantError, match="pytest ended with"):
        copy.test(TESTS, replaces("number = 1", replacement))


def test_tests_without_an_end_are_stopped(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutants.trial.TIME_LIMIT", 0.01)
    with pytest.raises(MutantError, match="no result after"):
        copy.test(TESTS)
