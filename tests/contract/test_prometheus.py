"""Does a real Prometheus see exactly the simulated fleet?"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exporter.simulator import Simulator
from tests.contract.harness import Page
from tests.contract.served import environment, eventually, kimono, needed, running, served
from tests.contract.truth import CHECKS, Fleet

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: kimono
    static_configs:
      - targets: ["{target}"]
"""
OPT_IN = {"KIMONO_COLLECTORS_SCOPING_ENABLED": "true", "KIMONO_COLLECTORS_ACCOUNT_ENABLED": "true"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, accept: str = "*/*") -> str:
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        return str(reply.read().decode())


def answers(url: str) -> bool:
    try:
        get(url)
    except OSError:
        return False
    return True


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
    # The fleet stands still, so that what was read a moment ago is still true.
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
    """What Prometheus has, as a page, without the labels that it adds. It keeps no empty ones."""
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


# An empty label is no label to Prometheus, so that identity is compared on the page itself.
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
