"""Measures the CPU time of a poll beside other programs that send the same requests: `python -m bench.polls --help`.

The simulator is a process of its own, and each program another one. They poll in turn, so that other work on the
machine meets all of them. What is compared is the CPU time of each process, user and system, for a request.

- exporter: the real one, with decoding, history, problems, rendering and storing. Its tokens have been fetched.
- bare client: aiohttp on the same event loop, which drops the replies.
- Go client: net/http, which decodes the JSON of the replies (bench/go_client); needs Go.
- json_exporter: prometheus-community's, with a probe for each request; needs its program, because the Go module proxy
  does not have it.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote, urlencode

import psutil
from rich.console import Console
from rich.table import Table

from bench.children import BENCH, Child, child
from bench.figures import Target

# Times the bare client's.
TARGET = 1.6
TRIES, _TRIES_A_RUN = 5, 3
# Requests in flight: as at a low rate limit, and as many as `api.concurrency` has.
IN_FLIGHT = (1, 20)
# Tenants that keep their connections, and tenants of whom each poll opens one.
FLEETS = {"kept": 40, "new": 300}
ROUNDS = {"kept": 6, "new": 1}
NAMES = ("exporter", "bare client", "Go client", "json_exporter")
PATHS = ("/tenant/state", "/ingestions?page=0", "/tenant/schedules?page=0", "/tenant/rollovers?page=0")

TARGETS = tuple(
    Target(f"{connections} connections, {in_flight} in flight: times the bare client", TARGET)
    for connections in FLEETS
    for in_flight in IN_FLIGHT
)

# CPU milliseconds for a request.
Measure = Callable[[], float]


def main() -> int:
    """Measure, and print the table; return 1 if the target is missed."""
    arguments = _parser().parse_args()
    table = Table("CPU milliseconds for a request, median", *NAMES, "exporter / bare", title="A poll, and a request")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        go = _built(Path(folder) / "client")
        for connections, tenants in FLEETS.items():
            for in_flight in IN_FLIGHT:
                found = measure(
                    connections, tenants, in_flight, arguments.tries, go=go, json_exporter=arguments.json_exporter
                )
                ratio = found["exporter"] / found["bare client"]
                missed |= ratio > TARGET
                cells = (f"{found[name]:.3f}" if name in found else "not installed" for name in NAMES)
                table.add_row(f"{connections} connections, {in_flight} in flight", *cells, f"{ratio:.2f}")
    console = Console(width=120)
    console.print(table)
    console.print(f"target: at most {TARGET} times the bare client: {'MISSED' if missed else 'reached'}")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-polls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tries", type=int, default=TRIES, help="measurements of each program (default %(default)s)")
    parser.add_argument("--json-exporter", type=Path, metavar="PROGRAM", help="a json_exporter to compare with")
    return parser


def figures(_tenants: int) -> Mapping[str, float]:
    """CPU milliseconds of each program, and the exporter's relative to the bare client's."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        go = _built(Path(folder) / "client")
        for connections, tenants in FLEETS.items():
            for in_flight in IN_FLIGHT:
                one = measure(connections, tenants, in_flight, _TRIES_A_RUN, go=go, json_exporter=None)
                case = f"{connections} connections, {in_flight} in flight"
                found |= {f"{case}: ms of CPU, {name}": each for name, each in one.items()}
                found[f"{case}: times the bare client"] = one["exporter"] / one["bare client"]
    return found


def measure(
    connections: str, tenants: int, in_flight: int, tries: int, *, go: Path | None, json_exporter: Path | None
) -> Mapping[str, float]:
    """The median of each program, by name."""
    with ExitStack() as stack:
        simulator = stack.enter_context(child("serve_simulator.py", str(tenants)))
        api, key = simulator.greeting["url"], simulator.greeting["key"]
        arguments = (api, key, str(in_flight))
        programs: dict[str, Measure] = {
            "exporter": _asked(stack.enter_context(child("serve_polls.py", *arguments)), connections),
            "bare client": _asked(stack.enter_context(child("bare_client.py", *arguments, connections)), connections),
        }
        if go:
            client = stack.enter_context(_running(go, *arguments, connections))
            programs["Go client"] = _asked(Child(client), connections)
        if json_exporter and in_flight == 1:
            programs["json_exporter"] = stack.enter_context(_probed(json_exporter, api, key))
        found: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(tries):
            for name, one in programs.items():
                found[name].append(one())
        return {name: median(times) for name, times in found.items()}


def _asked(program: Child, connections: str) -> Measure:
    def one() -> float:
        answer = program.ask(f"poll {ROUNDS[connections]}")
        milliseconds: float = answer["cpu"] / answer["requests"] * 1000
        return milliseconds

    return one


@contextmanager
def _running(program: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None  # noqa: S101 - started with a pipe
            process.stdin.close()


def _built(program: Path) -> Path | None:
    """The Go client; None if there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    subprocess.run([go, "build", "-o", program, "."], cwd=BENCH / "go_client", check=True)
    return program


# json_exporter

_MODULES = """
modules:
  default:
    metrics:
    - name: kimono_probe
      type: object
      help: Objects of the reply.
      path: '{ .data }'
      values:
        found: 1
    http_client_config:
      authorization:
        credentials: %s
"""


@contextmanager
def _probed(program: Path, api: str, key: str) -> Iterator[Measure]:
    """Run json_exporter, and yield what probes a tenant's resources with it. It can't fetch tokens."""
    with tempfile.TemporaryDirectory() as folder:
        config, address = Path(folder) / "config.yaml", "127.0.0.1:10199"
        config.write_text(_MODULES % _token(api, key), encoding="utf-8")
        command = [program, f"--config.file={config}", f"--web.listen-address={address}", "--log.level=error"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield lambda: _probe(process, address, api)
            finally:
                process.terminate()


def _probe(process: subprocess.Popen[bytes], address: str, api: str, rounds: int = 50) -> float:
    before = _cpu(process)
    for _ in range(rounds):
        for path in PATHS:
            target = quote(f"{api}/v2/interop{path}", safe="")
            with urllib.request.urlopen(f"http://{address}/probe?module=default&target={target}") as reply:
                reply.read()
    return (_cpu(process) - before) / (rounds * len(PATHS)) * 1000


def _cpu(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    seconds: float = times.user + times.system
    return seconds


def _token(api: str, key: str) -> str:
    """A token of the first tenant that has an OAuth2 client."""
    basic = base64.b64encode(f"{key}:{key}".encode()).decode()
    listed = _json(f"{api}/v2/interop/tenants?page=0", {"Authorization": f"Basic {basic}"})
    auth = next(each["auth"] for each in listed["data"] if each and each["auth"]["type"] == "oauth2")
    form = {"grant_type": "client_credentials"} | {name: auth[name] for name in ("client_id", "client_secret")}
    token: str = _json(f"{api}/oauth/token", {}, urlencode(form).encode())["access_token"]
    return token


def _json(url: str, headers: Mapping[str, str], form: bytes | None = None) -> dict[str, Any]:
    request = urllib.request.Request(url, form, dict(headers))  # noqa: S310 - the simulator's own
    with urllib.request.urlopen(request) as reply:  # noqa: S310 - likewise
        value: dict[str, Any] = json.load(reply)
        return value


if __name__ == "__main__":
    sys.exit(main())
