"""Reads what Grafana asks Prometheus for a dashboard.

Reads the committed JSON: panels, variables and annotations. Intervals and steps are computed as Grafana's data source
does (pkg/promlib of Grafana: models/query.go and intervalv2).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.backtest.scenario import seconds

MINUTE, HOUR, DAY = 60, 3600, 86_400
# Points of a panel as wide as the window, and the most that Prometheus returns.
POINTS, MOST_POINTS = 1000, 11_000
# Grafana rounds intervals: up to the first number it is the second. From a day on it is whole days.
ROUNDED = (
    *((15, 10), (17.5, 15), (25, 20), (45, 30), (90, MINUTE), (210, 2 * MINUTE), (450, 5 * MINUTE)),
    *((750, 10 * MINUTE), (1050, 15 * MINUTE), (1500, 20 * MINUTE), (2700, 30 * MINUTE), (5400, HOUR)),
    *((9000, 2 * HOUR), (16_200, 3 * HOUR), (32_400, 6 * HOUR), (DAY, DAY // 2), (7 * DAY, DAY)),
)
# Not $1, a group of label_replace(): Grafana leaves what is no variable as it is.
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::\w+)?\})")
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<selector>.+),)?\s*(?P<label>\w+)\)", re.DOTALL)
_QUERY_RESULT = re.compile(r"query_result\((?P<expr>.+)\)", re.DOTALL)


class UnknownVariableError(RuntimeError):
    """A query names a variable that the dashboard does not have."""


@dataclass(frozen=True)
class Question:
    """A query of a panel or an annotation, as it stands in the JSON.

    `span`: how far back its dashboard looks. `interval`: the least step, 0 for none of its own. `step`: a fixed one.
    """

    dashboard: str
    panel: str
    ref: str
    expr: str
    instant: bool
    span: int
    interval: int = 0
    step: int = 0

    def steps(self, scrape: int) -> int:
        """Seconds between two values, where the data source says that a scrape comes every `scrape` seconds."""
        if self.step:
            return self.step
        return max(rounded(self.span / POINTS), self.interval, scrape, rounded(self.span / MOST_POINTS))

    def written(self, variables: Mapping[str, str], scrape: int) -> str:
        """The query with all variables replaced, Grafana's own among them. UnknownVariableError if one is not there."""
        step = self.steps(scrape)
        own = {
            "__interval": f"{step}s",
            "__interval_ms": f"{step * 1000}",
            "__rate_interval": f"{max(step + scrape, 4 * scrape)}s",
            "__range": f"{self.span}s",
            "__range_s": f"{self.span}",
            "__range_ms": f"{self.span * 1000}",
        }
        return replaced(self.expr, {**variables, **own})


@dataclass(frozen=True)
class Variable:
    """A variable of a dashboard whose values come from a query.

    `everything` is its value while All is chosen: None if there is no All, and the empty string for a list of all
    values.
    """

    dashboard: str
    name: str
    asked: str
    pattern: str
    everything: str | None
    span: int

    def selector(self, variables: Mapping[str, str]) -> tuple[str, str] | None:
        """The selector and the label of a label_values() variable; None for others."""
        found = _LABEL_VALUES.fullmatch(replaced(self.asked, variables))
        return (found["selector"] or f'{{{found["label"]}!=""}}', found["label"]) if found else None

    def expr(self, variables: Mapping[str, str]) -> str | None:
        """The query of a query_result() variable; None for others."""
        found = _QUERY_RESULT.fullmatch(replaced(self.asked, variables))
        return found["expr"] if found else None

    def picked(self, texts: Sequence[str]) -> list[str]:
        """What the variable's regular expression makes of these texts: its values, the first of each once."""
        if not self.pattern:
            return list(dict.fromkeys(texts))
        pattern = re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", self.pattern.removeprefix("/").removesuffix("/")))
        found = [each for text in texts if (each := pattern.search(text))]
        return list(dict.fromkeys(each.groupdict().get("value") or each[each.lastindex or 0] for each in found))


@dataclass(frozen=True)
class Dashboard:
    """All that one dashboard asks."""

    uid: str
    variables: tuple[Variable, ...]
    fixed: Mapping[str, str]
    questions: tuple[Question, ...]


def replaced(text: str, variables: Mapping[str, str]) -> str:
    """The text with `$name`, `${name}` and `${name:format}` replaced. UnknownVariableError if one is not there."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in variables:
            raise UnknownVariableError(f"there is no variable {name}")
        return variables[name]

    return _VARIABLE.sub(value, text)


def rounded(interval: float) -> int:
    """An interval in seconds as Grafana rounds it, if it is ten or more: no dashboard here has a shorter one."""
    place = bisect_left(ROUNDED, (interval, 0))
    return ROUNDED[place][1] if place < len(ROUNDED) else 7 * DAY


def read(path: Path) -> Dashboard:
    """The questions of one dashboard's JSON."""
    plain = json.loads(path.read_text())
    uid = plain["uid"]
    span = max(DAY, _span(plain["time"]["from"]))
    variables = tuple(_variable(uid, one, span) for one in plain["templating"]["list"] if one["type"] == "query")
    fixed = {
        one["name"]: one.get("current", {}).get("value", "")
        for one in plain["templating"]["list"]
        if one["type"] != "query"
    }
    questions = (
        *_of_panels(uid, plain.get("panels", ()), span),
        *_of_annotations(uid, plain["annotations"]["list"], span),
    )
    return Dashboard(uid, variables, fixed, questions)


def _span(since: str) -> int:
    """Seconds of a range that ends now, such as now-24h."""
    return int(seconds(since.removeprefix("now-")))


def _variable(uid: str, one: Mapping[str, Any], span: int) -> Variable:
    asked = one["query"] if isinstance(one["query"], str) else one["query"]["query"]
    everything = one.get("allValue", "") if one["includeAll"] else None
    return Variable(uid, one["name"], asked, one.get("regex", ""), everything, span)


def _of_panels(uid: str, panels: Sequence[Mapping[str, Any]], span: int) -> Iterator[Question]:
    for panel in panels:
        yield from _of_panels(uid, panel.get("panels", ()), span)
        interval = int(seconds(panel.get("interval") or 0))
        for target in panel.get("targets", ()):
            if "expr" in target:
                least = max(interval, int(seconds(target.get("interval") or 0)))
                asked = target["expr"], bool(target.get("instant"))
                yield Question(uid, panel["title"], target["refId"], *asked, span, least)


def _of_annotations(uid: str, annotations: Sequence[Mapping[str, Any]], span: int) -> Iterator[Question]:
    for one in annotations:
        if "expr" in one:
            step = int(seconds(one.get("step") or MINUTE))
            yield Question(uid, one["name"], "annotation", one["expr"], instant=False, span=span, step=step)
