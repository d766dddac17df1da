"""Tests that problems are logged once each, and in one message if many tenants have the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from exporter.api.models import Tenant
from exporter.clock import Clock
from exporter.polling.problem_log import ProblemLog
from exporter.polling.tenant import TenantState
from exporter.status import Problem
from tests.support.replies import Replies, table
from tests.support.virtual_time import START

STALL = Problem("stalled", "critical", START - 7200)
SETUP = Problem("setup", "info", START - 7200)


@dataclass
class Time:
    now: float = START
    log: ProblemLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = ProblemLog(Clock(now=lambda: self.now, monotonic=lambda: self.now))


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def tenant(name: str) -> TenantState:
    return TenantState(Tenant(f"id of {name}", name=name), Replies(table({})).api)


def test_a_problem_is_logged_a_minute_later_with_all_that_identifies_it(lines: list[Any]) -> None:
    time = Time()
    time.log.begun(tenant("Oak"), STALL)
    time.now += 59
    time.log.flush_due()
    assert lines == []
    time.now += 1
    time.log.flush_due()
    time.log.flush()
    expected = {"kind": "stalled", "severity": "critical", "since": "2026-08-31T22:00:00Z"}
    expected |= {"tenant": "Oak", "tenant_id": "id of Oak"}
    assert lines == [{"event": "tenant has a problem", "log_level": "warning", **expected}]


def test_only_a_critical_problem_that_begins_is_a_warning(lines: list[Any]) -> None:
    time = Time()
    time.log.begun(tenant("Oak"), SETUP)
    time.log.over(tenant("Elm"), STALL, START - 200)
    time.now += 60
    time.log.flush_due()
    assert [line["log_level"] for line in lines] == ["info", "info"]
    assert lines[1]["event"] == "problem of tenant is over"
    assert lines[1]["after_seconds"] == 7000


@pytest.mark.parametrize(("tenants", "messages"), [(5, 5), (6, 1), (300, 1)])
def test_many_tenants_with_the_same_problem_are_one_message(tenants: int, messages: int, lines: list[Any]) -> None:
    time = Time()
    for number in range(tenants):
        time.log.begun(tenant(f"Oak {number}"), Problem("overdue", "critical", START - number))
        time.now += 59 / tenants
    time.log.flush()
    assert len(lines) == messages
    if messages == 1:
        line = lines[0]
        assert (line["log_level"], line["kind"], line["tenants"]) == ("warning", "overdue", tenants)
        assert line["examples"] == "Oak 0, Oak 1, Oak 2"


def test_different_problems_and_ends_are_not_summed_up_together(lines: list[Any]) -> None:
    time = Time()
    for number in range(4):
        time.log.begun(tenant(f"Oak {number}"), STALL)
        time.log.begun(tenant(f"Oak {number}"), SETUP)
        time.log.over(tenant(f"Oak {number}"), STALL, START)
    time.log.flush()
    assert len(lines) == 12


def test_a_later_problem_does_not_delay_an_earlier_one(lines: list[Any]) -> None:
    time = Time()
    time.log.begun(tenant("Oak"), STALL)
    time.now += 50
    time.log.begun(tenant("Elm"), STALL)
    time.log.begun(tenant("Elm"), SETUP)
    time.now += 10
    time.log.flush_due()
    assert [(line["tenant"], line["kind"]) for line in lines] == [("Oak", "stalled"), ("Elm", "stalled")]
