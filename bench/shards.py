"""Measures sharding with many tenants: `python -m bench.shards`. No network: replies come from a file.

How evenly the tenants are divided, how many move when a shard is added, and what one shard costs that gets the whole
list and keeps a tenth of it. Each exporter is a process of its own. Times are CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from asyncio import events
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import structlog
from rich.console import Console
from rich.table import Table

from exporter.api.transport import Options
from exporter.api.wire import Reply
from exporter.assembly import Exporter
from exporter.clock import Clock
from exporter.garbage import exempt_survivors
from exporter.settings import Settings, load
from exporter.shards import shard_of

PAGE = 100  # tenants on a page of the list
RATE_LIMIT = 20.0  # the default, in requests a second
MIB = 2**20


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.shards", description=__doc__)
    parser.add_argument("--tenants", type=int, default=100_000, help="tenants of all shards (default 100000)")
    parser.add_argument("--shards", type=int, default=10, help="number of shards (default 10)")
    parser.add_argument("--one", nargs=3, metavar=("INDEX", "TOTAL", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        index, total, file = arguments.one
        with exempt_survivors(time.monotonic):
            print(json.dumps(asyncio.run(_one_shard(int(index), int(total), Path(file)))))
        return
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(_division(arguments.tenants, arguments.shards))
    console.print(_discovery(arguments.tenants, arguments.shards))


# How tenants are divided


def _idents(tenants: int) -> Mapping[str, list[str]]:
    rng = Random(1)  # noqa: S311 - repeatable numbers, no secrets
    return {
        "UUIDs": [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(tenants)],
        "numbers in a row": [str(number) for number in range(tenants)],
        "numbered names": [f"district-{number}" for number in range(tenants)],
    }


def _division(tenants: int, shards: int) -> Table:
    table = Table(title=f"{tenants:,} tenants on {shards} shards")
    headings = ("ids", "fewest", "most", "most, of a fair share", "move to a new shard", "of a fair share", "elsewhere")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "ids" else "right")
    for kind, idents in _idents(tenants).items():
        before = [shard_of(ident, shards) for ident in idents]
        after = [shard_of(ident, shards + 1) for ident in idents]
        counts = Counter(before)
        moved = [new for old, new in zip(before, after, strict=True) if old != new]
        fair, fair_moves = tenants / shards, tenants / (shards + 1)
        table.add_row(
            *(kind, f"{min(counts.values()):,}", f"{max(counts.values()):,}", f"{max(counts.values()) / fair:.1%}"),
            *(f"{len(moved):,} ({len(moved) / tenants:.2%})", f"{len(moved) / fair_moves:.1%}"),
            str(sum(new != shards for new in moved)),
        )
    return table


# What one shard costs


def _discovery(tenants: int, shards: int) -> Table:
    part = tenants // shards
    table = Table(title=f"Discovery and its memory, {PAGE} tenants a page")
    table.add_column("exporter")
    columns = {
        "tenants": "{tenants:,}",
        "requests": "{requests:,}",
        "first: CPU": "{first_cpu:.2f} s",
        "stall": "{first_stall:.0f} ms",
        "later: CPU": "{later_cpu:.2f} s",
        "stall ": "{later_stall:.0f} ms",
        "memory": "{memory:.0f} MiB",
        "peak": "{peak:.0f} MiB",
        "reload: stall": "{reload_stall:.0f} ms",
        "moved away": "{moved:,}",
    }
    for heading in columns:
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole"), Path(folder, "small")
        _write_pages(whole, tenants)
        _write_pages(small, part)
        runs = (
            (f"shard 0 of {shards}, list of {tenants:,}", 0, shards, whole),
            (f"shard {shards - 1} of {shards}, list of {tenants:,}", shards - 1, shards, whole),
            (f"no shards, list of {part:,}", 0, 1, small),
        )
        for name, index, total, file in runs:
            found = _in_a_process(index, total, file)
            table.add_row(name, *(text.format(**found) for text in columns.values()))
    requests = shards * -(-tenants // PAGE)
    table.caption = (
        f"All shards send {requests:,} requests for a discovery: at {RATE_LIMIT:g} a second, all of the rate limit for "
        f"{requests / RATE_LIMIT:,.0f} s. Memory: of the list and its tenants, before the first polls."
    )
    return table


def _in_a_process(index: int, total: int, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.shards", "--one", str(index), str(total), str(file)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return answer


def _write_pages(file: Path, tenants: int) -> None:
    """A reply on each line, as the API sends them."""
    rng = Random(2)  # noqa: S311 - repeatable numbers, no secrets
    pages = -(-tenants // PAGE)
    with file.open("w") as out:
        for page in range(pages):
            data = [_tenant(rng, number) for number in range(page * PAGE, min(tenants, (page + 1) * PAGE))]
            following = None if page == pages - 1 else f"https://api.invalid/v2/interop/tenants?page={page + 1}"
            out.write(json.dumps({"data": data, "paging": {"next": following}}) + "\n")


def _tenant(rng: Random, number: int) -> dict[str, Any]:
    def ident() -> str:
        return str(UUID(int=rng.getrandbits(128), version=4))

    return {
        "id": ident(),
        "name": f"District {number} LMS",
        "actor_id": ident(),
        "account": {"id": ident(), "name": f"District {number}", "public_id": f"D{number}", "timezone": "UTC"},
        "cloud": {"id": ident(), "name": f"us-{number % 7}", "generation": 2, "env": {"id": ident(), "name": "prod"}},
        "integration": {"id": ident(), "name": f"integration-{number % 9}", "version": "1.2.0"},
        "auth": {
            "type": "oauth2",
            "client_id": ident(),
            "client_secret": f"{rng.getrandbits(256):064x}",
            "updated_at": "2026-09-01T00:00:00.000Z",
        },
        "app_auth": None,
        "lti_developer_id": None,
    }


class _Pages:
    """A transport whose replies are the lines of a file."""

    def __init__(self, file: Path) -> None:
        self.base_url = "http://127.0.0.1:1"
        self.options = Options(30.0, 2**24)
        self.requests = 0
        self._file = file.open("rb")
        self._starts = [0]
        for line in self._file:
            self._starts.append(self._starts[-1] + len(line))

    def apart(self) -> _Pages:
        """There are no connections."""
        return self

    async def get(self, _path: str, query: Mapping[str, str], _authorization: str) -> Reply:
        """The page of the list."""
        self.requests += 1
        page = int(query["page"])
        self._file.seek(self._starts[page])
        body = self._file.read(self._starts[page + 1] - self._starts[page])
        await asyncio.sleep(0)
        return Reply(200, {"content-type": "application/json"}, body)


async def _one_shard(index: int, total: int, file: Path) -> dict[str, float]:
    """Discover twice, then reload with one more shard."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    transport = _Pages(file)
    exporter = Exporter(
        _settings(index, total),
        transport,  # type: ignore[arg-type]  # a part of it is enough for the list
        Clock(),
    )
    before, stalls = _resident("VmRSS"), _Stalls()
    first_cpu, first_stall = await stalls.during(exporter.poller.discovery.discover)
    requests, transport.requests = transport.requests, 0
    memory = _resident("VmRSS") - before
    tenants = len(exporter.poller.discovery.tenants)
    later_cpu, later_stall = await stalls.during(exporter.poller.discovery.discover)
    peak = _resident("VmHWM") - before
    begun = time.thread_time()
    exporter.apply(_settings(index, total + 1))
    return {
        "tenants": tenants,
        "requests": requests,
        "memory": memory,
        "peak": peak,
        "first_cpu": first_cpu,
        "first_stall": first_stall,
        "later_cpu": later_cpu,
        "later_stall": later_stall,
        "reload_stall": 1000 * (time.thread_time() - begun),
        "moved": tenants - len(exporter.poller.discovery.tenants),
    }


def _settings(index: int, total: int) -> Settings:
    flags = {"api.url": "http://127.0.0.1:1", "api.rate_limit": "1000000", "shard.index": str(index)}
    return load({**flags, "shard.total": str(total)}, {"KIMONO_API_KEY": "key"})


class _Stalls:
    """Notes the most CPU time that the event loop spends at a stretch."""

    def __init__(self) -> None:
        self.longest = 0.0
        run = events.Handle._run  # noqa: SLF001 - what the loop calls for each step

        def timed(handle: events.Handle) -> None:
            begun = time.thread_time()
            run(handle)
            self.longest = max(self.longest, time.thread_time() - begun)

        events.Handle._run = timed  # type: ignore[method-assign]  # noqa: SLF001 - as above

    async def during(self, work: Callable[[], Any]) -> tuple[float, float]:
        """CPU seconds of the process, and the longest stall in milliseconds, while `work` is done."""
        await asyncio.sleep(0)
        self.longest, begun = 0.0, time.process_time()
        await work()
        spent = time.process_time() - begun
        await asyncio.sleep(0)  # the step that ends here counts as well
        return spent, 1000 * self.longest


def _resident(name: str) -> float:
    """`VmRSS`, the resident memory, or `VmHWM`, its peak, in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise ValueError(name)


if __name__ == "__main__":
    main()
