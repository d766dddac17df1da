"""Tests that closing the terminal of the demo stops it, with all that it started."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.demo.fakes import SERVING, program
from tests.support.processes import eventually, free_port, get, measured, running

# Nohup, under which the tests may run, ignores SIGHUP.
IN_TERMINAL = """
import fcntl, signal, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from exporter.__main__ import main
main()
"""
WITH_NOHUP = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from exporter.polling.poller import Poller
run = Poller.run
async def hung_up(self):
    os.kill(os.getpid(), signal.SIGHUP)
    await run(self)
Poller.run = hung_up
from exporter.__main__ import main
main()
"""
DEMO = ("demo", "--web.listen_address", "127.0.0.1:0", "--tenants", "10")


@contextmanager
def terminal(command: list[str], environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a process in a terminal of its own; yields it with the terminal's other end, which the block must close."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env={**measured(), **environ}, start_new_session=True
    )
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("more", [(), ("--story", "none", "--drills-port", str(free_port()))], ids=["demo", "drills"])
def test_a_terminal_that_is_closed_stops_the_demo_and_nothing_is_left(more: tuple[str, ...], tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", SERVING)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environ = {"PATH": str(tmp_path / "bin"), "TMPDIR": str(temporary), "PYTHONPATH": str(Path.cwd())}
    shown = b""
    with terminal([sys.executable, "-c", IN_TERMINAL, *DEMO, *more], environ) as (process, master):

        def ready() -> bool:
            nonlocal shown
            while select.select([master], [], [], 0)[0]:
                shown += os.read(master, 4096)
            return re.search(rb"Prometheus: http", shown) is not None

        eventually(ready)
        started = psutil.Process(process.pid).children(recursive=True)
        assert started
        assert list(temporary.iterdir())
        os.close(master)
        assert process.wait(5) == 0
    assert not [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert list(temporary.iterdir()) == []


def test_the_demo_outlives_its_terminal_with_nohup(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITH_NOHUP, *DEMO, "--exporter-only"]
    with running(command, {"PYTHONPATH": str(Path.cwd())}, tmp_path / "demo") as process:
        page = eventually(lambda: re.search(r"Status page: (\S+)/ ", process.output))[1]
        eventually(lambda: "kimono_tenants 10.0" in get(f"{page}/metrics"))
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == ""
