"""Starts, asks and stops the measured processes.

A process is stopped by its own id when the block that started it ends, also after an error.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

BENCH = Path(__file__).parent
ENVIRON = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
ANSWER_SECONDS = 1_800.0
END_SECONDS = 10.0
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

# One process without a log; compression as in the exporter. If there is a compressed file beside the page, it is sent.
NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; default_type text/plain; gzip_static on; gzip on;
  gzip_comp_level 1; gzip_types text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


class Child:
    """A Python process that takes commands and answers in JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.greeting = self._answer()

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and return the answer."""
        assert self._process.stdin is not None  # noqa: S101 - started with a pipe
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def resident(self) -> int:
        """Return the resident memory of the process in bytes."""
        size: int = psutil.Process(self._process.pid).memory_info().rss
        return size

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - started with a pipe
        if not select.select([self._process.stdout], [], [], ANSWER_SECONDS)[0]:
            raise TimeoutError(f"no answer within {ANSWER_SECONDS:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a measured process ended early; see its error above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def child(script: str, *arguments: str) -> Iterator[Child]:
    """Run a script of this folder as a process."""
    with subprocess.Popen(
        [sys.executable, str(BENCH / script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    ) as process:
        try:
            yield Child(process)
        finally:
            process.stdin.close()
            _end(process)


@contextmanager
def nginx(page: Path) -> Iterator[str | None]:
    """Serve a file with nginx, and yield its URL; None if nginx is not installed."""
    if NGINX is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX_CONFIG.format(folder=folder, port=port, root=page.parent), "utf-8")
        with subprocess.Popen([NGINX, "-c", str(config), "-p", folder], stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield f"http://127.0.0.1:{port}/{page.name}"
            finally:
                process.terminate()
                _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    """Wait until the process has ended; kill it after 10 s."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("nginx does not listen after 4 s")
