"""Tests the verdict on made-up incidents and alerts."""

from __future__ import annotations

from dataclasses import replace

import pytest

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


def test_a_tenants_share_in_the_fleets_trouble_lasts_until_its_next_good_run() -> None:
    spoilt = Incident("spoilt", WHO, 0, 10 * HOUR)
    assert not verdict([spoilt], firing("KimonoIngestionsFailing", 9 * HOUR)).false
    assert verdict([spoilt]).missed()
    assert verdict([spoilt], firing("KimonoIngestionsFailing", 11 * HOUR)).false


def test_a_tenant_whose_schedules_have_always_been_off_may_be_told_of_and_need_not_be() -> None:
    off = Incident("schedules_off", WHO, 0)
    told = verdict([off], firing("KimonoSyncStale", 50 * HOUR))
    assert not told.false
    assert told.company == {"KimonoSyncStale": 1}
    assert not verdict([off]).missed()
    assert verdict([off], firing("KimonoSyncOverdue", 50 * HOUR)).false


def test_an_alert_that_is_louder_than_it_may_be_is_false() -> None:
    wrong = Incident("fails_once", WHO, 0, 40 * HOUR)
    warning = firing("KimonoIngestionsFailing", HOUR)
    critical = Firing("KimonoIngestionsFailing", {"tenant_id": WHO, "severity": "critical"}, 27 * HOUR, 30 * HOUR)
    judged = verdict([wrong], warning, critical)
    assert judged.false == [critical]
    assert not judged.missed()


def test_a_failure_may_become_critical_if_the_hub_stalls_the_run_that_would_end_it() -> None:
    wrong = Incident("fails_once", WHO, 0, 28 * HOUR)
    critical = Firing("KimonoIngestionsFailing", {"tenant_id": WHO, "severity": "critical"}, 26 * HOUR, 28 * HOUR)
    warning = firing("KimonoIngestionsFailing", HOUR)
    for whose, false in ((WHO, []), ("t2", [critical])):
        judged = verdict([wrong, Incident("stalled_by_hub", whose, 15 * HOUR, 28 * HOUR)], warning, critical)
        assert judged.false == false


@pytest.mark.parametrize(("state_file", "missed"), [(True, 1), (False, 0)])
def test_a_restart_without_state_delays_what_must_be_known(*, state_file: bool, missed: int) -> None:
    wrong = [Incident("suspended", WHO, 0, 40 * HOUR), Incident("exporter_restart", "", 20 * HOUR, 20.1 * HOUR)]
    judged = judge(wrong, [], [], 100 * HOUR, state_file=state_file)
    assert len(judged.missed()) == missed
    assert len(judge([replace(wrong[0], until=50 * HOUR), wrong[1]], [], [], 100 * HOUR).missed()) == 1


def test_a_restart_that_is_over_before_an_incident_delays_nothing() -> None:
    wrong = [Incident("exporter_restart", "", 0, HOUR), Incident("suspended", WHO, 2 * HOUR, 30 * HOUR)]
    assert len(verdict(wrong).missed()) == 1


def gap(kind: str, hours: float) -> Incident:
    return Incident(kind, "", 10 * HOUR, (10 + hours) * HOUR)


@pytest.mark.parametrize(
    ("kind", "state_file", "again", "forgotten"),
    [
        ("exporter_down", True, 0.3, 0),
        ("exporter_down", True, 0.4, 1),
        ("exporter_down", False, 0.4, 0),
        ("exporter_down", False, 1.2, 1),
        ("prometheus_down", False, 0.3, 0),
        ("prometheus_down", False, 0.4, 1),
    ],
)
def test_what_was_found_before_a_gap_is_found_again_after_it(
    kind: str, *, state_file: bool, again: float, forgotten: int
) -> None:
    wrong = Incident("application_auth", WHO, 0, 40 * HOUR)
    before = firing("KimonoApplicationAuthFailing", HOUR, 10 * HOUR)
    after = firing("KimonoApplicationAuthFailing", (11.5 + again) * HOUR)
    judged = judge([wrong, gap(kind, 1.5)], [before, after], [], 100 * HOUR, state_file=state_file)
    assert len(judged.forgotten()) == forgotten


def test_a_restart_without_state_forgets_what_happens_once_a_night() -> None:
    wrong = [Incident("failing", WHO, 0, 40 * HOUR), Incident("overdue", "t2", 9 * HOUR, 40 * HOUR)]
    before = firing("KimonoIngestionsFailing", HOUR, 10 * HOUR)
    assert not verdict([*wrong, gap("exporter_down", 1.5)], before).forgotten()
    assert [one.incident.kind for one in verdict(wrong, before).missed()] == ["overdue"]
    assert not [one for one in verdict([*wrong, gap("exporter_down", 1.5)], before).missed() if one.incident.tenant_id]
    judged = judge([*wrong, gap("exporter_down", 1.5)], [before], [], 100 * HOUR, state_file=True)
    assert [one.incident.kind for one in judged.forgotten()] == ["failing"]


def test_what_ends_in_a_gap_or_outlasts_it_is_not_forgotten() -> None:
    before = firing("KimonoIngestionsFailing", HOUR, 10 * HOUR)
    ended = Incident("failing", WHO, 0, 11 * HOUR)
    assert not verdict([ended, gap("prometheus_down", 3)], before).forgotten()
    lasting = firing("KimonoIngestionsFailing", HOUR)
    assert not verdict([replace(ended, until=None), gap("prometheus_down", 3)], lasting).forgotten()
    unknown = Incident("failing", WHO, 9.9 * HOUR, None)
    assert not verdict([unknown, gap("prometheus_down", 3)]).forgotten()


@pytest.mark.parametrize(("until", "forgotten"), [(13, 0), (11.5, 1)])
def test_an_alert_may_be_silent_in_a_pause_after_a_gap(until: float, forgotten: int) -> None:
    """The gap ends after 11.5 hours; twenty minutes and a pause of five hours later the alert may still be silent."""
    wrong = Incident("suspended_when_due", WHO, 0)
    alert = firing("KimonoSyncStale", HOUR, until * HOUR)
    assert len(verdict([wrong, gap("prometheus_down", 1.5)], alert).forgotten()) == forgotten


def test_what_another_outage_hides_after_a_gap_is_not_forgotten() -> None:
    wrong = [Incident("failing", WHO, 0), gap("prometheus_down", 3), Incident("api_outage", "", 12 * HOUR, 14 * HOUR)]
    assert not verdict(wrong, firing("KimonoIngestionsFailing", HOUR, 10 * HOUR)).forgotten()


def test_an_alert_under_two_names_is_counted_as_such() -> None:
    wrong = Incident("failing", WHO, 0)
    (named, renamed) = (
        Firing("KimonoIngestionsFailing", {"tenant_id": WHO, "tenant_name": name}, since * HOUR, 90 * HOUR)
        for name, since in (("A", 1), ("B", 5))
    )
    (once,) = verdict([wrong], named).outcomes
    (twice,) = verdict([wrong], named, renamed).outcomes
    assert (once.names, once.fired) == (1, 1)
    assert (twice.names, twice.fired) == (2, 2)


def test_a_tenants_share_in_a_storm_is_found_by_the_alert_about_the_fleet() -> None:
    share = Incident("overdue_by_hub", WHO, 0, 20 * HOUR)
    fleet = Firing("KimonoFleetSyncsOverdue", {"severity": "critical"}, 3 * HOUR, 20 * HOUR)
    storm = Incident("scheduler_down", "", 0, 20 * HOUR)
    judged = verdict([storm, share], fleet)
    assert not judged.missed()
    assert not judged.false
    assert verdict([storm, share]).missed()
