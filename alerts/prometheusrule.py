"""Generates the PrometheusRule of the Prometheus operator from the alert rules.

`python alerts/prometheusrule.py` writes kimono.prometheusrule.yaml. With `--check` it only compares, and exits with 1
if the file is stale.
"""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from textwrap import indent

ALERTS = Path(__file__).resolve().parent
SOURCE = ALERTS / "kimono.rules.yaml"
TARGET = ALERTS / "kimono.prometheusrule.yaml"

_HEAD = """\
# Made by alerts/prometheusrule.py from alerts/kimono.rules.yaml. Edit there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kimono-exporter
  labels:
    app.kubernetes.io/name: kimono-exporter
spec:
"""


def prometheus_rule() -> str:
    """Return the rules as a PrometheusRule, with their comments."""
    return _HEAD + indent(SOURCE.read_text(encoding="utf-8"), "  ")


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Generate the PrometheusRule from the alert rules.")
    parser.add_argument("--check", action="store_true", help="compare only; 1 if the file is stale")
    text = prometheus_rule()
    if not parser.parse_args(arguments).check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
        print(f"alerts/{TARGET.name} is stale: run python alerts/prometheusrule.py")  # noqa: T201 - output of a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
