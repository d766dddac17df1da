"""Measures memory and CPU of a whole exporter, for the requests and limits of a container: `python -m bench.resources`.

The exporter polls the simulated API without a rate limit until each tenant has been polled, and then on until as
many requests have been sent again. Then it is scraped. CPU is that of a request, times the requests a second of the
rate limit that such a fleet needs, and that of one scrape a minute. It has a state file.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.children import BENCH, END_SECONDS, ENVIRON, child

# Tenants, and requests a second for them: all intervals are kept by 100 and 1,000 tenants at the default intervals, and
# by 10,000 at longer ones, as the documentation suggests.
FLEETS = {100: 4.1, 1_000: 41.0, 10_000: 47.0}
# So short that the exporter polls all the time. They have the proportions of the defaults.
_INTERVALS = {"STATE": "1s", "INGESTIONS": "1s", "SCHEDULES": "5s", "APPLICATION": "5s", "ROLLOVERS": "15s"}
_SCRAPES = 5
_REQUESTS = re.compile(r"^kimono_exporter_api_requests_total\{.*\} (\S+)$", re.MULTILINE)
_MIB = 2**20


@dataclass(frozen=True)
class Used:
    """What an exporter took: memory in bytes, CPU in seconds."""

    resident: int
    peak: int
    request_seconds: float
    scrape_seconds: float


def main() -> int:
    """Print a line for each fleet."""
    parser = argparse.ArgumentParser(prog="python -m bench.resources", description=__doc__.splitlines()[0])
    parser.add_argument("tenants", type=int, nargs="*", default=list(FLEETS), help="numbers of tenants")
    print("| tenants | requests/s | memory | at most | CPU of a request | of a scrape | CPU |")
    print("|---|---|---|---|---|---|---|")
    for tenants in parser.parse_args().tenants:
        print(_line(tenants, FLEETS[tenants], _used(tenants)), flush=True)
    return 0


def _line(tenants: int, rate: float, used: Used) -> str:
    cores = used.request_seconds * rate + used.scrape_seconds / 60
    return (
        f"| {tenants:,} | {rate:g} | {used.resident / _MIB:.0f} MiB | {used.peak / _MIB:.0f} MiB "
        f"| {used.request_seconds * 1e3:.2f} ms | {used.scrape_seconds * 1e3:.0f} ms | {cores * 1e3:.0f}m |"
    )


def _used(tenants: int) -> Used:
    with (
        child("serve_simulator.py", str(tenants)) as simulator,
        _exporter(simulator.greeting["url"], simulator.greeting["key"]) as (process, url),
    ):
        _wait_until_ready(url)
        first = _requests(url)
        cpu, before = _cpu(process), first
        # As many requests again: every tenant has been polled at least once more, or its shorter intervals often.
        while (done := _requests(url)) < 2 * first:
            time.sleep(1)
        spent = _cpu(process) - cpu
        scrape = _scrape_cpu(process, url, spent / (done - before))
        memory = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", memory)[0]) * 1024
        return Used(process.memory_info().rss, peak, spent / (done - before), scrape)


def _scrape_cpu(process: psutil.Process, url: str, request_seconds: float) -> float:
    """The CPU of a scrape with gzip, without that of the requests meanwhile."""
    cpu, requests = _cpu(process), _requests(url)
    for _ in range(_SCRAPES):
        _get(f"{url}/metrics", gzip=True)
    polling = (_requests(url) - requests) * request_seconds
    # The two counts of requests are scrapes as well.
    return max(0.0, _cpu(process) - cpu - polling) / (_SCRAPES + 2)


@contextmanager
def _exporter(api: str, key: str) -> Iterator[tuple[psutil.Process, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "API_URL": api,
            "API_KEY": key,
            "API_RATE_LIMIT": "100000",
            "WEB_LISTEN_ADDRESS": address,
            "STATE_FILE": f"{folder}/state",
            "LOG_LEVEL": "error",
            **{f"COLLECTORS_{name}_INTERVAL": interval for name, interval in _INTERVALS.items()},
        }
        environ = {**ENVIRON, **{f"KIMONO_{name}": value for name, value in settings.items()}}
        started = subprocess.Popen([sys.executable, "-m", "exporter", "run"], env=environ, cwd=BENCH.parent)
        try:
            yield psutil.Process(started.pid), f"http://{address}"
        finally:
            started.terminate()
            started.wait(END_SECONDS)


def _wait_until_ready(url: str) -> None:
    while True:
        try:
            _get(f"{url}/-/ready")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return


def _requests(url: str) -> float:
    return sum(map(float, _REQUESTS.findall(_get(f"{url}/metrics").decode())))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _get(url: str, *, gzip: bool = False) -> bytes:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"} if gzip else {})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - likewise
        return bytes(response.read())


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
