"""Measures scrapes, polls, memory, stalls and start-up side by side for several sizes, and compares them with targets.

All processes run on this machine and use loopback. bench/README.md says what each figure means. Ends with 1 if a target
is missed by more than the noise.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console

from bench import changing_page, latest, polls, running, start_up, status_page
from bench.figures import TARGET_TENANTS, Figures, Target

SIZES, RUNS = "1000,10000,50000", 3


@dataclass(frozen=True)
class Group:
    """Figures that are measured together, for a number of tenants; and the targets for some of them.

    Without `by_size`, they do not depend on that number.
    """

    title: str
    measure: Callable[[int], Mapping[str, float]]
    targets: tuple[Target, ...] = ()
    by_size: bool = True


GROUPS = {
    "page": Group("A scrape of a page that changes, beside nginx", changing_page.figures, changing_page.TARGETS),
    "latest": Group("The page beside prometheus-client", latest.figures, latest.TARGETS),
    "polls": Group("A poll, beside clients that drop the replies", polls.figures, polls.TARGETS, by_size=False),
    "running": Group("Memory and stalls while polling", running.figures, running.TARGETS),
    "status-page": Group("The status page", status_page.figures, status_page.TARGETS),
    "start-up": Group("Start-up", start_up.figures, start_up.TARGETS, by_size=False),
}


def measure(groups: Mapping[str, Group], sizes: list[int], runs: int) -> Iterator[tuple[Group, Figures]]:
    """Measure each group with all sizes, the runs of a size one after the other."""
    for name, group in groups.items():
        figures = Figures()
        for size in sizes if group.by_size else [TARGET_TENANTS]:
            for run in range(runs):
                sys.stderr.write(f"{name}: {size:,} tenants, run {run + 1} of {runs}\n")
                figures.add(size, group.measure(size))
        yield group, figures


def main() -> int:
    """Measure and print; return 1 if a target is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", default=SIZES, help="numbers of tenants (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=RUNS, help="how often to measure all (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="measure only these")
    chosen = parser.parse_args()
    sizes = sorted(int(size) for size in chosen.tenants.split(","))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that started processes are stopped, too
    console, started, lines = Console(width=140), time.monotonic(), []
    for group, figures in measure({name: GROUPS[name] for name in chosen.only}, sizes, chosen.runs):
        console.print(figures.table(group.title))
        lines += figures.compare(group.targets)
    console.print(f"\nTargets at {TARGET_TENANTS:,} tenants")
    for _, line in lines:
        console.print(f"  {line}", highlight=False)
    console.print(f"Measured in {time.monotonic() - started:.0f} s.", highlight=False)
    return int(any(missed for missed, _ in lines))


if __name__ == "__main__":
    sys.exit(main())
