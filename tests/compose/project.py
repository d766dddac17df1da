"""Reads compose.yaml as Docker Compose does: with the values of variables, and with paths from its folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
# The forms of https://docs.docker.com/reference/compose-file/interpolation/ that the file uses.
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine, and where a container sees it."""

    source: Path
    target: str
    read_only: bool


def variables() -> dict[str, str]:
    """The variables of the file, and their defaults."""
    text = FILE.read_text(encoding="utf-8")
    found = {each["name"]: each["default"] for each in _VARIABLE.finditer(text)}
    assert len(re.findall(r"\$", text)) == len(_VARIABLE.findall(text)), "a form that is not read here"
    return found


def project(given: Mapping[str, str] = {}) -> Any:
    """The file with these variables, and the defaults of others."""

    def value(match: re.Match[str]) -> str:
        return given.get(match["name"]) or match["default"]

    return yaml.safe_load(_VARIABLE.sub(value, FILE.read_text(encoding="utf-8")))


def command(service: Mapping[str, Any]) -> list[str]:
    """The arguments of the service's command: a string is split as a shell does."""
    given = service["command"]
    return shlex.split(given) if isinstance(given, str) else given


def mounts(service: Mapping[str, Any]) -> list[Mount]:
    """The files and folders that the service mounts, without named volumes."""
    found = []
    for volume in service["volumes"]:
        source, target, *mode = volume.split(":")
        if source.startswith((".", "/")):
            found.append(Mount(ROOT / source, target, mode == ["ro"]))
    return found
