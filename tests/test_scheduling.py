"""Tests that the tests of a file run on one worker, so that expensive fixtures are made once."""

from __future__ import annotations

from tests.support.scheduling import LONGEST, SIMULATED, FileScheduling

SPLIT = FileScheduling._split_scope


def test_files_that_share_a_simulation_share_a_worker() -> None:
    scheduling = object.__new__(FileScheduling)
    scopes = {SPLIT(scheduling, f"tests/{file}::test_x[a::b]") for file in SIMULATED}
    assert len(scopes) == 1
    assert SPLIT(scheduling, "tests/web/test_tls.py::test_x") == "web/test_tls.py"
    assert len({SPLIT(scheduling, f"tests/{file}::test_x") for file in LONGEST}) == len(LONGEST) - len(SIMULATED) + 1
