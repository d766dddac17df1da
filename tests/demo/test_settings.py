"""Tests which settings of a real exporter the demo takes."""

from __future__ import annotations

from pathlib import Path

from exporter.demo.command import _polling
from exporter.settings import load
from exporter.simulator import Simulator


def test_the_demo_uses_no_state_file_proxy_or_credentials_of_a_real_exporter(tmp_path: Path) -> None:
    file = tmp_path / "kimono.yaml"
    file.write_text(f"state: {{file: {tmp_path / 'state'}}}\napi: {{key: S3CR3T, proxy_url: 'http://proxy.test:1'}}\n")
    simulator = Simulator(tenants=1)
    settings = _polling(load({"config.file": str(file)}, {}), simulator, "http://127.0.0.1:1")
    assert settings.state.file is None
    assert settings.egress.proxy is None
    assert settings.api.key is not None
    assert settings.api.key.get_secret_value() == simulator.api_key
    assert settings.api.url == "http://127.0.0.1:1"
