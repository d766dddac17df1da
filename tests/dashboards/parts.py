"""Gives the panels of the committed dashboards, and all their queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import promql_parser

from tests.support.dashboards.questions import UnknownVariableError, Variable, replaced

Plain = Mapping[str, Any]

FOLDER = Path(__file__).parents[2] / "dashboards"
# What Grafana would compute stands here as numbers that nobody writes by hand, so that they can be told apart.
RATE_INTERVAL, RANGE = timedelta(seconds=421), timedelta(seconds=86_413)
INTERVALS = {"__interval": "67s", "__rate_interval": "421s", "__range": "86413s", "__range_s": "86413"}


@dataclass(frozen=True)
class Asked:
    """A query, Grafana's intervals replaced. The dashboard's variables stand for themselves: `$job`.

    `called` names its series: a legend, or an annotation's title. `error`: why it can't be told.
    """

    where: str
    text: str
    instant: bool
    called: str = ""
    error: str = ""

    @property
    def expr(self) -> promql_parser.Expr:
        """The query, parsed. ValueError if it is none."""
        return parsed(self.text)


@cache
def parsed(text: str) -> promql_parser.Expr:
    return promql_parser.parse(text)


class Board:
    """One dashboard."""

    def __init__(self, plain: Plain, stem: str) -> None:
        self.plain = plain
        self.stem = stem

    @cached_property
    def all_panels(self) -> list[Plain]:
        """Headings and panels, those in closed rows, too."""
        return list(_flat(self.plain["panels"]))

    @cached_property
    def panels(self) -> list[Plain]:
        return [panel for panel in self.all_panels if panel["type"] != "row"]

    @property
    def variables(self) -> list[Plain]:
        return list(self.plain["templating"]["list"])

    @property
    def names(self) -> set[str]:
        """The names of its variables."""
        return {one["name"] for one in self.variables}

    @property
    def annotations(self) -> list[Plain]:
        """Without the one that Grafana builds in."""
        return [one for one in self.plain["annotations"]["list"] if not one.get("builtIn")]

    @cached_property
    def asked(self) -> list[Asked]:
        """All that is asked: for panels, annotations and variables."""
        return [*(one for panel in self.panels for one in self.of(panel)), *self.of_annotations, *self.of_variables]

    def of(self, panel: Plain) -> Iterator[Asked]:
        """What a panel asks."""
        for target in panel.get("targets", ()):
            where = f"{panel.get('title')}, {target['refId']}"
            yield self._asked(where, target["expr"], bool(target.get("instant")), target.get("legendFormat", ""))

    @property
    def of_annotations(self) -> list[Asked]:
        return [self._asked(one["name"], one["expr"], called=one["titleFormat"]) for one in self.annotations]

    @property
    def of_variables(self) -> list[Asked]:
        return [self._of_variable(one) for one in self.variables if one["type"] == "query"]

    def _of_variable(self, one: Plain) -> Asked:
        known = {name: f"${name}" for name in self.names}
        variable = Variable(self.stem, one["name"], one["query"]["query"], one.get("regex", ""), None, 0)
        try:
            labels = variable.selector(known)
            text = labels[0] if labels else variable.expr(known)
        except UnknownVariableError as error:
            return Asked(f"${one['name']}", "", instant=True, error=str(error))
        if not text:
            return Asked(f"${one['name']}", "", instant=True, error="neither label_values nor query_result")
        return Asked(f"${one['name']}", text, instant=True, called=f"{{{{{labels[1]}}}}}" if labels else "")

    def _asked(self, where: str, text: str, instant: bool = False, called: str = "") -> Asked:  # noqa: FBT001, FBT002 - a flag of the JSON, handed on
        try:
            written = replaced(text, {name: f"${name}" for name in self.names} | INTERVALS)
        except UnknownVariableError as error:
            return Asked(where, "", instant, called, str(error))
        return Asked(where, written, instant, called)


def _flat(panels: Sequence[Plain]) -> Iterator[Plain]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", ()))


def columns(panel: Plain) -> dict[str, str]:
    """The columns of a table, as the query calls them, with their titles."""
    return dict(_organised(panel).get("renameByName", {}))


def dropped(panel: Plain) -> set[str]:
    """What the query gives and the table does not show."""
    return {name for name, out in _organised(panel).get("excludeByName", {}).items() if out}


def _organised(panel: Plain) -> Plain:
    return next((one["options"] for one in panel.get("transformations", ()) if one["id"] == "organize"), {})


def strings(plain: Any) -> Iterator[str]:
    """All texts in it, however deep."""
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, Mapping):
        for value in plain.values():
            yield from strings(value)
    elif isinstance(plain, Sequence):
        for value in plain:
            yield from strings(value)


def read() -> dict[str, Board]:
    """The committed dashboards, by the names of their files."""
    paths = sorted(FOLDER.glob("*.json"))
    return {path.stem: Board(json.loads(path.read_text(encoding="utf-8")), path.stem) for path in paths}


BOARDS = read()
