"""Tests that the alerts find every kind of incident and nothing else, on the small backtest.

It is shared with the dashboards. test_strange.py has two more.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.backtest.runs import ROOT, RULES, SCENARIOS, Run
from tests.support.backtest.expectations import EXPECTED
from tests.support.backtest.report import report
from tests.support.backtest.scenario import read
from tests.support.backtest.stage import KINDS
from tests.support.backtest.verdict import judge
from tests.support.dashboards.filling import Filled

LARGE, STRANGE = (ROOT / "bench/backtest/stories" / name for name in ("large", "strange"))
# What only happens to one tenant in a storm.
SHARES = {"spoilt", "overdue_by_hub", "stalled_by_hub"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(simulated: Filled) -> Run:
    return Run(simulated.scenario, simulated.recorded, simulated.said)


def test_the_rules_reach_every_target(run: Run) -> None:
    assert not run.missed_targets(), run.report()


def test_no_alert_is_false(run: Run) -> None:
    assert not run.verdict().false, run.report()


def test_every_incident_lasted_long_enough(run: Run) -> None:
    assert not run.too_short()


def test_an_alert_that_keeps_silent_is_noticed(run: Run) -> None:
    assert not run.unnoticed()


def test_an_alert_about_another_tenant_is_false(run: Run) -> None:
    stalled = next(one for one in run.said.firings if one.alert == "KimonoIngestionStalled")
    healthy = run.recorded.incidents[-1]
    wrong = replace(stalled, labels={**stalled.labels, "tenant_id": "nobody", "tenant_name": "Nobody"})
    verdict = judge(run.recorded.incidents, [wrong], [], run.scenario.ends)
    assert verdict.false == [wrong]
    text = report(run.scenario, run.recorded, run.said, verdict, [])
    assert "critical KimonoIngestionStalled, ? (nobody), 2026-10-" in text
    assert "MISSED   no false critical (1)" in text
    assert healthy.kind in text


def test_every_alert_of_the_rules_is_expected_of_something() -> None:
    rules = yaml.safe_load(RULES.read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert {alert for one in EXPECTED.values() for alert in one.alerts} == alerts


def test_the_small_scenarios_have_every_kind_of_story_and_of_incident() -> None:
    kinds = {one.kind for path in SCENARIOS.glob("*.yaml") for one in read(path).stories}
    assert kinds == set(KINDS)
    assert kinds >= EXPECTED.keys() - SHARES


def test_the_large_scenario_has_more_than_four_hundred_incidents_and_as_many_oddities() -> None:
    scenario = read(LARGE)
    kinds = [one.kind for one in scenario.stories]
    assert sum(kind in EXPECTED for kind in kinds) >= 400
    assert sum(kind not in EXPECTED for kind in kinds) >= 400
    assert scenario.tenants >= 100
    assert scenario.ends - scenario.starts >= 28 * 86_400


def test_the_large_and_the_strange_scenario_have_every_kind_of_story() -> None:
    assert {one.kind for folder in (LARGE, STRANGE) for one in read(folder).stories} == set(KINDS)


def test_every_kind_is_in_the_readme() -> None:
    text = (ROOT / "bench/backtest/README.md").read_text()
    assert not [kind for kind in KINDS if f"`{kind}`" not in text]
