"""Tests what is scraped of exporters that stop, crash, lag or share the tenants, and of a Prometheus that stops."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from tests.support.backtest.instances import FLEET_STORIES, REPLICA_STORIES
from tests.support.backtest.recording import Recorded, record
from tests.support.backtest.scenario import Scenario, ScenarioError, ScriptedStory

START = 1_792_368_000.0  # 2026-10-19
MINUTE, HOUR = 60.0, 3600.0
pytestmark = pytest.mark.slow

_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Scrape:
    """What one scrape gave, by series as text; None if it failed."""

    minute: int
    instance: str
    series: dict[str, float] | None

    def values(self, name: str) -> dict[str, float]:
        return {text: value for text, value in (self.series or {}).items() if text.partition("{")[0] == name}

    def tenants(self) -> set[str]:
        return {dict(_LABEL.findall(text))["tenant_id"] for text in self.values("kimono_tenant_up")}


@dataclass
class Played:
    """A recording, read back."""

    recorded: Recorded
    scrapes: list[Scrape] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)

    def of(self, instance: str = "") -> list[Scrape]:
        return [one for one in self.scrapes if one.instance == instance]

    def up(self, instance: str = "") -> list[bool]:
        return [one.series is not None for one in self.of(instance)]


def played(*stories: ScriptedStory, hours: float = 1.0, **facts: object) -> Played:
    scenario = replace(Scenario(START, START + hours * HOUR, 4, stories=list(stories)), **facts)
    out = io.StringIO()
    result = Played(record(scenario, out))
    names: dict[str, str] = {}
    now: dict[str, dict[str, float]] = defaultdict(dict)
    for line in out.getvalue().splitlines():
        what, first, rest = (*line.split(" ", 2), "")[:3]
        if what == "S":
            names[first] = rest
        elif what == "V":
            now[_instance(names[first])][names[first]] = float(rest)
        elif what == "D":
            del now[_instance(names[first])][names[first]]
        elif what == "P":
            result.stopped.append(_minute(first))
        else:
            result.scrapes.append(Scrape(_minute(first), rest, dict(now[rest]) if what == "T" else None))
    return result


def _instance(series: str) -> str:
    return dict(_LABEL.findall(series)).get("instance", "")


def _minute(text: str) -> int:
    return round((float(text) - START) / MINUTE)


def story(kind: str, begins: float, lasts: float, *, exporter: int | None = None) -> ScriptedStory:
    """A story of no tenant, in minutes after the start."""
    return ScriptedStory(kind, None, START + begins * MINUTE, START + (begins + lasts) * MINUTE, exporter)


def states(one: Played, name: str, instance: str = "") -> Iterator[set[float]]:
    for scrape in one.of(instance):
        if scrape.series is not None:
            yield set(scrape.values(name).values())


@cache
def four_exporters() -> Played:
    return played(hours=0.1, replicas=2, shards=2)


def test_a_single_exporter_names_no_instance_and_is_scraped_each_minute() -> None:
    one = played(hours=0.2)
    assert {scrape.instance for scrape in one.scrapes} == {""}
    assert [scrape.minute for scrape in one.scrapes] == list(range(1, 13))
    assert all(one.up())
    assert 'shard="0",shards="1"' in str(one.scrapes[-1].values("kimono_exporter_shard_info"))


def test_replicas_have_the_same_tenants_and_shards_have_others() -> None:
    one = four_exporters()
    tenants = [one.of(f"exporter-{number}:10120")[-1].tenants() for number in range(4)]
    assert tenants[0] == tenants[1]
    assert tenants[2] == tenants[3]
    assert not tenants[0] & tenants[2]
    assert len(tenants[0] | tenants[2]) == 4


def test_a_shard_says_which_it_is() -> None:
    one = four_exporters()
    found = [str(one.of(f"exporter-{number}:10120")[-1].values("kimono_exporter_shard_info")) for number in range(4)]
    assert ['shard="1",shards="2"' in text for text in found] == [False, False, True, True]
    assert ['shard="0",shards="2"' in text for text in found] == [True, True, False, False]


def test_a_crash_loop_is_up_for_one_scrape_in_six() -> None:
    up = played(story("crash_loop", 10, 30), hours=0.8).up()
    assert all(up[:10])
    assert sum(up[10:40]) == 5
    assert "".join("x" if each else "." for each in up[10:40]) == ".....x" * 5
    assert all(up[40:])


def test_restarts_every_ten_minutes_show_in_the_start_of_the_process() -> None:
    one = played(story("restarting", 10, 40))
    starts = {start for starts in states(one, "process_start_time_seconds") for start in starts}
    assert len(starts) == 1 + 4
    assert one.up().count(False) == 4


def test_a_replica_that_is_down_leaves_the_other_one_up() -> None:
    one = played(story("replica_down", 10, 20, exporter=1), replicas=2)
    assert all(one.up("exporter-0:10120"))
    assert one.up("exporter-1:10120")[10:30] == [False] * 20
    assert all(one.up("exporter-1:10120")[30:])


def test_a_replica_that_is_cut_off_can_be_scraped_and_fails_for_all_tenants() -> None:
    one = played(story("replica_cut_off", 10, 30, exporter=0), replicas=2)
    assert all(one.up("exporter-0:10120"))
    assert 0.0 in set().union(*list(states(one, "kimono_tenant_up", "exporter-0:10120"))[20:40])
    assert set().union(*list(states(one, "kimono_tenant_up", "exporter-1:10120"))[2:]) == {1.0}
    assert set().union(*list(states(one, "kimono_tenant_up", "exporter-0:10120"))[57:]) == {1.0}


def test_a_replica_that_lags_shows_data_that_are_a_quarter_of_an_hour_old() -> None:
    one = played(story("replica_lags", 10, 90, exporter=1), hours=1.6, replicas=2, tenants=12)
    ages = {
        number: max(
            START + scrape.minute * MINUTE - value
            for scrape in one.of(f"exporter-{number}:10120")[60:90]
            for value in scrape.values("kimono_collector_last_success_timestamp_seconds").values()
        )
        for number in (0, 1)
    }
    assert ages[0] <= 15 * MINUTE + 60
    assert ages[1] > 20 * MINUTE


def test_a_prometheus_that_is_down_scrapes_nothing_and_stops_once() -> None:
    one = played(story("prometheus_down", 10, 20), replicas=2)
    assert one.stopped == [11]
    assert [scrape.minute for scrape in one.of("exporter-1:10120")] == [*range(1, 11), *range(31, 61)]


@pytest.mark.parametrize("state_file", [True, False])
@pytest.mark.parametrize("kind", ["exporter_down", "crash_loop"])
def test_what_an_exporter_knows_outlives_its_end_with_a_state_file_alone(kind: str, *, state_file: bool) -> None:
    stalled = ScriptedStory("suspended", 1, START - HOUR, None)
    one = played(stalled, story(kind, 20, 18), hours=0.8, state_file=state_file)
    since = [each for values in states(one, "kimono_tenant_state_since_timestamp_seconds") for each in values]
    assert since
    assert (len(set(since)) == 1) == state_file


def test_an_account_has_another_name_for_all_its_tenants() -> None:
    renaming = ScriptedStory("account_renamed", 0, START + 10 * MINUTE, None)
    one = played(renaming, hours=0.4, tenants=12)
    accounts = [dict(_LABEL.findall(text)) for text in one.scrapes[-1].values("kimono_tenant_info")]
    ids = {each["account_id"] for each in accounts if each["account_name"].endswith("(renamed)")}
    assert len(ids) == 1
    assert all(each["account_name"].endswith("(renamed)") for each in accounts if each["account_id"] in ids)


@pytest.mark.parametrize("kind", sorted({*FLEET_STORIES, "unreachable"}))
def test_an_exporter_is_named_by_stories_of_a_replica_alone(kind: str) -> None:
    with pytest.raises(ScenarioError, match="an exporter is named by"):
        played(story(kind, 1, 1, exporter=0), hours=0.1)


@pytest.mark.parametrize("kind", sorted(REPLICA_STORIES))
def test_a_story_of_a_replica_needs_one_that_is_there(kind: str) -> None:
    with pytest.raises(ScenarioError, match="an exporter is named by"):
        played(story(kind, 1, 1), hours=0.1)
    with pytest.raises(ScenarioError, match="there are exporters 0 to 0"):
        played(story(kind, 1, 1, exporter=1), hours=0.1)
