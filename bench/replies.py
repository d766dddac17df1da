"""Measures what one hostile reply costs the exporter: `make bench-replies`.

Each case runs in a process of its own. An exporter first polls an API whose replies are good, then one that gives the
hostile reply for one path. The table has the longest time for which the event loop was blocked, and how much more
memory was resident at the peak. The time is CPU time of the event loop's thread: other work on the machine does not
change it. It includes garbage collections. Needs Linux.

The limits are those of one reply. Where several tenants get one at the same time, the memory of all is shown, and each
may take as much. A list of tenants also makes the exporter watch them, which takes memory for as long as they are
there: that of docs/performance.md is added to the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from exporter.assembly import open_exporter
from exporter.clock import Clock
from exporter.settings import load
from tests.support.fetches import good_reply

MOST_MILLISECONDS, MOST_MEGABYTES = 50.0, 100.0
# What a watched tenant may take.
_TENANT_MEGABYTES = 9 / 1024
_LARGEST = 16 * 2**20  # the default of `api.max_response_bytes`
_PREFIX = "/v2/interop"


@dataclass(frozen=True)
class Case:
    """A hostile reply for one path. `tenants` get it at the same time; it lists `watched` tenants."""

    path: str
    make: Callable[[], bytes]
    compressed: bool = False
    tenants: int = 1
    charset: str | None = None
    watched: int = 0

    @property
    def most_megabytes(self) -> float:
        """How much memory it may cost."""
        return MOST_MEGABYTES * self.tenants + _TENANT_MEGABYTES * self.watched


def _list(item: object, size: int = _LARGEST) -> bytes:
    """A list of equal items, as long as fits into `size` bytes."""
    one = json.dumps(item, separators=(",", ":")).encode()
    return b'{"data":[' + b",".join([one] * ((size - 20) // (len(one) + 1))) + b"]}"


def _numbered(make: Callable[[int], Any], count: int) -> bytes:
    return json.dumps({"data": [make(number) for number in range(count)]}, separators=(",", ":")).encode()


def _ingestion(number: int) -> dict[str, Any]:
    started = "2026-09-01T00:00:00.000Z"
    return {"id": f"i{number}", "type": f"t{number % 7}", "state": "executing", "started_at": started}


def _flags(count: int) -> bytes:
    return json.dumps({"data": {f"flag_{number}": True for number in range(count)}}).encode()


CASES = {
    "an object, good": Case("/tenant/state", lambda: b'{"data":{"rollover_mode_enabled":true}}'),
    "1 MiB of {}": Case("/ingestions", lambda: _list({}, 2**20)),
    "16 MiB of {}": Case("/ingestions", lambda: _list({})),
    "16 MiB of null": Case("/ingestions", lambda: _list(None)),
    "16 MiB of 1": Case("/tenant/schedules", lambda: _list(1)),
    "16 MiB of [": Case("/tenant/rollovers", lambda: b"[" * _LARGEST),
    "16 MiB of a text": Case("/tenant/state", lambda: b'{"data":{"a":"' + b"x" * (_LARGEST - 30) + b'"}}'),
    "16 MiB of escapes": Case("/tenant/state", lambda: b'{"data":{"a":"' + rb"\u00e9" * (_LARGEST // 6 - 9) + b'"}}'),
    "16 MiB of digits": Case("/tenant/state", lambda: b'{"data":[' + b",".join([b"9" * 4000] * 4190) + b"]}"),
    "16 MiB of white space": Case("/tenant/state", lambda: b" " * _LARGEST),
    "16 MiB after paging": Case(
        "/ingestions", lambda: b'{"data":[],"paging":{"next":"' + b"&page=" * 2_700_000 + b'"}}'
    ),
    "60,000 ingestions": Case("/ingestions", lambda: _numbered(_ingestion, 60_000)),
    "5,000 ingestions": Case("/ingestions", lambda: _numbered(_ingestion, 5_000)),
    "5,000 schedules": Case("/tenant/schedules", lambda: _numbered(lambda n: {"id": f"s{n}", "hour": 3}, 5_000)),
    "5,000 tenants without credentials": Case(
        "/tenants", lambda: _numbered(lambda n: {"id": f"t{n}"}, 5_000), watched=5_000
    ),
    "20,000 tenants without credentials": Case(
        "/tenants", lambda: _numbered(lambda n: {"id": f"t{n}"}, 20_000), watched=20_000
    ),
    "100,000 flags": Case("/tenant/state", lambda: _flags(100_000)),
    "1,000 flags": Case("/tenant/state", lambda: _flags(1_000)),
    "a gzip bomb of 16 MiB": Case("/ingestions", lambda: b" " * _LARGEST, compressed=True),
    "a gzip bomb of 1 GiB": Case("/ingestions", lambda: b" " * 2**30, compressed=True),
    "16 MiB in ISO 8859-1": Case("/ingestions", lambda: b'"' + b"\xe9" * (_LARGEST - 9) + b'"', charset="iso-8859-1"),
    "16 MiB of UTF-8, said to be ASCII": Case(
        "/ingestions", lambda: "é".encode() * (_LARGEST // 2), charset="us-ascii"
    ),
    "16 MiB in UTF-16": Case("/ingestions", lambda: ("é" * (_LARGEST // 2 - 9)).encode("utf-16"), charset="utf-16"),
    "12 gzip bombs of 16 MiB at once": Case("/ingestions", lambda: _list({}), compressed=True, tenants=12),
}


# The API


class Api:
    """Good replies for all paths but one, below `/NUMBER` of a case, or `/good`."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self._body = b""

    def use(self, case: Case) -> None:
        """Make the reply of this case."""
        body = case.make()
        self.case, self._body = case, gzip.compress(body, 9) if case.compressed else body

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        which, path = request.path.removeprefix("/").split("/", 1)
        path = f"/{path}".removeprefix(_PREFIX)
        if path == "/oauth/token":
            return web.json_response({"access_token": "token", "expires_in": 3600})
        if which != "good" and self.case and path == self.case.path:
            headers = {"Content-Encoding": "gzip"} if self.case.compressed else {}
            return web.Response(
                body=self._body, headers=headers, content_type="application/json", charset=self.case.charset
            )
        if path == "/tenants":
            return web.json_response({"data": [_tenant(n) for n in range(self.case.tenants if self.case else 1)]})
        value = good_reply(path)
        return web.json_response(value, status=200 if value is not None else 404)


def _tenant(number: int) -> dict[str, Any]:
    auth = {"type": "oauth2", "client_id": f"c{number}", "client_secret": "s"}
    return {"id": f"t{number}", "name": f"Tenant {number}", "auth": auth}


async def measure_all(names: list[str]) -> int:
    """Print a line for each case; return 1 if one costs too much."""
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    missed = 0
    print(f"{'reply':36} {'loop, ms':>9} {'memory, MB':>11}  outcome")
    for name in names:
        api.use(CASES[name])
        command = [sys.executable, "-m", "bench.replies", "--child", str(runner.addresses[0][1])]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
        blocked, megabytes, outcome = json.loads(out)
        bad = blocked > MOST_MILLISECONDS or megabytes > CASES[name].most_megabytes
        missed += bad
        print(f"{name:36} {blocked:9.1f} {megabytes:11.1f}  {outcome}{'  TOO MUCH' if bad else ''}", flush=True)
    await runner.cleanup()
    limits = f"{MOST_MILLISECONDS:g} ms and {MOST_MEGABYTES:g} MB a reply"
    print(f"at most {limits}: {len(names) - missed} of {len(names)} cases")
    return 1 if missed else 0


# The exporter, in a process of its own


async def _poll_once(url: str) -> tuple[float, str]:
    """Discover and poll everything once; the longest time in ms that the loop was blocked, and how it ended."""
    settings = load({"api.url": url, "api.rate_limit": "100000"}, {"KIMONO_API_KEY": "key"})
    async with open_exporter(settings, Clock()) as exporter:
        blocked: list[float] = [0.0]
        watching = asyncio.create_task(_watch(blocked))
        await asyncio.sleep(0)
        await exporter.poller.once()
        watching.cancel()
        status = exporter.status()
        failed = {f"{each.collector}: {each.reason}" for tenant in status.failing for each in tenant.failures}
        if not status.discovery.ok:
            failed.add("discovery failed")
        return blocked[0] * 1000, ", ".join(sorted(failed)) or "success"


async def _watch(longest: list[float]) -> None:
    """Note the most CPU time that passes between two turns of the loop."""
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        longest[0] = max(longest[0], time.thread_time() - before)


def _resident(what: str) -> float:
    """`VmRSS`, the resident memory, or `VmHWM`, its peak, in MB. `getrusage` has the peak of the parent, too."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def measure(port: int) -> None:
    """Measure the case that the API has now, and print it as JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_poll_once(f"http://127.0.0.1:{port}/good"))
    gc.collect()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    blocked, outcome = asyncio.run(_poll_once(f"http://127.0.0.1:{port}/hostile"))
    print(json.dumps([blocked, _resident("VmHWM") - before, outcome]))


def main(arguments: list[str]) -> int:
    """Measure all cases, or those whose name has a text."""
    parser = argparse.ArgumentParser(prog="make bench-replies", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has this text")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        measure(chosen.child)
        return 0
    return asyncio.run(measure_all([name for name in CASES if chosen.only in name]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
