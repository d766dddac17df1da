"""What is said on the command line? `python -m bench.dashboards --help` tells."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console

from bench.backtest.engine import NoEngineError
from bench.dashboards import prometheus
from bench.dashboards.asking import Answer, ask
from bench.dashboards.filling import LARGE, SMALL, Size, fill
from bench.dashboards.questions import read
from bench.dashboards.report import bad, tell, tell_rules

DASHBOARDS = Path(__file__).parent.parent.parent / "dashboards"


def main() -> int:
    """Ask all that the dashboards ask; 0 if all is well, 1 if a query is bad, 2 if it can't be run."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.dashboards", description="Do the dashboards' queries give data, and are they quick?"
    )
    parser.add_argument("--small", action="store_true", help="only the fleet of 25 tenants, not that of 10,000")
    parser.add_argument("--large", action="store_true", help="only the fleet of 10,000 tenants")
    parser.add_argument("--data", type=Path, help="keep the databases in this folder; what is there goes")
    parser.add_argument("--only-queries", action="store_true", help="ask those that are kept in --data already")
    arguments = parser.parse_args()
    if arguments.only_queries and not arguments.data:
        parser.error("--only-queries needs --data")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sizes = [size for size in (SMALL, LARGE) if getattr(arguments, size.name)] or [SMALL, LARGE]
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with tempfile.TemporaryDirectory(prefix="dashboards-") as temporary:
            folder = arguments.data or Path(temporary)
            good = [run(console, size, folder / size.name, only=arguments.only_queries) for size in sizes]
    except (NoEngineError, prometheus.NoPrometheusError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(good) else 1


def run(console: Console, size: Size, folder: Path, *, only: bool) -> bool:
    """Fill a database unless it is `only` to be asked, ask, print, and tell whether all is well."""
    if not only:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        said = fill(size, folder, progress=True)
        tell_rules(console, said.groups)
    answers = answered(size, folder)
    tell(console, f"{size.tenants} tenants", answers)
    return not bad(answers)


def answered(size: Size, folder: Path) -> list[Answer]:
    """All answers of a Prometheus on a filled database to all dashboards."""
    boards = [read(path) for path in sorted(DASHBOARDS.glob("*.json"))]
    with prometheus.started(folder) as running:
        return [answer for board in boards for answer in ask(running, board, size.scrape)]


if __name__ == "__main__":
    sys.exit(main())
