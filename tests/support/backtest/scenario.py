"""Reads scenarios: YAML files that say what happens to a simulated fleet, and when.

A scenario is one YAML file or a folder of them. Times are durations from its start (`1d 4h 30m`) or moments
(`2026-10-13T04:30:00Z`). `stories` happen to named tenants. `sown` stories are scattered over the tenants and the time
at random, always the same for the same seed. `stage.py` checks the kinds of stories.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from random import Random
from typing import Any

import yaml

from exporter.simulator.times import DAY

_UNITS = {"d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_RANGE = re.compile(r"(.+?)\s+to\s+(.+)")
# A tenant's next sown story begins at the earliest so long after the last one, unless its entry says otherwise.
_REST = DAY
_TRIES = 4000
_MINUTE = 60.0


class ScenarioError(ValueError):
    """A scenario is not valid; the text says where and why."""


@dataclass(frozen=True)
class ScriptedStory:
    """One story of a scenario. `tenant` is a place in the order of arrival (from 0), or None for the whole fleet.

    `begins` and `ends` are Unix seconds; `ends` is None for a story without an end. `exporter` is the number (from 0)
    of the exporter that it happens to, if it is one.
    """

    kind: str
    tenant: int | None
    begins: float
    ends: float | None
    exporter: int | None = None


@dataclass
class Scenario:
    """A fleet, a stretch of time (Unix seconds), and what happens in it, in the order of time.

    Each of the `shards` has so many `replicas`: exporters with the same tenants. With `state_file`, each has one.
    """

    starts: float = 0.0
    ends: float = 0.0
    tenants: int = 0
    seed: int = 1
    replicas: int = 1
    shards: int = 1
    state_file: bool = False
    stories: list[ScriptedStory] = field(default_factory=list)


def seconds(text: object) -> float:
    """The seconds of a duration such as `90`, `20h`, `1d 4h 30m` or `-2d`. ScenarioError if it is none."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    parts = "".join(str(text).split())
    if parts.startswith("-"):
        return -seconds(parts[1:])
    if not parts or _PART.sub("", parts):
        raise ScenarioError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(parts))


def moment(value: object, starts: float) -> float:
    """Unix seconds of a moment, or of a duration after `starts`. ScenarioError if it is neither."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    return starts + seconds(value)


def read(path: Path) -> Scenario:
    """Read a scenario: a file, or all `*.yaml` of a folder as if they were one. ScenarioError if that can't be done."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    contents = [(file, _content(file)) for file in files]
    facts = {
        name: value for _, content in contents for name, value in content.items() if name not in ("stories", "sown")
    }
    missing = {"starts", "days", "tenants"} - facts.keys()
    if missing:
        raise ScenarioError(f"{path}: missing: {', '.join(sorted(missing))}")
    starts = moment(facts["starts"], 0.0)
    scenario = Scenario(
        starts,
        starts + float(facts["days"]) * DAY,
        int(facts["tenants"]),
        seed=int(facts.get("seed", 1)),
        replicas=int(facts.get("replicas", 1)),
        shards=int(facts.get("shards", 1)),
        state_file=facts.get("state_file", False) is True,
    )
    for file, content in contents:
        for entry in content.get("stories") or ():
            scenario.stories += _scripted(file, entry, scenario)
    _Sower(scenario).sow([(file, entry) for file, content in contents for entry in content.get("sown") or ()])
    scenario.stories.sort(key=lambda one: one.begins)
    return scenario


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ScenarioError(f"{file}: {error}") from None
    if not isinstance(content, dict):
        raise ScenarioError(f"{file}: not a mapping")
    return content


def _scripted(file: Path, entry: Any, scenario: Scenario) -> Iterable[ScriptedStory]:
    """The stories of one entry: one, or one for each tenant."""
    known = {"kind", "tenant", "begins", "lasts", "exporter"}
    with_defaults = {"tenant": None, "lasts": None, "exporter": None, **_checked(file, entry, known)}
    try:
        begins = moment(with_defaults["begins"], scenario.starts)
        ends = None if with_defaults["lasts"] is None else begins + seconds(with_defaults["lasts"])
    except (KeyError, ScenarioError) as error:
        raise ScenarioError(f"{file}: {entry}: {error}") from None
    for tenant in _tenants(with_defaults["tenant"], scenario.tenants):
        yield ScriptedStory(str(with_defaults["kind"]), tenant, begins, ends, with_defaults["exporter"])


def _tenants(value: Any, tenants: int) -> Iterable[int | None]:
    if value == "all":
        return range(tenants)
    return value if isinstance(value, list) else [value]


def _checked(file: Path, entry: Any, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(entry, dict) or "kind" not in entry:
        raise ScenarioError(f"{file}: a story needs a kind: {entry!r}")
    if entry.keys() - known:
        raise ScenarioError(f"{file}: {entry}: unknown: {', '.join(sorted(entry.keys() - known))}")
    return entry


class _Sower:
    """Scatters stories so that a tenant never has two at a time."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._rng = Random(f"{scenario.seed}/sown")  # noqa: S311 - repeatable numbers, no secrets
        self._taken: dict[int, list[tuple[float, float]]] = {number: [] for number in range(scenario.tenants)}
        for one in scenario.stories:
            if one.tenant in self._taken and one.ends is not None:
                self._taken[one.tenant].append((one.begins - _REST, one.ends + _REST))

    def sow(self, entries: list[tuple[Path, Any]]) -> None:
        """Place the longest stories first: they find no room later."""
        known = {"kind", "times", "lasts", "rest", "hour"}
        checked = [(file, _checked(file, entry, known)) for file, entry in entries]
        for file, entry in sorted(checked, key=lambda pair: -self._room(*pair)):
            for _ in range(int(entry.get("times", 1))):
                self._one(file, entry)

    def _room(self, file: Path, entry: Mapping[str, Any]) -> float:
        return self._span(file, entry)[1] + self._rest(entry)

    def _rest(self, entry: Mapping[str, Any]) -> float:
        return seconds(entry["rest"]) if "rest" in entry else _REST

    def _span(self, file: Path, entry: Mapping[str, Any]) -> tuple[float, float]:
        """The shortest and the longest that it lasts."""
        text = str(entry.get("lasts", "0s"))
        found = _RANGE.fullmatch(text)
        try:
            return (seconds(found[1]), seconds(found[2])) if found else (seconds(text), seconds(text))
        except ScenarioError as error:
            raise ScenarioError(f"{file}: {dict(entry)}: {error}") from None

    def _one(self, file: Path, entry: Mapping[str, Any]) -> None:
        rng, scenario = self._rng, self._scenario
        shortest, longest = self._span(file, entry)
        rest = self._rest(entry)
        for _ in range(_TRIES):
            tenant = rng.randrange(scenario.tenants)
            lasts = rng.uniform(shortest, longest) // _MINUTE * _MINUTE
            begins = (
                scenario.starts
                + rng.uniform(DAY / 2, scenario.ends - scenario.starts - lasts - DAY / 4) // _MINUTE * _MINUTE
            )
            if "hour" in entry:
                begins = begins // DAY * DAY + float(entry["hour"]) * 3600.0
            ends = begins + lasts
            if all(ends + rest <= other or begins >= until for other, until in self._taken[tenant]):
                self._taken[tenant].append((begins, ends + rest))
                scenario.stories.append(ScriptedStory(str(entry["kind"]), tenant, begins, ends if lasts else None))
                return
        raise ScenarioError(f"{file}: {dict(entry)}: there is no room for so many; have more tenants or days")
