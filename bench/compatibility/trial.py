"""Runs one trial: a program, what was done with it, and whether it went well."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.compatibility import FAILED, PASSED

ROOT = Path(__file__).resolve().parents[2]
# A trial may build what it tests, on a machine with other work.
_SECONDS = 3600


class NotInstalledError(RuntimeError):
    """A program is missing and could not be installed; the text says why."""


@dataclass(frozen=True)
class Trial:
    """A row of the table: the program, its version, what was done, and the result."""

    program: str
    version: str
    how: str
    result: str


def trial(program: str, version: str, how: str, command: Sequence[str | Path], more: Mapping[str, str] = {}) -> Trial:
    """The result of a command in the folder of the repository, by its exit code. `more` are environment variables."""
    done = run(command, ROOT, more)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
    return Trial(program, version, how, FAILED if done.returncode else PASSED)


def run(command: Sequence[str | Path], folder: Path, more: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """The finished command with its output. Raises NotInstalledError if there is no such program."""
    try:
        return subprocess.run(
            [*map(str, command)],
            cwd=folder,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise NotInstalledError(f"{command[0]} is not installed") from None


def running_tests(*names: str, python: str | Path = sys.executable) -> list[str | Path]:
    """The command that runs tests."""
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *names]
