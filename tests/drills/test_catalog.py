"""Tests that there is a drill for whatever can be wrong, and that what drills name exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from exporter.drills import DRILLS, NOT_POSSIBLE, Drill
from exporter.drills.pace import QUICK
from exporter.families import FAMILIES
from exporter.status import PROBLEMS
from exporter.telemetry import Telemetry
from exporter.thresholds import DEFAULTS
from tests.support.backtest.expectations import EXPECTED

ROOT = Path(__file__).parents[2]
# What the backtest calls incidents that a drill has another name for.
SAME = {
    "spoilt": "fleet_failing",
    "overdue_by_hub": "fleet_overdue",
    "stalled_by_hub": "fleet_stalled",
    "api_outage": "many_unreachable",
    "part_outage": "many_unreachable",
    "scheduler_down": "fleet_overdue",
    "workers_down": "fleet_stalled",
    "slow_api": "polling_behind",
    "exporter_down": "KimonoExporterDown",
    "shard_down": "KimonoShardMissing",
    "crash_loop": "KimonoExporterRestarting",
    "restarting": "KimonoExporterRestarting",
}
KNOWN = DRILLS.keys() | NOT_POSSIBLE.keys()


def rules() -> dict[str, set[str]]:
    """The severities of each alert."""
    found: dict[str, set[str]] = {}
    for group in yaml.safe_load((ROOT / "alerts/kimono.rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
    return found


def test_each_alert_has_a_drill_or_a_reason() -> None:
    of_drills = {drill.alert for drill in DRILLS.values()} - {""}
    assert of_drills | {name for name in NOT_POSSIBLE if name.startswith("Kimono")} == rules().keys()


def test_each_incident_of_the_backtest_has_a_drill_or_a_reason() -> None:
    assert {SAME.get(kind, kind) for kind in EXPECTED} <= KNOWN


def test_each_kind_of_problem_has_a_drill() -> None:
    assert {drill.problem for drill in DRILLS.values()} - {""} == PROBLEMS.keys()


@pytest.mark.parametrize("kind", sorted(EXPECTED.keys() & DRILLS.keys()))
def test_a_drill_expects_the_alert_that_the_backtest_expects(kind: str) -> None:
    assert DRILLS[kind].alert in EXPECTED[kind].alerts


@pytest.mark.parametrize("drill", DRILLS.values(), ids=lambda drill: drill.name)
def test_a_drill_names_what_exists(drill: Drill) -> None:
    if drill.alert:
        assert {drill.severity, *([drill.later[0]] if drill.later else [])} <= rules()[drill.alert]
    polled = {family.name for family in FAMILIES}
    own = set(re.findall(r"^# TYPE (\S+)", Telemetry().page({}, 1, 1, openmetrics=False).decode(), re.MULTILINE))
    assert drill.metric in polled | own | {f"{name}_total" for name in polled | own}
    boards = {json.loads(path.read_text())["title"] for path in (ROOT / "dashboards").glob("*.json")}
    assert drill.board in boards
    assert drill.problem in ("", *PROBLEMS)


def test_each_shorter_threshold_is_that_of_a_drill_or_goes_with_one() -> None:
    named = {name for drill in DRILLS.values() for name in drill.shortened}
    assert named <= QUICK.keys()
    # Bulk loads stall later than others, and a pause must not outlast the drill.
    assert QUICK.keys() - named == {"bulk_ingestion_stalled", "after_pause"}
    assert all(QUICK[name] < DEFAULTS[name] for name in QUICK)
