"""Tries each program, prints a row as soon as it is known, and with `--write` writes docs/compatibility.md.

What can't be installed is a row too, and says why. The exit code is 1 if a trial failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from bench.compatibility.alertmanager import alertmanagers
from bench.compatibility.grafana import grafana
from bench.compatibility.kubernetes import kubernetes
from bench.compatibility.linters import dashboard_linter, pint
from bench.compatibility.prometheus import installed_prometheus, mimirtool, newest_prometheus, vmalert
from bench.compatibility.pythons import pythons
from tests.support.compatibility import FAILED, NOT_TRIED, Row, with_rows
from tests.support.trial import ROOT, NotInstalledError, Trial

PAGE = ROOT / "docs" / "compatibility.md"
Trials = Callable[[], Iterator[Trial]]
# In the order of the table.
PROGRAMS: dict[str, Trials] = {
    "Prometheus": installed_prometheus,
    "Prometheus 3": newest_prometheus,
    "Alertmanager": alertmanagers,
    "vmalert": vmalert,
    "Mimir": mimirtool,
    "Grafana": grafana,
    "Python": pythons,
    "Kubernetes": kubernetes,
    "pint": pint,
    "dashboard-linter": dashboard_linter,
}


def main() -> int:
    """Run the trials and return the exit code."""
    parser = argparse.ArgumentParser(prog="make compatibility", description=__doc__)
    parser.add_argument("--only", choices=PROGRAMS, action="append", metavar="PROGRAM", help=", ".join(PROGRAMS))
    parser.add_argument("--write", action="store_true", help=f"write the table of {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    found: list[Row] = []
    for name in options.only or PROGRAMS:
        for each in _tried(name):
            found.append(Row(each.program, each.version, each.how, each.result, f"{datetime.now(UTC):%F}"))
            print(f"{each.result:9}  {each.program} {each.version}: {each.how}", flush=True)
    if options.write:
        PAGE.write_text(with_rows(PAGE.read_text(encoding="utf-8"), PROGRAMS, found), encoding="utf-8")
    return 1 if any(each.result == FAILED for each in found) else 0


def _tried(name: str) -> Iterator[Trial]:
    try:
        yield from PROGRAMS[name]()
    except NotInstalledError as error:
        yield Trial(name, "", str(error).replace("|", "/"), NOT_TRIED)


if __name__ == "__main__":
    sys.exit(main())
