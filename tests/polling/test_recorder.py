"""Tests which samples of the history are on the page, and for how long, as collectors succeed and fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.api.models import STATE_FLAGS, Application, Ingestion, Schedule, State, Tenant
from exporter.clock import Clock
from exporter.collectors import Collector, PollResult
from exporter.collectors.application import ApplicationCollector
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.families import FAMILIES
from exporter.history import History
from exporter.history.ingestions import Ingestions
from exporter.polling.polls import ScheduledPoll
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.tenant import TenantState
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.support.replies import Replies, table
from tests.support.virtual_time import START

HOUR = 3600.0
INTERVALS: Mapping[type[Collector], float] = {
    StateCollector: 60.0,
    IngestionsCollector: 60.0,
    SchedulesCollector: 300.0,
    ApplicationCollector: 300.0,
}
FREE = State(dict.fromkeys(STATE_FLAGS, False))
PAUSED = State(dict.fromkeys(STATE_FLAGS, True))
DAILY = Schedule("s", "collection", True, 7, "", frozenset(range(7)), START - HOUR, None)  # noqa: FBT003 - in the order of its fields
RUNNING = Ingestions([Ingestion("a", "mirror", "executing", START - 2 * HOUR, has_pending_task=False)], {}, 0)
FACTS = {"state": FREE, "ingestions": RUNNING, "schedules": [DAILY]}
ACTIVE, MISSED = "kimono_schedule_active_since_timestamp_seconds", "kimono_schedule_missed_since_timestamp_seconds"
LAST_RUN, AUTH = "kimono_tenant_last_run_timestamp_seconds", "kimono_application_auth_state_since_timestamp_seconds"
FAILURE_SINCE, FAILURE = "kimono_tenant_failure_since_timestamp_seconds", "kimono_tenant_failure_info"
_TELEMETRY = Telemetry()


class Recorded:
    """One tenant whose polls are recorded; `elapsed` are the seconds since the start."""

    def __init__(self, history: History | None = None) -> None:
        self.elapsed = 0.0
        clock = Clock(lambda: START + self.elapsed, lambda: self.elapsed, _no_sleep)
        self.scheduler, self.store = Scheduler(clock), Store(FAMILIES)
        self.scheduler.configure(INTERVALS)
        self.recorder = Recorder(self.scheduler, self.store, _TELEMETRY, clock)
        self.state = TenantState(Tenant("a"), Replies(table({})).api, history or History())

    def _poll(self, name: str) -> ScheduledPoll:
        return ScheduledPoll(self.elapsed, 0, self.state, self.scheduler.schedules[name])

    def succeed(self, facts: Mapping[str, Any]) -> None:
        """These collectors succeed, with these facts."""
        for name, each in facts.items():
            poll = self._poll(name)
            result = poll.schedule.collector.result("a", self.state.history, each, START + self.elapsed)
            self.recorder.success(poll, result)

    def absent(self, name: str) -> None:
        """The tenant has no such thing."""
        self.recorder.success(self._poll(name), PollResult([], self.state.history.without(name)))

    def fail(self, *names: str, reason: str = "timeout") -> None:
        """These collectors fail."""
        for name in names:
            self.recorder.failure(self._poll(name), reason, "no reply")

    def page(self, family: str) -> Mapping[tuple[str, ...], float]:
        """A family's series on the page by the values of the labels, sorted by label, without the tenant's."""
        text = b"".join(self.store.page(self.elapsed, openmetrics=False)).decode()
        return {
            tuple(value for label, value in sorted(sample.labels.items()) if label != "tenant_id"): sample.value
            for each in text_string_to_metric_families(text)
            for sample in each.samples
            if sample.name == family
        }

    def shows(self, families: Iterable[str]) -> list[bool]:
        return [bool(self.page(family)) for family in families]


async def _no_sleep(_: float) -> None:
    """No time passes but what a test says."""


def test_whether_a_schedule_is_active_shows_once_flags_and_schedules_are_known_in_either_order() -> None:
    for first, second in (("state", "schedules"), ("schedules", "state")):
        tenant = Recorded()
        tenant.succeed({first: FACTS[first]})
        assert tenant.page(ACTIVE) == {}
        tenant.elapsed = 10.0
        tenant.succeed({second: FACTS[second]})
        assert tenant.page(ACTIVE) == {("s", "collection"): START + 10}


@pytest.mark.parametrize("failing", ["state", "schedules"])
def test_whether_a_schedule_is_active_vanishes_with_the_collector_that_fails_and_comes_back_as_it_was(
    failing: str,
) -> None:
    other = "schedules" if failing == "state" else "state"
    kept = 3 * {"state": 60.0, "schedules": 300.0}[failing]
    tenant = Recorded()
    tenant.succeed(FACTS)
    for tenant.elapsed in (30.0, kept):
        tenant.fail(failing)
        assert tenant.shows([ACTIVE]) == [True]
        tenant.succeed({other: FACTS[other]})
        assert tenant.shows([ACTIVE]) == [True]
    tenant.elapsed = kept + 1
    assert tenant.shows([ACTIVE]) == [False]
    tenant.succeed({other: FACTS[other]})
    tenant.fail(failing)
    assert tenant.shows([ACTIVE]) == [False]
    tenant.elapsed = HOUR
    tenant.succeed({failing: FACTS[failing]})
    assert tenant.page(ACTIVE) == {("s", "collection"): START}


def test_an_overdue_poll_that_has_not_failed_hides_nothing() -> None:
    tenant = Recorded()
    tenant.succeed(FACTS)
    tenant.elapsed = 5 * HOUR
    assert tenant.shows([ACTIVE, LAST_RUN]) == [True, True]


def test_successes_have_milliseconds_and_no_more_digits() -> None:
    tenant = Recorded()
    tenant.elapsed = 29.4901845
    tenant.succeed({"state": FACTS["state"]})
    assert tenant.page("kimono_collector_last_success_timestamp_seconds") == {("state",): START + 29.49}


def test_a_pause_hides_at_once_what_a_schedule_has_missed() -> None:
    tenant = Recorded()
    for hours in (0, 4, 8):
        tenant.elapsed = hours * HOUR
        tenant.succeed(FACTS)
    assert tenant.page(MISSED) == {("s", "collection"): START + 7 * HOUR}
    tenant.succeed({"state": PAUSED})
    assert tenant.shows([ACTIVE, MISSED]) == [False, False]


def test_the_last_run_is_known_while_ingestions_or_schedules_are() -> None:
    tenant = Recorded()
    tenant.succeed({"ingestions": RUNNING})
    assert tenant.page(LAST_RUN) == {(): START - 2 * HOUR}
    tenant.succeed({"schedules": [DAILY]})
    assert tenant.page(LAST_RUN) == {(): START - HOUR}
    tenant.fail("ingestions")
    tenant.elapsed = 2 * HOUR
    assert tenant.shows([LAST_RUN]) == [True]
    tenant.fail("schedules")
    assert tenant.shows([LAST_RUN]) == [False]
    tenant.succeed({"ingestions": RUNNING})
    assert tenant.page(LAST_RUN) == {(): START - HOUR}


def test_a_tenant_whose_polls_have_only_failed_shows_no_facts_though_its_history_is_restored() -> None:
    known = Recorded()
    known.succeed(FACTS)
    tenant = Recorded(known.state.history)
    tenant.fail("state", "ingestions", "schedules")
    assert tenant.shows([ACTIVE, LAST_RUN]) == [False, False]


@pytest.mark.parametrize("disabled", ["state", "schedules", "ingestions"])
def test_a_disabled_collector_takes_what_depends_on_it(disabled: str) -> None:
    tenant = Recorded()
    tenant.succeed(FACTS)
    tenant.recorder.drop(tenant.scheduler.schedules[disabled].collector, tenant.state)
    assert tenant.shows([ACTIVE]) == [disabled == "ingestions"]
    last_run = {"state": START - HOUR, "schedules": START - 2 * HOUR, "ingestions": START - HOUR}[disabled]
    assert tenant.page(LAST_RUN) == {(): last_run}


def test_a_tenant_that_has_no_application_loses_its_state_and_does_not_fail() -> None:
    tenant = Recorded()
    tenant.succeed({"application": Application("oauth2", "error", None, None)})
    assert tenant.page(AUTH) == {("error",): START}
    tenant.absent("application")
    assert tenant.shows([AUTH, FAILURE]) == [False, False]


def test_a_failure_has_lasted_since_its_first_poll_whatever_the_reasons_in_between() -> None:
    tenant = Recorded()
    for tenant.elapsed, reason in ((0.0, "timeout"), (60.0, "auth"), (120.0, "server")):
        tenant.fail("state", reason=reason)
        assert tenant.page(FAILURE_SINCE) == {("state", reason): START}
    tenant.fail("schedules")
    assert tenant.page(FAILURE_SINCE) == {("state", "server"): START, ("schedules", "timeout"): START + 120}
    tenant.succeed({"state": FREE})
    assert tenant.page(FAILURE_SINCE) == {("schedules", "timeout"): START + 120}
    tenant.elapsed = 180.0
    tenant.fail("state")
    assert tenant.page(FAILURE_SINCE)["state", "timeout"] == START + 180


def test_a_failure_goes_on_over_a_restart_until_the_collector_succeeds() -> None:
    tenant = Recorded(History().failed("state", START - HOUR).failed("schedules", START - HOUR))
    assert tenant.page(FAILURE_SINCE) == {}
    tenant.fail("state", reason="network")
    assert tenant.page(FAILURE_SINCE) == {("state", "network"): START - HOUR}
    tenant.succeed({"schedules": [DAILY]})
    tenant.elapsed = 60.0
    tenant.fail("schedules")
    assert tenant.page(FAILURE_SINCE)["schedules", "timeout"] == START + 60


def test_a_tenant_is_up_after_all_collectors_have_succeeded_and_as_long_as_none_fails() -> None:
    one, up = Recorded(), "kimono_tenant_up"
    one.succeed(FACTS)
    assert not one.page(up)  # the application has not been polled
    one.absent("application")
    assert one.page(up) == {(): 1}
    one.fail("state", "schedules")
    assert one.page(up) == {(): 0}
    one.succeed({"state": FREE})
    assert one.page(up) == {(): 0}
    one.succeed({"schedules": [DAILY]})
    assert one.page(up) == {(): 1}
    assert not one.page(FAILURE)


def test_each_success_moves_the_time_of_the_last_one() -> None:
    one = Recorded()
    for one.elapsed in (0.0, 60.0, 120.0):
        one.succeed({"state": FREE})
        assert one.page("kimono_collector_last_success_timestamp_seconds") == {("state",): START + one.elapsed}
