"""Tests that several replicas raise one alert, and that one that lags or has died raises and hides nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.alerts.pages import (
    CHANGE_FAILS,
    FAILING,
    MISSED,
    OVERDUE,
    PENDING,
    REJECTED,
    STALE,
    STALE_FROM,
    STALLED,
    SUSPENDED,
    changes_fail,
    failed,
    missed,
    mode,
    paused,
    rejected,
    running,
    silent,
    stalled,
    window,
)
from tests.alerts.stories import (
    COLLECTORS,
    DAY,
    DUE,
    HOUR,
    Alert,
    Page,
    Value,
    exporter,
    healthy,
    never,
    polled,
    replica,
    scraped,
    without,
)

# A page with a problem, a minute at which its alert fires, and the alert.
STORIES: Mapping[str, tuple[Page, int, Alert]] = {
    "stalled": (stalled(), 8 * HOUR, STALLED),
    "failing": (failed(DUE), 8 * HOUR, FAILING),
    "overdue": (missed(), MISSED + HOUR, OVERDUE),
    "stale": (silent(), STALE_FROM + HOUR, STALE),
    "suspended": (mode("synchronization_suspended"), 2 * DAY, SUSPENDED),
    "mass change": (mode("mass_change_pending"), 4 * HOUR, PENDING),
    "rollover": (healthy() | window(DAY, 9 * DAY) | changes_fail(HOUR), 4 * HOUR, CHANGE_FAILS),
    "application": (rejected(HOUR), 4 * HOUR, REJECTED),
}
each_story = pytest.mark.parametrize(("page", "at", "expected"), STORIES.values(), ids=STORIES)


def lagging(page: Page, minutes: int = 15) -> dict[str, Value]:
    """The same page, as it was some time ago: polls are late."""
    old = {name: lambda minute, value=value: value(minute - minutes) for name, value in page.items()}
    return old | {"kimono_tenant_up": lambda _: 1}


def fired(at: int, expected: list[Alert], *pages: Page, about: Alert) -> None:
    series = {}
    for number, page in enumerate(pages):
        series |= replica({**exporter(), **page}, f"replica-{number}")
    scraped(series, {at: expected}, about=(dict(about)["alertname"],))


@each_story
def test_two_replicas_raise_one_alert(page: Page, at: int, expected: Alert) -> None:
    fired(at, [expected], page, page, about=expected)


@each_story
def test_two_replicas_that_do_not_poll_at_the_same_time_raise_one_alert(page: Page, at: int, expected: Alert) -> None:
    fired(at, [expected], page, lagging(page, 2), about=expected)


@each_story
def test_a_replica_that_lags_raises_nothing(page: Page, at: int, expected: Alert) -> None:
    """The other one, which is up to date, knows that it is over."""
    fired(at, [], lagging(page), healthy(), about=expected)


@each_story
def test_a_replica_that_lags_hides_nothing(page: Page, at: int, expected: Alert) -> None:
    fired(at, [expected], page, lagging(healthy()), about=expected)


@each_story
def test_a_replica_that_has_died_raises_and_hides_nothing(page: Page, at: int, expected: Alert) -> None:
    dead = without(lagging(healthy(), 60), [range(at - 12, at + 1)])
    fired(at, [expected], page, dead, about=expected)
    dead = without({**exporter(), **page}, [range(at - 24, at + 1)])
    fired(at, [], dead, healthy(), about=expected)


@each_story
def test_a_replica_that_has_just_started_and_knows_nothing_yet_hides_nothing(
    page: Page, at: int, expected: Alert
) -> None:
    unpolled = {polled(collector): never for collector in COLLECTORS}
    fired(at, [expected], page, {"kimono_tenant_up": lambda _: 1, **unpolled}, about=expected)


def test_a_pause_that_only_a_replica_that_lags_has_seen_hides_nothing() -> None:
    at = 8 * HOUR
    still_paused = lagging(healthy() | paused(0))
    fired(at, [STALLED], stalled(), still_paused, about=STALLED)


def test_a_run_that_only_a_replica_that_lags_has_seen_hides_nothing() -> None:
    at = MISSED + HOUR
    fired(at, [OVERDUE], missed(), lagging(healthy() | running(DUE - HOUR)), about=OVERDUE)


def test_replicas_whose_collectors_take_turns_raise_the_alert_all_the_time() -> None:
    """Slow collectors: at each moment, one replica is ahead with one collector, and the other one with another."""

    def polls(late: int) -> dict[str, Value]:
        def last(by: int) -> Value:
            return lambda minute: ((minute - by) // 15 * 15 + by) * 60

        names = dict.fromkeys(("schedules", "ingestions"), last(late)) | {"state": last(7 - late)}
        return {polled(name): value for name, value in names.items()}

    one, two = missed() | polls(0), missed() | polls(7)
    series = replica(exporter() | one, "one") | replica(exporter() | two, "two")
    expected = {MISSED + minute: [OVERDUE] for minute in range(60, 90, 3)}
    scraped(series, expected, step=3, about=("KimonoSyncOverdue",), history=3)
