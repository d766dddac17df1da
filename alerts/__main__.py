"""Writes the alert rules; with `--check`, reports which files are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import NoReturn

from alerts import exporter_rules, tenant_rules
from alerts.facts import Source
from alerts.rule import Group, Links, rendered
from exporter.settings.values import parse_duration
from exporter.thresholds import MINUTE, THRESHOLDS

HERE = Path(__file__).parent
LINKS = Links(
    runbooks="https://git.example.org/kimono-exporter/blob/main/docs/runbooks", dashboards="https://grafana.example.org"
)
_HEAD = (
    "Made by `python -m alerts`, which has options for the links and thresholds: see `--help`. Do not edit.",
    "Needs Prometheus 2.42 or newer (`keep_firing_for`), or Mimir, Thanos Ruler or VictoriaMetrics of that age.",
    "- An alert compares what the exporter knows, mostly since when something is so, with a threshold.",
    "- No result has the label `instance`: several replicas raise one alert.",
    "- `keep_firing_for` bridges restarts of the exporter and missed scrapes: an alert resolves 15 minutes late.",
)
_OPERATOR = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kimono-exporter
  labels:
    app.kubernetes.io/name: kimono-exporter
spec:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and return the exit code: 1 if --check finds a stale file, 2 if an option is unusable."""
    options = _parser().parse_args(arguments)
    links = Links(options.runbook_url.rstrip("/"), options.dashboard_url.rstrip("/"))
    written = files(Source(recorded=True, thresholds=dict(_defaults()) | dict(options.threshold)), links)
    folder: Path = options.output
    if options.check:
        stale = [name for name, text in written.items() if not _is(folder / name, text)]
        for name in stale:
            print(f"{folder / name} is stale. How to fix: make alerts", file=sys.stderr)
        return 1 if stale else 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"--output: {error}", file=sys.stderr)
        return 2
    return 0


def files(of: Source, links: Links) -> Mapping[str, str]:
    """The files by name: the rules, and the same as a PrometheusRule of the Prometheus operator."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in _HEAD)
    rules = rendered(groups(of), links)
    return {
        "kimono.rules.yaml": head + rules,
        "kimono.prometheusrule.yaml": head + _OPERATOR + indent(rules, "  "),
    }


def groups(of: Source) -> tuple[Group, ...]:
    """The groups, in the order in which they need each other."""
    return (exporter_rules.group(of), tenant_rules.group(of))


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _defaults() -> Iterator[tuple[str, float]]:
    for name, threshold in THRESHOLDS.items():
        yield name, threshold.value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m alerts",
        description="Write the alert rules: kimono.rules.yaml, and kimono.prometheusrule.yaml for the operator.",
        epilog="thresholds:\n"
        + "\n".join(
            f"  {name}\n    {threshold.reason} Default: {_shown(name)}." for name, threshold in THRESHOLDS.items()
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    parser.add_argument("--output", metavar="DIR", type=Path, default=HERE, help="where to write (default: alerts)")
    parser.add_argument(
        "--runbook-url", metavar="URL", type=_url, default=LINKS.runbooks, help="folder of the runbooks"
    )
    parser.add_argument("--dashboard-url", metavar="URL", type=_url, default=LINKS.dashboards, help="URL of Grafana")
    parser.add_argument(
        "--threshold", metavar="NAME=VALUE", type=_threshold, action="append", default=[], help="a threshold; see below"
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n")


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")) or any(sign in text for sign in "\"' \n{}"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL")
    return text


def _threshold(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if name not in THRESHOLDS:
        raise argparse.ArgumentTypeError(f"there is no threshold {name!r}; there are: {', '.join(THRESHOLDS)}")
    return name, _value(name, value)


def _value(name: str, text: str) -> float:
    """The value in the threshold's unit. ArgumentTypeError if it is none."""
    unit = THRESHOLDS[name].unit
    if unit == "seconds":
        try:
            value = parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{name} {error}") from None
        if value < MINUTE:
            raise argparse.ArgumentTypeError(f"{name} is {text!r}: it must be a minute at least")
        return value
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name} is {text!r}, not a number") from None
    if unit == "ratio" and not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{name} is {text!r}: it must lie between 0 and 1")
    if unit == "count" and not (value >= 1 and value.is_integer()):
        raise argparse.ArgumentTypeError(f"{name} is {text!r}: it must be a whole number, 1 at least")
    return value


def _shown(name: str) -> str:
    """A threshold's default, as the option takes it."""
    value = THRESHOLDS[name].value
    if THRESHOLDS[name].unit != "seconds":
        return f"{value:g}"
    unit, sign = next(
        (unit, sign) for unit, sign in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not value % unit
    )
    return f"{value / unit:g}{sign}"


if __name__ == "__main__":
    sys.exit(main())
