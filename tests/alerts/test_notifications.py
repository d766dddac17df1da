"""Tests that storms of alerts are few notifications, in a real Alertmanager in the time of a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.processes import needed
from tests.support.rules import RULES
from tests.support.storms.causes import CAUSES, fleets, storm
from tests.support.storms.playing import Notification, Played, Storms, play_in_time, scaled
from tests.support.storms.recording import recorded
from tests.support.storms.report import LASTS, Counted, count, table

CONFIG = (RULES.parent / "alertmanager.example.yaml").read_text(encoding="utf-8")
HOUR = 3600.0
# Five hours in 18 s.
FACTOR = 1000.0


def played(config: str, storms: Storms, folder: Path, lasts: float = LASTS) -> Played:
    program = needed("prometheus-alertmanager")
    return play_in_time(program, config, storms, folder, lasts=lasts, factor=FACTOR)


@pytest.mark.slow
def test_300_tenants_at_once_are_few_notifications_which_name_them_all(tmp_path: Path) -> None:
    storms = {fleet: storm("scheduler", 300, fleet) for fleet in fleets("scheduler")}
    sent = played(CONFIG, storms, tmp_path).notifications
    assert {name: count(one).reached for name, one in sent.items()} == dict.fromkeys(storms, True)
    # The alert about the fleet inhibits the others from their first minute.
    assert {one.alert for one in sent["no others"]} == {"KimonoFleetSyncsOverdue"}
    # Where it does not fire, each notification has all tenants that are overdue by then.
    single = sent["9 in 10 healthy"]
    assert {(one.receiver, one.alert) for one in single} == {("on-call", "KimonoSyncOverdue")}
    since = [one.since - storms["9 in 10 healthy"][0].since for one in storms["9 in 10 healthy"]]
    assert [one.firing for one in single] == [sum(begun <= one.at for begun in since) for one in single]


@pytest.mark.slow
def test_a_simulated_storm_is_few_notifications_of_the_rules(tmp_path: Path) -> None:
    needed("go")
    alerts, *_ = recorded("scheduler", 12, 12, [RULES], interval="2m")
    assert {one.alert for one in alerts} >= {"KimonoSyncOverdue", "KimonoFleetSyncsOverdue"}
    sent = played(CONFIG, {"scheduler": alerts}, tmp_path).notifications["scheduler"]
    assert count(sent).reached
    assert {one.alert for one in sent} == {"KimonoSyncOverdue", "KimonoFleetSyncsOverdue"}
    assert sent[-1].alert == "KimonoFleetSyncsOverdue", "single tenants are suppressed from then on"


@pytest.mark.slow
def test_a_group_for_each_customer_is_noticed(tmp_path: Path) -> None:
    broken = CONFIG.replace("group_by: [job, alertname", "group_by: [job, account_name, alertname")
    assert broken != CONFIG
    sent = played(broken, {"all": storm("mass renaming", 300, "3 in 4 healthy")}, tmp_path, HOUR).notifications["all"]
    assert sum(count(sent).first.values()) > 100


@pytest.mark.parametrize("cause", CAUSES)
def test_each_tenant_of_a_storm_has_an_alert_unless_the_fleet_has_one(cause: str) -> None:
    for fleet in fleets(cause):
        named = {one.tenant_id for one in storm(cause, 20, fleet)}
        assert named >= {f"t{number}" for number in range(20)} or "" in named


def test_all_durations_are_scaled_and_receivers_replaced() -> None:
    assert json.loads(
        scaled(
            "route: {group_wait: 30s, repeat_interval: 1d, routes: [{group_interval: 5m}]}\n"
            "receivers: [{name: a, webhook_configs: [{url: 'http://127.0.0.1:9095/a'}]}]",
            600,
            "http://127.0.0.1:1",
        )
    ) == {
        "route": {"group_wait": "50ms", "repeat_interval": "144000ms", "routes": [{"group_interval": "500ms"}]},
        "receivers": [{"name": "a", "webhook_configs": [{"url": "http://127.0.0.1:1/a"}]}],
    }


def test_the_table_counts_by_hour_and_receiver_and_marks_what_is_too_much() -> None:
    sent = [Notification(at, "on-call", "A", 1, 0) for at in (0.0, 3599.0, 3600.0, 17_999.0, 18_000.0)]
    sent += [Notification(HOUR * 2, "working-hours", "B", 1, 0)] * 4
    counted = count(sent)
    assert counted == Counted({"on-call": 2}, {"on-call": 2, "working-hours": 4})
    assert not counted.reached
    assert table([""], {("scheduler", "no others", 3000): [counted]}).endswith(
        "| scheduler | no others | 3,000 | 2 + 0 | **2 + 4** |"
    )
