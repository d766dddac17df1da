"""Tests the alert about a shard that is missing: not while shards are added, not for replicas, not beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from tests.alerts.pages import DOWN, RESTARTING, SHARD_MISSING
from tests.alerts.stories import HOUR, Value, exporter, healthy, replica, scraped, without

ABOUT = ("KimonoShardMissing", "KimonoExporterDown", "KimonoExporterRestarting", "KimonoDiscoveryFailing")
check = partial(scraped, about=ABOUT, history=2 * HOUR)

# From a minute on, an exporter is this shard of so many; None if it can't be scraped.
Life = Mapping[int, tuple[int, int] | None]


def lives(*of_exporters: Life, job: str = "kimono") -> dict[str, Value]:
    """Exporters, each with a tenant of its own and the shards that it is, one after the other."""
    series: dict[str, Value] = {}
    for number, life in enumerate(of_exporters):
        gone = [range(begin, end) for begin, end, shard in _spans(life) if shard is None]
        page = exporter() | {
            f'kimono_exporter_shard_info{{shard="{index}",shards="{total}"}}': _while(life, (index, total))
            for index, total in filter(None, life.values())
        }
        series |= replica(without(page, gone), f"exporter-{number}", f"{job}-{number}", job)
        series[f'up{{job="{job}",instance="exporter-{number}"}}'] = lambda minute, gone=gone: float(
            not any(minute in each for each in gone)
        )
    return series


def _spans(life: Life) -> Sequence[tuple[int, int, tuple[int, int] | None]]:
    begins = sorted(life)
    return [(begin, end, life[begin]) for begin, end in zip(begins, [*begins[1:], 100_000], strict=True)]


def _while(life: Life, shard: tuple[int, int]) -> Value:
    spans = [range(begin, end) for begin, end, each in _spans(life) if each == shard]
    return lambda minute: 1 if any(minute in span for span in spans) else None


def shard(index: int, total: int) -> Life:
    return {-1000: (index, total)}


def dies(index: int, total: int, at: int = 60, back: int = 100_000) -> Life:
    return {-1000: (index, total), at: None, back: (index, total)}


def test_a_shard_that_dies_alerts_after_ten_minutes_and_resolves_when_it_is_back() -> None:
    series = lives(shard(0, 3), dies(1, 3, 60, 120), shard(2, 3))
    check(series, {59: [], 69: [], 76: [SHARD_MISSING], 119: [SHARD_MISSING], 134: [SHARD_MISSING], 138: []}, step=1)


@pytest.mark.parametrize("gap", [1, 4, 9])
def test_a_restart_of_a_shard_is_no_alert(gap: int) -> None:
    check(lives(shard(0, 2), dies(1, 2, 60, 60 + gap)), {minute: [] for minute in range(60, 100, 4)}, step=1)


def test_a_shard_that_was_never_there_alerts() -> None:
    check(lives(shard(0, 3), shard(2, 3)), {HOUR: [SHARD_MISSING]})


def test_all_but_one_missing_are_one_alert() -> None:
    check(lives(shard(3, 10)), {HOUR: [SHARD_MISSING]})


@pytest.mark.parametrize("total", [1, 2, 10, 12])
def test_all_shards_are_no_alert(total: int) -> None:
    check(lives(*(shard(index, total) for index in range(total))), {HOUR: [], 2 * HOUR: []})


def test_exporters_of_an_older_version_are_no_alert() -> None:
    check(replica(exporter() | healthy()), {HOUR: []})


def test_a_replica_of_each_shard_is_enough() -> None:
    series = lives(dies(0, 2), shard(0, 2), shard(1, 2), dies(1, 2))
    check(series, {2 * HOUR: []})


def test_all_replicas_of_a_shard_alert() -> None:
    series = lives(shard(0, 2), shard(0, 2), dies(1, 2), dies(1, 2, 90))
    check(series, {89: [], 99: [], 106: [SHARD_MISSING], 180: [SHARD_MISSING]}, step=1)


def test_replicas_do_not_stand_for_a_shard() -> None:
    """There are as many exporters as shards."""
    check(lives(shard(0, 3), shard(0, 3), shard(2, 3)), {HOUR: [SHARD_MISSING]})


def test_an_exporter_without_an_index_is_a_second_first_shard() -> None:
    check(lives(shard(0, 2), shard(0, 2)), {HOUR: [SHARD_MISSING]})


def test_a_shard_can_be_added_one_pod_after_the_other_and_each_may_take_an_hour() -> None:
    """A StatefulSet starts the new pod, then updates the others from the last to the first."""
    series = lives(
        {-1000: (0, 3), 240: None, 243: (0, 4)},
        {-1000: (1, 3), 180: None, 183: (1, 4)},
        {-1000: (2, 3), 120: None, 123: (2, 4)},
        {-1000: None, 60: (3, 4)},
    )
    check(series, {minute: [] for minute in range(54, 320, 6)}, step=3)


def test_several_shards_can_be_added_in_any_order() -> None:
    series = lives(
        {-1000: (0, 2), 250: (0, 4)},
        {-1000: (1, 2), 200: (1, 4)},
        {-1000: None, 100: (2, 4)},
        {-1000: None, 150: (3, 4)},
    )
    check(series, {minute: [] for minute in range(54, 320, 6)}, step=3)


def test_a_shard_can_be_removed_and_the_others_are_updated_within_minutes() -> None:
    series = lives({-1000: (0, 3), 66: (0, 2)}, {-1000: (1, 3), 63: (1, 2)}, {-1000: (2, 3), 60: None})
    check(series, {minute: [] for minute in range(54, 200, 3)}, step=1)


def test_a_shard_that_dies_after_shards_were_added_alerts() -> None:
    series = lives({-1000: (0, 2), 60: (0, 3)}, {-1000: (1, 2), 60: (1, 3)}, {-1000: None, 60: (2, 3), 120: None})
    check(series, {117: [], 136: [SHARD_MISSING]}, step=1)


def test_a_shard_that_did_not_come_up_with_the_others_alerts() -> None:
    series = lives({-1000: (0, 2), 60: (0, 3)}, {-1000: (1, 2), 60: (1, 3)})
    check(series, {60: [], 69: [], 76: [SHARD_MISSING]}, step=1)


def test_shards_that_do_not_agree_on_their_number_alert() -> None:
    check(lives(shard(0, 4), shard(1, 3)), {HOUR: [SHARD_MISSING]})


def test_all_shards_down_at_once_are_the_alert_about_the_exporter_alone() -> None:
    check(lives(dies(0, 2), dies(1, 2)), {80: [DOWN], 2 * HOUR: [DOWN]})


def test_one_shard_without_sharding_that_dies_is_the_alert_about_the_exporter_alone() -> None:
    check(lives(dies(0, 1)), {80: [DOWN], 2 * HOUR: [DOWN]})


def test_jobs_do_not_count_for_each_other() -> None:
    """One misses shard 1, and the other one has it; that other job misses its shard 0."""
    series = lives(shard(0, 2), job="kimono") | lives(shard(1, 2), job="other")
    other = frozenset({**dict(SHARD_MISSING), "job": "other"}.items())
    check(series, {HOUR: [SHARD_MISSING, other]})
    check(lives(shard(0, 2)) | lives(shard(0, 2), shard(1, 2), job="other"), {HOUR: [SHARD_MISSING]})


def test_a_shard_that_is_up_and_down_all_the_time_is_restarting() -> None:
    life: dict[int, tuple[int, int] | None] = {-1000: (1, 2)}
    for minute in range(60, 400, 6):
        life |= {minute: None, minute + 4: (1, 2)}
    check(lives(shard(0, 2), life), {150: [RESTARTING], 240: [RESTARTING]}, step=1)
