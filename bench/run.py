"""Measures scrapes, polling, memory and stalls of the exporter, compares them, and prints tables.

All processes run on this machine and use loopback. bench/README.md says what each number means.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import changing_page
from children import Child, child, nginx
from rich.console import Console
from rich.table import Table
from scraping import scraper

ENCODINGS = {"plain": "identity", "gzip": "gzip"}
BUILDERS = {
    "exporter": "exporter",
    "families": "generate_latest, custom collector",
    "gauges": "generate_latest, gauges",
}
STATE = {"save": "written", "restore": "read"}
RELOAD = "new settings (SIGHUP)"
DEFAULT_RATE = 20  # requests a second: api.rate_limit
STALL_TARGET, STATE_TARGET, FASTER_TARGET = 0.050, 1, 20
# Medians of the same size differ this much between runs.
NOISE = 1.2
MIB = 1024 * 1024


@dataclass
class Times:
    """Seconds of several tries."""

    tries: list[float]

    def __str__(self) -> str:
        return f"{_ms(self.median)} / {_ms(max(self.tries))}"

    @property
    def median(self) -> float:
        """The median."""
        return median(self.tries)


@dataclass
class Result:
    """All measurements with one number of tenants; times in seconds, sizes in bytes."""

    tenants: int
    page_bytes: int = 0
    samples: int = 0
    build: dict[str, Times] = field(default_factory=dict)
    scrapes: dict[tuple[str, str], Times] = field(default_factory=dict)
    first_polls: dict[str, dict[str, float]] = field(default_factory=dict)
    memory: int = 0
    stalls: dict[str, dict[str, float]] = field(default_factory=dict)
    state: dict[str, dict[str, float]] = field(default_factory=dict)
    demand: float = 0.0

    def scrape(self, server: str, encoding: str) -> str:
        """Median and worst, if the server is installed."""
        times = self.scrapes.get((server, encoding))
        return str(times) if times else "not installed"

    def faster(self, server: str, encoding: str) -> str:
        """How many times faster the exporter is than this server over HTTP."""
        return _times(self.scrapes[server, encoding].median / self.scrapes["exporter", encoding].median)

    def slower(self, encoding: str) -> str:
        """How many times slower the exporter is than nginx."""
        bare = self.scrapes.get(("nginx", encoding))
        return _times(self.scrapes["exporter", encoding].median / bare.median) if bare else "not installed"


# Measuring


def measure(tenants: int) -> Result:
    """Measure everything for one number of tenants."""
    result = Result(tenants)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.txt"
        measure_scrapes(result, page)
        measure_others(result, page)
    measure_polling(result)
    return result


def measure_scrapes(result: Result, page: Path) -> None:
    """Measure the exporter without polls, after its simulator was dropped."""
    tries = _tries(result.tenants)
    with child("serve_exporter.py", str(result.tenants)) as exporter, scraper(exporter.greeting["url"]) as scraping:
        exporter.ask("fill")
        for what in ("save", "restore"):
            result.state[what] = max((exporter.ask(what) for _ in range(5)), key=lambda each: each["seconds"])
        page.write_bytes(scraping.page())
        result.page_bytes = page.stat().st_size
        result.samples = sum(not line.startswith(b"#") for line in page.read_bytes().splitlines())
        result.build["exporter"] = _times_of(lambda: exporter.ask("page")["seconds"], tries)
        for name, encoding in ENCODINGS.items():
            exporter.ask("stall")
            result.scrapes["exporter", name] = _times_of(lambda encoding=encoding: scraping.scrape(encoding), tries)
            result.stalls[f"scrapes, {name}"] = exporter.ask("stall")


def measure_others(result: Result, page: Path) -> None:
    """Measure nginx and prometheus-client with the same page."""
    tries = _tries(result.tenants)
    with nginx(page) as url:
        if url:
            _measure_server(result, "nginx", url, tries)
    # These are slow and vary little: fewer tries are enough.
    tries = max(3, tries // 4)
    with child("serve_generate_latest.py", str(page)) as latest:
        for kind in ("families", "gauges"):
            result.build[kind] = _times_of(lambda kind=kind: latest.ask(kind)["seconds"], tries)
            _measure_server(result, kind, latest.greeting[kind], tries)


def _measure_server(result: Result, server: str, url: str, tries: int) -> None:
    for name, encoding in ENCODINGS.items():
        with scraper(url) as scraping:
            result.scrapes[server, name] = _times_of(lambda encoding=encoding: scraping.scrape(encoding), tries)


def measure_polling(result: Result) -> None:
    """Measure first polls of the exporter and of the bare client, then scrapes during polls at full speed."""
    with child("serve_simulator.py", str(result.tenants)) as simulator:
        api = (simulator.greeting["url"], simulator.greeting["key"])
        with child("serve_exporter.py", str(result.tenants), *api) as exporter:
            empty = exporter.resident()
            result.demand = exporter.greeting["demand"]
            result.first_polls["exporter"] = first = exporter.ask("fill")
            result.memory = exporter.resident() - empty
            result.stalls["first polls"] = first
            for name, encoding in ENCODINGS.items():
                result.stalls[RELOAD] = exporter.ask("poll_again")
                result.stalls[f"polls and scrapes, {name}"] = _scrape_while_polling(exporter, encoding, result.tenants)
            in_flight = str(exporter.greeting["in_flight"])
        with child("bare_client.py", *api, in_flight) as bare:
            result.first_polls["bare client"] = bare.greeting


def _scrape_while_polling(exporter: Child, encoding: str, tenants: int) -> dict[str, float]:
    """Scrape twice a second while every tenant is polled again; return the longest stall."""
    until = time.monotonic() + 1 + tenants / 600
    with scraper(exporter.greeting["url"]) as scraping:
        while time.monotonic() < until:
            scraping.scrape(encoding)
            time.sleep(0.5)
    return exporter.ask("stall")


def _times_of(one: Callable[[], float], tries: int) -> Times:
    return Times([one() for _ in range(tries)])


def _tries(tenants: int) -> int:
    return 15 if tenants >= 5000 else 40


# Printing


def show(console: Console, results: list[Result]) -> None:
    """Print all tables and the targets."""
    for table in (scrapes, ratios, polls, memory, stalls, intervals, state):
        console.print(table(results))
        console.print()
    for line in compare_with_targets(results):
        console.print(line, highlight=False)


def scrapes(results: list[Result]) -> Table:
    """The scrape times of every server."""
    table = _table("1. A scrape in milliseconds: median / worst", results)
    table.add_row("samples", *(f"{each.samples:,}" for each in results))
    table.add_row("size, MB", *(f"{each.page_bytes / 1e6:.1f}" for each in results), end_section=True)
    for kind, name in BUILDERS.items():
        table.add_row(f"{name}: build only", *(str(each.build[kind]) for each in results))
    table.add_section()
    for encoding in ENCODINGS:
        for server, name in {**BUILDERS, "nginx": "nginx, the same bytes as a file"}.items():
            table.add_row(f"{name}: HTTP, {encoding}", *(each.scrape(server, encoding) for each in results))
        table.add_section()
    per_tenant = (f"{each.scrapes['exporter', 'plain'].median / each.tenants * 1e6:.1f}" for each in results)
    table.add_row("exporter, plain: microseconds per tenant", *per_tenant)
    return table


def ratios(results: list[Result]) -> Table:
    """The exporter's scrape times relative to the others', by medians."""
    table = _table("   The exporter compared with the others: ratios of medians", results)
    for kind, name in {"families": "custom collector", "gauges": "gauges"}.items():
        built = (_times(each.build[kind].median / each.build["exporter"].median) for each in results)
        table.add_row(f"times faster than generate_latest, {name}: build only", *built)
        for encoding in ENCODINGS:
            served = (each.faster(kind, encoding) for each in results)
            table.add_row(f"times faster than generate_latest, {name}: HTTP, {encoding}", *served)
    for encoding in ENCODINGS:
        table.add_row(f"times slower than nginx: HTTP, {encoding}", *(each.slower(encoding) for each in results))
    return table


def polls(results: list[Result]) -> Table:
    """The first polls."""
    table = _table("2. Polls without a rate limit, the simulator on the same machine", results)
    for name in ("exporter", "bare client"):
        first = [each.first_polls[name] for each in results]
        table.add_row(f"{name}: polls", *(f"{each['polls']:,}" for each in first))
        table.add_row(f"{name}: requests", *(f"{each['requests']:,}" for each in first))
        table.add_row(f"{name}: polls per second", *(f"{each['polls'] / each['seconds']:,.0f}" for each in first))
        cpu = (f"{each['cpu'] / each['polls'] * 1e3:.2f}" for each in first)
        table.add_row(f"{name}: CPU milliseconds per poll", *cpu, end_section=True)
    for fact, name in {"seconds": "time", "cpu": "CPU"}.items():
        pairs = [(each.first_polls["exporter"][fact], each.first_polls["bare client"][fact]) for each in results]
        table.add_row(f"{name}: times that of the bare client", *(_times(exporter / bare) for exporter, bare in pairs))
    return table


def memory(results: list[Result]) -> Table:
    """The memory of all tenants, and of one."""
    table = _table("3. Resident memory above an exporter without tenants", results)
    table.add_row("all tenants, MiB", *(f"{each.memory / MIB:.1f}" for each in results))
    table.add_row("per tenant, KiB", *(f"{each.memory / each.tenants / 1024:.1f}" for each in results))
    return table


def stalls(results: list[Result]) -> Table:
    """The longest stalls, the exporter's own CPU time in them, and its garbage collections."""
    table = _table("4. Longest stall of the event loop, ms: by the clock / its own CPU (garbage collection)", results)
    for when in results[0].stalls:
        longest = [each.stalls[when] for each in results]
        cells = (f"{_ms(each['stall'])} / {_ms(each['work'])} ({_ms(each['collection'])})" for each in longest)
        table.add_row(f"during {when}", *cells)
    return table


def intervals(results: list[Result]) -> Table:
    """How long polls take at the default rate limit."""
    table = _table(f"5. At the default {DEFAULT_RATE} requests a second: computed, not run", results)
    first = (_span(each.first_polls["exporter"]["requests"] / DEFAULT_RATE) for each in results)
    table.add_row("the first polls take", *first)
    wanted = [each.demand * each.tenants for each in results]
    table.add_row("polls per second that the default intervals need", *(f"{each:,.1f}" for each in wanted))
    table.add_row(
        "times what the rate limit allows (above 1.0, polls run late)",
        *(_times(max(1.0, each / DEFAULT_RATE)) for each in wanted),
    )
    return table


def state(results: list[Result]) -> Table:
    """How long the state file takes, and how long it stalls the event loop: the slowest of five tries."""
    table = _table("6. The state file (state.file), written and read in a thread: the slowest of five tries", results)
    table.add_row("size, MB", *(f"{each.state['save']['bytes'] / 1e6:.1f}" for each in results))
    for what, name in STATE.items():
        tries = [each.state[what] for each in results]
        table.add_row(f"{name}: ms", *(_ms(each["seconds"]) for each in tries))
        cells = (f"{_ms(each['stall'])} / {_ms(each['work'])} ({_ms(each['collection'])})" for each in tries)
        table.add_row(f"{name}: longest stall of the event loop, ms, as in table 4", *cells)
    return table


def compare_with_targets(results: list[Result]) -> list[str]:
    """Compare the largest fleet with the targets. Stalls by new settings don't count, because they are rare."""
    largest = results[-1]
    polling = [stall for when, stall in largest.stalls.items() if when != RELOAD]
    polling.append(largest.state["save"])
    worst, work = (max(stall[kind] for stall in polling) for kind in ("stall", "work"))
    slowest = max(each["seconds"] for each in largest.state.values())
    built = largest.build["families"].median / largest.build["exporter"].median
    served = largest.scrapes["families", "plain"].median / largest.scrapes["exporter", "plain"].median
    costs = [each.scrapes["exporter", "plain"].median / each.tenants for each in results]
    growth = max([after / before for before, after in pairwise(costs)], default=1.0)
    targets = {
        f"no stall above {_ms(STALL_TARGET)} ms by the clock: {_ms(worst)} ms": worst <= STALL_TARGET,
        f"no stall above {_ms(STALL_TARGET)} ms of the event loop's own CPU time: {_ms(work)} ms": work <= STALL_TARGET,
        f"state file written and read in less than {STATE_TARGET} s each: {slowest:.2f} s": slowest < STATE_TARGET,
        f"page built {FASTER_TARGET}x faster than by a custom collector: {_times(built)}": built >= FASTER_TARGET,
        f"page served {FASTER_TARGET}x faster, without compression: {_times(served)}": served >= FASTER_TARGET,
        f"scrape time per tenant grows by less than a fifth from size to size: {growth:.2f}x": growth <= NOISE,
    }
    head = f"Targets at {largest.tenants:,} tenants. Results vary between runs: repeat this one to confirm."
    return [head, *(f"  {'reached' if reached else 'MISSED '}  {text}" for text, reached in targets.items())]


def _table(title: str, results: list[Result]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("tenants")
    for each in results:
        table.add_column(f"{each.tenants:,}", justify="right")
    return table


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.1f}x" if ratio < 100 else f"{ratio:,.0f}x"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the exporter; bench/README.md says how.")
    parser.add_argument("--tenants", default="100,1000,10000", help="numbers of tenants (default %(default)s)")
    sizes = sorted(int(size) for size in parser.parse_args().tenants.split(","))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that started processes are stopped, too
    console = Console(width=120)
    started = time.monotonic()
    results = []
    for size in sizes:
        sys.stderr.write(f"measuring {size:,} tenants\n")
        results.append(measure(size))
    show(console, results)
    console.print(f"\n7. Scrapes of a page that changes, {sizes[-1]:,} tenants", style="bold")
    for line in changing_page.report(*changing_page.measure(sizes[-1])):
        console.print(line, highlight=False)
    console.print(f"\nMeasured in {time.monotonic() - started:.0f} s.", highlight=False)


if __name__ == "__main__":
    main()
