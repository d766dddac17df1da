"""Reads one mapping of the web configuration file, and collects what is wrong with it.

The file holds hashes and keys, so a problem quotes nothing from it but the names of settings.
"""

from __future__ import annotations

import re
from typing import TypeVar

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
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

    def entries(self) -> list[tuple[object, object]]:
        """Return all pairs of a mapping whose keys are the user's own."""
        self._read.update(self._values)
        return list(self._values.items())

    def reject(self, key: str, reason: str) -> None:
        """Add a problem if a setting of the toolkit is set that the exporter does not support."""
        if self._get(key) is not None:
            self.problem(key, reason)

    def reject_unknown(self) -> None:
        """Add a problem for every key that was not read."""
        for key in self._values.keys() - self._read:
            plain = isinstance(key, str) and _PLAIN_NAME.fullmatch(key)
            shown = self._path(str(key)) if plain else f"{self._name or 'the file'}: a key that is not a plain name"
            self._problems.append(f"{shown}: unknown setting")

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
