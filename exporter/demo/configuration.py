"""Writes the configuration of Prometheus and Alertmanager, and says how to start them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from exporter.assets import Links, Speed, alertmanager_example, rules_text
from exporter.demo.ports import HOST
from exporter.demo.programs import ALERTMANAGER, PROMETHEUS, Program
from exporter.thresholds import DEFAULTS

_EVERY = 5.0
_EXAMPLE_RECEIVERS = "http://127.0.0.1:9095"
# A person is watching: the waits of the example are minutes and hours.
_WAITS = {"group_wait": "5s", "group_interval": "15s"}


@dataclass(frozen=True)
class Watch:
    """What Prometheus scrapes, the demo's own pages, where links lead, and by which thresholds and speed rules fire.

    `rules` makes other rules with these links, whatever the thresholds and the speed.
    """

    exporter: str  # HOST:PORT and the path of the page, /metrics if there is none
    pages: str  # URL
    links: Links
    thresholds: Mapping[str, float] = field(default_factory=lambda: DEFAULTS)
    speed: Speed = field(default_factory=lambda: Speed(evaluated_each=_EVERY))
    rules: Callable[[Links], str] | None = None


def prometheus(command: tuple[str, ...], port: int, folder: Path, watch: Watch, alertmanager: int | None) -> Program:
    """Prometheus, with its files in the folder; `alertmanager` is a port."""
    rules = watch.rules(watch.links) if watch.rules else rules_text(watch.thresholds, watch.links, watch.speed)
    (folder / "kimono.rules.yaml").write_text(rules)
    target, _, path = watch.exporter.partition("/")
    managers = [f"{HOST}:{alertmanager}"] if alertmanager else []
    configuration = scraping(target, managers, "kimono.rules.yaml", f"{_EVERY:g}s", f"/{path or 'metrics'}")
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    url = f"http://{HOST}:{port}"
    flags = (
        "--config.file=prometheus.yaml",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    )
    return Program(PROMETHEUS, (*command, *flags), f"{url}/alerts", f"{url}/-/ready")


def scraping(
    target: str, alertmanagers: Sequence[str], rules: str, every: str, path: str = "/metrics"
) -> dict[str, object]:
    """Prometheus' configuration: it scrapes the target and evaluates the rules `every` so often, such as 15s.

    `target` and `alertmanagers` are HOST:PORT, `path` is the page to scrape, and `rules` the path of a file.
    """
    return {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        "scrape_configs": [{"job_name": "kimono", "metrics_path": path, "static_configs": [{"targets": [target]}]}],
    }


def alertmanager(command: tuple[str, ...], port: int, folder: Path, watch: Watch) -> Program:
    """Alertmanager with the shipped example, whose notifications go to the demo's own pages."""
    (folder / "alertmanager.yaml").write_text(_for_demo(alertmanager_example(), watch))
    url = f"http://{HOST}:{port}"
    flags = (
        "--config.file=alertmanager.yaml",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",  # no other replicas: it listens on no second port
        "--log.level=warn",
    )
    return Program(ALERTMANAGER, (*command, *flags), f"{url}/", f"{url}/-/ready")


def _for_demo(example: str, watch: Watch) -> str:
    text = example.replace(_EXAMPLE_RECEIVERS, f"{watch.pages}/notify")
    for name, wait in _WAITS.items():
        text = re.sub(rf"{name}: \w+", f"{name}: {wait}", text)
    return text
