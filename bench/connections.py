"""Measures what it costs that each tenant has connections of its own: `python -m bench.connections`.

A server with TLS, in a process of its own, answers the requests of tenants that are polled in turn, as the exporter
does it: three polls of a tenant at different times, with five requests in all. For comparison, all tenants share one
pool, as with aiohttp alone; and no connection is used twice.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from multiprocessing.connection import Connection
from pathlib import Path

from exporter.api import connections
from exporter.api.egress import Egress, trust
from exporter.api.transport import HttpTransport, Options, open_transport

CONCURRENCY = 20
# Requests of the polls of a tenant: flags, a list of two pages, and another one.
POLLS = (1, 2, 2)
BODY = b'{"data": {"name": "x"}}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def _serve(folder: Path, pipe: Connection) -> None:
    """Answers everything; sends its port, and at the end the number of connections."""
    accepted = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted[0] += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(REPLY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=1000) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        pipe.send(accepted[0])


def _run_server(folder: Path, pipe: Connection) -> None:
    asyncio.run(_serve(folder, pipe))


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run_server, args=(folder, theirs), daemon=True)
    process.start()
    yield f"https://127.0.0.1:{ours.recv()}", ours
    process.join()


def _make_certificate(folder: Path) -> None:
    names = "subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem")]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, "-subj", "/CN=server", "-addext", names]
    subprocess.run(make, check=True, capture_output=True)


@dataclass
class _Cost:
    """CPU seconds of the client, its largest resident size in MiB, and the highest number of idle connections."""

    requests: int
    cpu: float
    grown: float
    idle: int


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def _poll_all(url: str, folder: Path, tenants: int, rounds: int, *, apart: bool, keep: bool) -> _Cost:
    options = Options(30.0, 2**20, Egress(None, trust(folder / "server.pem")))
    async with open_transport(url, options) as root:
        pool = root._session.connector  # noqa: SLF001 - to change it
        assert isinstance(pool, connections.Connections)  # noqa: S101
        if not keep:
            pool.max_idle = 0
        if not apart:
            pool._limit_per_host = 0  # noqa: SLF001 - likewise
        callers = [root.apart() if apart else root for _ in range(tenants)]
        turns: Iterator[tuple[HttpTransport, int]] = iter(
            list(chain.from_iterable(zip(callers, repeat(requests)) for _ in range(rounds) for requests in POLLS))
        )
        sent, idle, before, begun = 0, 0, _resident(), time.process_time()
        grown = 0.0

        async def work() -> None:
            nonlocal sent, idle, grown
            for transport, requests in turns:
                for _ in range(requests):
                    await transport.get("/v2/interop/tenant", {}, "Bearer token")
                    sent += 1
                idle = max(idle, len(pool.idle))
                grown = max(grown, _resident() - before)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        return _Cost(sent, time.process_time() - begun, grown, idle)


def _measure(folder: Path, tenants: int, rounds: int, name: str, *, apart: bool, keep: bool) -> None:
    with _server(folder) as (url, pipe):
        cost = asyncio.run(_poll_all(url, folder, tenants, rounds, apart=apart, keep=keep))
        pipe.send(None)
        opened = pipe.recv()
    share, each = opened / cost.requests, 1000 * cost.cpu / cost.requests
    print(f"{name:<28} {opened:>8} {share:>10.2f} {each:>12.2f} {2 * each:>10.1f} {cost.idle:>6} {cost.grown:>8.0f}")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.connections", description=__doc__.splitlines()[0])
    parser.add_argument("--tenants", type=int, default=2_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="times that each tenant is polled")
    arguments = parser.parse_args()
    tenants, rounds = arguments.tenants, arguments.rounds
    print(f"{tenants} tenants, {rounds} rounds of {sum(POLLS)} requests in {len(POLLS)} polls, with TLS")
    print("connections                    opened  a request  CPU ms each  % at 20/s   idle  MiB more")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_certificate(folder)
        _measure(folder, tenants, rounds, "shared by all", apart=False, keep=True)
        _measure(folder, tenants, rounds, "of each tenant (the exporter)", apart=True, keep=True)
        _measure(folder, tenants, rounds, "none kept", apart=True, keep=False)


if __name__ == "__main__":
    main()
