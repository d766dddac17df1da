"""Tests rules and thresholds that are sped up, for drills."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter.assets import Speed, rules_text
from exporter.settings.values import parse_duration
from exporter.thresholds import DEFAULTS, THRESHOLDS, threshold, use_thresholds
from tests.support.processes import needed


@pytest.fixture(autouse=True)
def _default_thresholds() -> Iterator[None]:
    yield
    use_thresholds()


def waits(speed: Speed) -> dict[str, list[float]]:
    """The interval, `for` and `keep_firing_for` of the rules, in seconds."""
    groups = yaml.safe_load(rules_text(speed=speed))["groups"]
    found = {"interval": [parse_duration(group["interval"]) for group in groups]}
    for name in ("for", "keep_firing_for"):
        found[name] = [parse_duration(rule[name]) for group in groups for rule in group["rules"] if name in rule]
    return found


def test_at_normal_speed_nothing_changes() -> None:
    assert rules_text(speed=Speed(1)) == rules_text()
    assert Speed(1).thresholds(DEFAULTS) == DEFAULTS


def test_every_duration_is_divided_down_to_a_minimum() -> None:
    normal, double, fastest = (waits(Speed(factor)) for factor in (1, 2, 100_000))
    for name, least in (("interval", 5), ("for", 15), ("keep_firing_for", 15)):
        assert double[name] == [seconds / 2 for seconds in normal[name]]
        assert set(fastest[name]) == {least}
    sped_up = Speed(60).thresholds(DEFAULTS)
    assert (sped_up["ingestion_stalled"], sped_up["ingestions_failing"]) == (360, 30)
    assert all(sped_up[name] == DEFAULTS[name] for name in ("data_age", "data_age_always", "replica_behind"))
    assert all(sped_up[name] == one.value for name, one in THRESHOLDS.items() if one.unit != "seconds")


@pytest.mark.parametrize("factor", [7, 60, 720])
def test_sped_up_rules_load_and_have_the_thresholds_of_their_speed(factor: float, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules_text(speed=Speed(factor)))
    command = [needed("promtool"), "check", "rules", str(tmp_path / "rules.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    grace = Speed(factor).thresholds(DEFAULTS)["sync_overdue"]
    assert f"[{grace:.0f}s]" in (tmp_path / "rules.yaml").read_text()
    assert re.search(r"\[\d+\.", (tmp_path / "rules.yaml").read_text()) is None


def test_the_process_compares_with_the_thresholds_that_it_was_given() -> None:
    use_thresholds({"sync_overdue": 120.0})
    assert (threshold("sync_overdue"), threshold("sync_stale")) == (120, DEFAULTS["sync_stale"])
    with pytest.raises(KeyError):
        use_thresholds({"sync_late": 1.0})
    assert threshold("sync_overdue") == 120
    use_thresholds()
    assert threshold("sync_overdue") == DEFAULTS["sync_overdue"] == THRESHOLDS["sync_overdue"].value
