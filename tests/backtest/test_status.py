"""Tests that the status names the tenants and problems that the alerts' expressions find, on a day of a small fleet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from exporter.assets.rules.facts import Source
from exporter.assets.rules.problems import CRITICAL_LATER, PROBLEMS
from exporter.history.problems import KINDS
from tests.support.backtest import engine
from tests.support.days import Days, Statuses

pytestmark = pytest.mark.slow

MINUTE = 60.0
# A rollover is polled every 15 minutes, and a fact changes some time after that.
SLACK = 20 * MINUTE


@dataclass(frozen=True)
class Compared:
    statuses: Statuses
    firings: list[engine.Firing]

    def fired(self, key: tuple[str, str], begins: float, ends: float, *, throughout: bool) -> bool:
        """Whether the expression of a problem had the tenant, at some time or throughout."""
        ident, kind = key
        mine = [each for each in self.firings if each.alert == kind and each.tenant_id == ident]
        if throughout:
            return any(each.since <= begins and each.until >= ends for each in mine)
        return any(each.since <= ends and each.until >= begins for each in mine)


@pytest.fixture(scope="module")
def compared(days: Days, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    rules = tmp_path_factory.mktemp("rules") / "problems.yaml"
    expressions = {kind: expression(Source()) for kind, expression in PROBLEMS.items()}
    expressions |= {f"{kind}, critical": expression(Source()) for kind, expression in CRITICAL_LATER.items()}
    group = {"name": "problems", "rules": [{"alert": kind, "expr": expr} for kind, expr in expressions.items()]}
    rules.write_text(yaml.safe_dump({"groups": [group]}))
    return run(rules, days)


def run(rules: Path, days: Days) -> Compared:
    # Minutes that divide the time between two statuses, so that the expressions are evaluated at those moments, too.
    with engine.started(engine.build(), rules, "15m") as running, days.scrapes.open() as scrapes:
        shutil.copyfileobj(scrapes, running.input)
        said = running.finish()
    assert not said.errors
    return Compared(days.statuses, said.firings)


def test_the_expressions_and_the_status_have_the_same_kinds() -> None:
    assert set(PROBLEMS) == set(KINDS)


def test_the_status_has_a_dozen_moments_and_nearly_every_kind_of_problem(compared: Compared) -> None:
    present = compared.statuses.present
    assert len(present) >= 12
    shown = {kind for found in present.values() for _, kind in found}
    assert {*KINDS} - shown <= {"setup"}, "a problem after three days"


def test_each_problem_of_the_status_is_found_by_the_expression(compared: Compared) -> None:
    wrong = [
        (at, key)
        for at, found in compared.statuses.present.items()
        for key in found
        if not compared.fired(key, at - SLACK, at + SLACK, throughout=False)
    ]
    assert not wrong


def test_each_problem_that_the_expression_finds_is_in_the_status(compared: Compared) -> None:
    wrong = [
        (at, firing.alert, firing.tenant_id)
        for at, found in compared.statuses.present.items()
        for firing in compared.firings
        if firing.alert in PROBLEMS
        and firing.since <= at - SLACK
        and firing.until >= at + SLACK
        and (firing.tenant_id, firing.alert) not in found
    ]
    assert not wrong


def test_the_status_calls_critical_what_has_a_critical_alert(compared: Compared) -> None:
    wrong = []
    for at, found in compared.statuses.present.items():
        for ident, kind in found:
            if kind in CRITICAL_LATER:
                key = (ident, f"{kind}, critical")
                is_critical = (ident, kind) in compared.statuses.critical[at]
                if is_critical and not compared.fired(key, at - SLACK, at + SLACK, throughout=False):
                    wrong.append((at, key, "not critical for the alert"))
                if not is_critical and compared.fired(key, at - SLACK, at + SLACK, throughout=True):
                    wrong.append((at, key, "critical for the alert"))
    assert not wrong


def test_no_problem_begins_in_the_future(compared: Compared) -> None:
    assert all(since <= at for at, known in compared.statuses.since.items() for since in known.values())
