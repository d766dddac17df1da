"""Runs one trial: a program, what was done with it, and whether it went well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.compatibility import FAILED, NOT_TRIED, PASSED

ROOT = Path(__file__).resolve().parents[2]
# A trial may build what it tests, on a machine with other work.
_SECONDS = 3600
# The last lines of pytest's output: each failed test with its reason, and the sum.
_FAILED = re.compile(r"^(?:FAILED|ERROR) .*", re.MULTILINE)
_MISSING = re.compile(r" - Failed: (\S+ is not installed|there is no [\w. ]+)")
_ALL_SKIPPED = re.compile(r"^\d+ skipped in ", re.MULTILINE)


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
    """The result of a command in the folder of the repository, by its exit code. `more` are environment variables.

    Tests whose programs are missing were not tried.
    """
    done = run(command, ROOT, {"CI": "1", **more})  # without CI, a test whose program is missing is only skipped
    if reason := _not_tried(done.stdout):
        return Trial(program, version, f"{how}: {reason}", NOT_TRIED)
    if done.returncode:
        sys.stderr.write(f"{done.stdout[-4000:]} {done.stderr[-4000:]}\n")
    return Trial(program, version, how, FAILED if done.returncode else PASSED)


def _not_tried(output: str) -> str:
    """Why tests could not run, from the output of pytest; empty if they ran."""
    if _ALL_SKIPPED.search(output):
        return "all tests were skipped"
    failed = _FAILED.findall(output)
    missing = [_MISSING.search(each) for each in failed]
    return missing[0][1] if missing and missing[0] and all(missing) else ""


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
