"""Tests that recorded problems say what is wrong with which tenant, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.alerts.pages import (
    AUTH_CONFIRMED,
    AUTH_ERROR,
    BEGUN,
    BLIND,
    CHANGE_FAILS,
    FAILING,
    FAILURES,
    MISSED,
    MODE,
    NOT_STARTED,
    OTHER_NAME,
    OVERDUE,
    PENDING,
    REFUSED,
    REJECTED,
    RENAMED,
    SETUP,
    STALE,
    STALLED,
    STARTED,
    STUCK,
    SUSPENDED,
    dark,
    failed,
    fleet,
    missed,
    mode,
    old,
    row,
    silent,
    window,
)
from tests.alerts.stories import (
    COLLECTORS,
    DAY,
    DUE,
    HOUR,
    LAST_EXECUTED,
    LAST_SUCCESS,
    NAME,
    TICK,
    Alert,
    Page,
    Value,
    alert,
    always,
    check,
    exporter,
    flag,
    healthy,
    history,
    never,
    polled,
    recorded,
    replica,
    steps,
    without,
)
from tests.support.rules import NAMES, rules

pytestmark = pytest.mark.slow

PROBLEM = "kimono:tenant_problem:timestamp_seconds"
RANK = "kimono:tenant_problem:rank"


class Story(NamedTuple):
    """A page with a problem: the minute since when it is wrong, the first and the last minute at which that shows."""

    page: Page
    since: int
    first: int
    last: int


def run_at(page: Page, end: int) -> Page:
    """A collection that goes well starts at a minute, and its schedule takes it for its own."""
    return {
        **page,
        LAST_EXECUTED: lambda minute: end * 60 if minute >= end else page[LAST_EXECUTED](minute),
        LAST_SUCCESS: lambda minute: end * 60 if minute >= end else page[LAST_SUCCESS](minute),
    }


def changes_fail(end: int) -> Page:
    """From the second hour on a rollover can't change its status."""
    return healthy() | window(DAY, 9 * DAY) | {FAILURES: steps((0, 0), (2 * HOUR, 1), (3 * HOUR, 2), (end, 0))}


def rejected(end: int) -> Page:
    """From the first hour on the application rejects the hub."""
    return healthy() | {
        AUTH_CONFIRMED: lambda minute: None if HOUR <= minute < end else 1,
        AUTH_ERROR: lambda minute: 1 if HOUR <= minute < end else None,
    }


def opened(end: int) -> Page:
    """A rollover begins only hours after its window has opened."""
    return healthy() | window(2 * HOUR, 9 * DAY) | {flag("rollover_mode_enabled"): steps((0, 0), (end, 1))}


def stalled(end: int) -> Page:
    """An ingestion takes from the first hour to a late one."""
    return healthy() | {STARTED: lambda minute: 3600.0 if HOUR <= minute < end else None}


def told(problem: str) -> Story:
    """How a problem comes and goes; it is wrong until the minute after `last`."""
    stories = {
        "stalled": Story(stalled(10 * HOUR), HOUR, 7 * HOUR + TICK, 10 * HOUR - TICK),
        "failing": Story(run_at(failed(DUE), 12 * HOUR), DUE, DUE + 30, 12 * HOUR - TICK),
        "overdue": Story(run_at(missed(), 12 * HOUR), DUE, MISSED + TICK, 12 * HOUR - TICK),
        "stale": Story(run_at(silent(), 6 * DAY), DUE, DUE + 5 * DAY + TICK, 6 * DAY - TICK),
        "suspended": Story(mode("synchronization_suspended", 2 * DAY), BEGUN, BEGUN + DAY + TICK, 2 * DAY - TICK),
        "mass_change": Story(mode("mass_change_pending", 5 * HOUR), BEGUN, BEGUN + HOUR + TICK, 5 * HOUR - TICK),
        "setup": Story(mode("setup_mode_enabled", 4 * DAY), BEGUN, BEGUN + 3 * DAY + TICK, 4 * DAY - TICK),
        "rollover_stuck": Story(
            mode("rollover_mode_enabled", 7 * HOUR) | window(0, 3 * HOUR, "ongoing"),
            *(3 * HOUR, 4 * HOUR + TICK, 7 * HOUR - TICK),
        ),
        "rollover_not_started": Story(opened(7 * HOUR), 2 * HOUR, 3 * HOUR + TICK, 7 * HOUR - TICK),
        "rollover_failing": Story(changes_fail(5 * HOUR), 2 * HOUR, 2 * HOUR, 5 * HOUR - TICK),
        "application_auth": Story(rejected(5 * HOUR), HOUR, HOUR, 5 * HOUR - TICK),
        "unreachable": Story(dark(HOUR, 5 * HOUR), HOUR, HOUR + 42, 5 * HOUR - TICK),
        "credentials_rejected": Story(dark(HOUR, 5 * HOUR, "auth"), HOUR, HOUR + 42, 5 * HOUR - TICK),
    }
    return stories[problem]


PROBLEMS = [rule["labels"]["problem"] for rule in rules() if rule.get("record") == PROBLEM]
# The alert of each problem, and the minutes that it waits before it fires, in whole ticks.
ALERTS = {
    "stalled": (STALLED, 0),
    "failing": (FAILING, 30),
    "overdue": (OVERDUE, 0),
    "stale": (STALE, 60),
    "suspended": (SUSPENDED, 18),
    "mass_change": (PENDING, 0),
    "setup": (SETUP, 0),
    "rollover_stuck": (STUCK, 18),
    "rollover_not_started": (NOT_STARTED, 0),
    "rollover_failing": (CHANGE_FAILS, 30),
    "application_auth": (REJECTED, 30),
    "unreachable": (BLIND, 12),
    "credentials_rejected": (REFUSED, 12),
}


def test_each_problem_is_recorded_once() -> None:
    assert len(PROBLEMS) == len(set(PROBLEMS))


# A history with all rules: what fires or is recorded beside the one problem is seen.


def test_with_all_rules_each_problem_is_one_row_and_raises_its_alert_alone_and_a_healthy_tenant_none() -> None:
    """One tenant for each problem, which goes soon after its last minute, and a healthy one, on two replicas."""
    stories = {problem: told(problem) for problem in PROBLEMS}
    series: dict[str, Value] = {}
    for instance in ("one", "two"):
        series |= replica(exporter(len(stories) + 1) | healthy(), instance, "healthy")
        for problem, story in stories.items():
            until_it_goes = without(story.page, [range(story.last + 5 * TICK, 8 * DAY)])
            series |= replica(until_it_goes, instance, problem)
    minutes = {*range(0, 7 * DAY + 1, 2 * HOUR), *(minute for name in stories for minute in edges(name))}
    fired = {minute: [alert_of(name) for name in stories if fires(name, minute)] for minute in minutes}
    rows = {minute: all_rows(stories, minute) for minute in minutes}
    of_the_healthy = '{__name__=~"kimono:tenant_(problem|mode):.+",tenant_id="healthy"}'
    history(series, fired, PROBLEM, rows, absent=of_the_healthy)


def edges(problem: str) -> set[int]:
    """The minutes on both sides of each change: of the row, and of the alert."""
    _, _, first, last = told(problem)
    changes = (first, first + ALERTS[problem][1], last + TICK, last + 4 * TICK)
    return {minute for change in changes for minute in (change - TICK, change)}


def fires(problem: str, minute: int) -> bool:
    """An alert waits for its time, and keeps firing for a quarter of an hour."""
    _, _, first, last = told(problem)
    return first + ALERTS[problem][1] <= minute <= last + 3 * TICK


def alert_of(problem: str) -> Alert:
    """The alert about the tenant of this problem."""
    return frozenset({**dict(ALERTS[problem][0]), "tenant_id": problem}.items())


def all_rows(stories: Mapping[str, Story], minute: int) -> dict[str, float]:
    """The rows of all tenants at a minute."""
    rows: dict[str, float] = {}
    for problem, story in stories.items():
        if story.first <= minute <= story.last:
            rows |= row(story.since * 60, tenant_id=problem, problem=problem)
    return rows


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_outlives_a_new_name_and_a_restart_of_the_exporter(problem: str) -> None:
    page, since, first, last = told(problem)
    new_name = {NAME: steps((0, 1), (first + 3 * TICK, None)), OTHER_NAME: steps((first + 3 * TICK, 1))}
    away = range(first + 5 * TICK, first + 7 * TICK)
    series = replica(without(exporter() | page | new_name, [away]))
    now_called = row(since * 60, RENAMED, problem=problem)
    expected = {first + 2 * TICK: row(since * 60, problem=problem)}
    later = dict.fromkeys((first + 3 * TICK, first + 8 * TICK, last), now_called)
    recorded(series, PROBLEM, expected | later, problem=problem)


# Since when?


@pytest.mark.parametrize(("problem", "reason"), [("unreachable", "timeout"), ("credentials_rejected", "auth")])
def test_a_restarted_exporter_that_has_forgotten_its_last_success_does_not_change_since_when(
    problem: str, reason: str
) -> None:
    page = dark(HOUR, reason=reason)
    page |= {polled(name): lambda minute: min(minute, HOUR) * 60 if minute < 3 * HOUR else None for name in COLLECTORS}
    series = replica(without(exporter() | page, [range(3 * HOUR, 3 * HOUR + 12)]))
    one = row(HOUR * 60, problem=problem)
    recorded(series, PROBLEM, {3 * HOUR - TICK: one, 3 * HOUR + 12: one, 9 * HOUR: one}, problem=problem)


def test_a_tenant_that_has_never_been_read_is_unreachable_since_it_was_first_seen() -> None:
    page = dark(HOUR) | {"kimono_tenant_up": always(0)}
    page |= dict.fromkeys((polled(name) for name in COLLECTORS), never)
    one = row(HOUR * 60, problem="unreachable")
    recorded(replica(exporter() | page), PROBLEM, {HOUR: one, 5 * HOUR: one})


def test_of_two_replicas_the_one_that_succeeded_last_says_since_when() -> None:
    series = replica(exporter() | dark(HOUR), "one") | replica(exporter() | dark(HOUR + 30), "two")
    recorded(series, PROBLEM, {3 * HOUR: row((HOUR + 30) * 60, problem="unreachable")})


def test_a_problem_that_comes_again_after_hours_has_its_own_time() -> None:
    twice = healthy() | {
        AUTH_ERROR: lambda minute: 1 if HOUR <= minute < 2 * HOUR or minute >= 4 * HOUR else None,
        AUTH_CONFIRMED: lambda minute: None if HOUR <= minute < 2 * HOUR or minute >= 4 * HOUR else 1,
    }
    first, second = (row(hour * HOUR * 60, problem="application_auth") for hour in (1, 4))
    seen = {HOUR + 30: first, 3 * HOUR: {}, 6 * HOUR: second}
    recorded(replica(exporter() | twice), PROBLEM, seen, problem="application_auth")


# What keeps them silent?


@pytest.mark.parametrize(
    ("problem", "collector"),
    [("stalled", "ingestions"), ("failing", "ingestions"), ("application_auth", "application")],
)
def test_an_old_picture_leaves_only_that_it_can_not_be_read(problem: str, collector: str) -> None:
    story = told(problem)
    page = {**story.page, **old(collector, story.first)}
    blind = row(story.first * 60, problem="unreachable")
    recorded(replica(exporter() | page), PROBLEM, {story.first + 48: blind, story.first + HOUR: blind})


def test_many_unreachable_tenants_have_no_rows_of_their_own() -> None:
    recorded(fleet(2, 8), PROBLEM, {3 * HOUR: {}})
    alone = row(HOUR * 60, tenant_id="t0", problem="unreachable")
    recorded(fleet(1, 9), PROBLEM, {3 * HOUR: alone})


# How loud?


@pytest.mark.parametrize(
    ("problem", "rank"), [("stalled", 3), ("overdue", 3), ("failing", 2), ("mass_change", 2), ("setup", 1)]
)
def test_a_problem_is_as_loud_as_its_alert(problem: str, rank: int) -> None:
    page, _, first, last = told(problem)
    one = row(rank, problem=problem)
    seen = {first - TICK: {}, first: one, last: one, last + TICK: {}}
    recorded(replica(exporter() | page), RANK, seen, problem=problem)


def test_failures_and_mass_changes_get_loud_after_a_day() -> None:
    failures = replica(exporter() | failed(DUE))
    quiet, loud = row(2, problem="failing"), row(3, problem="failing")
    recorded(failures, RANK, {DUE + DAY: quiet, DUE + DAY + TICK: loud}, problem="failing")
    change = replica(exporter() | mode("mass_change_pending"))
    quiet, loud = row(2, problem="mass_change"), row(3, problem="mass_change")
    recorded(change, RANK, {BEGUN + DAY: quiet, BEGUN + DAY + TICK: loud}, problem="mass_change")


@pytest.mark.parametrize("reason", ["held", "old"])
def test_failures_of_a_tenant_that_is_held_or_whose_flags_nobody_knows_do_not_get_loud(reason: str) -> None:
    held: dict[str, Value] = {flag("synchronization_suspended"): steps((0, 0), (DUE + 2 * HOUR, 1))}
    page = failed(DUE) | {"held": held, "old": old("state", DUE + DAY - HOUR)}[reason]
    quiet = row(2, problem="failing")
    also = {"held": {}, "old": row(2, problem="unreachable")}[reason]
    recorded(replica(exporter() | page), RANK, {DUE + DAY + HOUR: {**quiet, **also}})
    told_too = [alert("KimonoTenantUnreachable", "warning")] if reason == "old" else []
    check(page, {DUE + DAY + HOUR: [FAILING, *told_too]}, about=("KimonoIngestionsFailing",))


# Modes


def test_each_mode_is_a_row_with_names_and_since_when_and_outlives_a_new_name_and_a_restart() -> None:
    flags = {flag(name): steps((0, 0), (begin * HOUR, 1), (9 * HOUR, 0)) for begin, name in MODES.items()}
    new_name = {NAME: steps((0, 1), (6 * HOUR, None)), OTHER_NAME: steps((6 * HOUR, 1))}
    page = without(exporter() | healthy() | flags | new_name, [range(7 * HOUR, 7 * HOUR + 12)])
    expected = {
        0: {},
        2 * HOUR: modes(2, NAMES),
        5 * HOUR: modes(4, NAMES),
        8 * HOUR: modes(4, RENAMED),
        9 * HOUR: {},
    }
    recorded(replica(page, "one") | replica(page, "two"), MODE, expected)


MODES = {
    1: "rollover_mode_enabled",
    2: "synchronization_suspended",
    3: "setup_mode_enabled",
    4: "mass_change_pending",
}


def modes(until: int, names: dict[str, str]) -> dict[str, float]:
    """The rows of the modes that have begun by an hour."""
    rows: dict[str, float] = {}
    for begin, name in MODES.items():
        if begin <= until:
            rows |= row(begin * HOUR * 60, names, flag=name)
    return rows
