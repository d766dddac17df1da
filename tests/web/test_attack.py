"""Tests a real exporter with few file descriptors while bad clients keep it busy, in real time."""

from __future__ import annotations

import base64
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from tests.support.processes import Process, environment, eventually, kimono, running, served
from tests.web.serving import HASHED, PASSWORD

DESCRIPTORS = 256
CONNECTIONS = 300
# Prometheus' default timeout.
SECONDS = 10.0
CREDENTIALS = "Basic " + base64.b64encode(f"prometheus:{PASSWORD}".encode()).decode()
SLOW_READER = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {CREDENTIALS}\r\n\r\n".encode()


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """An exporter with basic auth, and its port."""
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{prometheus: {HASHED}}}")
    listen = ["--web.listen-address", "127.0.0.1:0", "--web.config.file", str(tmp_path / "web.yml")]
    limited = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *kimono("run", *listen)]
    hub = Simulator(tenants=300)
    with (
        served(hub) as url,
        running(limited, environment(hub, url, KIMONO_API_RATE_LIMIT="200"), tmp_path / "exporter") as process,
    ):
        found = eventually(lambda: re.search(r"127\.0\.0\.1:(\d+)/metrics", process.output + process.errors))
        yield process, int(found[1])


def scrape(port: int) -> float:
    begun = time.monotonic()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": CREDENTIALS})
    with urllib.request.urlopen(request, timeout=SECONDS) as reply:  # noqa: S310 - loopback
        assert reply.read().endswith(b"\n")
    return time.monotonic() - begun


def wrong_password(number: int) -> bytes:
    credentials = base64.b64encode(f"prometheus:wrong {number}".encode()).decode()
    return f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {credentials}\r\n\r\n".encode()


def test_scrapes_are_answered_and_sigterm_ends_it_while_bad_clients_hold_all_connections(
    exporter: tuple[Process, int],
) -> None:
    process, port = exporter
    assert scrape(port) < SECONDS
    with ExitStack() as stack:
        for sent in (b"", b"GET /metr", SLOW_READER, None):
            for number in range(CONNECTIONS):
                bad = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SECONDS))
                bad.sendall(wrong_password(number) if sent is None else sent)
            assert scrape(port) < SECONDS
            process.send(signal.SIGHUP)
            assert scrape(port) < SECONDS
        begun = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert time.monotonic() - begun < 5
    assert "please report" not in process.errors
    assert "Traceback" not in process.errors
    assert len(process.errors.splitlines()) < 50, process.errors
