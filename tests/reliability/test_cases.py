"""Tests that docs/reliability.md names a test for each promise and each case from the field, and that it exists."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.reliability.page import PAGE
from tests.reliability.rows import ROWS

ROOT = PAGE.parents[1]
PROMISES = ("<!-- Promises: written by hand. -->\n", "<!-- End of the promises. -->\n")
CASES_FROM_THE_FIELD = ("<!-- Cases from the field: written by hand. -->\n", "<!-- End of the cases. -->\n")
TEST = re.compile(r"`(tests/[^`]*)`")
ROW = re.compile(r'"([^"]*)"')
NAMES = {row.name for row in ROWS}


def promised(page: str, section: tuple[str, str]) -> dict[str, str]:
    """The cell with the tests of each row, by the row's first cell."""
    begin, end = section
    text = page.partition(begin)[2].partition(end)[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {line[0]: line[1] if len(line) > 1 else "" for line in lines[1:]}


def missing(cell: str) -> list[str]:
    """Tests and rows of the matrix that a cell names and that do not exist; a cell without a test lacks one."""
    tests = TEST.findall(cell)
    patterns = ROW.findall(TEST.sub("", cell))
    unknown = [each for each in patterns if not any(fnmatchcase(name, each.replace("…", "*")) for name in NAMES)]
    return [each for each in tests if not exists(each)] + unknown + ([] if tests else ["a test"])


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and name in functions(path)


def functions(path: Path) -> set[str]:
    """The functions at the top level of a file of tests that pytest collects."""
    parsed = ast.parse(path.read_text(encoding="utf-8")).body
    return {each.name for each in parsed if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


TEXT = PAGE.read_text(encoding="utf-8")
ALL = promised(TEXT, PROMISES) | promised(TEXT, CASES_FROM_THE_FIELD)


def test_every_row_is_there() -> None:
    assert len(promised(TEXT, PROMISES)) == 13
    assert len(promised(TEXT, CASES_FROM_THE_FIELD)) == 35
    assert len(ALL) == 48


@pytest.mark.parametrize("row", ALL)
def test_the_tests_of_a_row_exist(row: str) -> None:
    assert not missing(ALL[row])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ["a test"]),
        ('matrix: "HTTP 500"', ["a test"]),
        ("`tests/reliability/test_cases.py::test_no`", ["tests/reliability/test_cases.py::test_no"]),
        ("`tests/reliability/test_no.py::test_no`", ["tests/reliability/test_no.py::test_no"]),
        (
            '`tests/reliability/test_cases.py::test_every_row_is_there`; matrix: "HTTP 5…", "no"',
            ["no"],
        ),
    ],
)
def test_a_test_that_does_not_exist_is_found(cell: str, expected: list[str]) -> None:
    assert missing(cell) == expected
