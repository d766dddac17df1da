"""Writes the generated files of the Helm chart; with `--check`, reports which are stale."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.chart.markers import filled, thresholds_template
from deploy.chart.readme import readme
from deploy.chart.schema import schema
from deploy.chart.values import with_thresholds
from exporter import __version__

CHART = Path(__file__).parents[1] / "helm" / "kimono-exporter"


def files() -> Mapping[str, str]:
    """The generated files by their paths in the chart. Two of them are generated in part."""
    made = filled()
    values = with_thresholds(_read("values.yaml"))
    return {
        **made.files,
        "templates/_markers.tpl": made.template,
        "templates/_thresholds.tpl": thresholds_template(),
        "values.yaml": values,
        "values.schema.json": schema(),
        "README.md": readme(values),
        "Chart.yaml": re.sub(r"(?m)^appVersion: .*$", f'appVersion: "{__version__}"', _read("Chart.yaml")),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and return the exit code: 1 if --check finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m deploy.chart", description="Write the Helm chart's files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    check = parser.parse_args(arguments).check
    stale = [name for name, text in files().items() if not _is(name, text)]
    for name in stale:
        if check:
            print(f"{CHART / name} is stale. How to fix: make chart", file=sys.stderr)
        else:
            (CHART / name).parent.mkdir(parents=True, exist_ok=True)
            (CHART / name).write_text(files()[name], encoding="utf-8")
    return 1 if check and stale else 0


def _read(name: str) -> str:
    return (CHART / name).read_text(encoding="utf-8")


def _is(name: str, text: str) -> bool:
    return (CHART / name).is_file() and _read(name) == text


if __name__ == "__main__":
    sys.exit(main())
