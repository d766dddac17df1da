"""Runs the whole chain beside the demo's exporter: Prometheus, and Alertmanager and Grafana if they are installed."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from exporter import output
from exporter.assets import Links, runbooks
from exporter.clock import Clock
from exporter.demo import children
from exporter.demo.children import Child
from exporter.demo.configuration import Watch, alertmanager, prometheus
from exporter.demo.grafana import grafana
from exporter.demo.pages import serving
from exporter.demo.ports import HOST, choose
from exporter.demo.programs import ALERTMANAGER, GRAFANA, PAGES_PORT, PORTS, PROMETHEUS, Program
from exporter.logs import printable
from exporter.output import OutputError

# Grafana sets up its database at the first start.
_READY_SECONDS = 90.0
_ASK_SECONDS = 0.25
_MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Wishes:
    """What a caller may want to change or know: other `rules`, with these links; the ports, by program."""

    rules: Callable[[Links], str] | None = None
    chosen: Callable[[Mapping[str, int]], None] = lambda _: None


async def run(exporter: str, programs: Mapping[str, tuple[str, ...]], clock: Clock, wishes: Wishes = Wishes()) -> None:
    """Run the chain on an exporter (HOST:PORT) until cancelled; then nothing of it is left.

    `programs` has what is installed, Prometheus at least, with the beginnings of the command lines.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        ports = {name: choose(name, PORTS[name]) for name in programs}
        pages = choose("the receiver of notifications", PAGES_PORT)
        await stack.enter_async_context(serving(pages, runbooks(), tell))
        wishes.chosen(ports)
        watch = replace(_watch(exporter, pages, ports), rules=wishes.rules)
        started = await stack.enter_async_context(_started(_described(programs, ports, folder, watch), folder))
        async with asyncio.TaskGroup() as group:
            for program, child in started:
                group.create_task(_follow(program, child, clock))
        await asyncio.Event().wait()


def tell(text: str) -> None:
    """Print lines, if anyone reads them."""
    with contextlib.suppress(OutputError):
        output.write(text)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="kimono-demo-", ignore_cleanup_errors=True)


def _watch(exporter: str, pages: int, ports: Mapping[str, int]) -> Watch:
    own = f"http://{HOST}:{pages}"
    boards = f"http://{HOST}:{ports[GRAFANA]}" if GRAFANA in ports else own
    return Watch(exporter, own, Links(f"{own}/runbooks", boards))


def _described(
    programs: Mapping[str, tuple[str, ...]], ports: Mapping[str, int], folder: Path, watch: Watch
) -> list[Program]:
    """The programs with their configuration written."""
    described = [prometheus(programs[PROMETHEUS], ports[PROMETHEUS], folder, watch, ports.get(ALERTMANAGER))]
    if ALERTMANAGER in programs:
        described.append(alertmanager(programs[ALERTMANAGER], ports[ALERTMANAGER], folder, watch))
    if GRAFANA in programs:
        described.append(grafana(programs[GRAFANA], ports[GRAFANA], folder, watch, ports[PROMETHEUS]))
    return described


@contextlib.asynccontextmanager
async def _started(programs: list[Program], folder: Path) -> AsyncIterator[list[tuple[Program, Child]]]:
    """The programs that could be started; all are stopped at the end."""
    started: list[tuple[Program, Child]] = []
    try:
        for program in programs:
            try:
                child = await children.start(program.command, folder, folder / f"{program.name.lower()}.log")
            except OSError as error:
                tell(f"Can't start {program.name}: {error.strerror}\n")
            else:
                started.append((program, child))
        yield started
    finally:
        await children.stop([child for _, child in started])


async def _follow(program: Program, child: Child, clock: Clock) -> None:
    """Say when the program is ready, or that it isn't, and when it ends by itself."""
    ended = asyncio.create_task(child.ended())
    ready = asyncio.create_task(_ready(program, clock))
    try:
        await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not ended.done():
            tell(f"{program.name}: {program.page}\n" if ready.result() else _not_ready(program, child))
        what = "ended" if ready.done() and ready.result() else "can't start"
        code = await ended
        tell(f"{program.name} {what} (exit code {code}): {_last_line(child)}\n")
    finally:
        for task in (ended, ready):
            task.cancel()


async def _ready(program: Program, clock: Clock) -> bool:
    """Whether the program answered that it is ready, within 90 s."""
    deadline = clock.monotonic() + _READY_SECONDS
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        while clock.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(program.ready) as reply:
                    if reply.status == 200:  # noqa: PLR2004 - HTTP's OK
                        return True
            await clock.sleep(_ASK_SECONDS)
    return False


def _not_ready(program: Program, child: Child) -> str:
    return f"{program.name} is not ready after {_READY_SECONDS:g} s: {_last_line(child)}\n"


def _last_line(child: Child) -> str:
    return printable(child.last_line())[:_MOST_CHARACTERS]
