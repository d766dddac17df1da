"""Tests that nothing grows in hours of changes and faults, and that all counts add up. `make soak` is the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.api.models import State
from exporter.collectors.collector import Poll
from exporter.collectors.state import StateCollector
from exporter.history import ingestions
from exporter.metrics import Sample
from tests.support.soak import Measured, Outcome, soak

TENANTS = 15
# Of tasks and descriptors, from one third of a soak to the last: polls that run at the moment come and go.
MARGIN = 10
# Objects that a request may leave behind: histories and caches fill up at first.
PER_REQUEST = 0.5


def objects_left_per_request(outcome: Outcome) -> float:
    """How many objects each request of the last two thirds has left behind."""
    last = outcome.measured[len(outcome.measured) // 3 :]
    return (last[-1].objects - last[0].objects) / (outcome.requests * 2 / 3)


def most(measured: list[Measured], name: str) -> int:
    return max(getattr(each, name) for each in measured)


def test_nothing_grows_and_every_end_counts_once() -> None:
    outcome = soak(TENANTS, hours=1.5)
    assert not outcome.wrong
    assert outcome.ends > 25
    assert outcome.changes["faults"] >= 9
    assert outcome.changes["tenants"] >= 18
    third = len(outcome.measured) // 3
    for name in ("tasks", "descriptors"):
        assert most(outcome.measured[-third:], name) <= most(outcome.measured[:third], name) + MARGIN, name
    assert objects_left_per_request(outcome) < PER_REQUEST


def test_every_end_counts_once_if_the_api_lists_unfinished_ingestions_only() -> None:
    outcome = soak(12, hours=3, sockets=False, by_id=True)
    assert not outcome.wrong
    assert outcome.ends > 25


def test_a_leak_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked = []
    really = StateCollector.samples

    def samples(self: StateCollector, poll: Poll[State]) -> Iterator[Sample]:
        leaked.append([[] for _ in range(20)])  # more than what other tests have left to be freed meanwhile
        return really(self, poll)

    monkeypatch.setattr(StateCollector, "samples", samples)
    outcome = soak(5, hours=1, sockets=False)
    assert leaked
    assert objects_left_per_request(outcome) > PER_REQUEST


def test_an_end_that_is_not_counted_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    really = ingestions.counted_ends
    monkeypatch.setattr(ingestions, "counted_ends", lambda *of: [one for one in really(*of) if one.state != "success"])
    outcome = soak(5, hours=1.5, sockets=False)
    assert {state for _, _, state, _, _ in outcome.wrong} == {"success"}
