"""Tests that the list of mutants matches the code and covers every area."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exporter.collectors import COLLECTORS
from tests.mutants.areas import AREAS
from tests.mutants.mutant import Mutant, MutantError

MUTANTS = [mutant for mutants in AREAS.values() for mutant in mutants]
MADE_UP = Mutant("made up", "code.py", "a = 1", "a = 2", ("test_code.py::test_a",))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_applied_and_its_tests_exist(mutant: Mutant) -> None:
    assert not list(mutant.problems())


def test_every_area_has_at_least_five_and_all_together_at_least_forty() -> None:
    assert all(len(mutants) >= 5 for mutants in AREAS.values())
    assert len(MUTANTS) >= 40


def test_every_collector_has_a_mutant() -> None:
    files = {mutant.file for mutant in AREAS["collectors"]}
    assert {f"exporter/collectors/{collector.name}.py" for collector in COLLECTORS} <= files


def test_no_two_mutants_have_the_same_name() -> None:
    assert not [name for name, times in Counter(mutant.name for mutant in MUTANTS).items() if times > 1]


def test_a_mutant_replaces_its_text() -> None:
    assert MADE_UP.mutate("a = 1\nb = 1\n") == "a = 2\nb = 1\n"


@pytest.mark.parametrize("content", ["", "a = 1\na = 1\n"])
def test_a_text_that_does_not_occur_exactly_once_is_an_error(content: str) -> None:
    with pytest.raises(MutantError, match="times in code"):
        MADE_UP.mutate(content)


def test_what_is_wrong_with_a_mutant_is_found_without_running_it(tmp_path: Path) -> None:
    assert list(MADE_UP.problems(tmp_path)) == ["there is no file code.py"]
    (tmp_path / "code.py").write_text("a = 3\n", encoding="utf-8")
    assert [problem.partition(":")[0] for problem in MADE_UP.problems(tmp_path)] == [
        "its text occurs 0 times in code.py, not once",
        "there is no file test_code.py",
    ]
    (tmp_path / "code.py").write_text("a = 1\n", encoding="utf-8")
    (tmp_path / "test_code.py").write_text("def test_b() -> None: ...\n", encoding="utf-8")
    assert list(MADE_UP.problems(tmp_path)) == ["there is no test test_code.py::test_a"]
    (tmp_path / "test_code.py").write_text("def test_a() -> None: ...\n", encoding="utf-8")
    assert not list(MADE_UP.problems(tmp_path))
