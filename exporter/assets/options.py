"""Parses the options that choose links and thresholds."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches

from exporter.assets.files import Choices
from exporter.assets.links import LINKS, Links
from exporter.settings.values import parse_duration
from exporter.thresholds import DEFAULTS, MINUTE, THRESHOLDS, threshold_text

# Only what looks like the name of a threshold is shown: anything else may be a secret in the wrong place.
_NAME = re.compile("[a-z_]{1,60}")


class OptionError(ValueError):
    """An option can't be used; `str()` is the line that says so."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options, and a list of the thresholds at the end of the help."""
    parser.add_argument(
        "--runbook-url",
        metavar="URL",
        help="URL of the folder with the runbooks (default: those of the package's repository, if it is known)",
    )
    parser.add_argument("--dashboard-url", metavar="URL", help="URL of Grafana (default: links are paths of Grafana)")
    parser.add_argument(
        "--threshold", metavar="NAME=VALUE", action="append", default=[], help="a threshold; see below; can be repeated"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "thresholds:\n" + "\n".join(
        f"  {name}\n    {one.reason} Default: {threshold_text(name, one.value)}." for name, one in THRESHOLDS.items()
    )


def choices(options: argparse.Namespace, default: Links = LINKS) -> Choices:
    """What was chosen, with the default links where none were given. Raises OptionError."""
    links = Links(
        _url("--runbook-url", options.runbook_url) or default.runbooks,
        _url("--dashboard-url", options.dashboard_url) or default.dashboards,
    )
    return Choices(links, {**DEFAULTS, **dict(map(_threshold, options.threshold))})


def _url(option: str, text: str | None) -> str:
    """The URL without a slash at its end, or an empty text if none is given."""
    if text is None:
        return ""
    if not re.fullmatch(r"https?://[^\"'\\\s{}]+", text) or not text.isprintable():
        raise OptionError(f"{option} is not a URL such as https://wiki.example.net/runbooks")
    return text.rstrip("/")


def _threshold(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals:
        raise OptionError("--threshold is not NAME=VALUE, such as sync_overdue=90m")
    if name not in THRESHOLDS:
        named = f" {name!r}" if _NAME.fullmatch(name) else ""
        near = get_close_matches(name, THRESHOLDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(THRESHOLDS)}"
        raise OptionError(f"--threshold: there is no threshold{named}; {hint}")
    return name, _value(name, value)


def _value(name: str, text: str) -> float:
    """The value in the threshold's unit."""
    unit = THRESHOLDS[name].unit
    if unit == "seconds":
        return _seconds(name, text)
    try:
        value = float(text)
    except ValueError:
        raise OptionError(f"--threshold: {name} is not a number") from None
    if unit == "ratio" and not 0 < value < 1:
        raise OptionError(f"--threshold: {name} must lie between 0 and 1")
    if unit == "count" and not (value >= 1 and value.is_integer()):
        raise OptionError(f"--threshold: {name} must be a whole number, 1 at least")
    return value


def _seconds(name: str, text: str) -> float:
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise OptionError(f"--threshold: {name}: {error}") from None
    if value < MINUTE:
        raise OptionError(f"--threshold: {name} must be a minute at least")
    if not value.is_integer():
        raise OptionError(f"--threshold: {name} must be whole seconds")
    return value
