"""Tests that a process killed at any moment of a write leaves the old file or the new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from exporter.history import History
from exporter.state_file import StateFile

URL, BEFORE, AFTER = "https://api.example", 1_788_220_800.0, 1_788_220_900.0
OLD = {"old": History()}
NEW = {f"new {number}": History() for number in range(3)}


def main(path: Path) -> None:
    """For each moment that is read from stdin, let a child write and die, and print how it ended.

    One process imports the exporter, and forks: a new interpreter for each moment would take most of the time.
    """
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write_and_die(path, int(line))
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def write_and_die(path: Path, moment: int) -> None:
    """Write the new histories; kill this process at a moment: the system call or the tenant of this number."""
    passed = 0

    def pass_moment() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        # `fsync` has no event of its own; the events before and after it do.
        if event in {"open", "os.remove", "os.rename"} and str(path.parent) in str(arguments[0]):
            pass_moment()

    def tenants() -> Iterator[tuple[str, History]]:
        for each in NEW.items():
            pass_moment()
            yield each

    sys.addaudithook(watch)
    StateFile(path).write(tenants(), URL, AFTER)


def test_whenever_the_process_is_killed_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path, seen = tmp_path / "state", []
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as forking:
        assert forking.stdin
        assert forking.stdout
        for moment in range(1, 20):
            StateFile(path).write(OLD.items(), URL, BEFORE)
            forking.stdin.write(f"{moment}\n")
            code = int(forking.stdout.readline())
            saved = StateFile(path).read(URL, AFTER)
            assert saved.set_aside is None
            assert saved.histories in (OLD, NEW)
            seen.append(saved.histories == NEW)
            if code == 0:
                break
            assert code == -signal.SIGKILL
    assert seen == sorted(seen)
    assert len(seen) > 7, "every moment was tried"
    assert (seen[0], seen[-1]) == (False, True)
    StateFile(path).write(OLD.items(), URL, AFTER)
    assert [each.name for each in tmp_path.iterdir()] == ["state"], "what a killed process leaves is removed"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
