"""Runs tests on copies of the project, with and without a mutant."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant, MutantError

# Seconds after which a run of tests is stopped. Most take less than 10.
TIME_LIMIT = 120.0
_PYTEST = ("-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=line")
# A line with a test's node id. A file alone means that its tests can't be collected.
_RED = re.compile(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", re.MULTILINE)
_GREEN_CODE, _RED_CODE = 0, 1
_LINES_SHOWN = 15


@dataclass(frozen=True)
class Outcome:
    """The result of one run of tests: the first test that failed, empty if all passed, and the seconds it took."""

    failed: str
    seconds: float


class Copy:
    """A copy of the project in a folder of its own, with mutants applied one at a time."""

    def __init__(self, folder: Path, project: Path = ROOT) -> None:
        """Copy the project's tracked files into the folder, as they are in the working tree."""
        self._folder = folder
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, check=True)
        for name in listed.stdout.decode().split("\0"):
            if name and (project / name).exists():  # a file that was deleted is listed until the next commit
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(project / name, folder / name, follow_symlinks=False)

    def test(self, tests: Sequence[str], mutant: Mutant | None = None) -> Outcome:
        """Run these tests on the copy, with a mutant that is undone afterwards. Raises MutantError without a result."""
        if mutant is None:
            return self._test(tests)
        path = self._folder / mutant.file
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant.mutate(original), encoding="utf-8")
        try:
            self._regenerate(mutant)
            return self._test(tests)
        finally:
            path.write_text(original, encoding="utf-8")
            self._regenerate(mutant)

    def _test(self, tests: Sequence[str]) -> Outcome:
        begun = time.monotonic()
        code, output = self._python(*_PYTEST, *tests)
        seconds = time.monotonic() - begun
        if code == _GREEN_CODE:
            return Outcome("", seconds)
        failed = _RED.search(output)
        if code == _RED_CODE and failed:
            return Outcome(failed[1], seconds)
        raise MutantError(f"pytest ended with {code}:\n" + _end(output))

    def _regenerate(self, mutant: Mutant) -> None:
        if mutant.regenerate:
            code, output = self._python(*mutant.regenerate)
            if code:
                raise MutantError(f"python {' '.join(mutant.regenerate)} ended with {code}:\n" + _end(output))

    def _python(self, *arguments: str) -> tuple[int, str]:
        """Run Python on the copy. Gives the exit code, and everything that it printed."""
        # Without bytecode: a cached file counts as valid for a source of the same size and second.
        environ = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                raise MutantError(f"no result after {TIME_LIMIT:g} s") from None
            finally:
                if process.poll() is None:  # with all that the tests have started
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, output


def _end(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-_LINES_SHOWN:])
