"""Makes up the metrics of a process and of a scrape for an exporter that lives in virtual time.

It has no process of its own, and no wire, so its memory, time and files are made up, in the form that prometheus-client
gives them. A restart shows: the start is the exporter's.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from exporter.assembly import Exporter

MIB = 1024 * 1024
TENANT_BYTES = 20 * 1024
CPU_SHARE = 0.02
SCRAPE_SECONDS, TENANT_SECONDS = 0.002, 0.000_005


def process(exporter: Exporter) -> Iterator[bytes]:
    """Families for the page, each with its header."""
    tenants = len(exporter.poller.discovery.tenants)
    gauges = {
        "process_virtual_memory_bytes": 400 * MIB + tenants * TENANT_BYTES,
        "process_resident_memory_bytes": 60 * MIB + tenants * TENANT_BYTES,
        "process_start_time_seconds": exporter.status().started_at,
        "process_open_fds": 12,
        "process_max_fds": 1024,
        "scrape_duration_seconds": SCRAPE_SECONDS + tenants * TENANT_SECONDS,
    }
    for name, value in gauges.items():
        registry = CollectorRegistry()
        Gauge(name, "Made up.", registry=registry).set(value)
        yield generate_latest(registry)
    registry = CollectorRegistry()
    used = (exporter.clock.now() - exporter.status().started_at) * CPU_SHARE
    Counter("process_cpu_seconds", "Made up.", registry=registry).inc(used)
    yield generate_latest(registry)
