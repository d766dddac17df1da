"""Tests that each problem raises its alert alone, and that the dashboards' expressions say the same as the rules'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from exporter.assets.rules.facts import Source
from exporter.assets.rules.problems import CRITICAL, CRITICAL_LATER, INFORMATION, PROBLEMS
from exporter.assets.rules.promql import in_one_line
from exporter.assets.rules.recorded import recordings
from tests.alerts.pages import (
    BLIND,
    CHANGE_FAILS,
    FAILING,
    MISSED,
    NOT_STARTED,
    OVERDUE,
    PENDING,
    REFUSED,
    REJECTED,
    SETUP,
    STALE,
    STALE_FROM,
    STALLED,
    STUCK,
    SUSPENDED,
    changes_fail,
    dark,
    failed,
    missed,
    mode,
    rejected,
    silent,
    stalled,
    window,
)
from tests.alerts.stories import (
    DAY,
    DUE,
    HOUR,
    TICK,
    Alert,
    Page,
    Value,
    exporter,
    healthy,
    queried,
    replica,
    scraped,
)
from tests.support.rules import SEVERITIES


class Story(NamedTuple):
    """A page with a problem, the minute since when it is so, the minute from which on it alerts, and the alert."""

    page: Page
    since: int
    alerts_from: int
    alert: Alert


STORIES: Mapping[str, Story] = {
    "stalled": Story(stalled(), HOUR, 7 * HOUR, STALLED),
    "failing": Story(failed(DUE), DUE + 30, DUE + HOUR, FAILING),
    "overdue": Story(missed(), DUE, MISSED, OVERDUE),
    "stale": Story(silent(), DUE, STALE_FROM, STALE),
    "suspended": Story(mode("synchronization_suspended"), HOUR, HOUR + DAY, SUSPENDED),
    "mass_change": Story(mode("mass_change_pending"), HOUR, 2 * HOUR, PENDING),
    "setup": Story(mode("setup_mode_enabled"), HOUR, HOUR + 3 * DAY, SETUP),
    "rollover_stuck": Story(mode("rollover_mode_enabled") | window(0, 3 * HOUR, "ongoing"), 3 * HOUR, 4 * HOUR, STUCK),
    "rollover_not_started": Story(healthy() | window(2 * HOUR, 9 * DAY), 2 * HOUR, 3 * HOUR, NOT_STARTED),
    "rollover_failing": Story(
        healthy() | window(DAY, 9 * DAY) | changes_fail(2 * HOUR), 2 * HOUR, 2 * HOUR + 30, CHANGE_FAILS
    ),
    "application_auth": Story(rejected(HOUR), HOUR, HOUR + 30, REJECTED),
    "unreachable": Story(dark(HOUR), HOUR, HOUR + 40, BLIND),
    "credentials_rejected": Story(dark(HOUR, reason="auth"), HOUR, HOUR + 40, REFUSED),
}
DIRECT = Source('job=~"kimono",instance="one"')
each_problem = pytest.mark.parametrize("problem", PROBLEMS)


def replicas(page: Page) -> dict[str, Value]:
    """Two replicas, of which one lags, and a healthy tenant beside this one."""
    whole = exporter() | page
    lagging = {name: lambda minute, value=value: value(minute - 15) for name, value in whole.items()}
    series = replica(whole, "one") | replica(whole | lagging, "two")
    return series | replica(healthy(), "one", "well") | replica(healthy(), "two", "well")


def test_every_problem_has_a_story_and_a_severity() -> None:
    assert STORIES.keys() == PROBLEMS.keys()
    for problem, story in STORIES.items():
        name = dict(story.alert)["alertname"]
        later = ["critical"] if problem in CRITICAL_LATER else []
        first = "critical" if problem in CRITICAL else "info" if problem in INFORMATION else "warning"
        assert SEVERITIES[name] == [first, *later]


@each_problem
def test_with_all_rules_a_problem_raises_its_alert_alone(problem: str) -> None:
    page, _, begin, alert = STORIES[problem]
    first = begin // TICK * TICK + TICK
    scraped(replicas(page), {begin - TICK: [], first: [alert]})


@each_problem
def test_without_rules_a_problem_of_a_replica_has_one_series_and_since_when(problem: str) -> None:
    page, since, begin, _ = STORIES[problem]
    series = '{job="kimono",tenant_id="t1"}'
    # The history of a test begins at 0.
    history = 5 * TICK
    at = begin + TICK
    expression = f"max without () ({in_one_line(PROBLEMS[problem](DIRECT))})"
    moved = (since - (at - history)) * 60
    queried(replicas(page), at, {expression: [(series, moved)], expression.replace('kimono"', 'other"'): []}, NOTHING)
    queried(replicas(page), begin, {expression: []}, NOTHING)


NOTHING = ("KimonoApiThrottled",)


@pytest.mark.parametrize(("problem", "after"), [("failing", 26 * HOUR), ("mass_change", DAY)])
def test_without_rules_a_problem_is_critical_when_the_alert_is(problem: str, after: int) -> None:
    page, since, _, _ = STORIES[problem]
    expression = in_one_line(f"count({CRITICAL_LATER[problem](DIRECT)})")
    queried(replicas(page), since + after, {expression: []}, NOTHING)
    queried(replicas(page), since + after + TICK, {expression: [("{}", 1)]}, NOTHING)


@each_problem
def test_expressions_of_the_dashboards_read_no_recorded_series(problem: str) -> None:
    expressions = [PROBLEMS[problem](DIRECT)]
    if problem in CRITICAL_LATER:
        expressions.append(CRITICAL_LATER[problem](DIRECT))
    assert not any("kimono:" in one for one in expressions)
    for one in expressions:
        assert one.count("kimono_") == one.count('{job=~"kimono",instance="one"'), "a selector without the matchers"


def test_thresholds_are_those_of_the_source() -> None:
    half = Source(thresholds={name: value / 2 for name, value in Source().thresholds.items()})
    for build in PROBLEMS.values():
        assert build(half) != build(Source())
    assert "time() - 60 * 60" in PROBLEMS["overdue"](half)


@pytest.mark.parametrize(
    ("raised", "metric"),
    [
        (("mass_change_pending", "setup_mode"), 'state_since_timestamp_seconds{flag!="rollover_mode_enabled"}'),
        (("mass_change_pending", "sync_suspended"), 'state_since_timestamp_seconds{flag!="rollover_mode_enabled"}'),
        (
            ("mass_change_pending", "sync_suspended", "setup_mode"),
            'state_since_timestamp_seconds{flag!="rollover_mode_enabled"}',
        ),
        (("ingestion_stalled",), "unfinished_seen_timestamp_seconds"),
        (("bulk_ingestion_stalled",), "unfinished_started_timestamp_seconds"),
    ],
)
def test_raised_thresholds_do_not_keep_the_rules_from_the_tenants_of_others(
    raised: tuple[str, ...], metric: str
) -> None:
    month = 30 * 86_400
    thresholds = {**Source().thresholds, **dict.fromkeys(raised, month)}
    found = recordings(Source(recorded=True, thresholds=thresholds))
    (in_trouble,) = (each.expr for each in found if each.record == "kimono:tenant_in_trouble:info")
    (limit,) = re.findall(re.escape(metric) + r" < time\(\) - (\S+) \* (\d+)", in_trouble)
    assert float(limit[0]) * float(limit[1]) < month
