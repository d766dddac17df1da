"""Tests that the alerts find everything and nothing else when exporters and Prometheus fail, and the hub breaks.

On two small backtests: strange days, and storms.
"""

from __future__ import annotations

import pytest

from tests.backtest.runs import Run, played
from tests.support.backtest.expectations import HOUR
from tests.support.backtest.must_not import table
from tests.support.backtest.notifications import count
from tests.support.backtest.storms import STORMS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strange() -> Run:
    return played("strange")


@pytest.fixture(scope="module")
def storms() -> Run:
    return played("storms")


@pytest.fixture(params=["strange", "storms"])
def each(request: pytest.FixtureRequest) -> Run:
    """Each of the two."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Run)
    return found


def test_the_rules_reach_every_target(each: Run) -> None:
    assert not each.missed_targets(), each.report()


def test_no_alert_is_false(each: Run) -> None:
    assert not each.verdict().false, each.report()


def test_every_incident_lasted_long_enough(each: Run) -> None:
    assert not each.too_short()


def test_an_alert_that_keeps_silent_is_noticed(each: Run) -> None:
    assert not each.unnoticed()


def test_nothing_happens_that_must_not(strange: Run) -> None:
    rows = table(strange.scenario, strange.recorded.told, strange.verdict())
    assert all(row.stories for row in rows)
    assert not [row for row in rows if row.seen], strange.report()


def test_a_storm_is_a_handful_of_notifications(storms: Run) -> None:
    begins = [one.since for one in storms.recorded.told if one.kind in STORMS]
    sent = storms.notifications()
    assert all(count(sent, since, HOUR) for since in begins)
    for hours, most in ((1, 5), (5, 10)):
        assert max(count(sent, since, hours * HOUR) for since in begins) <= most, storms.report()
