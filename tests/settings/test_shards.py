"""Tests how a shard's index and their number are given, and what is refused."""

from __future__ import annotations

import pytest

from exporter.settings import load
from exporter.shards import Shard
from tests.support.settings import KEY, only_problem, problems_of


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("0", 0),
        ("3", 3),
        (" 3 ", 3),
        ("03", 3),
        # The names of a StatefulSet's pods.
        ("kimono-exporter-3", 3),
        ("a-0", 0),
        ("team-2-kimono-exporter-11", 11),
        ("9to5.sync-4", 4),
    ],
)
def test_an_index_is_a_number_or_the_name_of_a_pod(text: str, index: int) -> None:
    settings = load({}, KEY | {"KIMONO_SHARD_INDEX": text, "KIMONO_SHARD_TOTAL": "12"})
    assert settings.shard.shard() == Shard(index, 12)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "-", "1.5", "3.0", "three", "-3-3", "٣"),
        *("kimono-exporter", "kimono-exporter-", "kimono-exporter3", "Kimono-3", "kimono_exporter-3"),
        # A pod of a Deployment, and a number too long to be one.
        *("kimono-exporter-6d4cf56db6-x7k2p", "1234567890"),
    ],
)
def test_any_other_index_is_one_line(text: str) -> None:
    line = only_problem({}, KEY | {"KIMONO_SHARD_INDEX": text, "KIMONO_SHARD_TOTAL": "12"})
    assert line == (
        "shard.index: the value is not a whole number from 0, or a pod's name with one, as kimono-exporter-3 (given by "
        "KIMONO_SHARD_INDEX); set --shard.index, KIMONO_SHARD_INDEX or shard.index in the file"
    )


@pytest.mark.parametrize("text", ["0", "-1", "", "2.5", "many", "inf"])
def test_a_total_is_a_whole_number_from_1(text: str) -> None:
    line = only_problem({"shard.total": text, "shard.index": "1"}, KEY)
    assert line.startswith("shard.total: the value is not a whole number of at least 1 (given by --shard.total)")


@pytest.mark.parametrize(("index", "total"), [("1", "1"), ("4", "4"), ("kimono-exporter-9", "3")])
def test_an_index_must_be_below_the_total(index: str, total: str) -> None:
    line = only_problem({"shard.index": index, "shard.total": total}, KEY)
    assert line == (
        f"shard.index: must be less than shard.total, which is {total}: the first shard is 0; set --shard.index, "
        "KIMONO_SHARD_INDEX or shard.index in the file"
    )


def test_two_unusable_values_are_two_lines() -> None:
    assert len(problems_of({"shard.index": "x", "shard.total": "y"}, KEY)) == 2


def test_shards_without_an_index_are_a_warning() -> None:
    """Else every pod of a StatefulSet whose index was forgotten would be the first shard, without a sign."""
    (warning,) = load({"shard.total": "3"}, KEY).warnings
    assert warning.startswith("shard.index is not set, so this exporter is shard 0 of 3; each other one needs an index")
    assert not load({"shard.total": "3", "shard.index": "0"}, KEY).warnings
    assert not load({}, KEY).warnings
