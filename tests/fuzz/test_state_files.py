"""Tests that any state file is used or set aside, and that whatever is used can be saved again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.history import History
from exporter.state_file import StateFile
from exporter.state_format import lines
from tests.support.fuzzing.files import NOW, URL, Files
from tests.support.fuzzing.inputs import changed, damaged, json_bytes, replaced
from tests.support.fuzzing.replies import OneBad, PolledTenant
from tests.support.fuzzing.runs import fuzzed
from tests.support.histories import FLEETS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("state"))


@st.composite
def state_files(draw: st.DrawFn) -> bytes:
    """A good file of any fleet, with some of its lines changed, its text damaged, or neither."""
    histories: dict[str, History] = draw(FLEETS)
    content = list(lines(histories.items(), URL, NOW, []))
    number = draw(st.integers(0, len(content) - 1))
    content[number] = json_bytes(draw(changed(json.loads(content[number]), most=2))) + b"\n"
    whole = b"".join(content)
    return draw(damaged(whole)) if draw(st.integers(0, 3)) == 0 else whole


@fuzzed(60)
@given(state_files(), st.sampled_from([NOW, NOW + 86_400, NOW - 1e6, 0.0, NOW + 1e9]))
def test_any_state_file_is_used_or_set_aside(files: Files, content: bytes, now: float) -> None:
    files.state(content, now)


# None of them is a value of the file's numbers, times, texts or objects.
WRONG = (-1, -1e-9, 2**53 + 1, 10**308, 1e308, float("inf"), float("nan"), "\ud800", [[]], 253_402_300_800.0)


def test_no_member_of_a_state_file_takes_a_number_that_is_out_of_bounds(files: Files) -> None:
    history = PolledTenant()
    for kind in (IngestionsCollector, SchedulesCollector, RolloversCollector, StateCollector):
        history.poll(kind(), OneBad(), NOW)
    content = list(lines([("a", history.history)], URL, NOW, []))
    assert files.state(b"".join(content)).histories
    for value in replaced(json.loads(content[1]), WRONG):
        changed_file = b"".join((content[0], json_bytes(value), b"\n", content[2]))
        assert files.state(changed_file).set_aside, value


@fuzzed(50)
@given(st.binary(max_size=200))
def test_any_bytes_are_used_or_set_aside(files: Files, content: bytes) -> None:
    assert files.state(content).set_aside


def test_a_good_file_is_used(files: Files) -> None:
    histories: dict[str, Any] = {"a": History(failing_since={"state": NOW})}
    content = b"".join(lines(histories.items(), URL, NOW, []))
    assert files.state(content).histories == histories
    assert StateFile(files.folder / "state").read(URL, NOW).histories == histories
