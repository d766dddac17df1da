"""Builds the pieces of PromQL that several expressions share: numbers, selectors and indented blocks."""

from __future__ import annotations

from textwrap import indent

from exporter.assets.rules.deferred import Deferred

# Longest first: a value is written in the largest unit that divides it.
_UNITS = (86_400, 3600, 60)
# A block of at most so many columns stays on one line.
_SHORT = 205


def number(value: float) -> str:
    """A number as PromQL reads it."""
    return f"{value:.15g}"


def seconds(value: float) -> str:
    """A duration in seconds, written so that a reader sees hours or days: `2 * 3600`."""
    if isinstance(value, Deferred):
        return value.in_units()
    for unit in _UNITS:
        if value >= 2 * unit and value % unit == 0:
            return f"{number(value / unit)} * {unit}"
    return number(value)


def rounded(value: float) -> float:
    """A number to six decimals: further ones come from the arithmetic."""
    return value.rounded(6) if isinstance(value, Deferred) else round(value, 6)


def least(*values: float) -> float:
    """The least of several thresholds."""
    return _extreme("min", min(values), values)


def greatest(*values: float) -> float:
    """The greatest of several thresholds."""
    return _extreme("max", max(values), values)


def _extreme(which: str, value: float, values: tuple[float, ...]) -> float:
    return value.extreme(which, float(value), *values) if isinstance(value, Deferred) else value


def duration(value: float) -> str:
    """A duration of whole seconds, as `for` and ranges take it: `15m`."""
    unit, sign = next((unit, sign) for unit, sign in ((3600, "h"), (60, "m"), (1, "s")) if value % unit == 0)
    return f"{number(value / unit)}{sign}"


def ago(value: float) -> str:
    """The moment so many seconds ago."""
    return f"time() - {seconds(value)}"


def ahead(value: float) -> str:
    """The moment in so many seconds."""
    return f"time() + {seconds(value)}"


def selector(name: str, *matchers: str) -> str:
    """A metric with those of the matchers that are not empty."""
    chosen = ",".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{chosen}}}" if chosen else name


def block(inner: str, before: str = "") -> str:
    """An expression in parentheses, on lines of its own unless it is short; `before` is an aggregation, if any."""
    line = in_one_line(inner)
    if len(line) <= _SHORT:
        return f"{before} ({line})".lstrip()
    return f"{before} (\n{indent(inner, '  ')}\n)".lstrip()


def short(expression: str) -> str:
    """An expression on one line if it is short enough."""
    line = in_one_line(expression)
    return line if len(line) <= _SHORT else expression


def lines(*parts: str) -> str:
    """The parts that are not empty, a line each."""
    return "\n".join(part for part in parts if part)


def in_one_line(expression: str) -> str:
    """The same expression without line breaks."""
    return " ".join(expression.split()).replace("( ", "(").replace(" )", ")")
