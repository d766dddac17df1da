"""Tests that the commands of the tutorial do what it says, with the real Prometheus and Alertmanager."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Process, answers, eventually, get, kimono, needed, running

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"```(sh|text)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [text.strip() for kind, text in BLOCKS if kind == "sh"]
OUTPUTS = [text for kind, text in BLOCKS if kind == "text"]
APT, MAKE, BEGIN, CURL, END = COMMANDS
START, BEGUN, FIRES, METRIC, ENDED, RESOLVED = OUTPUTS


def normal(text: str) -> list[str]:
    """The lines without what differs from run to run: times, ports, ids and secrets."""
    for pattern, word in (
        (r"\d\d:\d\d:\d\d UTC", "TIME"),
        (r"\(\d+ s\)", "(N s)"),
        (r"127\.0\.0\.1:\d+", "HOST"),
        (r"ACCOUNT=\S+ TENANT=\S+", "CREDENTIALS"),
        (r" --address HOST", ""),
        (r"\d\.\d+e\+09|\d{10}(\.\d+)?", "MOMENT"),
    ):
        text = re.sub(pattern, word, text)
    return [line for line in text.splitlines() if not line.startswith(("Not installed: ", "Port "))]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    needed("prometheus")
    needed("prometheus-alertmanager")
    arguments = shlex.split(MAKE)[-1].removeprefix("ARGS=")
    ports = ["--web.listen_address=127.0.0.1:0"]
    with running(kimono("demo", *shlex.split(arguments), *ports), {}, tmp_path / "demo") as process:
        eventually(lambda: "Alertmanager: http" in process.output and "Prometheus: http" in process.output, 120)
        yield process


def run(command: str, demo: Process) -> str:
    """What a command of the tutorial prints, with the address of this demo."""
    words = shlex.split(command)
    assert words[0] == ".venv/bin/kimono-exporter"
    address = found(demo, r"Drills: http://(\S+)/ ")
    line = [sys.executable, "-m", "exporter", *words[1:], "--address", address]
    return subprocess.run(line, capture_output=True, text=True, timeout=180, check=True).stdout


def found(demo: Process, pattern: str) -> str:
    match = re.search(pattern, demo.output)
    assert match, demo.output
    return match[1]


def test_the_tutorial_leads_from_nothing_to_an_alert_that_fires_and_is_resolved(demo: Process) -> None:
    assert sorted(normal(demo.output)) == sorted(normal(START))
    exporter, prometheus = found(demo, r"Metrics: (\S+)/metrics"), found(demo, r"Prometheus: (\S+)/alerts")
    eventually(lambda: answers(f"{exporter}/-/ready"), 60)
    # Before the first scrape, there is no exporter.
    eventually(lambda: get(f"{prometheus}/api/v1/alerts").count('"alertname"') == 0, 90)

    out = run(BEGIN, demo)
    assert set(normal(out)) == set(normal(BEGUN))
    metric = re.search(r"grep '\^(\w+)'", CURL)
    assert metric
    lines = [line for line in get(f"{exporter}/metrics").splitlines() if line.startswith(metric[1])]
    assert normal("\n".join(lines)) == normal(METRIC)
    eventually(lambda: set(normal(FIRES)) <= set(normal(demo.output)), 60)

    out = run(END, demo)
    assert set(normal(out)) == set(normal(ENDED))
    eventually(lambda: set(normal(RESOLVED)) <= set(normal(demo.output)), 60)
    assert "Traceback" not in demo.output + demo.errors
