"""What does one part of the web configuration file say, and what is wrong with it?

Nothing read from the file is repeated in a problem but the names of its settings: it holds hashes and keys.
"""

from __future__ import annotations

import re

import yaml

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class Section:
    """A mapping in the file. Each read notes in `problems` what it can't use; `close` notes what nobody read."""

    def __init__(self, name: str, value: object, problems: list[str]) -> None:
        self._name = name
        self._problems = problems
        self._asked: set[object] = set()
        self._values: dict[object, object] = {}
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            problems.append(f"{name or 'the file'}: must be a mapping")

    def __bool__(self) -> bool:
        """Say whether anything is set."""
        return bool(self._values)

    def problem(self, key: str, text: str) -> None:
        """Note what is wrong with a setting."""
        self._problems.append(f"{self._path(key)}: {text}")

    def section(self, key: str) -> Section:
        """Read a mapping; a missing one is empty."""
        return Section(self._path(key), self._get(key), self._problems)

    def text(self, key: str) -> str:
        """Read a string; a missing one is empty."""
        value = self._get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.problem(key, "must be a string")
        return ""

    def switch(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.problem(key, "must be true or false")
        return default

    def texts(self, key: str) -> list[str]:
        """Read a list of strings; a missing one is empty."""
        value = self._get(key)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.problem(key, "must be a list of strings")
        return []

    def entries(self) -> list[tuple[object, object]]:
        """Read everything as pairs, where the keys are the user's own."""
        self._asked.update(self._values)
        return list(self._values.items())

    def refuse(self, key: str, reason: str) -> None:
        """Note a setting of the toolkit that has no counterpart here, if it is set."""
        if self._get(key) is not None:
            self.problem(key, reason)

    def close(self) -> None:
        """Note every key that was not asked for."""
        for key in self._values.keys() - self._asked:
            plain = isinstance(key, str) and _PLAIN_NAME.fullmatch(key)
            shown = self._path(str(key)) if plain else f"{self._name or 'the file'}: a key that is no plain name"
            self._problems.append(f"{shown}: there is no such setting")

    def _get(self, key: str) -> object:
        self._asked.add(key)
        return self._values.get(key)

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


class StrictLoader(yaml.SafeLoader):
    """Reads YAML as `safe_load` does, and refuses a key that is there twice: the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a dict from a mapping node."""
        pairs = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(pairs) != len(set(map(str, pairs))):
            raise yaml.MarkedYAMLError(problem="a key is there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)
