"""Runs the command `check`: polls, with a progress bar on a terminal, and prints what it found."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from exporter import output
from exporter.assembly import Exporter, open_exporter
from exporter.check.calls import CallLog
from exporter.check.choice import Choice
from exporter.check.document import as_json
from exporter.check.report import Report
from exporter.clock import Clock
from exporter.logs import printable
from exporter.settings import Settings
from exporter.state_file import StateFileError
from exporter.state_saver import peek
from exporter.status import Status

# In a pipe or a file, lines are as long as on the usual terminal; on a wide one they are not longer than can be read.
_WIDTH_ELSEWHERE, _WIDEST = 80, 120
_REFRESH_SECONDS = 0.1


@dataclass(frozen=True)
class Wanted:
    """What `check` is to show: `tenant` is an id, a name or a glob."""

    name_all: bool = False
    tenant: str | None = None
    as_json: bool = False


_EVERYTHING = Wanted()


async def check(settings: Settings, wanted: Wanted = _EVERYTHING) -> bool:
    """Poll all tenants once and print what was found; returns whether all polls succeeded. Raises OutputError."""
    choice = None if wanted.tenant is None else Choice(wanted.tenant)
    log = CallLog()
    status, restored = await _poll_all(settings, log, choice)
    ok = bool(status.discovery.ok and (status.tenants or status.discovery.elsewhere) and not status.failing)
    if choice and not status.tenants and status.discovery.ok:
        output.complain(_no_such_tenant(choice))
        ok = False
    calls = log.calls if choice else None
    if wanted.as_json:
        output.write(as_json(status, settings.api, calls, ok=ok, history=restored))
        return ok
    if choice and not status.tenants and status.discovery.ok:
        return False
    console = _console()
    # At the end, rich writes an empty text itself, which fails at once if standard output is not buffered.
    console.begin_capture()
    Report(console, settings.api, name_all=wanted.name_all).print(status, calls, restored=restored)
    with output.writing():
        printed = console.end_capture()
    output.write(printed)
    return ok


def _console() -> Console:
    """Colours on a terminal that has them, unless NO_COLOR is set; rich knows both."""
    if not sys.stdout.isatty():
        return Console(width=_WIDTH_ELSEWHERE, force_terminal=False, color_system=None)
    console = Console()
    console.width = min(console.width, _WIDEST)
    return console


def _no_such_tenant(choice: Choice) -> str:
    near = f"; did you mean {' or '.join(repr(printable(name)) for name in choice.near)}?" if choice.near else ""
    hint = "" if near else "; `check --all` lists the tenants that the credentials and the discovery filters allow"
    return f"--tenant: no tenant has the id or name {printable(choice.wanted)!r}, nor does it match one{near}{hint}"


async def _poll_all(settings: Settings, log: CallLog, choice: Choice | None) -> tuple[Status, bool]:
    """Poll all tenants once, with a progress bar on a terminal; and whether the state file could be read."""
    console = Console(stderr=True)
    columns = (TextColumn("polls"), BarColumn(), MofNCompleteColumn())
    off = not sys.stderr.isatty() or console.is_dumb_terminal
    progress = Progress(*columns, console=console, transient=True, disable=off)
    async with open_exporter(settings, Clock()) as exporter:
        exporter.client.observer = log
        if choice:
            exporter.poller.discovery.choose = choice.among
        restored = await _restore(exporter, settings.state.file)
        polling, scheduler = asyncio.create_task(exporter.poller.once()), exporter.poller.scheduler
        with progress:
            task = progress.add_task("polls", total=None)
            while not polling.done():
                total = scheduler.polls_per_interval
                progress.update(task, completed=total - scheduler.first_polls_left, total=total or None)
                await asyncio.wait([polling], timeout=_REFRESH_SECONDS)
        await polling
        return exporter.poller.status(with_working=True), restored


async def _restore(exporter: Exporter, path: Path | None) -> bool:
    """Let the exporter know what a running one knows, which keeps the file and saves it once a minute."""
    if path is None:
        return False
    try:
        saved = await peek(path, exporter.transport.base_url, exporter.clock.now())
    except StateFileError as error:
        output.complain(f"state.file: {printable(str(error))}; check goes on without it")
        return False
    exporter.poller.restore(saved.histories, saved.at)
    return saved.at is not None
