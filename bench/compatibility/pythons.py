"""Runs the quick tests of the core with each Python that the exporter supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.compatibility.programs import installed, python_packages
from tests.support.compatibility import NOT_TRIED
from tests.support.trial import ROOT, NotInstalledError, Trial, run, running_tests, trial

VERSIONS = ("3.11", "3.12", "3.13")
_CORE = ("api", "collectors", "history", "polling", "settings", "state", "web")
_PYENV = Path.home() / ".pyenv" / "versions"


def pythons() -> Iterator[Trial]:
    """With each version: packages by their hashes, then tests."""
    names = [f"tests/{name}" for name in _CORE]
    how = f"the quick tests of {', '.join(_CORE[:-1])} and {_CORE[-1]}, with the pinned packages"
    for version in VERSIONS:
        try:
            python = _found(version)
            files = [each for name in ("", "-dev") for each in ("-r", f"requirements{name}.txt")]
            made = python_packages(python, f"python-{version}", "--no-deps", "--require-hashes", *files)
        except NotInstalledError as error:
            yield Trial("Python", version, f"{how}: {error}", NOT_TRIED)
            continue
        exact = run([made, "--version"], ROOT).stdout.split()[-1]
        yield trial(
            "Python", exact, how, running_tests(*names, "-m", "not slow", python=made), {"PYTHONPATH": str(ROOT)}
        )


def _found(version: str) -> Path:
    """A Python on the path, or of pyenv."""
    try:
        return installed(f"python{version}")
    except NotInstalledError:
        of_pyenv = sorted(_PYENV.glob(f"{version}.*/bin/python"))
        if not of_pyenv:
            raise
        return of_pyenv[-1]
