"""Measures memory and stalls of an exporter that polls without a rate limit, scraped meanwhile.

A stall is the most CPU time that the event loop's thread used without a break: other work on the machine does not
change it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

from bench.children import Child, child
from bench.figures import Target
from bench.scraping import scraper

_ENCODINGS = {"plain": "identity", "gzip": "gzip"}
_DEFAULT_RATE = 20  # requests a second: api.rate_limit
_MOST_KIB, _MOST_STALL, _MOST_HEALTHY = 9.0, 20.0, 50.0
_STALLS = ("first polls", "SIGHUP", "polls and scrapes, plain", "polls and scrapes, gzip", "the state file is written")
TARGETS = (
    Target("memory a tenant: KiB", _MOST_KIB),
    *(Target(f"longest stall, {when}: ms of CPU", _MOST_STALL) for when in _STALLS),
    Target("/-/healthy answers: ms at most", _MOST_HEALTHY),
    Target("the state file is written: s", 1.0),
    Target("the state file is read: s", 1.0),
)


def figures(tenants: int) -> dict[str, float]:
    """All of it. Discovery and reading 10,000 replies are part of the first polls."""
    with child("serve_simulator.py", str(tenants)) as simulator:
        api = (simulator.greeting["url"], simulator.greeting["key"])
        with child("serve_exporter.py", str(tenants), *api) as exporter:
            return _measured(exporter, tenants)


def _measured(exporter: Child, tenants: int) -> dict[str, float]:
    found: dict[str, float] = {}
    empty = exporter.resident()
    with _asking_healthy(exporter.greeting["url"], found):
        first = exporter.ask("fill")
        found["memory a tenant: KiB"] = (exporter.resident() - empty) / tenants / 1024
        _stall(found, "first polls", first)
        for name, encoding in _ENCODINGS.items():
            _stall(found, "SIGHUP", exporter.ask("poll_again"))
            _stall(found, f"polls and scrapes, {name}", _scrape_while_polling(exporter, encoding, tenants))
        for what, name in {"save": "written", "restore": "read"}.items():
            answer = exporter.ask(what)
            _stall(found, f"the state file is {name}", answer)
            found[f"the state file is {name}: s"] = answer["seconds"]
            if what == "save":
                found["the state file: MB"] = answer["bytes"] / 1e6
    found["memory a tenant after polls and scrapes: KiB"] = (exporter.resident() - empty) / tenants / 1024
    found[f"the first round at {_DEFAULT_RATE} requests a second: minutes"] = first["requests"] / _DEFAULT_RATE / 60
    wanted = exporter.greeting["demand"] * tenants
    found["polls a second for all intervals"] = wanted
    return found


def _stall(found: dict[str, float], when: str, answer: dict[str, float]) -> None:
    name = f"longest stall, {when}: ms of CPU"
    found[name] = max(found.get(name, 0.0), answer["work"] * 1e3)


def _scrape_while_polling(exporter: Child, encoding: str, tenants: int) -> dict[str, float]:
    """Scrape twice a second while every tenant is polled again; return the longest stall."""
    until = time.monotonic() + 1 + tenants / 600
    with scraper(exporter.greeting["url"]) as scraping:
        while time.monotonic() < until:
            scraping.scrape(encoding)
            time.sleep(0.5)
    return exporter.ask("stall")


@contextmanager
def _asking_healthy(page: str, found: dict[str, float]) -> Iterator[None]:
    """Ask `/-/healthy` twenty times a second, and note the longest time until its answer."""
    ended = threading.Event()
    times = [0.0]

    def ask() -> None:
        with scraper(urljoin(page, "/-/healthy")) as asking:
            while not ended.wait(0.05):
                times.append(asking.scrape("identity"))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    found["/-/healthy answers: ms at most"] = max(times) * 1e3
