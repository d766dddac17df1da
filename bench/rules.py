"""Measures how long the alert rules take to evaluate with 10,000 tenants: `python -m bench.rules --help`.

The fleet is that of the large scenario of the backtest, after a day and a half: each of its 100 tenants stands for a
hundred. Prometheus' own engine evaluates the rules, on a database that has two hours of scrapes.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import structlog
import yaml
from rich.console import Console
from rich.table import Table

from tests.support.backtest import engine
from tests.support.backtest.recording import record
from tests.support.backtest.scenario import read

ROOT = Path(__file__).parent.parent
RULES = ROOT / "alerts" / "kimono.rules.yaml"
STORIES = ROOT / "bench" / "backtest" / "stories" / "large"
# Tenants that each of the 100 stands for.
COPIES = 100
# Seconds an evaluation may take, with one exporter.
TARGET = 1.0
LASTS = 36 * 3600.0
# Scrapes that are written: rules look back for two hours at what all tenants have.
SCRAPES = 125
SHOWN = 15
_SCRAPE = ("T", "X")


def main() -> int:
    """Measure and print the tables; return 0 if an evaluation with one exporter takes a second at most, else 1."""
    arguments = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console()
    try:
        with tempfile.TemporaryDirectory() as folder:
            fleet = Fleet(Path(folder) / "recording", arguments.interval)
            fleet.record()
            slow = False
            for replicas in range(1, arguments.replicas + 1):
                for rules in filter(None, (arguments.before, arguments.rules)):
                    whole = sum(took.mean for took in fleet.evaluate(rules, replicas).values())
                    console.print(f"{rules}, {replicas} exporter(s): {whole:.2f} s an evaluation")
                    slow = slow or (replicas == 1 and rules == arguments.rules and whole > TARGET)
            if arguments.each:
                console.print(_each(fleet, arguments.rules))
    except engine.NoEngineError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if slow else 0


@dataclass(frozen=True)
class Fleet:
    """Scrapes of a fleet in a file, each tenant of which stands for `COPIES`; and how often rules are evaluated."""

    recording: Path
    interval: str

    def record(self) -> None:
        """Write the last scrapes of the scenario."""
        scenario = read(STORIES)
        scenario.ends = scenario.starts + LASTS
        with tempfile.TemporaryFile("w+") as whole:
            record(scenario, whole, progress=True)
            with self.recording.open("w") as out:
                out.writelines(_last(whole))

    def evaluate(self, rules: Path, replicas: int) -> Mapping[str, engine.Took]:
        """How long evaluations take, by group of rules. Raises NoEngineError."""
        with engine.started(engine.build(), rules, self.interval, copies=COPIES, replicas=replicas) as running:
            with self.recording.open() as lines:
                running.input.writelines(lines)
            evaluated = running.finish()
        if evaluated.errors:
            raise engine.NoEngineError("\n".join(evaluated.errors))
        return evaluated.groups


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rules", description="Measure an evaluation of the rules with 10,000 tenants."
    )
    parser.add_argument("--rules", type=Path, default=RULES, help="the rules (default: those of alerts/)")
    parser.add_argument("--before", type=Path, help="other rules, to compare with in the same run")
    parser.add_argument("--replicas", type=int, default=2, help="up to so many exporters (default 2)")
    parser.add_argument("--interval", default="5m", help="time between evaluations (default %(default)s)")
    parser.add_argument("--each", action="store_true", help="also measure each rule by itself, for one exporter")
    return parser


def _last(recording: IO[str]) -> Iterator[str]:
    """The recording with its last scrapes alone. What the others changed stays known."""
    recording.seek(0)
    skipped = sum(line.startswith(_SCRAPE) for line in recording) - SCRAPES
    recording.seek(0)
    for line in recording:
        if line.startswith(_SCRAPE):
            skipped -= 1
            if skipped >= 0:
                continue
        yield line


def _each(fleet: Fleet, rules: Path) -> Table:
    """The dearest rules, by evaluations in which each is a group of its own."""
    every = [rule for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]
    groups = [{"name": _name(number, rule), "rules": [rule]} for number, rule in enumerate(every)]
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "each.rules.yaml"
        alone.write_text(yaml.safe_dump({"groups": groups}))
        took = fleet.evaluate(alone, 1)
    table = Table("rule", "mean", "worst", title="The dearest rules, in seconds")
    for name, each in sorted(took.items(), key=lambda one: -one[1].mean)[:SHOWN]:
        table.add_row(name, f"{each.mean:.3f}", f"{each.worst:.3f}")
    return table


def _name(number: int, rule: Mapping[str, Any]) -> str:
    """A name by which the groups keep the order of the rules."""
    return " ".join([f"{number:02d}", rule.get("record") or rule["alert"], *rule.get("labels", {}).values()])


if __name__ == "__main__":
    sys.exit(main())
