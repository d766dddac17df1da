"""Reads text, secrets and YAML from files, strictly, and never repeats what is in them.

A file may be on a file system that does not respond. So a thread reads it, and the caller waits a few seconds at most.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import yaml

from exporter.threads import start_in_daemon_thread

# For each file. A healthy disk takes milliseconds.
READ_SECONDS = 5.0
# A read that takes longer may wait for what is gone, such as a disk that was replaced: another one is begun.
STUCK_SECONDS = 60.0
# A pipe does not wait for a writer, and is refused.
OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# A tenants file with 10,000 entries has 2 MiB.
MAX_BYTES = 16 * 2**20
# No file of the exporter nests deeper than 5. libyaml crashes the process at some 50,000.
MAX_NESTING = 100
# Keys of one mapping. Merge keys that merge merge keys could double them with each line.
MAX_KEYS = 10_000
# Keys, values, lists and mappings, with those that aliases repeat. A tenants file with 10,000 entries has 100,000.
MAX_NODES = 200_000
_UNCONSTRUCTED_TAGS = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
HIDDEN = "the file (its name is not shown, because it may be a secret in the wrong place)"
_NAMES_OF_FILES = (".conf", ".crt", ".json", ".key", ".pem", ".txt", ".yaml", ".yml")


class FileError(Exception):
    """A file can't be used. `str()` says which and why, and never what is in it."""

    def __init__(self, path: Path, reason: str, shown: str = "") -> None:
        """`shown` names the file if its path must not be shown."""
        super().__init__(f"can't read {shown or repr(str(path))}: {reason}")
        self.path = path
        self.reason = reason


class FileContentError(FileError):
    """What is in a file can't be used. So another path is not how to fix it; `fix` is."""

    def __init__(self, path: Path, reason: str, fix: str = "correct the file") -> None:
        super().__init__(path, reason)
        self.fix = fix


class FileTimeoutError(FileError):
    """A file could not be read in time; it may become readable."""


def is_path(path: Path, base: Path = Path()) -> bool:
    """Whether this leads to a file or a folder, or looks like it. If not, it may be a secret in the wrong place.

    `base` is the folder that a relative path begins at: that it exists says nothing of what was given as the path.
    This may block.
    """
    folder = path.parent
    try:
        known = folder not in (Path(), Path("/")) and (base / folder).is_dir()
    except (OSError, ValueError):  # too long, or no path at all
        return False
    return known or path.suffix in _NAMES_OF_FILES or os.path.lexists(base / path)


def shown_path(path: Path, base: Path = Path()) -> str:
    """The path, quoted; without it if it is none, as `is_path` says. This may block."""
    return repr(str(base / path)) if is_path(path, base) else HIDDEN


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most 16 MiB.

    Raises FileError; FileTimeoutError after 5 s. The thread still waits for the file then. Later calls wait for the
    same thread, and begin another one when the first has waited 1 minute, the next 2, 4, 8, …: 14 in a week.
    """
    with _lock:
        reading = _reading[path] = _current(path)
    try:
        return reading.content.result(READ_SECONDS)
    except TimeoutError:
        raise FileTimeoutError(path, f"it did not respond within {READ_SECONDS:g} s") from None
    finally:
        if reading.content.done():
            with _lock:
                if _reading.get(path) is reading:
                    del _reading[path]


class _Reading(NamedTuple):
    """A call that reads a file, since when, and after how long another one is begun, in seconds."""

    content: Future[bytes]
    since: float
    patience: float


# By path, the newest calls that are reading a file now.
_reading: dict[Path, _Reading] = {}
_lock = threading.Lock()


def _current(path: Path) -> _Reading:
    """The call that reads the file: a new one if there is none, or if it has waited too long."""
    before, patience = _reading.get(path), STUCK_SECONDS
    if before and not before.content.done():
        if monotonic() - before.since < before.patience:
            return before
        patience = 2 * before.patience
    return _Reading(_start_reading(path), monotonic(), patience)


def _start_reading(path: Path) -> Future[bytes]:
    try:
        return start_in_daemon_thread(_read, path)
    except RuntimeError:
        raise FileError(path, "the system has no thread left to read it") from None


def _read(path: Path) -> bytes:
    try:
        return _read_regular(path)
    except OSError as error:
        # Some network file systems give up by themselves.
        kind = FileTimeoutError if isinstance(error, TimeoutError) else FileError
        reason, shown = error.strerror or type(error).__name__, shown_path(path)
    except ValueError:
        kind, reason, shown = FileError, "it is not a path", "the file"
    raise kind(path, reason, shown)


def _read_regular(path: Path) -> bytes:
    descriptor = os.open(path, OPEN_FLAGS)
    try:
        if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_BYTES >> 20} MiB")
    return content


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises FileError."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeError:  # its own message would show what is in the file
        reason = "it is not UTF-8 text"
    raise FileContentError(path, reason)


def read_secret(path: Path) -> str:
    """The secret in a file, without the white space at its end.

    Raises FileError, also for a file that is empty or has more than one line.
    """
    secret = read_text(path).rstrip()
    if not secret:
        raise FileContentError(path, "it is empty", "write the secret into it")
    if not secret.isprintable():
        reason = "it has more than one line, or a control character"
        raise FileContentError(path, reason, "keep the secret alone in it")
    return secret


def read_yaml(path: Path) -> object:
    """The one document in a YAML file, None if the file is empty.

    Raises FileError with the line and column of the fault, also for a key that a mapping has twice.
    """
    text = read_text(path)
    place = ""
    try:
        _check_size(text)
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a safe loader, and stricter
    except yaml.MarkedYAMLError as error:
        if error.problem_mark:
            place = f" at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
        fault = str(error.problem) if isinstance(error, _StrictnessError) else "it is not valid YAML"
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, ValueError):
        fault = "it is not valid YAML"  # PyYAML raises all of these: for `!!bool x`, `!!timestamp x`, 2024-99-99, …
    raise FileContentError(path, f"{fault}{place}")


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
        if len(node.value) > MAX_KEYS:
            raise _StrictnessError(problem="it has too many keys", problem_mark=node.start_mark)
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


def _check_size(text: str) -> None:
    """Refuse what nests too deep, or has too much in it, also if only aliases repeat it."""
    depth = nodes = 0
    # The sizes of what has an anchor, and the anchors of what is open, with the number of nodes before it.
    sizes: dict[str | None, int] = {}
    opened: list[tuple[str | None, int]] = []
    event: Any
    for event in yaml.parse(text, _StrictLoader):
        if isinstance(event, yaml.NodeEvent):
            nodes += sizes.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            opened.append((event.anchor, nodes))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before + 1
        if depth > MAX_NESTING:
            raise _StrictnessError(problem="it nests too deep", problem_mark=event.start_mark)
        if nodes > MAX_NODES:
            raise _StrictnessError(problem="it has too many values", problem_mark=event.start_mark)
