"""Holds a backtest that has run, for the tests of its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.backtest import engine
from tests.support.backtest.expectations import EXPECTED
from tests.support.backtest.inhibition import inhibits
from tests.support.backtest.notifications import notified, routes
from tests.support.backtest.recording import Recorded, record
from tests.support.backtest.report import report, targets
from tests.support.backtest.scenario import Scenario, read
from tests.support.backtest.verdict import Verdict, judge
from tests.support.processes import needed

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "alerts/kimono.rules.yaml"
ALERTMANAGER = ROOT / "alerts/alertmanager.example.yaml"
SCENARIOS = ROOT / "tests/support/backtest"


@dataclass(frozen=True)
class Run:
    """A scenario, what happened in it, and what the rules said."""

    scenario: Scenario
    recorded: Recorded
    said: engine.Evaluated

    def verdict(self, without: str = "") -> Verdict:
        """The verdict; as if the alert `without` had never fired."""
        firings = [one for one in self.said.firings if one.alert != without]
        muting, state_file = inhibits(ALERTMANAGER), self.scenario.state_file
        return judge(self.recorded.incidents, firings, muting, self.scenario.ends, state_file=state_file)

    def report(self) -> str:
        """The report."""
        return report(self.scenario, self.recorded, self.said, self.verdict(), self.notifications())

    def notifications(self) -> list[float]:
        """When notifications were sent, in Unix seconds."""
        return notified(self.said.firings, routes(ALERTMANAGER), inhibits(ALERTMANAGER), self.scenario.ends)

    def missed_targets(self) -> list[str]:
        """The targets that the rules did not reach."""
        return [text for text, good in targets(self.scenario, self.said, self.verdict()) if not good]

    def too_short(self) -> set[str]:
        """The kinds of incidents of which none lasted long enough to be found."""
        outcomes = self.verdict().outcomes
        return {one.incident.kind for one in outcomes} - {one.incident.kind for one in outcomes if not one.short}

    def unnoticed(self) -> set[str]:
        """The alerts that could keep silent without a missed incident; only those that alone find one here."""
        kinds = {one.incident.kind for one in self.verdict().outcomes if not one.short}
        alerts = {EXPECTED[kind].alerts for kind in kinds}
        return {alert for alert, *others in alerts if not others and not self.verdict(without=alert).missed()}


def played(name: str) -> Run:
    """The backtest of a scenario."""
    needed("go")
    scenario = read(SCENARIOS / f"{name}.yaml")
    # As often as the rules say: an exporter that is away for a minute would hide between two evaluations.
    with engine.started(engine.build(), RULES, "0s") as running:
        recorded = record(scenario, running.input)
        return Run(scenario, recorded, running.finish())
