"""Tests that scenarios are read as people write them, and refused with a reason where they are not valid."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from exporter.simulator.times import DAY
from tests.support.backtest.scenario import ScenarioError, ScriptedStory, moment, read, seconds

HOUR = 3600.0
START = 1_791_763_200.0  # 2026-10-12


def scenario(folder: Path, text: str, name: str = "scenario.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


HEAD = "starts: 2026-10-12\ndays: 10\ntenants: 3\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), (90, 90), ("20h", 20 * HOUR), ("1d 4h 30m", 28.5 * HOUR), ("-2d", -2 * DAY), ("0.5h", 1800)],
)
def test_a_duration_is_written_in_days_hours_minutes_and_seconds(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "3 weeks", "1d!", None, True])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ScenarioError, match="not a duration"):
        seconds(text)


def test_a_moment_is_a_date_a_time_or_a_duration_from_the_start(tmp_path: Path) -> None:
    path = scenario(
        tmp_path,
        HEAD
        + "stories:\n"
        + "  - {kind: a, tenant: 1, begins: 2026-10-13, lasts: 1h}\n"
        + "  - {kind: b, begins: 2026-10-14T06:00:00Z}\n"
        + "  - {kind: c, tenant: [0, 2], begins: 4h, lasts: 1d}\n"
        + "  - {kind: d, tenant: all, begins: -1d}\n",
    )
    made = read(path)
    assert (made.starts, made.ends, made.tenants, made.seed) == (START, START + 10 * DAY, 3, 1)
    assert made.stories == [
        *(ScriptedStory("d", tenant, START - DAY, None) for tenant in range(3)),
        ScriptedStory("c", 0, START + 4 * HOUR, START + 28 * HOUR),
        ScriptedStory("c", 2, START + 4 * HOUR, START + 28 * HOUR),
        ScriptedStory("a", 1, START + DAY, START + DAY + HOUR),
        ScriptedStory("b", None, START + 2.25 * DAY, None),
    ]
    assert moment("1h", 5.0) == HOUR + 5


def test_a_scenario_has_one_exporter_without_a_state_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    made = read(scenario(tmp_path, HEAD))
    assert (made.replicas, made.shards, made.state_file) == (1, 1, False)
    made = read(scenario(tmp_path, HEAD + "replicas: 2\nshards: 3\nstate_file: true\n"))
    assert (made.replicas, made.shards, made.state_file) == (2, 3, True)


def test_a_story_may_name_an_exporter(tmp_path: Path) -> None:
    path = scenario(tmp_path, HEAD + "stories:\n  - {kind: a, begins: 1h, lasts: 1h, exporter: 2}\n")
    assert read(path).stories == [ScriptedStory("a", None, START + HOUR, START + 2 * HOUR, 2)]


def test_the_files_of_a_folder_are_one_scenario(tmp_path: Path) -> None:
    scenario(tmp_path, HEAD + "seed: 4\n", "a.yaml")
    scenario(tmp_path, "stories:\n  - {kind: a, begins: 1h}\n", "b.yaml")
    assert [one.kind for one in read(tmp_path).stories] == ["a"]
    assert read(tmp_path).seed == 4


def test_sown_stories_never_overlap_leave_time_to_rest_and_stay_within_the_scenario(tmp_path: Path) -> None:
    path = scenario(
        tmp_path,
        HEAD
        + "stories:\n  - {kind: fixed, tenant: 0, begins: 2d, lasts: 1d}\n"
        + "sown:\n  - {kind: long, times: 5, lasts: 20h to 1d, rest: 12h}\n  - {kind: point, times: 3, hour: 15}\n",
    )
    made = read(path)
    assert made == read(path)
    assert [one.kind for one in made.stories].count("long") == 5
    for tenant in range(3):
        theirs = [one for one in made.stories if one.tenant == tenant]
        for one, following in pairwise(theirs):
            rest = 12 * HOUR if one.kind == "long" else 0.0
            assert following.begins >= (one.ends or one.begins) + rest
    assert all(made.starts < one.begins and (one.ends or one.begins) < made.ends for one in made.stories)
    assert all(one.begins % DAY == 15 * HOUR for one in made.stories if one.kind == "point")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a list\n", "not a mapping"),
        ("a: b: c\n", "mapping values"),
        ("days: 3\n", "missing: starts, tenants"),
        (HEAD + "stories:\n  - {begins: 1h}\n", "needs a kind"),
        (HEAD + "stories:\n  - {kind: a}\n", "begins"),
        (HEAD + "stories:\n  - {kind: a, begins: soon}\n", "not a duration: 'soon'"),
        (HEAD + "stories:\n  - {kind: a, begins: 1h, until: 2h}\n", "unknown: until"),
        (HEAD + "sown:\n  - {kind: a, lasts: 1h to late}\n", "not a duration: 'late'"),
        (HEAD + "sown:\n  - {kind: a, times: 9, lasts: 8d}\n", "no room"),
    ],
)
def test_a_scenario_that_can_not_be_read_says_why(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        read(scenario(tmp_path, text))


def test_a_scenario_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        read(tmp_path / "none.yaml")
