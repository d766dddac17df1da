"""What is said on the command line? `python -m bench.backtest --help` tells."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from bench.backtest import engine
from bench.backtest.recording import record
from bench.backtest.report import report, targets
from bench.backtest.verdict import inhibits, judge
from exporter.simulator.storybook import BookError, read

HERE = Path(__file__).parent
ALERTS = HERE.parent.parent / "alerts"


def main() -> int:
    """Run the backtest; 0 if the rules reach the targets, 1 if not, 2 if it can't be run."""
    parser = argparse.ArgumentParser(prog="backtest", description="Are the alerts right?")
    parser.add_argument("--stories", type=Path, default=HERE / "stories" / "large", help="a file or folder of stories")
    parser.add_argument("--rules", type=Path, default=ALERTS / "kimono.rules.yaml")
    parser.add_argument("--alertmanager", type=Path, default=ALERTS / "alertmanager.example.yaml")
    parser.add_argument("--interval", default=engine.EVERY, help="how often to evaluate the rules; 0s: as they say")
    parser.add_argument("--data", type=Path, help="keep Prometheus' database in this empty folder, to look at")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return run(arguments)
    except (engine.NoEngineError, BookError) as error:
        print(error, file=sys.stderr)
        return 2


def run(arguments: argparse.Namespace) -> int:
    """Live through the stories, evaluate the rules, and print what came of it."""
    book = read(arguments.stories)
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        built = engine.build(Path(folder))
        with engine.started(built, arguments.rules, arguments.interval, arguments.data) as running:
            recorded = record(book, running.input, progress=True)
            said = running.finish()
    verdict = judge(recorded.incidents, said.firings, inhibits(arguments.alertmanager), book.ends)
    print(report(book, recorded.names, said, verdict))
    return 0 if all(good for _, good in targets(book, said, verdict)) else 1


if __name__ == "__main__":
    sys.exit(main())
