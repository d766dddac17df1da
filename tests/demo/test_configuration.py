"""Tests the files that the demo writes for Prometheus and Alertmanager, with the programs that check such files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.assets import Links, alertmanager_example
from exporter.demo.configuration import Watch, alertmanager, prometheus
from tests.support.processes import needed

WATCH = Watch("127.0.0.1:1", "http://127.0.0.1:2", Links("http://127.0.0.1:2/runbooks", "http://127.0.0.1:3"))


def checked(*command: str | Path) -> None:
    program, *arguments = map(str, command)
    result = subprocess.run([needed(program), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("port", [4, None])
def test_prometheus_scrapes_and_evaluates_every_five_seconds(port: int | None, tmp_path: Path) -> None:
    program = prometheus(("prometheus",), 5, tmp_path, WATCH, port)
    written = yaml.safe_load((tmp_path / "prometheus.yaml").read_text())
    assert set(written["global"].values()) == {"5s"}
    (managers,) = written["alerting"]["alertmanagers"]
    assert managers["static_configs"] == [{"targets": ["127.0.0.1:4"] if port else []}]
    assert f"--storage.tsdb.path={tmp_path / 'prometheus'}" in program.command
    assert "--web.listen-address=127.0.0.1:5" in program.command
    checked("promtool", "check", "config", tmp_path / "prometheus.yaml")


def test_alertmanager_has_the_example_with_short_waits_and_sends_nothing_elsewhere(tmp_path: Path) -> None:
    alertmanager(("alertmanager",), 4, tmp_path, WATCH)
    text = (tmp_path / "alertmanager.yaml").read_text()
    written, example = yaml.safe_load(text), yaml.safe_load(alertmanager_example())
    assert written["inhibit_rules"] == example["inhibit_rules"]
    urls = [hook["url"] for receiver in written["receivers"] for hook in receiver.get("webhook_configs", ())]
    assert urls == [f"http://127.0.0.1:2/notify/{name}" for name in ("on-call", "working-hours")]
    assert {line.split()[-1] for line in text.splitlines() if " group_wait:" in line} == {"5s"}
    assert {line.split()[-1] for line in text.splitlines() if " group_interval:" in line} == {"15s"}
    checked("amtool", "check-config", tmp_path / "alertmanager.yaml")
