"""Tests the files that compose.yaml mounts with the real programs, by the commands of its services.

There is no Docker here. Files are where the containers have them, below a folder. Names of services become loopback.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.compose.project import command, mounts, project
from tests.support.processes import Process, answers, eventually, free_port, get, kimono, needed, running

pytestmark = pytest.mark.slow

PROGRAMS = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
SERVICES = project()["services"]
PORTS = {"exporter": "10120", "prometheus": "9090", "alertmanager": "9093"}


def with_loopback(text: str, addresses: Mapping[str, str]) -> str:
    for name, address in addresses.items():
        text = text.replace(f"{name}:{PORTS[name]}", address)
    return text


@contextlib.contextmanager
def service(name: str, addresses: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """A service of another project, with its mounted files below the folder."""
    root = folder / name
    for mount in mounts(SERVICES[name]):
        target = root / mount.target.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_loopback(mount.source.read_text(), addresses))
    arguments = [re.sub(r"=(/.+)$", rf"={root}\1", each) for each in command(SERVICES[name])]
    started = [needed(PROGRAMS[name]), *arguments, f"--web.listen-address={addresses[name]}"]
    with running(started, {}, folder / f"{name}-output") as process:
        eventually(lambda: answers(f"http://{addresses[name]}/-/ready"))
        yield process


@contextlib.contextmanager
def demo(address: str, folder: Path) -> Iterator[Process]:
    """The exporter of compose.yaml, by its own command and settings but for the address."""
    settings = SERVICES["exporter"]["environment"]
    assert settings["KIMONO_WEB_LISTEN_ADDRESS"].endswith(f":{PORTS['exporter']}")
    given = {**settings, "KIMONO_WEB_LISTEN_ADDRESS": address}
    with running(kimono(*command(SERVICES["exporter"])), given, folder / "exporter-output") as process:
        eventually(lambda: answers(f"http://{address}/-/ready"))
        with running(kimono("healthcheck"), given, folder / "health") as asking:
            assert asking.wait(20) == 0
        yield process


def asked(url: str) -> Any:
    return json.loads(get(url))


def test_the_exporter_is_scraped_rules_are_evaluated_and_alerts_reach_alertmanager(tmp_path: Path) -> None:
    for program in PROGRAMS.values():
        needed(program)
    addresses = {name: f"127.0.0.1:{free_port()}" for name in PORTS}
    with (
        demo(addresses["exporter"], tmp_path),
        service("alertmanager", addresses, tmp_path),
        service("prometheus", addresses, tmp_path),
    ):
        api = f"http://{addresses['prometheus']}/api/v1"
        groups = asked(f"{api}/rules")["data"]["groups"]
        assert {group["name"] for group in groups} == {"kimono-exporter", "kimono-tenants"}

        def target() -> Any:
            targets = asked(f"{api}/targets")["data"]["activeTargets"]
            return next((one for one in targets if one["health"] == "up"), None)

        assert eventually(target)["labels"] == {"instance": addresses["exporter"], "job": "kimono"}
        # Rules are evaluated once a minute, the first time at most a minute after the start.
        alerts = eventually(lambda: asked(f"http://{addresses['alertmanager']}/api/v2/alerts"), 150)
        assert {alert["labels"]["job"] for alert in alerts} == {"kimono"}
        rules = [rule for group in asked(f"{api}/rules")["data"]["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
        assert any(rule["health"] == "ok" for rule in rules)
