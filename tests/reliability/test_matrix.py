"""Tests a part of the fault matrix: each fault in two cells, in other places for each. `make matrix` runs all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.simulator import Fault
from exporter.simulator.faults import KINDS
from tests.reliability.page import PAGE, expected_outcomes, page_with
from tests.reliability.places import PLACES, Case, cases
from tests.reliability.rows import COLUMNS, ROWS, Row
from tests.reliability.run import run_cells
from tests.support.fetches import PATHS

# Cells of each row here, and how far apart. The distance and the number of cells have no common divisor.
_CELLS, _STEP = 2, 13


def chosen(row: Row) -> list[Case]:
    """Some cells of a row, others for each row."""
    every = list(cases(row))
    first = ROWS.index(row) * _CELLS
    return [every[(first + number) * _STEP % len(every)] for number in range(_CELLS)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_has_its_reason_touches_no_other_tenant_and_ends(row: Row) -> None:
    problems = [problem for each in run_cells(chosen(row)) for problem in each.problems]
    assert not problems, "\n".join(problems)


def test_the_chosen_cells_are_in_every_place_and_scope() -> None:
    covered = {(case.place.name, case.scope) for row in ROWS for case in chosen(row)}
    assert covered == {(case.place.name, case.scope) for case in cases(ROWS[0])}


def test_the_matrix_has_every_fault_that_the_simulator_knows() -> None:
    assert {row.fault.kind for row in ROWS} == KINDS


def test_the_matrix_has_every_path_that_the_exporter_requests() -> None:
    requested = {path for paths in PATHS.values() for path in paths}
    templates = {place.endpoint.replace("{id}", "ID") for place in PLACES}
    known = {"/ingestions/left": "/ingestions/ID"}
    for path in requested:
        parts = path.strip("/").split("/")
        template = "/".join(["", parts[0], "ID", *parts[2:]]) if parts[0] == "integrations" and parts[1:] else path
        assert known.get(path, template) in templates, path


def test_the_page_has_the_table_of_the_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with(expected_outcomes()), "run make matrix"


# The checks themselves

ROW = Row("HTTP 500", Fault("server_error"), dict.fromkeys(COLUMNS, "server"), "500", 3)
STATE = PLACES[0]


def found(row: Row, scope: str = "one") -> str:
    """What is wrong in one cell."""
    (findings,) = run_cells([Case(row, STATE, scope)])
    return "\n".join(findings.problems)


def test_nothing_is_wrong_with_the_cell_that_the_next_tests_break() -> None:
    assert not found(ROW)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (replace(ROW, expected=dict.fromkeys(COLUMNS, "network")), "failures: {'state server': 1}"),
        (
            replace(ROW, expected=dict.fromkeys(COLUMNS, "ok")),
            "polls of state ended with ['server', 'success']",
        ),
        (replace(ROW, expected=dict.fromkeys(COLUMNS, "absent")), "nothing of the absent resource has gone"),
        (replace(ROW, code="502"), "requests are counted as"),
        (replace(ROW, requests=1), "requests of one caller, not 1 to"),
        (replace(ROW, fault=Fault("latency", seconds=0)), "failures: {}, not {'state server': 1}"),
        (replace(ROW, fault=Fault("server_error", until=0.0)), "failures: {}, not {'state server': 1}"),
    ],
)
def test_a_broken_promise_is_seen(row: Row, problem: str) -> None:
    assert problem in found(row)
