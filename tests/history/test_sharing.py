"""Tests that histories share what is equal in many tenants, also those that come from a state file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.history import History, flags
from exporter.history.flags import FlagsHistory
from exporter.state_file import StateFile

NOW = 1_790_000_000.0
FLAGS = {"syncing_suspended": False, "mass_change_pending": True}


def dictionaries(value: Any) -> Iterator[dict[Any, Any]]:
    """All dictionaries in a history."""
    if isinstance(value, dict):
        yield value
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from dictionaries(getattr(value, each.name))


def test_empty_dictionaries_are_one_and_the_same() -> None:
    polled = History(state=flags.advance(FlagsHistory(), {}, NOW))
    found = [
        *dictionaries(History()),
        *dictionaries(polled),
        *dictionaries(polled.failed("state", NOW).recovered("state")),
    ]
    assert len(found) > 30
    assert len({id(each) for each in found}) == 1


def test_they_are_also_after_a_restart(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    file.write([("a", History(state=flags.advance(FlagsHistory(), FLAGS, NOW)))], "https://api", NOW)
    restored = file.read("https://api", NOW).histories["a"]
    empty = [each for each in dictionaries(restored) if not each]
    assert len(empty) > 10
    assert len({id(each) for each in [*empty, *dictionaries(History())]}) == 1
    assert restored.state.on_since == {"mass_change_pending": NOW}


def test_tenants_with_the_same_flags_share_them() -> None:
    one, other = (flags.advance(FlagsHistory(), dict(FLAGS), at) for at in (NOW, NOW + 1))
    assert one.flags is other.flags
    assert one.flags == FLAGS
    changed = flags.advance(one, {**FLAGS, "syncing_suspended": True}, NOW + 2)
    assert changed.flags["syncing_suspended"]
    assert not one.flags["syncing_suspended"]


def test_many_flags_are_not_kept_for_others() -> None:
    many = {f"flag_{number}": True for number in range(17)}
    one, other = (flags.advance(FlagsHistory(), dict(many), at) for at in (NOW, NOW + 1))
    assert one.flags == other.flags
    assert one.flags is not other.flags
