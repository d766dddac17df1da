"""Compares the page with prometheus-client's `generate_latest`, for the same samples.

A custom collector builds its families at each scrape; mutable gauges were set before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.children import child
from bench.figures import Target
from bench.scraping import scraper

_BUILDERS = {"families": "custom collector", "gauges": "gauges"}
_TRIES = 5
TARGETS = (Target("build the page: times that of the custom collector", 0.05),)


def figures(tenants: int) -> dict[str, float]:
    """Milliseconds to build the page, and to serve it without compression; and the exporter's relative to others'."""
    with tempfile.TemporaryDirectory() as folder, child("serve_exporter.py", str(tenants)) as exporter:
        exporter.ask("fill")
        with scraper(exporter.greeting["url"]) as scraping:
            page = Path(folder) / "page.txt"
            page.write_bytes(scraping.page())
            built = _median(lambda: exporter.ask("page")["seconds"])
            served = _median(lambda: scraping.scrape("identity"))
        found = {"samples": float(_samples(page)), "page, MB": page.stat().st_size / 1e6}
        found |= {"build the page: ms": built * 1e3, "serve it: ms": served * 1e3}
        with child("serve_generate_latest.py", str(page)) as latest:
            for kind, name in _BUILDERS.items():
                by_latest = _median(lambda kind=kind: latest.ask(kind)["seconds"])
                with scraper(latest.greeting[kind]) as scraping:
                    served_by_latest = _median(lambda scraping=scraping: scraping.scrape("identity"))
                found |= {
                    f"build the page: ms of the {name}": by_latest * 1e3,
                    f"build the page: times that of the {name}": built / by_latest,
                    f"serve it: ms of the {name}": served_by_latest * 1e3,
                    f"serve it: times that of the {name}": served / served_by_latest,
                }
    return found


def _samples(page: Path) -> int:
    return sum(not line.startswith(b"#") for line in page.read_bytes().splitlines())


def _median(one: Callable[[], float]) -> float:
    return median(one() for _ in range(_TRIES))
