"""Tests that shards divide the tenants: each is in one, all have about as many, and few move."""

from __future__ import annotations

import subprocess
import sys
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.shards import Shard, jump, shard_of

IDENTS = st.text() | st.integers().map(str) | st.uuids().map(str)
MOST = 64


def uuids(count: int) -> list[str]:
    rng = Random(1)  # noqa: S311 - repeatable numbers, no secrets
    return [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(count)]


# What real fleets may have: random ids, numbers in a row, and numbered names.
FLEETS = {
    "UUIDs": uuids(20_000),
    "numbers": [str(number) for number in range(20_000)],
    "large numbers": [str(10**15 + 1000 * number) for number in range(20_000)],
    "names": [f"district-{number:05}" for number in range(20_000)],
}


@pytest.mark.parametrize(
    ("key", "buckets", "bucket"),
    [
        (1, 1, 0),
        (42, 57, 43),
        (0xDEAD10CC, 1, 0),
        (0xDEAD10CC, 666, 361),
        (256, 1024, 520),
        (129, 128, 120),
        (2**64 - 1, 128, 92),
    ],
)
def test_the_hash_is_the_published_one(key: int, buckets: int, bucket: int) -> None:
    """Values that other implementations of the paper are tested with."""
    assert jump(key, buckets) == bucket


@pytest.mark.parametrize(
    ("ident", "shards"),
    [
        ("5b1c0de0-0000-4000-8000-000000000001", [0, 0, 0, 3, 4, 4, 6, 6, 6, 6, 6]),
        ("7", [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("district-1", [0, 1, 2, 2, 2, 2, 2, 7, 7, 7, 7]),
    ],
)
def test_a_tenant_stays_in_its_shard_in_every_version(ident: str, shards: list[int]) -> None:
    """If this fails, an upgrade would move tenants."""
    assert [shard_of(ident, total) for total in range(1, 12)] == shards


@given(IDENTS, st.integers(1, MOST))
def test_each_tenant_is_in_exactly_one_shard(ident: str, total: int) -> None:
    owners = [index for index in range(total) if Shard(index, total).owns(ident)]
    assert owners == [shard_of(ident, total)]


@given(IDENTS, st.integers(1, MOST))
def test_a_tenant_that_moves_when_a_shard_is_added_moves_to_that_one(ident: str, total: int) -> None:
    assert shard_of(ident, total + 1) in (shard_of(ident, total), total)


@given(IDENTS, st.integers(1, 20), st.integers(0, 10), st.data())
def test_while_shards_are_added_from_the_last_to_the_first_each_tenant_has_one(
    ident: str, before: int, more: int, data: st.DataObject
) -> None:
    """As a StatefulSet does: the first pods still have the old number."""
    after = before + more
    old = data.draw(st.integers(0, before))
    shards = [Shard(index, before if index < old else after) for index in range(after)]
    assert any(shard.owns(ident) for shard in shards)


@given(st.text(alphabet=st.characters(), min_size=1))
def test_any_text_has_a_shard_even_half_of_a_surrogate_pair(ident: str) -> None:
    assert 0 <= shard_of(ident, MOST) < MOST
    assert 0 <= shard_of("\ud800" + ident, MOST) < MOST


@pytest.mark.parametrize("idents", FLEETS.values(), ids=FLEETS)
@pytest.mark.parametrize("total", [2, 3, 10])
def test_shards_have_about_as_many_tenants(idents: list[str], total: int) -> None:
    """Within five standard deviations of a fair division."""
    counts = [0] * total
    for ident in idents:
        counts[shard_of(ident, total)] += 1
    fair = len(idents) / total
    assert max(abs(count - fair) for count in counts) < 5 * (fair * (1 - 1 / total)) ** 0.5


@pytest.mark.parametrize("idents", FLEETS.values(), ids=FLEETS)
@pytest.mark.parametrize("total", [1, 2, 10])
def test_one_in_n_moves_when_the_nth_shard_is_added(idents: list[str], total: int) -> None:
    moved = sum(shard_of(ident, total) != shard_of(ident, total + 1) for ident in idents)
    fair = len(idents) / (total + 1)
    assert abs(moved - fair) < 5 * fair**0.5


def test_another_process_gives_the_same_shards() -> None:
    """Python's own `hash` would not."""
    code = "from exporter.shards import shard_of; print([shard_of(str(number), 10) for number in range(100)])"
    printed = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == str([shard_of(str(number), 10) for number in range(100)])
