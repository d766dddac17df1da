"""Tests the rules of a demo with drills: all alerts are there, with shorter thresholds, waits and ranges."""

from __future__ import annotations

import re
from typing import Any

import yaml

from exporter.assets import LINKS, rules_text
from exporter.drills import quick_rules, quick_thresholds
from exporter.drills.pace import QUICK
from exporter.thresholds import DEFAULTS


def alerts(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule]
    return {(one["alert"], one["labels"]["severity"]): one for one in found}


def test_all_alerts_are_there_and_none_waits_for_more_than_30_seconds() -> None:
    quick, usual = alerts(quick_rules(LINKS)), alerts(rules_text())
    assert quick.keys() == usual.keys()
    waits = {wait for one in quick.values() for wait in (one.get("for"), one.get("keep_firing_for")) if wait}
    assert waits == {"15s", "30s"}
    assert {group["interval"] for group in yaml.safe_load(quick_rules(LINKS))["groups"]} == {"5s"}


def test_the_rules_compare_with_the_same_thresholds_as_the_process() -> None:
    assert quick_thresholds() == {**DEFAULTS, **QUICK}
    text = quick_rules(LINKS)
    assert 'flag="mass_change_pending"} < time() - 30' in text
    assert "kimono_schedule_missed_since_timestamp_seconds < time() - 2 * 3600" in text


def test_no_range_makes_an_alert_resolve_an_hour_late() -> None:
    text = quick_rules(LINKS)
    assert not re.search(r"_fault:ratio\[1h\]|api_requests_total(\{[^}]*\})?\[20m\]", text)
    assert text.count("_fault:ratio[1m]") == 6
    assert len(re.findall(r"api_requests_total(?:\{[^}]*\})?\[1m\]", text)) == 2
