"""Writes the files beside this one with the code of the demo; with `--check`, reports which files are stale.

compose.yaml mounts them, the rules and the Alertmanager example in alerts/, and the dashboards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from exporter.demo.configuration import scraping
from exporter.demo.grafana import data_source

HERE = Path(__file__).parent
# In the demo, state and ingestions are polled as often.
_EVERY = "15s"
_HEADER = "# Made by `python -m deploy.compose`. Edit there.\n"


def files() -> Iterator[tuple[str, str]]:
    """The names of the files, and what they contain. Host names are those of the services."""
    prometheus = scraping("exporter:10120", ["alertmanager:9093"], "rules/kimono.rules.yaml", _EVERY)
    source = data_source("http://prometheus:9090", _EVERY)
    for name, content in (("prometheus.yaml", prometheus), ("datasource.yaml", source)):
        yield name, _HEADER + yaml.safe_dump(content, sort_keys=False)


def main(arguments: Sequence[str] | None = None, folder: Path = HERE) -> int:
    """Write the files into the folder and return the exit code: 1 if --check finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m deploy.compose", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    if not parser.parse_args(arguments).check:
        for name, text in files():
            (folder / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in files() if not _is(folder / name, text)]
    for name in stale:
        print(f"{folder / name} is stale. How to fix: python -m deploy.compose", file=sys.stderr)
    return 1 if stale else 0


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
