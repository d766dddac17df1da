"""Measures the status page: the time to its first byte, and how long it keeps the event loop, also if everything fails.

Each request comes after the pages that are kept have expired. A stall is the most CPU time that the event loop's thread
used without a break. Targets are for CPU time: other work on the machine does not change it much.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from statistics import median
from urllib.parse import urlsplit

from bench.children import Child, child
from bench.figures import Target

# Pages are kept for a second.
_EXPIRED_SECONDS = 1.1
_TRIES = 5
_ADDRESSES = {
    "/": "/",
    "search": "/?q=school",
    "filter": "/?severity=warning&page=3",
    "all": "/?show=all&page=2",
    "JSON": "/api/status",
}
_CASES = ("normal", "all failing")
_MOST_MS, _MOST_STALL = 100.0, 20.0
TARGETS = tuple(
    target
    for case in _CASES
    for target in (
        Target(f"{case}: first byte at most, ms of CPU", _MOST_MS),
        Target(f"{case}: longest stall, ms of CPU", _MOST_STALL),
    )
)


def figures(tenants: int) -> dict[str, float]:
    """Both cases. In the second one, every collector fails for every tenant, and each has problems."""
    with child("serve_status.py", str(tenants)) as exporter:
        exporter.ask("fill")
        empty = exporter.resident()
        found = dict(_measured(exporter, "normal"))
        exporter.ask("fail")
        exporter.ask("find")
        found |= _measured(exporter, "all failing")
        found["memory a tenant for the page: KiB"] = (exporter.resident() - empty) / tenants / 1024
        return found


def _measured(exporter: Child, case: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    exporter.ask("stall")
    times: dict[str, list[float]] = {name: [] for name in _ADDRESSES}
    cpu: list[float] = []
    for _ in range(_TRIES):
        for name, address in _ADDRESSES.items():
            time.sleep(_EXPIRED_SECONDS)
            before = exporter.ask("used")["cpu"]
            seconds, size = _first_byte(exporter.greeting["url"], address)
            cpu.append(exporter.ask("used")["cpu"] - before)
            times[name].append(seconds)
            found[f"{case}: {name}: kB"] = size / 1e3
    found[f"{case}: first byte of the very first page, ms of CPU"] = cpu[0] * 1e3
    for name, seconds_of_each in times.items():
        found[f"{case}: {name}: first byte, ms"] = median(seconds_of_each) * 1e3
    found[f"{case}: first byte, ms of CPU"] = median(cpu) * 1e3
    found[f"{case}: first byte at most, ms of CPU"] = max(cpu) * 1e3
    found[f"{case}: longest stall, ms of CPU"] = exporter.ask("stall")["work"] * 1e3
    return found


def _first_byte(url: str, address: str) -> tuple[float, int]:
    """The seconds from the request to the first byte, and the bytes of the page."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.connect()
    started = time.perf_counter()
    connection.request("GET", address)
    response = connection.getresponse()
    first = response.read(1)
    seconds = time.perf_counter() - started
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{address} returned {response.status}")
    size = len(first + response.read())
    connection.close()
    return seconds, size
