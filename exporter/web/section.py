"""Reads one mapping of the web configuration file, and collects what is wrong with it.

The file holds hashes and keys, so a problem quotes nothing from it but the names of settings.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TypeVar

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# At most 12 digits each: more would be no duration that anyone means, and the sum could be infinite.
_DURATION_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|m|us|µs|ns|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern}){{1,7}}", re.ASCII)
_T = TypeVar("_T")


class ConfigSection:
    """A mapping in the file. Every read adds its problem to `problems`; `reject_unknown` adds the keys not read."""

    def __init__(self, name: str, value: object, problems: list[str]) -> None:
        self._name = name
        self._problems = problems
        self._read: set[object] = set()
        self._values: dict[object, object] = {}
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            problems.append(f"{name or 'the file'}: must be a mapping")

    def __bool__(self) -> bool:
        """Whether any key is set."""
        return bool(self._values)

    def problem(self, key: str, text: str) -> None:
        """Add a problem with a setting."""
        self._problems.append(f"{self._path(key)}: {text}")

    def fault(self, text: str) -> None:
        """Add a problem with the mapping as a whole."""
        self._problems.append(f"{self._name}: {text}")

    def section(self, key: str) -> ConfigSection:
        """Return a mapping; a missing one is empty."""
        return ConfigSection(self._path(key), self._get(key), self._problems)

    def text(self, key: str) -> str:
        """Return a string; a missing one is empty."""
        return self._typed(key, str, "a string") or ""

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._typed(key, bool, "true or false")
        return default if value is None else value

    def texts(self, key: str) -> list[str]:
        """Return a list of strings; a missing one is empty."""
        values = self._typed(key, list, "a list of strings") or []
        if all(isinstance(value, str) for value in values):
            return values
        self.problem(key, "must be a list of strings")
        return []

    def whole_number(self, key: str) -> int:
        """Return a whole number from 0 on; a missing one is 0."""
        value = self._get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value or 0
        self.problem(key, "must be a whole number, at least 0")
        return 0

    def seconds(self, key: str) -> float:
        """Return a duration as Go writes it, such as `1m30s` or `500ms`, in seconds; a missing one is 0."""
        value = self._get(key)
        if value is None or (value == 0 and not isinstance(value, bool)):
            return 0.0
        if isinstance(value, str) and _DURATION.fullmatch(value):
            return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(value))
        self.problem(key, "must be a duration such as 1s, 500ms or 1m30s, or 0")
        return 0.0

    def entries(self) -> list[tuple[object, object]]:
        """Return all pairs of a mapping whose keys are the user's own."""
        self._read.update(self._values)
        return list(self._values.items())

    def reject_unknown(self) -> None:
        """Add a problem for every key that was not read."""
        for number, key in enumerate(self._values, start=1):
            if key not in self._read:
                self._problems.append(self._unknown(key, number))

    def _unknown(self, key: object, number: int) -> str:
        """Only a misspelt name is shown. Any other key may be a secret: with a space missing, `key:SECRET` is one."""
        plain = isinstance(key, str) and _PLAIN_NAME.fullmatch(key)
        near = get_close_matches(str(key), map(str, self._read), n=1) if plain else []
        if not near:
            return f"{self._name or 'the file'}: key {number} in it is not the name of a setting"
        return f"{self._path(str(key))}: unknown setting; did you mean {near[0]}?"

    def _get(self, key: str) -> object:
        self._read.add(key)
        return self._values.get(key)

    def _typed(self, key: str, kind: type[_T], description: str) -> _T | None:
        value = self._get(key)
        if value is None or isinstance(value, kind):
            return value
        self.problem(key, f"must be {description}")
        return None

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key
