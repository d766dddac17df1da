"""Tests that no reply makes a tenant's history grow without bounds, or unreadable for the next process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.fields import Fields
from exporter.api.models import Application, Ingestion, Model, Rollover, Schedule, State
from exporter.history import History, ingestions, schedules
from exporter.history.bounds import MOST_KEPT
from exporter.history.unfinished import OLDEST_SEEN, OLDEST_STARTED
from exporter.state_file import StateFile
from exporter.state_format import lines
from tests.history.tenant import DAY, HOUR, MINUTE, OFF, START, Tenant, daily, rollover, run

SUCCESS = ("collection", "success")
MANY = 4 * MOST_KEPT
# Far less than a line may have: thousands of such tenants fit into the file.
MOST_BYTES = 2**21


def collections(value: object) -> Iterator[Any]:
    """All mappings and tuples in a value."""
    if isinstance(value, Mapping):
        yield value
        value = tuple(value.values())
    elif isinstance(value, tuple):
        yield value
    elif is_dataclass(value):
        value = tuple(getattr(value, each.name) for each in fields(value))
    if isinstance(value, tuple):
        for each in value:
            yield from collections(each)


def line_of(history: History) -> bytes:
    return list(lines([("tenant", history)], "https://api.example", START, []))[1]


def idents(count: int) -> list[str]:
    """The longest ids that are accepted."""
    return [f"{number:0128}" for number in range(count)]


def fill(tenant: Tenant, at: float, state: str) -> None:
    """Poll a tenant whose lists are long, in all that has lists."""
    ids = idents(MANY)
    tenant.flags(at, OFF | {f"flag_{number:059}": True for number in range(MANY)})
    tenant.runs(at, *(run(ident, state, at - HOUR, type=f"{place % 300:064}") for place, ident in enumerate(ids)))
    tenant.schedules(at, *(daily(executed=at - DAY, ident=ident) for ident in ids))
    tenant.rollovers(at, *(rollover(ident, failure_reason="x" * 64) for ident in ids))


@pytest.mark.parametrize("state", ["executing", "success", "failed"])
def test_long_lists_leave_a_history_of_bounded_size(state: str) -> None:
    tenant = Tenant()
    for poll in range(3):
        fill(tenant, START + poll * 5 * MINUTE, state)
    tenant.runs(START + HOUR)
    for history in (tenant.history, Tenant(tenant.history).history):
        assert max(map(len, collections(history))) <= 3 * MOST_KEPT
    assert len(line_of(tenant.history)) < MOST_BYTES


def test_ids_that_change_with_each_poll_leave_a_history_of_bounded_size() -> None:
    tenant, sizes = Tenant(), []
    for poll in range(30):
        at, name = START + poll * HOUR, f"{poll}"
        tenant.flags(at, OFF | {f"flag_{name}": True})
        listed = (run(name, "success", at - 60), run(f"b{poll}", "executing", at), run(None, "failed", at))
        tenant.runs(at, *listed, left=[run(f"b{poll - 1}", "success", at - HOUR)])
        tenant.schedules(at, daily(executed=at, ident=name))
        tenant.rollovers(at, rollover(name))
        sizes.append(len(line_of(tenant.history)))
    assert max(sizes[10:]) < sizes[9] + 50


# What is left out changes no fact


def test_of_a_long_list_of_ended_ones_each_end_counts_once() -> None:
    tenant, ended = Tenant(), [run(ident, "success", START - place / 10) for place, ident in enumerate(idents(MANY))]
    tenant.runs(START - MINUTE)
    tenant.runs(START, *ended)
    assert tenant.series(ingestions.FINISHED)[SUCCESS] == MANY
    tenant.runs(START + 1, *ended)
    tenant.restart()
    tenant.runs(START + 2, *ended, run("new", "success", START + 1))
    assert tenant.series(ingestions.FINISHED)[SUCCESS] == MANY + 1
    tenant.runs(START + 3, *ended[:10], run("new", "success", START + 1))
    tenant.runs(START + 4, *ended)
    assert tenant.series(ingestions.FINISHED)[SUCCESS] == MANY + 1


def test_of_a_long_list_of_ended_ones_without_starts_none_is_taken_for_a_new_run() -> None:
    tenant, ended = Tenant(), [run(ident, "failed") for ident in idents(MANY)]
    for poll in range(4):
        tenant.runs(START + poll * HOUR, *ended)
        tenant.schedules(START + poll * HOUR)
    assert tenant.history.ingestions.last_run == START
    tenant.runs(START + 4 * HOUR, *ended, run("good", "success", START + 4 * HOUR))
    tenant.runs(START + 5 * HOUR, *ended, run("good", "success", START + 4 * HOUR))
    assert tenant.history.ingestions.failing == {}


def test_one_that_was_seen_unfinished_counts_though_it_is_older_than_those_kept() -> None:
    tenant, ended = Tenant(), [run(ident, "success", START + place) for place, ident in enumerate(idents(MANY))]
    tenant.runs(START, run("old", "executing", START - DAY))
    tenant.runs(START + HOUR, run("old", "executing", START - DAY), *ended)
    before = tenant.series(ingestions.FINISHED)[SUCCESS]
    tenant.runs(START + 2 * HOUR, run("old", "success", START - DAY), *ended)
    assert tenant.series(ingestions.FINISHED)[SUCCESS] == before + 1


def test_the_oldest_of_many_unfinished_ones_is_known_whatever_its_place() -> None:
    tenant, many = Tenant(), [run(ident, "executing", START + HOUR) for ident in idents(MANY)]
    old = run("old", "executing", START - HOUR)
    tenant.runs(START, old)
    for listed in ([old, *many], [*many, old], [*many[:50], old, *many[50:]]):
        tenant.runs(START + HOUR, *listed)
        assert tenant.series(OLDEST_SEEN) == {("collection", "executing"): START}
        assert tenant.series(OLDEST_STARTED) == {("collection", "executing"): START - HOUR}


def test_good_runs_cost_one_look_at_all_schedules_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, real = [], schedules._starters

    def starters(by_key: Mapping[str, Any], good: schedules.GoodRun) -> set[str]:
        looks.append(good)
        return real(by_key, good)

    monkeypatch.setattr(schedules, "_starters", starters)
    tenant = Tenant()
    tenant.runs(START, *(run(f"{number}", "executing", START) for number in range(5)))
    tenant.runs(START + 60, *(run(f"{number}", "success", START) for number in range(5)))
    tenant.schedules(START + 120, *(daily(ident=ident) for ident in idents(MANY)))
    assert len(looks) == 5


# Hostile values

_TIMES = st.sampled_from(
    [
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00Z"),
        *("1970-01-01T00:00:00.001Z", "2026-09-01T00:00:00Z", "2026-09-01T07:00:00+05:45", "2099-01-01", "", "now"),
    ]
)
_IDS = st.sampled_from(["a", "b", "x" * 128, "x" * 10_000, "", "\ud800", "a\x00b", "a\nb", "é", " "])
_WORDS = st.sampled_from(["success", "executing", "collection", "", "x" * 1_000_000, "a b", "\udfff", "\x1b[2J", "new"])
_NUMBERS = st.sampled_from([0, 7, -1, 24, 2**53, 2**64, 10**400, 1e300, float("inf"), float("nan"), 7.5, True])
_VALUES = st.one_of(_TIMES, _IDS, _WORDS, _NUMBERS, st.none(), st.just([]), st.just({}))
_MEMBERS = {
    **dict.fromkeys(("started_at", "last_executed_at", "start_date", "end_date"), _TIMES),
    **dict.fromkeys(("id", "name"), _IDS),
    **dict.fromkeys(("type", "state", "status", "failure_reason", "auth_state", "days"), _WORDS),
    **dict.fromkeys(("hour", "status_change_failure_count"), _NUMBERS),
    **dict.fromkeys(("enabled", "has_pending_task", "synchronization_suspended", "x"), st.booleans()),
    "metadata": st.fixed_dictionaries({"created": _TIMES}),
}
_OBJECTS = st.fixed_dictionaries({}, optional={name: st.one_of(each, _VALUES) for name, each in _MEMBERS.items()})
_REPLIES = st.lists(_OBJECTS, max_size=4)


def parsed(kind: Any, raw: Mapping[str, Any]) -> Any:
    model: Model = kind.parse(Fields(raw, lambda _: None))
    return model


@given(st.lists(_REPLIES, min_size=1, max_size=4), st.sampled_from([START, 1.0, 253_402_300_799.0]))
def test_whatever_a_server_replies_its_history_can_be_read_again(
    tmp_path_factory: pytest.TempPathFactory, polls: list[list[Mapping[str, Any]]], at: float
) -> None:
    tenant = Tenant()
    for replies in polls:
        at = min(at + MINUTE, 253_402_300_799.0)
        tenant.flags(at, parsed(State, replies[0] if replies else {}).flags)
        unique = {each.get("id"): each for each in ({**raw, "id": str(raw.get("id"))} for raw in replies)}
        tenant.runs(at, *(parsed(Ingestion, each) for each in unique.values()))
        tenant.schedules(at, *(parsed(Schedule, each) for each in replies))
        tenant.rollovers(at, *(parsed(Rollover, each) for each in replies))
        tenant.application(at, parsed(Application, replies[0] if replies else {}).auth_state)
    file = StateFile(tmp_path_factory.getbasetemp() / "hostile")
    assert file.write([("hostile", tenant.history), ("other", History())], "https://api.example", at) == []
    restored = file.read("https://api.example", at).histories
    tenant.restart()
    assert restored == {"hostile": tenant.history, "other": History()}


@pytest.mark.parametrize(
    ("text", "valid"), [("9999-12-31T23:59:59Z", True), ("9999-12-31T23:59:59-12:00", False), ("0001-01-01", False)]
)
def test_a_time_that_a_file_can_not_have_is_none(text: str, valid: bool) -> None:  # noqa: FBT001 - a table
    assert (parsed(Ingestion, {"id": "a", "started_at": text}).started_at is not None) == valid


def test_a_history_that_could_not_be_read_again_affects_no_other_tenant(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    for bad in (-1.0, 1e300, float("nan"), float("inf")):
        histories = {"bad": History(failing_since={"state": bad}), "good": History(failing_since={"state": START})}
        assert file.write(histories.items(), "https://api.example", START) == ["bad"]
        assert file.read("https://api.example", START).histories == {"good": histories["good"]}
