"""Reads the Dockerfile, and finds which files `.dockerignore` leaves to an image."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, and what follows, with continued lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The text as words of a shell; those of a JSON list as they are."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


def instructions(dockerfile: str) -> Iterator[Instruction]:
    """The instructions in their order. Comments are dropped."""
    lines = re.sub(r"(?m)^#.*\n", "", dockerfile)
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        name, _, text = line.strip().partition(" ")
        if name:
            yield Instruction(name.upper(), " ".join(text.split()))


def image_context(root: Path, ignore: str) -> list[Path]:
    """The files below `root` that an engine would see: those that no pattern excludes, relative to it.

    As in Docker's reference: the last pattern that matches the file, or a folder above it, decides.
    """
    patterns = [(not line.startswith("!"), _regex(line.lstrip("!"))) for line in ignore.splitlines() if _says(line)]
    return [path for path in _files(root) if not _excluded(path.as_posix(), patterns)]


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _excluded(path: str, patterns: list[tuple[bool, re.Pattern[str]]]) -> bool:
    return next((excludes for excludes, pattern in reversed(patterns) if pattern.fullmatch(path)), False)


def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip().strip("/"))
    known = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(known.get(part) or re.escape(part) for part in parts) + r"(?:/.*)?")


def _files(root: Path, below: Path = Path()) -> Iterator[Path]:
    """Files and symbolic links. Folders of tools are passed over: they are large, and no image has them."""
    for path in sorted((root / below).iterdir()):
        name = below / path.name
        if path.is_dir() and not path.is_symlink():
            if path.name not in (".git", ".venv", ".hypothesis", ".mypy_cache"):
                yield from _files(root, name)
        else:
            yield name
