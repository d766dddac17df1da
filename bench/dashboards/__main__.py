"""Runs the dashboards' queries from the command line: `python -m bench.dashboards --help`."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console

from tests.support.backtest.engine import NoEngineError
from tests.support.dashboards import prometheus
from tests.support.dashboards.asking import Answer, ask
from tests.support.dashboards.filling import LARGE, SMALL, Size, fill
from tests.support.dashboards.questions import read
from tests.support.dashboards.report import bad, tell, tell_rules

DASHBOARDS = Path(__file__).parent.parent.parent / "dashboards"


def main() -> int:
    """Run all queries; return 0 if they are good, 1 if one is bad, 2 if they can't run."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.dashboards", description="Check that the dashboards' queries return data, and quickly."
    )
    parser.add_argument("--small", action="store_true", help="only the fleet of 26 tenants")
    parser.add_argument("--large", action="store_true", help="only the fleet of 10,000 tenants")
    parser.add_argument("--data", type=Path, help="keep the databases in this folder; existing ones are deleted")
    parser.add_argument("--without-rules", action="store_true", help="don't load the alert rules")
    parser.add_argument("--only-queries", action="store_true", help="query the databases that --data already has")
    arguments = parser.parse_args()
    if arguments.only_queries and not arguments.data:
        parser.error("--only-queries needs --data")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sizes = [size for size in (SMALL, LARGE) if getattr(arguments, size.name)] or [SMALL, LARGE]
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with tempfile.TemporaryDirectory(prefix="dashboards-") as temporary:
            folder = arguments.data or Path(temporary)
            good = [
                run(console, size, folder / size.name, only=arguments.only_queries, rules=not arguments.without_rules)
                for size in sizes
            ]
    except (NoEngineError, prometheus.NoPrometheusError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(good) else 1


def run(console: Console, size: Size, folder: Path, *, only: bool, rules: bool) -> bool:
    """Fill a database (unless `only` queries are wanted), run the queries, and print; return whether all are good."""
    if not only:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tell_rules(console, fill(size, folder, progress=True, rules=rules).said.groups)
    answers = ask_all(size, folder)
    tell(console, f"{size.tenants} tenants, {'with' if rules else 'without'} rules", answers, rules=rules)
    return not bad(answers, rules=rules)


def ask_all(size: Size, folder: Path) -> list[Answer]:
    """Return all answers of a Prometheus with a filled database."""
    boards = [read(path) for path in sorted(DASHBOARDS.glob("*.json"))]
    with prometheus.started(folder) as running:
        return [answer for board in boards for answer in ask(running, board, size.scrape)]


if __name__ == "__main__":
    sys.exit(main())
