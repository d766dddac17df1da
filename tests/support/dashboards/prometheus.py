"""Starts a real Prometheus on a filled database, and asks it as Grafana does."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HOST = "127.0.0.1"
READY_SECONDS, END_SECONDS, ANSWER_SECONDS = 120.0, 30.0, 60.0
ALL_SAMPLES = "10y"  # the default of two weeks would delete older data


class NoPrometheusError(RuntimeError):
    """Prometheus is not installed or does not start; the text says why, and how to fix it."""


class RefusedError(RuntimeError):
    """Prometheus did not answer a query; the text is its own."""


class Prometheus:
    """A running Prometheus. `end` is the last moment of its database in Unix seconds."""

    def __init__(self, port: int, end: float) -> None:
        self.port = port
        self.end = end

    def ready(self) -> bool:
        """Whether it takes queries."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def instant(self, expr: str, at: float) -> list[Any]:
        """The series of an instant query."""
        return self._result("/api/v1/query", {"query": expr, "time": at})

    def range(self, expr: str, since: float, until: float, step: float) -> list[Any]:
        """The series of a range query."""
        return self._result("/api/v1/query_range", {"query": expr, "start": since, "end": until, "step": step})

    def series(self, selector: str, since: float, until: float) -> list[Any]:
        """The labels of the series of a selector."""
        found: list[Any] = self._ask("/api/v1/series", {"match[]": selector, "start": since, "end": until})
        return found

    def _result(self, path: str, form: Mapping[str, object]) -> list[Any]:
        data = self._ask(path, form)
        found: list[Any] = data["result"]
        return [{"metric": {}, "value": found}] if data["resultType"] == "scalar" else found

    def _ask(self, path: str, form: Mapping[str, object]) -> Any:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, urlencode(form), headers)
            answer = json.loads(connection.getresponse().read())
        except OSError as error:
            raise RefusedError(f"no answer within {ANSWER_SECONDS:g} s: {error}") from None
        finally:
            connection.close()
        if answer["status"] != "success":
            raise RefusedError(answer["error"])
        return answer["data"]


@contextmanager
def started(data: Path) -> Iterator[Prometheus]:
    """A Prometheus on this database, which scrapes nothing; ended with the block."""
    program = shutil.which("prometheus")
    if program is None:
        raise NoPrometheusError("there is no Prometheus to ask. How to fix: apt-get install prometheus")
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder, (Path(folder) / "log").open("w+") as log:
        config = Path(folder) / "prometheus.yml"
        config.touch()
        port = _free_port()
        command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            f"--storage.tsdb.retention.time={ALL_SAMPLES}",
            f"--web.listen-address={HOST}:{port}",
        ]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                one = Prometheus(port, _end(data))
                _wait_for(one, process, log.name)
                yield one
            finally:
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def _wait_for(one: Prometheus, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not one.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoPrometheusError(f"Prometheus does not start:\n{Path(log).read_text()}")
        time.sleep(0.1)  # Prometheus is another process, so real time has to pass


def _end(data: Path) -> float:
    """The last moment of the newest block. NoPrometheusError if there is none."""
    ends = [json.loads(meta.read_text())["maxTime"] for meta in data.glob("*/meta.json")]
    if not ends:
        raise NoPrometheusError(f"there is no database in {data}")
    return float(max(ends) // 1000)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
