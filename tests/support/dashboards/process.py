"""Makes up the metrics of a process and of a scrape for an exporter that lives in virtual time.

It has no process of its own, and no wire, so its memory, time and files are made up. A restart shows: the start is the
exporter's. The text is written here: prometheus-client would take longer for it than the exporter for its page.
"""

from __future__ import annotations

from collections.abc import Iterator

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
        yield _family(name, "gauge", value)
    used = (exporter.clock.now() - exporter.status().started_at) * CPU_SHARE
    yield _family("process_cpu_seconds_total", "counter", used)


def _family(name: str, kind: str, value: float) -> bytes:
    return f"# HELP {name} Made up.\n# TYPE {name} {kind}\n{name} {float(value)!r}\n".encode()
