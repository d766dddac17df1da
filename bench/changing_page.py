"""Measures scrapes of a page that changes, beside nginx with files of the same bytes.

`measure` and `measure_memory` return the figures; `python bench/changing_page.py` prints them. Before each timed scrape
of the exporter, 15 s pass with as many polls as the rate allows. nginx sends the page from a file, and its compressed
form with `gzip_static`. Exporter and nginx alternate, because other work on the machine changes the times of both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
from children import Child, child, nginx
from scraping import Scraper, scraper

ENCODINGS = {"plain": "identity", "gzip": "gzip"}
FILES = {"plain": "page.txt", "gzip": "page.txt.gz"}
RATES = (20, 500)
SCRAPE_INTERVAL = 15
# A scrape takes at most so many times what nginx takes; the event loop is blocked for so many seconds at most.
TARGETS = {"plain": 1.5, "gzip": 3.0}
STALL_TARGET = 0.020


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
        """Medians and minima in milliseconds, and the ratio to nginx."""
        named = {"scrape": self.times, "cpu": self.cpu, "nginx": self.nginx_times}
        figures = {name: median(times) * 1e3 for name, times in named.items() if times}
        figures |= {f"best {name}": min(times) * 1e3 for name, times in named.items() if times and name != "cpu"}
        figures |= {"nginx cpu": self.nginx_cpu * 1e3, "longest stall": max(self.stalls) * 1e3}
        if self.nginx_times:
            figures["ratio"] = median(self.times) / median(self.nginx_times)
            figures["ratio of the best"] = min(self.times) / min(self.nginx_times)
        return figures


def measure(tenants: int, tries: int = 15) -> tuple[dict[str, int], list[Scrapes]]:
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


def measure_memory(tenants: int) -> dict[str, float]:
    """Return the resident memory in bytes a tenant: after all first polls, a plain and a gzip scrape."""
    with child("serve_simulator.py", str(tenants)) as simulator:
        api = (simulator.greeting["url"], simulator.greeting["key"])
        with child("serve_exporter.py", str(tenants), *api) as exporter:
            empty = exporter.resident()
            exporter.ask("fill")
            memory = {"first polls": exporter.resident()}
            for name, encoding in ENCODINGS.items():
                with scraper(exporter.greeting["url"]) as scraping:
                    scraping.scrape(encoding)
                memory[f"{name} scrape"] = exporter.resident()
    return {name: (resident - empty) / tenants for name, resident in memory.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--tries", type=int, default=15)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of scrapes")
    options = parser.parse_args()
    started = time.monotonic()
    if options.memory:
        for name, size in measure_memory(options.tenants).items():
            print(f"after {name}: {size / 1024:.2f} KiB a tenant")
    else:
        for line in report(*measure(options.tenants, options.tries)):
            print(line)
    print(f"Measured in {time.monotonic() - started:.0f} s.")


def report(sizes: Mapping[str, int], results: Iterable[Scrapes]) -> Iterator[str]:
    """Tell what `measure` has returned, one line for each rate and encoding."""
    yield ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items()) + "; medians in milliseconds"
    for each in results:
        shown = ", ".join(f"{name} {value:.2f}" for name, value in each.figures().items())
        yield f"{each.polls_per_second} polls a second, {each.encoding}: {shown}"


if __name__ == "__main__":
    main()
