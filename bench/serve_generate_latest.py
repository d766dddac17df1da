"""Serves a page of metrics with prometheus-client, to compare it with the exporter.

Two registries have the same families and samples, each with prometheus-client's own HTTP server: a custom collector
that builds its families at each scrape, and mutable gauges that were set before. Argument: a file with a page in the
text format. The commands `families` and `gauges` build the page once; the answer is how many seconds it took.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from commands import respond
from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


class FamilyCollector(Collector):
    """Builds all families at each scrape, as a custom collector does."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield every family with its samples."""
        for family in self._families:
            built = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                built.add_sample(sample.name, dict(sample.labels), sample.value)
            yield built


def as_families(families: list[Metric]) -> CollectorRegistry:
    """Return the registry with a custom collector."""
    registry = CollectorRegistry()
    registry.register(FamilyCollector(families))
    return registry


def as_gauges(families: list[Metric]) -> CollectorRegistry:
    """Return the registry with mutable gauges: one for each sample name, so a histogram becomes three."""
    registry = CollectorRegistry()
    for family in families:
        gauges: dict[str, Gauge] = {}
        for sample in family.samples:
            names = sorted(sample.labels)
            if sample.name not in gauges:
                gauges[sample.name] = Gauge(sample.name, family.documentation, names, registry=registry)
            gauge = gauges[sample.name]
            (gauge.labels(**sample.labels) if names else gauge).set(sample.value)
    return registry


def main(page: Path) -> None:
    """Serve until the input ends."""
    families = list(text_string_to_metric_families(page.read_text("utf-8")))
    registries = {"families": as_families(families), "gauges": as_gauges(families)}
    gc.collect()
    urls = {}
    for name, registry in registries.items():
        server, _ = start_http_server(0, "127.0.0.1", registry)
        urls[name] = f"http://127.0.0.1:{server.server_port}/metrics"
    respond(**urls)
    for line in sys.stdin:
        started = time.perf_counter()
        built = generate_latest(registries[line.strip()])
        respond(seconds=time.perf_counter() - started, bytes=len(built))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
