"""Measures how long metrics take to show what happens, with both polling strategies: `python -m bench.delays --help`.

The real exporter polls simulated tenants that live some hours of a night, in virtual time and without sockets. The rate
limit is a share of what the poll intervals of all tenants take.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from bench.delays_chart import Curve, chart
from tests.support.delays import KINDS, NEEDED, Night, measure

STRATEGIES = ("plain", "priority")
SHARES = "1/50,1/20,1/10,1/5,1/2,1"
# Beyond this share, an hour has enough events, and two would take long to simulate.
_SHORTER_FROM = Fraction(1, 5)
_HOUR = 3600.0
# The end of a run, at a twentieth of what the intervals take: median and 95 %, in seconds.
MEDIAN, MOST = 180.0, 600.0
# Two strategies see other events at other moments of their intervals: so much of a difference is chance.
_CHANCE = 1.1


@dataclass(frozen=True)
class Measured:
    """A kind of event: how many there were, and their delays in seconds; infinity for those that no poll has shown."""

    kind: str
    strategy: str
    share: str
    rate: float
    events: int
    median: float
    most: float
    unseen: float


def main() -> int:
    """Measure, print tables and draw a chart; return 0 if the targets are met, else 1."""
    arguments = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    console = Console(width=120)
    measured = _saved(arguments.save)
    for share in arguments.shares.split(","):
        for strategy in arguments.strategies.split(","):
            rows = [each for each in measured if (each.share, each.strategy) == (share, strategy)]
            if not rows:
                rows = list(_measure(arguments.tenants, Fraction(share), strategy, arguments.seed))
                measured += rows
            console.print(_table(rows))
            if arguments.save:
                arguments.save.write_text(json.dumps([asdict(each) for each in measured], indent=1) + "\n")
    if arguments.chart:
        arguments.chart.write_text(chart(_curves(measured)))
    return int(_misses(measured, console))


def _saved(path: Path | None) -> list[Measured]:
    """What an earlier run has measured."""
    return [Measured(**each) for each in json.loads(path.read_text())] if path and path.exists() else []


def _measure(tenants: int, share: Fraction, strategy: str, seed: int) -> Iterator[Measured]:
    rate = float(share) * NEEDED * tenants
    lasts = _HOUR if share >= _SHORTER_FROM else 2 * _HOUR
    outcome = measure(Night(tenants, rate, strategy, lasts, seed))
    for kind in KINDS:
        delays = outcome.delays[kind]
        median, most = outcome.quantile(kind, 0.5), outcome.quantile(kind, 0.95)
        yield Measured(kind, strategy, str(share), rate, len(delays), median, most, outcome.unseen(kind))


def _table(rows: list[Measured]) -> Table:
    first = rows[0]
    title = f"{first.strategy} at {first.share}: {first.rate:.2f} requests a second"
    table = Table("event", "events", "median", "95 %", "never seen", title=title, title_justify="left")
    for each in rows:
        table.add_row(each.kind, f"{each.events:,}", shown(each.median), shown(each.most), f"{each.unseen:.1%}")
    return table


def shown(seconds: float) -> str:
    """A delay as a person reads it."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "never" if math.isinf(seconds) else "none"
    return f"{seconds:.0f} s" if seconds < 2 * 60 else f"{seconds / 60:.0f} min"


def _curves(measured: list[Measured]) -> list[Curve]:
    """A curve for each kind and strategy."""
    curves = []
    for kind in KINDS:
        for strategy in STRATEGIES:
            rows = [each for each in measured if (each.kind, each.strategy) == (kind, strategy)]
            points = [(float(Fraction(each.share)), each.median, each.most) for each in rows]
            curves.append(Curve(kind, strategy, points))
    return curves


def _misses(measured: list[Measured], console: Console) -> bool:
    """Print how the targets are met; returns whether one is missed."""
    found = {(each.strategy, each.share): each for each in measured if each.kind == "run ends"}
    checks = []
    if low := found.get(("priority", "1/20")):
        checks += [("end of a run at 1/20, median", low.median, MEDIAN), ("the same, 95 %", low.most, MOST)]
    fifth, full = found.get(("priority", "1/5")), found.get(("plain", "1"))
    if fifth and full:
        checks += [("end of a run at 1/5, median, beside plain at 1", fifth.median, full.median * _CHANCE)]
        checks += [("the same, 95 %", fifth.most, full.most * _CHANCE)]
    for what, value, target in checks:
        console.print(f"{'met   ' if value <= target else 'missed'} {what}: {shown(value)}, at most {shown(target)}")
    return any(value > target for _, value, target in checks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.delays", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--shares", default=SHARES, help="of what the intervals take (default: %(default)s)")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chart", type=Path, help="draw the figures in this SVG file")
    parser.add_argument("--save", type=Path, help="file with the figures; those in it are not measured again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
