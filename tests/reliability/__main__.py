"""Runs the whole matrix, and writes its table into docs/reliability.md: `python -m tests.reliability --help`.

Exits with 1 if a cell is not as promised; the page then stays as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.reliability.cell import Findings
from tests.reliability.page import PAGE, observed_outcomes, page_with
from tests.reliability.places import cases
from tests.reliability.rows import ROWS
from tests.reliability.run import run_cells


def _run_row(name: str) -> list[Findings]:
    return run_cells(case for row in ROWS if row.name == name for case in cases(row))


def main() -> int:
    """Run, print and write; return the exit code."""
    parser = argparse.ArgumentParser(description="Run the fault matrix, and write its table.")
    parser.add_argument("--row", nargs="*", help="only faults whose names contain one of these; no page is written")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many to use")
    chosen = parser.parse_args()
    names = [row.name for row in ROWS if not chosen.row or any(part in row.name for part in chosen.row)]
    findings: list[Findings] = []
    begun = time.monotonic()
    with ProcessPoolExecutor(chosen.processes) as pool:
        for done in as_completed([pool.submit(_run_row, name) for name in names]):
            found = done.result()
            problems = [problem for each in found for problem in each.problems]
            print(f"{found[0].case.row.name}: {len(found)} cells, {len(problems)} problems", flush=True)
            for problem in problems:
                print(f"    {problem}")
            findings += found
    wrong = sum(bool(each.problems) for each in findings)
    print(f"{len(findings)} cells, {wrong} wrong, {time.monotonic() - begun:.0f} s")
    if wrong:
        return 1
    if not chosen.row:
        PAGE.write_text(page_with(observed_outcomes(findings)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
