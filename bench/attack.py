"""Attacks the exporter's pages with many bad clients, and measures how long each scrape takes meanwhile.

Run it from the checkout, on loopback only: `python bench/attack.py`. It starts `kimono-exporter demo` with few file
descriptors and basic auth. For each kind of bad client it prints the median and the worst time of a scrape, then how
long SIGTERM takes during the last one. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import http.client
import multiprocessing
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import bcrypt

PASSWORD = b"S3CR3T-of-the-scraper"


def header(password: bytes) -> str:
    """The credentials of the scraper with a password."""
    return "Basic " + base64.b64encode(b"prometheus:" + password).decode()


def request(password: bytes, path: str = "/metrics") -> bytes:
    """A scrape, or a request for another page."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header(password)}\r\n\r\n".encode()


async def hold(port: int, sent: Callable[[], bytes], read: Callable[[asyncio.StreamReader], Awaitable[object]]) -> None:
    """Connect again and again, send something, and read in some way until the server closes the connection."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(sent())
            with contextlib.suppress(OSError, EOFError):
                await read(reader)
            writer.transport.abort()
        await asyncio.sleep(0.05)


async def nothing(_reader: asyncio.StreamReader) -> None:
    """Read nothing for longer than a scrape may take."""
    await asyncio.sleep(30)


async def until_closed(reader: asyncio.StreamReader) -> None:
    """Read until the server closes the connection."""
    while await reader.read(65536):
        pass


async def a_byte_a_second(reader: asyncio.StreamReader) -> None:
    """Read a byte a second, for half a minute."""
    for _ in range(30):
        await reader.readexactly(1)
        await asyncio.sleep(1)


async def one_reply(reader: asyncio.StreamReader) -> None:
    """Read the beginning of a reply."""
    await asyncio.wait_for(reader.read(1000), 30)


def wrong() -> bytes:
    """A scrape with a wrong password, each time another."""
    return request(str(time.monotonic_ns()).encode())


ATTACKS: dict[str, tuple[Callable[[], bytes], Callable[[asyncio.StreamReader], Awaitable[object]]]] = {
    "idle": (lambda: b"", until_closed),
    "half-sent": (lambda: b"GET /metrics HTTP/1.1\r\nHost: loc", until_closed),
    "bodies without end": (lambda: b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n", until_closed),
    "no reading": (lambda: request(PASSWORD), nothing),
    "a byte a second": (lambda: request(PASSWORD), a_byte_a_second),
    "wrong passwords": (wrong, one_reply),
    "the status page again and again": (lambda: request(PASSWORD, "/") * 500, until_closed),
    "health again and again": (lambda: request(PASSWORD, "/-/healthy") * 500, until_closed),
}


def attack(port: int, kinds: list[str], count: int) -> None:
    """Attack with so many connections of each kind, until killed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def all_of_them() -> None:
        await asyncio.gather(*(hold(port, *ATTACKS[kind]) for kind in kinds for _ in range(count)))

    asyncio.run(all_of_them())


def scrape(port: int) -> float:
    """The seconds that a scrape takes on a connection of its own. Raises OSError if it fails."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics", headers={"Authorization": header(PASSWORD), "Accept-Encoding": "gzip"})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise OSError(f"HTTP {reply.status}")
    return time.monotonic() - begun


def measured(port: int, seconds: int) -> str:
    """Scrape each second, and tell how long that took."""
    times, failed = [], 0
    for _ in range(seconds):
        try:
            times.append(scrape(port))
        except (OSError, http.client.HTTPException):
            failed += 1
        time.sleep(max(0.0, 1 - times[-1]) if times else 1)
    if not times:
        return f"all {seconds} failed"
    return f"median {statistics.median(times):.3f} s, worst {max(times):.3f} s, {failed} of {seconds} failed"


def main() -> None:
    """Start the exporter, and attack it in each way."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tenants", type=int, default=1000, help="tenants of the demo (default 1000: some 5 MB)")
    options.add_argument("--descriptors", type=int, default=256, help="file descriptors of the exporter (default 256)")
    options.add_argument("--connections", type=int, default=300, help="bad connections of each kind (default 300)")
    options.add_argument("--attacks", default="", help="names of attacks, separated by commas (default all)")
    options.add_argument("--seconds", type=int, default=15, help="scrapes during each attack (default 15)")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hashed = bcrypt.hashpw(PASSWORD, bcrypt.gensalt(10)).decode()
        Path(folder, "web.yml").write_text(f"basic_auth_users: {{prometheus: {hashed}}}")
        command = [sys.executable, "-m", "exporter", "demo", "--tenants", str(chosen.tenants)]
        command += ["--web.listen-address", "127.0.0.1:0", "--web.config.file", f"{folder}/web.yml"]
        command += ["--api.rate_limit", "500"]  # so that all are polled soon
        limited = ["sh", "-c", f'ulimit -n {chosen.descriptors}; exec "$@"', "sh", *command]
        log = Path(folder, "log")
        with log.open("w") as errors, subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=errors) as exporter:
            port = port_of(exporter)
            time.sleep(20)  # most first polls
            try:
                print("no attack:", measured(port, chosen.seconds), flush=True)
                names = chosen.attacks.split(",") if chosen.attacks else list(ATTACKS)
                for kinds in [*([name] for name in names), list(ATTACKS)]:
                    attacker = multiprocessing.Process(target=attack, args=(port, kinds, chosen.connections))
                    attacker.start()
                    time.sleep(1)
                    print(f"{', '.join(kinds)}:", measured(port, chosen.seconds), flush=True)
                    if len(kinds) > 1:
                        begun = time.monotonic()
                        exporter.send_signal(signal.SIGTERM)
                        exporter.wait(30)
                        print(f"SIGTERM: {time.monotonic() - begun:.1f} s, exit code {exporter.returncode}")
                    attacker.kill()
                    attacker.join()
            finally:
                exporter.kill()
        lines = log.read_text().splitlines()
        print(f"{len(lines)} log messages, {sum('please report' in line for line in lines)} internal errors")


def port_of(exporter: subprocess.Popen[bytes]) -> int:
    """The port that the demo says it listens on."""
    assert exporter.stdout is not None  # noqa: S101 - it is a pipe
    for line in exporter.stdout:
        if b"/metrics" in line:
            return int(line.split(b"/metrics")[0].rpartition(b":")[2])
    raise SystemExit("the exporter did not start")


if __name__ == "__main__":
    main()
