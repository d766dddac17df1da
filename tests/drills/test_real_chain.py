"""Tests a drill of each mechanism in a demo with the real Prometheus: backdated, hurried, remembered, and faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.drills.client import DemoClient
from tests.support.processes import Process, eventually, kimono, needed, running

pytestmark = pytest.mark.slow

# A fact with a time, one without, a missed schedule, a long time without runs, faults of a tenant and of the account.
SINGLE = ("rollover_stuck", "mass_change", "overdue", "dormant", "unreachable", "discovery_failing")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    needed("prometheus")
    command = kimono("demo", "--story", "none", "--web.listen_address=127.0.0.1:0")
    with running(command, {}, tmp_path / "demo") as process:
        eventually(lambda: "\nPrometheus: http" in process.output, 120)
        yield process


@pytest.fixture
def client(demo: Process) -> DemoClient:
    found = re.search(r"Drills: http://(\S+)/ ", demo.output)
    assert found
    made = DemoClient(found[1])
    eventually(lambda: made.show()["ready"], 120)
    return made


def wait_for(client: DemoClient, names: Sequence[str], is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def runs() -> dict[str, Any]:
        found = {run["drill"]["name"]: run for run in client.show()["runs"]}
        return found if all(is_so(found[name]) for name in names) else {}

    return eventually(runs, 240)


def play(client: DemoClient, names: Sequence[str]) -> dict[str, Any]:
    """The runs of drills that run at the same time, once all have been resolved."""
    for name in names:
        client.begin(name)
    wait_for(client, names, lambda run: run["alert"] == "firing")
    client.end("")
    return wait_for(client, names, lambda run: run["settled"])


def test_alerts_fire_and_are_resolved_and_no_other_fires_for_the_same_tenant(client: DemoClient) -> None:
    runs = play(client, SINGLE)
    assert {name: run["alert"] for name, run in runs.items()} == dict.fromkeys(SINGLE, "resolved")
    assert {name: run["others"] for name, run in runs.items()} == {name: [] for name in SINGLE}
    (fleet,) = play(client, ["fleet_stalled"]).keys() - set(SINGLE)
    assert fleet == "fleet_stalled"
