"""Writes the alert rules beside this file; with `--check`, reports which files are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from exporter.assets import write
from exporter.assets.options import OptionError, add_options, choices
from exporter.assets.rules.files import rule_files

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and return the exit code: 1 if --check finds a stale file, 2 if an option is unusable."""
    options = _parser().parse_args(arguments)
    try:
        chosen = choices(options)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    written = rule_files(chosen.thresholds, chosen.links)
    folder: Path = options.output
    if options.check:
        stale = [name for name, text in written.items() if not _is(folder / name, text)]
        for name in stale:
            print(f"{folder / name} is stale. How to fix: make alerts", file=sys.stderr)
        return 1 if stale else 0
    try:
        write(folder, written)
    except OSError as error:
        print(f"--output: {error}", file=sys.stderr)
        return 2
    return 0


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m alerts",
        description="Write the alert rules: kimono.rules.yaml, and kimono.prometheusrule.yaml for the operator.",
        allow_abbrev=False,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    parser.add_argument("--output", metavar="DIR", type=Path, default=HERE, help="where to write (default: alerts)")
    add_options(parser)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n")


if __name__ == "__main__":
    sys.exit(main())
