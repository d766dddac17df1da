"""Tests that the engine scrapes several exporters, and stops and starts as Prometheus does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.backtest import engine
from tests.support.processes import needed

pytestmark = pytest.mark.slow

START = 1_792_368_000
RULES = {
    "groups": [
        {
            "name": "one",
            "interval": "1m",
            "rules": [
                {"alert": "Down", "expr": "up == 0"},
                {"alert": "High", "expr": "sum by (job) (value) > 10"},
                {"alert": "Long", "expr": "value > 1", "for": "30m"},
                {"alert": "Gone", "expr": "absent(value)"},
            ],
        }
    ]
}


@pytest.fixture(autouse=True)
def _needs_go() -> None:
    needed("go")


def played(folder: Path, lines: Iterable[str]) -> list[tuple[str, str, float, float]]:
    """What fired: alert, instance, from and to in minutes after the start."""
    rules = folder / "rules.yaml"
    rules.write_text(json.dumps(RULES))
    with engine.started(engine.build(), rules, "0s") as running:
        running.input.writelines(f"{line}\n" for line in lines)
        evaluated = running.finish()
    assert not evaluated.errors
    return [
        (one.alert, one.labels.get("instance", ""), (one.since - START) / 60, (one.until - START) / 60)
        for one in evaluated.firings
    ]


def scrapes(minutes: Iterable[int], *instances: str, outcome: str = "T") -> list[str]:
    return [f"{outcome} {START + 60 * minute} {name}".rstrip() for minute in minutes for name in instances or ("",)]


def of(found: list[tuple[str, str, float, float]], alert: str) -> list[tuple[str, float, float]]:
    return [(instance, since, until) for name, instance, since, until in found if name == alert]


def test_a_series_without_an_instance_is_of_the_only_exporter(tmp_path: Path) -> None:
    found = played(tmp_path, ["S 0 value", "V 0 11", *scrapes(range(1, 10)), *scrapes(range(10, 20), outcome="X")])
    ((instance, since, until),) = of(found, "Down")
    assert (instance, until) == ("localhost:10120", float("inf"))
    assert 10 <= since <= 11
    assert len(of(found, "High")) == 1


def test_instances_are_scraped_apart_and_each_has_its_own_series(tmp_path: Path) -> None:
    page = ['S 0 value{instance="a"}', 'S 1 value{instance="b"}', "V 0 6", "V 1 6"]
    both = played(tmp_path, [*page, *scrapes(range(1, 10), "a", "b")])
    assert len(of(both, "High")) == 1
    one = played(tmp_path, [*page, *scrapes(range(1, 10), "a"), *scrapes([9], "b", outcome="X")])
    assert not of(one, "High")
    lost = [*page, *scrapes(range(1, 10), "a", "b")]
    for minute in range(10, 20):
        lost += [*scrapes([minute], "a"), *scrapes([minute], "b", outcome="X")]
    found = played(tmp_path, lost)
    assert [instance for instance, _, _ in of(found, "Down")] == ["b"]
    ((_, _, until),) = of(found, "High")
    assert 10 <= until <= 11  # a staleness marker ends b's series alone
    assert not of(found, "Gone")


def test_while_prometheus_is_down_nothing_is_evaluated_and_what_fired_is_resolved(tmp_path: Path) -> None:
    page = ["S 0 value", "V 0 11", *scrapes(range(1, 10)), f"P {START + 600}", *scrapes(range(190, 200))]
    found = played(tmp_path, page)
    first, second = of(found, "High")
    assert first[2] == 10
    assert 190 <= second[1] <= 192
    assert not of(found, "Gone")  # nobody was there to notice


@pytest.mark.parametrize("down", [20, 100])
def test_what_an_alert_has_waited_for_is_restored_after_an_hour_at_most(tmp_path: Path, down: int) -> None:
    back = 20 + down
    page = ["S 0 value", "V 0 2", *scrapes(range(1, 20)), f"P {START + 1200}", *scrapes(range(back, back + 60))]
    ((_, since, _),) = of(played(tmp_path, page), "Long")
    # Twenty minutes are waited for before the stop: ten are left after it, if they are restored.
    assert (since < back + 15) == (down < 60)
    assert back < since <= back + 32


def test_replicas_of_an_instance_are_named_after_it(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps(RULES))
    with engine.started(engine.build(), rules, "0s", replicas=2) as running:
        running.input.write('S 0 value{instance="a"}\nV 0 6\n')
        running.input.writelines(f"{line}\n" for line in scrapes(range(1, 10), "a"))
        running.input.writelines(f"{line}\n" for line in scrapes(range(10, 20), "a", outcome="X"))
        found = running.finish().firings
    assert {one.labels["instance"] for one in found if one.alert == "Down"} == {"a", "a-2"}
    assert "High" in {one.alert for one in found}
