"""Runs the linters of rules and dashboards that other projects use."""

from __future__ import annotations

from collections.abc import Iterator

from bench.compatibility.programs import installed
from tests.support.compatibility import FAILED, NOT_TRIED, PASSED
from tests.support.trial import ROOT, NotInstalledError, Trial, run, running_tests, trial

_PINT = "0.80.0"


def pint() -> Iterator[Trial]:
    """With pint, which a test builds."""
    how = "`pint --offline lint`: nothing but what `.pint.hcl` allows"
    yield trial("pint", _PINT, how, running_tests("tests/alerts/test_pint.py"))


def dashboard_linter() -> Iterator[Trial]:
    """With dashboard-linter, if it is installed."""
    how = "`dashboard-linter lint --strict`: nothing but what `dashboards/.lint` allows"
    try:
        program = installed("dashboard-linter")
    except NotInstalledError:
        yield Trial("dashboard-linter", "", f"{how}: it was not installed", NOT_TRIED)
        return
    boards = sorted((ROOT / "dashboards").glob("*.json"))
    failed = [board.name for board in boards if run([program, "lint", "--strict", board], ROOT).returncode]
    yield Trial("dashboard-linter", "", how, FAILED if failed else PASSED)
