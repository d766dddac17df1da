"""Describes rules, and writes them as YAML that people read."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.assets.links import Links
from exporter.assets.rules.promql import duration
from exporter.assets.speed import Speed
from exporter.thresholds import MINUTE

WIDTH = 120
_INDENT = " " * 6  # of a rule in a group


@dataclass(frozen=True)
class Recording:
    """A recording rule. `comment` says what its series are for."""

    record: str
    expr: str
    comment: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """An alerting rule. `wait` is its `for` in seconds, with the reason; `dashboard` is the path of a dashboard.

    `keep` (seconds) bridges restarts of the exporter and missed scrapes.
    """

    alert: str
    severity: str
    expr: str
    summary: str
    description: str
    dashboard: str
    comment: str = ""
    wait: tuple[float, str] | None = None
    keep: float | None = 15 * MINUTE


@dataclass(frozen=True)
class Group:
    """A group of rules, evaluated in this order."""

    name: str
    comment: str
    rules: Sequence[Recording | Alert]


def rendered(groups: Sequence[Group], links: Links, speed: Speed) -> str:
    """The groups as YAML, from `groups:` on."""
    return "groups:\n" + "\n".join("\n".join(_group(group, links, speed)) + "\n" for group in groups)


def comment(text: str, before: str = "") -> Iterator[str]:
    """The lines of a comment."""
    for line in textwrap.wrap(text, WIDTH - len(before) - 2, break_on_hyphens=False):
        yield f"{before}# {line}"


def _group(group: Group, links: Links, speed: Speed) -> Iterator[str]:
    yield from comment(group.comment, "  ")
    yield f"  - name: {group.name}"
    yield f"    interval: {duration(speed.interval(MINUTE))}"
    yield "    rules:"
    for number, rule in enumerate(group.rules):
        if number and rule.comment:
            yield ""
        yield from comment(rule.comment, _INDENT)
        yield from _recording(rule) if isinstance(rule, Recording) else _alert(rule, links, speed)


def _recording(rule: Recording) -> Iterator[str]:
    yield f"{_INDENT}- record: {rule.record}"
    if rule.labels:
        yield f"{_INDENT}  labels: {{{', '.join(f'{name}: {_text(value)}' for name, value in rule.labels.items())}}}"
    yield from _expr(rule.expr)


def _alert(rule: Alert, links: Links, speed: Speed) -> Iterator[str]:
    yield f"{_INDENT}- alert: {rule.alert}"
    yield from _expr(rule.expr)
    if rule.wait:
        yield f"{_INDENT}  for: {duration(speed.wait(rule.wait[0]))} # {rule.wait[1]}"
    if rule.keep:
        yield f"{_INDENT}  keep_firing_for: {duration(speed.wait(rule.keep))}"
    yield f"{_INDENT}  labels: {{severity: {rule.severity}}}"
    yield f"{_INDENT}  annotations:"
    yield f"{_INDENT}    summary: {_text(rule.summary)}"
    yield f"{_INDENT}    description: {_text(rule.description)}"
    yield f"{_INDENT}    runbook_url: {_text(links.runbook(rule.alert))}"
    yield f"{_INDENT}    dashboard_url: {_text(f'{links.dashboards}/{rule.dashboard}')}"


def _expr(expr: str) -> Iterator[str]:
    if "\n" not in expr and "#" not in expr and ": " not in expr and (expr[0].isalpha() or expr[0] == "("):
        yield f"{_INDENT}  expr: {expr}"
        return
    yield f"{_INDENT}  expr: |"
    for line in expr.splitlines():
        yield f"{_INDENT}    {line}"


def _text(value: str) -> str:
    """A scalar of YAML: plain where that is the same text, else in quotes."""
    plain = re.fullmatch(r"[A-Za-z][^#]*", value) and ": " not in value and not value.endswith((":", " "))
    quoted = "'" + value.replace("'", "''") + "'"
    return value if plain and value not in ("true", "false", "null", "yes", "no", "on", "off") else quoted
