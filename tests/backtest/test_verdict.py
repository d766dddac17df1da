"""Tests the verdict on made-up incidents and alerts."""

from __future__ import annotations

from exporter.simulator import Incident
from tests.support.backtest.engine import Firing
from tests.support.backtest.expectations import EXPECTED, HOUR, MINUTE
from tests.support.backtest.verdict import Verdict, judge

WHO = "t1"
FAILING = EXPECTED["failing"]


def verdict(incidents: list[Incident], *firings: Firing) -> Verdict:
    return judge(incidents, firings, [], 100 * HOUR)


def firing(alert: str, since: float, until: float = 90 * HOUR) -> Firing:
    return Firing(alert, {"tenant_id": WHO, "severity": "warning"}, since, until)


def test_an_alert_after_the_end_is_false() -> None:
    wrong = Incident("failing", WHO, 0, 10 * HOUR)
    assert verdict([wrong], firing("KimonoIngestionsFailing", 11 * HOUR)).false


def test_what_ended_within_an_outage_may_be_told_of_again_when_it_is_over() -> None:
    wrong = [Incident("failing", WHO, 0, 10 * HOUR), Incident("api_outage", "", 9 * HOUR, 11 * HOUR)]
    last = 11 * HOUR + FAILING.promised
    assert not verdict(wrong, firing("KimonoIngestionsFailing", last)).false
    assert verdict(wrong, firing("KimonoIngestionsFailing", last + 16 * MINUTE)).false


def test_what_ended_while_its_tenant_could_not_be_read_may_be_told_of_again_when_it_can() -> None:
    wrong = [Incident("failing", WHO, 0, 10 * HOUR), Incident("unreachable", WHO, 9 * HOUR, 11 * HOUR)]
    again = firing("KimonoIngestionsFailing", 11 * HOUR + FAILING.promised)
    assert not verdict(wrong, again).false
    assert verdict([wrong[0], Incident("unreachable", "t2", 9 * HOUR, 11 * HOUR)], again).false


def test_a_tenants_share_in_the_fleets_trouble_may_be_told_of_until_its_next_good_run() -> None:
    spoilt = Incident("spoilt", WHO, 0, 10 * HOUR)
    assert not verdict([spoilt], firing("KimonoIngestionsFailing", 9 * HOUR)).false
    assert not verdict([spoilt]).missed()
    assert verdict([spoilt], firing("KimonoIngestionsFailing", 11 * HOUR)).false


def test_a_tenant_whose_schedules_have_always_been_off_may_be_told_of_and_need_not_be() -> None:
    off = Incident("schedules_off", WHO, 0)
    told = verdict([off], firing("KimonoSyncStale", 50 * HOUR))
    assert not told.false
    assert told.company == {"KimonoSyncStale": 1}
    assert not verdict([off]).missed()
    assert verdict([off], firing("KimonoSyncOverdue", 50 * HOUR)).false
