"""Reads text, secrets and YAML from files, strictly, and never repeats what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# No file of the exporter nests deeper than 5. libyaml crashes the process at some 50,000.
MAX_NESTING = 100
# Keys of one mapping. Merge keys that merge merge keys could double them with each line.
MAX_KEYS = 10_000
_UNCONSTRUCTED_TAGS = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")


class FileError(Exception):
    """A file can't be used. `str()` says which and why, and never what is in it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"can't read {str(path)!r}: {reason}")
        self.path = path
        self.reason = reason


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises FileError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeError:  # its own message would show what is in the file
        reason = "it is not UTF-8 text"
    except ValueError:
        reason = "it is not a path"
    raise FileError(path, reason)


def read_secret(path: Path) -> str:
    """The secret in a file, without the white space at its end.

    Raises FileError, also for a file that is empty or has more than one line.
    """
    secret = read_text(path).rstrip()
    if not secret:
        raise FileError(path, "it is empty")
    if not secret.isprintable():
        raise FileError(path, "it has more than one line, or a control character")
    return secret


def read_yaml(path: Path) -> object:
    """The one document in a YAML file, None if the file is empty.

    Raises FileError with the line and column of the fault, also for a key that a mapping has twice.
    """
    text = read_text(path)
    place = ""
    try:
        _check_nesting(text)
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a safe loader, and stricter
    except yaml.MarkedYAMLError as error:
        if error.problem_mark:
            place = f" at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
        fault = str(error.problem) if isinstance(error, _StrictnessError) else "it is not valid YAML"
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, ValueError):
        fault = "it is not valid YAML"  # PyYAML raises all of these: for `!!bool x`, `!!timestamp x`, 2024-99-99, …
    raise FileError(path, f"{fault}{place}")


class _StrictnessError(yaml.MarkedYAMLError):
    """Valid YAML that the exporter refuses; `problem` quotes nothing."""


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is not everywhere
    """Refuses a key that a mapping has twice, because one of the two values would be lost silently."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._checked: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Check the keys as written, then replace `<<` by what it merges, which the written keys override."""
        if node in self._checked:
            return
        self._checked.add(node)
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):  # no other key is hashable, and PyYAML refuses those
                name = key.value if key.tag in _UNCONSTRUCTED_TAGS else self.construct_object(key, deep=True)
                if name in seen:
                    raise _StrictnessError(problem="a duplicate key", problem_mark=key.start_mark)
                seen.add(name)
        super().flatten_mapping(node)
        if len(node.value) > MAX_KEYS:
            raise _StrictnessError(problem="it merges too many keys", problem_mark=node.start_mark)


def _check_nesting(text: str) -> None:
    depth = 0
    event: Any
    for event in yaml.parse(text, _StrictLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            raise _StrictnessError(problem="it nests too deep", problem_mark=event.start_mark)
