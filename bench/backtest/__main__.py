"""Runs the backtest from the command line: `python -m bench.backtest --help`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

from tests.support.backtest import engine
from tests.support.backtest.inhibition import inhibits
from tests.support.backtest.notifications import notified, routes
from tests.support.backtest.recording import record
from tests.support.backtest.report import report, targets
from tests.support.backtest.scenario import ScenarioError, read
from tests.support.backtest.verdict import judge

HERE = Path(__file__).parent
ALERTS = HERE.parent.parent / "alerts"


def main() -> int:
    """Run the backtest; return 0 if the rules reach the targets, 1 if not, 2 if it can't run."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.backtest", description="Test the alert rules on simulated weeks of a fleet."
    )
    parser.add_argument(
        "--stories", type=Path, default=HERE / "stories" / "large", help="a file or folder with the scenario"
    )
    parser.add_argument("--rules", type=Path, default=ALERTS / "kimono.rules.yaml", help="the rules to test")
    parser.add_argument(
        "--alertmanager", type=Path, default=ALERTS / "alertmanager.example.yaml", help="the inhibition rules to apply"
    )
    parser.add_argument(
        "--interval",
        default=engine.EVERY,
        help="evaluation interval of all rules (default %(default)s); 0s: as the rules define",
    )
    parser.add_argument(
        "--state-file",
        action=argparse.BooleanOptionalAction,
        help="whether the exporters have a state file; the default is the scenario's",
    )
    parser.add_argument("--data", type=Path, help="keep Prometheus' database in this empty folder")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return run(arguments)
    except (engine.NoEngineError, ScenarioError) as error:
        print(error, file=sys.stderr)
        return 2


def run(arguments: argparse.Namespace) -> int:
    """Record the scenario, evaluate the rules, and print the report."""
    scenario = read(arguments.stories)
    if arguments.state_file is not None:
        scenario.state_file = arguments.state_file
    with engine.started(engine.build(), arguments.rules, arguments.interval, arguments.data) as running:
        recorded = record(scenario, running.input, progress=True)
        evaluated = running.finish()
    muting = inhibits(arguments.alertmanager)
    verdict = judge(recorded.incidents, evaluated.firings, muting, scenario.ends, state_file=scenario.state_file)
    sent = notified(evaluated.firings, routes(arguments.alertmanager), muting, scenario.ends)
    print(report(scenario, recorded, evaluated, verdict, sent))
    return 0 if all(reached for _, reached in targets(scenario, evaluated, verdict)) else 1


if __name__ == "__main__":
    sys.exit(main())
