"""Lives through hours of changes and faults with many tenants, and measures what grows: `python -m bench.soak --help`.

Tenants come and go, secrets are rotated, tokens expire, and faults of all kinds begin and end. Simulated time passes as
fast as the machine allows. The simulator is in the same process, so its memory counts as well.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

import structlog
from rich.console import Console
from rich.table import Table

from tests.support.soak import HOUR, Measured, Outcome, soak

# The largest growth of memory over the last two thirds, as a share an hour.
TARGET = 0.01


def main() -> int:
    """Soak, print, and return 0 if memory is flat and all counts add up, else 1."""
    arguments = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    console = Console()
    begun = time.monotonic()

    def told(measured: Measured) -> None:
        console.print(
            f"{measured.at / HOUR:6.2f} h  {measured.memory / 2**20:7.1f} MiB  {measured.objects:9,} objects  "
            f"{measured.tasks:4} tasks  {measured.descriptors:4} descriptors  ({time.monotonic() - begun:.0f} s)"
        )

    outcome = soak(
        arguments.tenants,
        arguments.hours,
        sockets=not arguments.without_sockets,
        by_id=arguments.by_id,
        seed=arguments.seed,
        most_seconds=arguments.minutes * 60,
        told=told,
    )
    console.print(_table(outcome))
    for wrong in outcome.wrong[:20]:
        console.print("tenant {}, {} {}: {} counted, {} true".format(*wrong))
    return int(bool(outcome.wrong) or outcome.growth("memory") > TARGET)


def _table(outcome: Outcome) -> Table:
    table = Table("measured", "value")
    table.add_row("simulated hours", f"{outcome.measured[-1].at / HOUR:.1f}")
    for name, times in (("requests", outcome.requests), *sorted(outcome.changes.items())):
        table.add_row(name, f"{times:,}")
    table.add_row("ends of ingestions", f"{outcome.ends:,}")
    table.add_row("counts that differ", f"{len(outcome.wrong):,}")
    for name in ("memory", "objects", "tasks", "descriptors"):
        table.add_row(f"growth of {name} an hour", f"{outcome.growth(name):+.2%}")
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=6.0, help="simulated hours (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many minutes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-sockets", action="store_true", help="faster: requests reach the simulator directly")
    parser.add_argument("--by-id", action="store_true", help="the API lists unfinished ingestions only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
