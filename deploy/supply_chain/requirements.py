"""Reads the pinned requirements, and what the installed packages say of themselves."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import metadata, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "requirements.txt"
# The name of a package on its line, and in what another one requires.
_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Packages that name their licence in words, by those words.
_EXPRESSIONS = {
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
}


@dataclass(frozen=True, slots=True)
class Pinned:
    """A package of a requirements file. `hashes` are the SHA-256 of the files that pip accepts, in hexadecimal."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pinned(path: Path = RUNTIME) -> list[Pinned]:
    """The packages of a requirements file with hashes, in its order."""
    text = path.read_text(encoding="utf-8")
    hashes = re.compile(r"--hash=sha256:([0-9a-f]{64})")
    return [Pinned(each["name"], each["version"], tuple(hashes.findall(each["rest"]))) for each in _PIN.finditer(text)]


def licence(name: str) -> str:
    """The licence of an installed package as an SPDX expression; raises LookupError if it does not say it clearly."""
    given = metadata(name)
    if "License-Expression" in given:
        return given["License-Expression"]
    words = [given["License"].strip()] if "License" in given else []
    words += [each for each in given.get_all("Classifier") or [] if each.startswith("License :: ")]
    plain = next((each for each in words if re.fullmatch(r"[A-Za-z]+-[0-9.]+(-Clause)?|MIT", each)), "")
    known = plain or next((_EXPRESSIONS[each] for each in words if each in _EXPRESSIONS), "")
    if not known:
        raise LookupError(f"{name} does not say its licence in words that are known here: {words}")
    return known


def needed_by(name: str, among: Collection[str]) -> list[str]:
    """The packages that an installed package requires, of those `among` which are pinned, in alphabetical order."""
    found = (_NAME.match(each) for each in requires(name) or [] if "extra ==" not in each)
    return sorted({normal(each[0]) for each in found if each} & set(among))


def direct() -> list[str]:
    """The packages that the exporter itself requires, in alphabetical order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (_NAME.match(each) for each in project["dependencies"])
    return sorted(normal(each[0]) for each in found if each)


def normal(name: str) -> str:
    """A package's name as requirements files spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()
