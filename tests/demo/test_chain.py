"""Tests the whole chain of the demo with the real Prometheus and Alertmanager, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import Process, eventually, get, kimono, needed, running

DEMO = ("demo", "--web.listen_address", "127.0.0.1:0")


@pytest.fixture
def _programs() -> None:
    needed("prometheus")
    needed("prometheus-alertmanager")


def address(process: Process, name: str) -> str:
    """The URL that the demo prints for a program once that is ready."""
    found = eventually(lambda: re.search(rf"^{name}: (http://127\.0\.0\.1:\d+)/", process.output, re.MULTILINE), 90)
    return str(found[1])


def asked(url: str) -> Any:
    return json.loads(get(url))


def descendants(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.popen.pid).children(recursive=True)


def left(started: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.usefixtures("_programs")
def test_rules_are_loaded_the_exporter_is_scraped_and_notifications_arrive(tmp_path: Path) -> None:
    with running(kimono(*DEMO), {}, tmp_path / "demo") as process:
        prometheus, alertmanager = address(process, "Prometheus"), address(process, "Alertmanager")
        exporter = eventually(lambda: re.search(r"http://(\S+)/metrics", process.output))[1]
        (target,) = eventually(lambda: asked(f"{prometheus}/api/v1/targets")["data"]["activeTargets"])
        assert target["labels"] == {"instance": exporter, "job": "kimono"}
        eventually(lambda: asked(f"{prometheus}/api/v1/targets")["data"]["activeTargets"][0]["health"] == "up")
        groups = asked(f"{prometheus}/api/v1/rules")["data"]["groups"]
        assert {group["name"]: group["interval"] for group in groups} == {"kimono-exporter": 5, "kimono-tenants": 5}
        (one,) = eventually(lambda: asked(f"{prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
        assert one["url"].startswith(alertmanager)

        eventually(lambda: "To on-call: KimonoIngestionStalled (critical) fires for " in process.output, 120)
        rules = [rule for group in asked(f"{prometheus}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}
        alerts = asked(f"{alertmanager}/api/v2/alerts")
        runbook = next(each["annotations"]["runbook_url"] for each in alerts)
        assert get(runbook).startswith("# Kimono")

        started = descendants(process)
        folder = Path(started[0].cwd())
        assert {path.name for path in folder.iterdir()} >= {"prometheus.log", "alertmanager.log", "prometheus"}
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == ""
        assert left(started) == []
        assert not folder.exists()


@pytest.mark.usefixtures("_programs")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_the_demo_ends(number: signal.Signals, tmp_path: Path) -> None:
    with running(kimono(*DEMO, "--tenants", "2"), {}, tmp_path / "demo") as process:
        address(process, "Prometheus")
        started = descendants(process)
        assert {each.name() for each in started} == {"prometheus", "prometheus-alertmanager"}
        folder = Path(started[0].cwd())
        process.send(number)
        assert process.wait(5) == (0 if number == signal.SIGINT else -number)
        eventually(lambda: not left(started), 5)
        shutil.rmtree(folder, ignore_errors=True)  # a killed demo can't remove it


BROKEN = """
import asyncio, os, sys
from exporter.demo import command
from exporter.cli import main
serve = command.serve
async def broken(*arguments, **named):
    serving = asyncio.create_task(serve(*arguments, **named))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    raise RuntimeError("S3CR3T")
command.serve = broken
sys.exit(main(sys.argv[1:], os.environ))
"""


@pytest.mark.usefixtures("_programs")
def test_nothing_is_left_if_the_demo_fails(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-c", BROKEN, *DEMO, "--tenants", "2"]
    with running(command, {"PYTHONPATH": str(Path.cwd())}, tmp_path / "demo", stdin=reading) as process:
        os.close(reading)
        address(process, "Prometheus")
        started = descendants(process)
        assert len(started) == 2
        os.close(writing)
        assert process.wait(10) == 1
        assert process.errors == "kimono-exporter: internal error: RuntimeError at <string>:9 (please report it)\n"
        assert left(started) == []
