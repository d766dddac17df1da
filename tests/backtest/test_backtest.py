"""Tests that the alerts find every kind of incident and nothing else, on the small backtest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from exporter.simulator.scripted_effects import ALL_EFFECTS
from tests.support.backtest import engine
from tests.support.backtest.expectations import EXPECTED
from tests.support.backtest.recording import Recorded
from tests.support.backtest.report import report, targets
from tests.support.backtest.scenario import Scenario, read
from tests.support.backtest.stage import HAPPENINGS
from tests.support.backtest.verdict import Verdict, inhibits, judge
from tests.support.dashboards.filling import Filled

ROOT = Path(__file__).parent.parent.parent
LARGE = ROOT / "bench/backtest/stories/large"
RULES = ROOT / "alerts/kimono.rules.yaml"
ALERTMANAGER = ROOT / "alerts/alertmanager.example.yaml"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    scenario: Scenario
    recorded: Recorded
    said: engine.Evaluated

    def verdict(self, without: str = "") -> Verdict:
        firings = [one for one in self.said.firings if one.alert != without]
        return judge(self.recorded.incidents, firings, inhibits(ALERTMANAGER), self.scenario.ends)


@pytest.fixture(scope="module")
def run(simulated: Filled) -> Run:
    return Run(simulated.scenario, simulated.recorded, simulated.said)


def test_the_rules_reach_every_target(run: Run) -> None:
    verdict = run.verdict()
    missed = [text for text, good in targets(run.scenario, run.said, verdict) if not good]
    assert not missed, report(run.scenario, run.recorded.names, run.said, verdict)


def test_nobody_is_called_for_nothing(run: Run) -> None:
    assert not run.verdict().false, report(run.scenario, run.recorded.names, run.said, run.verdict())


def test_every_kind_of_incident_happened_and_lasted_long_enough(run: Run) -> None:
    lasted = {one.incident.kind for one in run.verdict().outcomes if not one.short}
    assert lasted == EXPECTED.keys()


def test_every_kind_of_story_is_told(run: Run) -> None:
    assert {one.kind for one in run.scenario.stories} == ALL_EFFECTS.keys() | HAPPENINGS.keys()


@pytest.mark.parametrize("alert", sorted({one.alerts[0] for one in EXPECTED.values() if len(one.alerts) == 1}))
def test_an_alert_that_keeps_silent_is_noticed(run: Run, alert: str) -> None:
    kinds = {kind for kind, expected in EXPECTED.items() if expected.alerts == (alert,)}
    assert kinds <= {one.incident.kind for one in run.verdict(without=alert).missed()}


def test_an_alert_about_another_tenant_is_false(run: Run) -> None:
    stalled = next(one for one in run.said.firings if one.alert == "KimonoIngestionStalled")
    healthy = run.recorded.incidents[-1]
    wrong = replace(stalled, labels={**stalled.labels, "tenant_id": "nobody", "tenant_name": "Nobody"})
    verdict = judge(run.recorded.incidents, [wrong], [], run.scenario.ends)
    assert verdict.false == [wrong]
    text = report(run.scenario, run.recorded.names, run.said, verdict)
    assert "critical KimonoIngestionStalled, ? (nobody), 2026-10-" in text
    assert "MISSED   no false critical (1)" in text
    assert healthy.kind in text


def test_every_alert_of_the_rules_is_expected_of_something() -> None:
    rules = yaml.safe_load(RULES.read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert {alert for one in EXPECTED.values() for alert in one.alerts} == alerts


def test_the_large_scenario_has_more_than_four_hundred_incidents_of_every_kind_and_as_many_oddities() -> None:
    scenario = read(LARGE)
    kinds = [one.kind for one in scenario.stories]
    assert set(kinds) == ALL_EFFECTS.keys() | HAPPENINGS.keys()
    assert sum(kind in EXPECTED for kind in kinds) >= 400
    assert sum(kind not in EXPECTED for kind in kinds) >= 400
    assert scenario.tenants >= 100
    assert scenario.ends - scenario.starts >= 28 * 86_400


def test_every_kind_is_in_the_readme() -> None:
    text = (ROOT / "bench/backtest/README.md").read_text()
    assert not [kind for kind in [*ALL_EFFECTS, *HAPPENINGS] if f"`{kind}`" not in text]
