"""Tests that a real Prometheus has exactly the simulated fleet."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exporter.collectors import COLLECTORS
from exporter.simulator import Simulator
from tests.contract.truth import CHECKS, Fleet
from tests.support.processes import answers, environment, eventually, free_port, get, kimono, needed, running, served
from tests.support.simulated_exporter import Page

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: kimono
    static_configs:
      - targets: ["{target}"]
"""
OPT_IN = {
    f"KIMONO_COLLECTORS_{each.name.upper()}_ENABLED": "true" for each in COLLECTORS if not each.enabled_by_default
}


class Stack:
    """The simulator, the exporter as a process, and a Prometheus that scrapes it."""

    def __init__(self, hub: Simulator, exporter: str, prometheus: str, begun: float) -> None:
        self.hub = hub
        self.exporter = exporter
        self.prometheus = prometheus
        self.begun = begun

    def query(self, expression: str) -> list[Any]:
        """The result of an instant query."""
        reply = get(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        result: list[Any] = json.loads(reply)["data"]["result"]
        return result


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    prometheus = needed("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    begun = time.time()
    # The fleet does not change, so that earlier polls are still true.
    hub = Simulator(tenants=40, now=lambda: begun)
    target, port = f"127.0.0.1:{free_port()}", free_port()
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    command = [
        prometheus,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with served(hub) as base_url:
        settings = environment(hub, base_url, KIMONO_WEB_LISTEN_ADDRESS=target, **OPT_IN)
        with (
            running(kimono("run"), settings, folder / "exporter"),
            running(command, {}, folder / "process"),
        ):
            eventually(lambda: answers(f"http://{target}/-/ready"))
            one = Stack(hub, f"http://{target}", f"http://127.0.0.1:{port}", begun)
            eventually(lambda: answers(f"{one.prometheus}/-/ready"))
            # A scrape that began after the exporter was ready.
            eventually(lambda: one.query("count(kimono_tenant_up) == 40 and on () up == 1"))
            eventually(lambda: one.query("count(kimono_clouds)"))
            yield one


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> Fleet:
    """What Prometheus has, as a page without the labels that it adds. It drops empty labels."""
    page = Page("")
    for series in stack.query('{__name__=~"kimono_.+", job="kimono"}'):
        labels = {name: value for name, value in series["metric"].items() if name not in ("job", "instance")}
        name = labels.pop("__name__")
        if name == "kimono_schedule_info":
            labels.setdefault("days", "")
        page.series[name, frozenset(labels.items())] = float(series["value"][1])
    return page, stack.hub, stack.begun, time.time()


def test_the_exporter_is_up(stack: Stack) -> None:
    assert [series["value"][1] for series in stack.query("up")] == ["1"]


# Prometheus drops empty labels, so the identity is compared on the page itself.
@pytest.mark.parametrize(
    "check", [check for check in CHECKS if "identity" not in check.__name__], ids=lambda check: check.__name__
)
def test_prometheus_has_the_truth(check: Callable[[Fleet], None], fleet: Fleet) -> None:
    check(fleet)


def test_series_counts_are_the_pages(stack: Stack) -> None:
    page = Page(get(f"{stack.exporter}/metrics"))
    kept = {name for name, _ in page.series if not name.startswith(("kimono_exporter_", "process_", "python_"))}
    for name in kept:
        counted = stack.query(f"count({name})")
        assert int(counted[0]["value"][1]) == len(page.all(name)), name


def test_promtool_finds_nothing_in_the_text_page(stack: Stack) -> None:
    assert lint(get(f"{stack.exporter}/metrics", "text/plain")) == ""


def test_promtool_finds_nothing_in_the_openmetrics_page(stack: Stack) -> None:
    """promtool reads the text format alone, in which a counter's metadata carry the full name."""
    page = get(f"{stack.exporter}/metrics", "application/openmetrics-text; version=1.0.0")
    assert page.endswith("\n# EOF\n")
    counters = re.findall(r"^# TYPE (\S+) counter$", page, re.MULTILINE)
    assert counters
    for name in counters:
        page = re.sub(rf"^# (HELP|TYPE) {name} ", rf"# \1 {name}_total ", page, flags=re.MULTILINE)
    assert lint(page) == ""


def lint(page: str) -> str:
    result = subprocess.run(
        [needed("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode in (0, 3), result.stderr
    return result.stdout + result.stderr
