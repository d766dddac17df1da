"""Measures scrapes of a page that changes, beside nginx with files of the same bytes.

Before each timed scrape of the exporter, 15 s pass with as many polls as the rate allows. nginx sends the page from a
file, and its compressed form with `gzip_static`. Exporter and nginx alternate, because other work on the machine
changes the times of both.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from bench.children import Child, child, nginx
from bench.figures import Target
from bench.scraping import Scraper, scraper

ENCODINGS = {"plain": "identity", "gzip": "gzip"}
FILES = {"plain": "page.txt", "gzip": "page.txt.gz"}
RATES = (20, 500)
SCRAPE_INTERVAL = 15
TRIES = 9
_MOST_TIMES_NGINX = {"plain": 1.5, "gzip": 3.0}
_MOST_STALL = 20.0
TARGETS = tuple(
    target
    for rate in RATES
    for name, most in _MOST_TIMES_NGINX.items()
    for target in (
        Target(f"{name}, {rate} polls a second: times nginx", most),
        Target(f"{name}, {rate} polls a second: longest stall, ms of CPU", _MOST_STALL),
    )
)


@dataclass
class Scrapes:
    """Scrapes with one encoding, while so many polls a second change the page. Times in seconds, one for each scrape.

    `stalls` are the longest times for which the event loop's thread worked without a break during each scrape.
    """

    polls_per_second: int
    encoding: str
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)
    nginx_times: list[float] = field(default_factory=list)
    nginx_cpu: float = 0.0

    def figures(self) -> dict[str, float]:
        """Medians in milliseconds, and the ratio to nginx."""
        found = {"ms": median(self.times) * 1e3, "ms of CPU": median(self.cpu) * 1e3}
        if self.nginx_times:
            found["ms by nginx"] = median(self.nginx_times) * 1e3
            found["ms of CPU by nginx"] = self.nginx_cpu * 1e3
            found["times nginx"] = median(self.times) / median(self.nginx_times)
        found["longest stall, ms of CPU"] = max(self.stalls) * 1e3
        return {
            f"{self.encoding}, {self.polls_per_second} polls a second: {name}": each for name, each in found.items()
        }


def figures(tenants: int) -> dict[str, float]:
    """The page's sizes, and the scrapes for each rate and encoding."""
    sizes, results = measure(tenants, TRIES)
    found = {f"{name}: MB": size / 1e6 for name, size in sizes.items()}
    for each in results:
        found |= each.figures()
    return found


def measure(tenants: int, tries: int) -> tuple[dict[str, int], list[Scrapes]]:
    """Return the page's size in bytes by encoding, and the scrapes for each rate and encoding."""
    results = [Scrapes(rate, name) for rate in RATES for name in ENCODINGS]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exporter = stack.enter_context(child("serve_page.py", str(tenants)))
        exporter.ask("fill")
        scraping = stack.enter_context(scraper(exporter.greeting["url"]))
        for name, file in FILES.items():
            (folder / file).write_bytes(scraping.page(ENCODINGS[name]))
        sizes = {name: (folder / file).stat().st_size for name, file in FILES.items()}
        url = stack.enter_context(nginx(folder / FILES["plain"]))
        bare = stack.enter_context(scraper(url)) if url else None
        for each in results:
            for _ in range(tries):
                _scrape(each, exporter, scraping)
                _scrape_bare(each, bare)
            each.nginx_cpu /= tries
    return sizes, results


def _scrape(result: Scrapes, exporter: Child, scraping: Scraper) -> None:
    before = exporter.ask(f"change {result.polls_per_second * SCRAPE_INTERVAL}")
    result.times.append(scraping.scrape(ENCODINGS[result.encoding]))
    after = exporter.ask("used")
    result.cpu.append(after["cpu"] - before["cpu"])
    result.stalls.append(after["work"])


def _scrape_bare(result: Scrapes, bare: Scraper | None) -> None:
    if bare:
        server = next(each for each in psutil.Process().children() if each.name() == "nginx")
        before = sum(server.cpu_times()[:2])
        result.nginx_times.append(bare.scrape(ENCODINGS[result.encoding]))
        result.nginx_cpu += sum(server.cpu_times()[:2]) - before
