"""Tests that the table of what must not happen counts what happened, and nothing else."""

from __future__ import annotations

import pytest

from exporter.simulator import Incident
from tests.support.backtest.engine import Firing
from tests.support.backtest.expectations import DAY, EXPECTED, HOUR
from tests.support.backtest.instances import FLEET_STORIES, SHARD_STORIES
from tests.support.backtest.must_not import ITEMS, Row, table
from tests.support.backtest.scenario import Scenario
from tests.support.backtest.stage import KINDS
from tests.support.backtest.verdict import judge

WHO = "t1"
ENDS = 20 * DAY


def rows(
    told: list[Incident], firings: list[Firing], incidents: list[Incident] | None = None, *, replicas: int = 1
) -> dict[str, Row]:
    judged = judge(told if incidents is None else incidents, firings, [], ENDS, state_file=True)
    found = table(Scenario(0, ENDS, 10, replicas=replicas, state_file=True), told, judged)
    during = {kind: row for row in found for kind in row.item.during}
    return (
        during
        | {f"during {kind}": row for kind, row in during.items()}
        | {kind: row for row in found for kind in row.item.kinds}
    )


def firing(alert: str, since: float, until: float = ENDS, who: str = WHO, severity: str = "critical") -> Firing:
    labels = {"tenant_id": who, "severity": severity} if who else {"severity": severity}
    return Firing(alert, labels, since, until)


def test_every_story_of_the_table_can_be_told() -> None:
    assert {kind for item in ITEMS for kind in (*item.kinds, *item.during)} <= set(KINDS)


def test_an_item_without_a_story_is_not_shown() -> None:
    assert all((row.stories, row.seen) == (0, ()) for row in rows([], [firing("KimonoSyncStale", HOUR)]).values())


@pytest.mark.parametrize("kind", sorted({kind for item in ITEMS for kind in item.kinds} - EXPECTED.keys()))
def test_a_false_alarm_about_a_harmless_story_is_counted_for_its_tenant_and_time(kind: str) -> None:
    story = Incident(kind, WHO, DAY, 2 * DAY)
    alarms = [firing("KimonoSyncStale", DAY + HOUR), firing("KimonoSyncStale", DAY + 2 * HOUR)]
    row = rows([story], alarms)[kind]
    assert (row.stories, row.seen) == (1, ("2 false critical KimonoSyncStale",))
    elsewhere = [firing("KimonoSyncStale", DAY + HOUR, who="t2"), firing("KimonoSyncStale", 3 * DAY)]
    assert not rows([story], elsewhere)[kind].seen


@pytest.mark.parametrize(
    "kind", sorted(EXPECTED.keys() & {kind for item in ITEMS for kind in item.kinds} - {"part_outage"})
)
def test_an_incident_that_is_not_found_is_counted(kind: str) -> None:
    who = "" if kind in (*FLEET_STORIES, *SHARD_STORIES) else WHO
    story = Incident(kind, who, DAY, 19 * DAY)
    assert rows([story], [])[kind].seen == (f"1 {kind} not found",)
    found = firing(EXPECTED[kind].alerts[0], DAY + HOUR, who=who, severity=EXPECTED[kind].severities[0])
    assert not rows([story], [found])[kind].seen


@pytest.mark.parametrize("kind", ["exporter_down", "prometheus_down"])
def test_what_is_forgotten_in_a_gap_is_counted(kind: str) -> None:
    wrong = [Incident("stalled", WHO, 0, 3 * DAY), Incident(kind, "", DAY, DAY + 2 * HOUR)]
    found = [firing("KimonoExporterDown", DAY, who="")] if kind == "exporter_down" else []
    before, after = firing("KimonoIngestionStalled", 6 * HOUR, DAY), firing("KimonoIngestionStalled", DAY + 2.2 * HOUR)
    assert rows(wrong, [*found, before])[kind].seen == ("1 stalled forgotten",)
    assert not [text for text in rows(wrong, [*found, before, after])[kind].seen if "stalled" in text]


def test_what_a_gap_of_prometheus_invents_is_counted_whomever_it_is_about() -> None:
    invented = firing("KimonoSyncOverdue", DAY + 3.1 * HOUR)
    seen = rows([Incident("prometheus_down", "", DAY, DAY + 3 * HOUR)], [invented])["prometheus_down"].seen
    assert seen == ("1 false critical KimonoSyncOverdue",)


@pytest.mark.parametrize("kind", ["replica_lags", "replica_down", "restarting"])
def test_what_is_not_found_while_a_replica_lags_or_exporters_restart_is_counted(kind: str) -> None:
    story = Incident(kind, "", DAY, 2 * DAY)
    wrong = Incident("stalled", WHO, DAY + HOUR, DAY + 12 * HOUR)
    assert "1 stalled not found" in rows([story], [], [story, wrong])[f"during {kind}"].seen
    assert not [
        text
        for text in rows([story], [firing("KimonoIngestionStalled", DAY + 7.2 * HOUR)], [story, wrong])[kind].seen
        if "stalled" in text
    ]
    later = Incident("stalled", WHO, 3 * DAY, 4 * DAY)
    assert not [text for text in rows([story], [], [story, later])[f"during {kind}"].seen if "stalled" in text]


def test_shards_and_replicas_are_of_interest_if_there_are_several_exporters() -> None:
    story = Incident("part_outage", "", DAY, DAY + 3 * HOUR)
    false = firing("KimonoManyTenantsUnreachable", 5 * DAY, who="")
    assert rows([story], [false])["part_outage"].stories == 0
    assert rows([story], [false], replicas=2)["part_outage"].seen == (
        "1 false critical KimonoManyTenantsUnreachable",
        "1 part_outage not found",
    )


def test_an_alert_that_fires_under_two_names_is_counted() -> None:
    wrong, renaming = Incident("stalled", WHO, 0, 3 * DAY), Incident("tenant_renamed", WHO, DAY)
    alerts = [
        Firing("KimonoIngestionStalled", {"tenant_id": WHO, "tenant_name": name}, since, 3 * DAY)
        for name, since in (("A", 6 * HOUR), ("B", DAY))
    ]
    assert rows([renaming], alerts, [wrong, renaming])["tenant_renamed"].seen == ("1 stalled reported twice",)
    assert not rows([renaming], alerts[:1], [wrong, renaming])["tenant_renamed"].seen


def test_what_an_item_of_its_own_is_about_counts_there_alone() -> None:
    gap, cancelled = Incident("prometheus_down", "", DAY, DAY + 3 * HOUR), Incident("cancelled", WHO, 0, 3 * DAY)
    hidden = Incident("stalled_without_start", "t2", 0, 3 * DAY)
    found = rows([gap, cancelled], [firing("KimonoIngestionsFailing", DAY + 4 * HOUR)], [gap, cancelled, hidden])
    assert found["cancelled"].seen == ("1 false critical KimonoIngestionsFailing",)
    assert not found["prometheus_down"].seen
