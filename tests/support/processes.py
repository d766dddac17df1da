"""Starts processes, and serves the simulated API to them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

import pytest

from exporter.simulator import Simulator, serve

T = TypeVar("T")


@contextmanager
def served(simulator: Simulator) -> Iterator[str]:
    """Serve the simulator over HTTP from a thread with its own loop; yields the base URL."""
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    stop = asyncio.Event()
    urls: list[str] = []

    async def serve_until_stopped() -> None:
        async with serve(simulator) as base_url:
            urls.append(base_url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve_until_stopped(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def environment(simulator: Simulator, base_url: str, **more: str) -> dict[str, str]:
    """The environment in which a process polls the simulator with account credentials."""
    return {"KIMONO_API_URL": base_url, "KIMONO_API_KEY": simulator.api_key, "KIMONO_API_RATE_LIMIT": "2000", **more}


def measured() -> dict[str, str]:
    """The variables with which coverage measures processes that have their own environment."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


class Process:
    """A process and its output so far."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path, *, stdin: int = subprocess.DEVNULL
    ) -> None:
        self._files: list[IO[bytes]] = [(folder / name).open("wb") for name in ("out", "err")]
        self._folder = folder
        self.popen = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=self._files[0],
            stderr=self._files[1],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **measured(), **environ},
        )

    @property
    def output(self) -> str:
        return (self._folder / "out").read_text()

    @property
    def errors(self) -> str:
        return (self._folder / "err").read_text()

    def send(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, seconds: float) -> int:
        return self.popen.wait(seconds)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(10)
        for file in self._files:
            file.close()


@contextmanager
def running(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, *, stdin: int = subprocess.DEVNULL
) -> Iterator[Process]:
    """Run a process until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    process = Process(command, environ, folder, stdin=stdin)
    try:
        yield process
    finally:
        process.close()


def kimono(*arguments: str) -> list[str]:
    """The command line of the exporter."""
    return [sys.executable, "-m", "exporter", *arguments]


def eventually(ask: Callable[[], T], seconds: float = 40) -> T:
    """Wait until `ask` returns something true, and return it. Needs real time, because it waits for other processes."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def free_port() -> int:
    """A free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, accept: str = "*/*") -> str:
    """The body of a page. Raises OSError without a successful reply."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        return str(reply.read().decode())


def answers(url: str) -> bool:
    """Whether a page replies with success."""
    try:
        get(url)
    except OSError:
        return False
    return True


def needed(program: str) -> str:
    """The path of a program that a test needs. Without it the test is skipped, but fails in CI."""
    path = shutil.which(program)
    if path:
        return path
    reason = f"{program} is not installed; on Debian, .ci/run installs all that the tests need"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
