"""Tries the Alertmanager example with versions of Alertmanager and amtool."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bench.compatibility.programs import first_on_path, go_program, installed
from tests.support.trial import ROOT, Trial, run, running_tests, trial

_MODULE, _NEWEST = "github.com/prometheus/alertmanager", "v0.35.0"


def alertmanagers() -> Iterator[Trial]:
    """With Alertmanager as it is installed, and with the version of compose.yaml."""
    yield from _with_programs(installed("prometheus-alertmanager", "alertmanager"), installed("amtool"))
    yield from _with_programs(*(go_program(f"{_MODULE}/cmd/{name}", _NEWEST) for name in ("alertmanager", "amtool")))


def _with_programs(alertmanager: Path, amtool: Path) -> Iterator[Trial]:
    said = run([alertmanager, "--version"], ROOT)
    known = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
    version = known[1] if known else _NEWEST.removeprefix("v")
    # Debian has another name for it.
    programs = {"alertmanager": alertmanager, "prometheus-alertmanager": alertmanager, "amtool": amtool}
    path = first_on_path(f"alertmanager-{version}", programs)
    for how, names in (
        ("`amtool` checks routes and inhibition of the example", ["tests/alerts/test_alertmanager.py"]),
        ("a server sends each notification to its receiver, once", ["tests/alerts/test_end_to_end.py"]),
    ):
        yield trial("Alertmanager", version, how, running_tests(*names), path)
