"""Applies each mutant and prints which test failed; `python -m tests.mutants --help` lists the options."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.areas import AREAS
from tests.mutants.mutant import Mutant, MutantError
from tests.mutants.trial import Copy, Outcome

Tests = tuple[str, ...]
Result = Outcome | MutantError


def main() -> int:
    """Return 0 if a test fails for every mutant, 1 if not, 2 if no mutant is chosen."""
    arguments = _parser().parse_args()
    chosen = [
        mutant
        for area, mutants in AREAS.items()
        for mutant in mutants
        if not arguments.only or any(name == area or name in mutant.name for name in arguments.only)
    ]
    if not chosen:
        print("no mutant has such a name", file=sys.stderr)
        return 2
    if arguments.list:
        print(*(_line(mutant) for mutant in chosen), sep="\n")
        return 0
    begun = time.monotonic()
    survivors = run(chosen, arguments.jobs)
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} red, in {time.monotonic() - begun:.0f} s")
    for name in survivors:
        print(f"not red: {name}")
    return 1 if survivors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Break the project in named ways, one at a time, and show that a test fails each time.",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"part of a mutant's name, or an area: {', '.join(AREAS)}"
    )
    parser.add_argument("--list", action="store_true", help="list the mutants and run none")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="mutants at a time (default: one for a core)"
    )
    return parser


def run(mutants: Sequence[Mutant], jobs: int) -> list[str]:
    """Run the tests without a mutant, then with each, and print the results. Return the names of those not red."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as workers:
        idle: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            idle.put(Copy(Path(folder, str(number))))

        def trial(tests: Tests, mutant: Mutant | None) -> Result:
            copy = idle.get()
            try:
                return copy.test(tests, mutant)
            except MutantError as error:
                return error
            finally:
                idle.put(copy)

        selections = dict.fromkeys(mutant.tests for mutant in mutants)
        print(f"Without a mutant: {len(selections)} selections of tests", flush=True)
        unbroken: dict[Tests, Result] = {}
        for tests, result in zip(selections, workers.map(trial, selections, [None] * len(selections)), strict=True):
            unbroken[tests] = result
            if not _is_green(result):
                print(f"not green: {' '.join(tests)}\n{_described(result)}", flush=True)
        print(f"\n{'MUTANT':<73} {'FILE':<36} RESULT", flush=True)
        usable = [mutant for mutant in mutants if _is_green(unbroken[mutant.tests])]
        red = set()
        for mutant, result in zip(usable, workers.map(lambda one: trial(one.tests, one), usable), strict=True):
            print(f"{_line(mutant)} {_described(result)}", flush=True)
            if isinstance(result, Outcome) and result.failed:
                red.add(mutant.name)
    return [mutant.name for mutant in mutants if mutant.name not in red]


def _is_green(result: Result) -> bool:
    return isinstance(result, Outcome) and not result.failed


def _line(mutant: Mutant) -> str:
    return f"{mutant.name:<73} {mutant.file:<36}"


def _described(result: Result) -> str:
    if isinstance(result, MutantError):
        return f"ERROR: {result}"
    colour = f"red in {result.seconds:5.1f} s" if result.failed else f"SURVIVES, {result.seconds:.1f} s"
    return f"{colour}  {result.failed}"


if __name__ == "__main__":
    sys.exit(main())
