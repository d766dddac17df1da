"""Tests that notifications are counted as Alertmanager groups and inhibits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.backtest.engine import Firing
from tests.support.backtest.inhibition import Inhibit, inhibits
from tests.support.backtest.notifications import Route, count, notified, routes

ENDS = 100_000.0
INHIBIT = Inhibit((("alertname", "=", "Fleet"),), (("alertname", "=", "Single"),), ("job",))
TREE = Route("default", ("account",), 30.0, 300.0)


def single(account: str, since: float, until: float = ENDS) -> Firing:
    return Firing("Single", {"account": account, "job": "a", "tenant_id": f"{account} {since}"}, since, until)


def sent(*firings: Firing, rules: tuple[Inhibit, ...] = (), tree: Route = TREE) -> list[float]:
    return notified(firings, tree, rules, ENDS)


def test_a_group_notifies_once_for_all_that_fires_at_a_time() -> None:
    assert sent(single("A", 100), single("A", 110), single("B", 105)) == [130, 135]


def test_what_is_added_or_resolved_later_comes_at_the_groups_interval() -> None:
    assert sent(single("A", 100), single("A", 200)) == [130, 430]
    assert sent(single("A", 100, 2000)) == [130, 2230]
    assert sent(single("A", 100, 2000), single("A", 5000)) == [130, 2230, 5030]
    assert sent(single("A", 100), single("A", 1000), single("A", 1100)) == [130, 1030, 1330]


def test_what_is_inhibited_is_not_told_and_what_is_told_once_is_not_told_again() -> None:
    fleet = Firing("Fleet", {"job": "a", "account": "none"}, 90, 5000)
    other = Firing("Fleet", {"job": "b", "account": "none"}, 90, 5000)
    assert sent(fleet, single("A", 100, 4000), rules=(INHIBIT,)) == [120, 5220]
    assert len(sent(other, single("A", 100, 4000), rules=(INHIBIT,))) == 4
    # The fleet's alert ends, and the single one goes on: it is told then.
    assert sent(fleet, single("A", 100), rules=(INHIBIT,)) == [120, 5220, 5230]


def test_routes_inherit_and_the_first_that_matches_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yaml"
    path.write_text(
        "route:\n  receiver: default\n  group_wait: 1m\n  routes:\n"
        "    - matchers: ['alertname=~\"Kimono.+\"']\n      group_by: [job, alertname]\n      group_interval: 10m\n"
        "      routes:\n        - matchers: ['severity=\"info\"']\n          receiver: none\n"
    )
    tree = routes(path)
    taken = tree.of({"alertname": "KimonoSyncStale", "severity": "warning"})
    assert (taken.receiver, taken.group_by, taken.wait, taken.interval) == ("default", ("job", "alertname"), 60, 600)
    assert tree.of({"alertname": "KimonoSyncStale", "severity": "info"}).receiver == "none"
    assert tree.of({"alertname": "Other"}).group_by == ()
    info = Firing("KimonoSetupModeLingering", {"severity": "info"}, 100, ENDS)
    assert sent(info, tree=tree) == []


def test_a_matcher_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yaml"
    path.write_text("inhibit_rules:\n  - {source_matchers: ['what is this'], target_matchers: []}\n")
    with pytest.raises(ValueError, match="can't be read"):
        inhibits(path)


def test_notifications_are_counted_from_the_first_one_of_a_storm_on() -> None:
    assert count([50, 100, 140, 190], 60, 60) == 2
    assert count([50], 60, 60) == 0
