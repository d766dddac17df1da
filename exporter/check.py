"""Polls every tenant once and prints the outcome as a table: the command `check`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from exporter import output
from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.logs import printable
from exporter.settings import ApiSettings, Settings
from exporter.state_file import StateFileError
from exporter.state_saver import peek
from exporter.status import HOW_TO_FIX, PROBLEMS, Status, TenantStatus
from exporter.store import FLEET
from exporter.web.status_page import format_duration, format_time

# In a file or a pipe no line is folded, so that it can be searched.
_WIDTH_ELSEWHERE = 10_000
_REFRESH_SECONDS = 0.1
# What to do if credentials are refused, by the setting that they come from.
_CREDENTIALS_FIX = {
    "key": "the API key in KIMONO_API_KEY or api.key",
    "key_file": "the API key in the file of api.key_file",
    "client_secret": "api.client_id, and its secret in KIMONO_API_CLIENT_SECRET or api.client_secret",
    "client_secret_file": "api.client_id, and its secret in the file of api.client_secret_file",
    "token": "a bearer token that has not expired, in KIMONO_API_TOKEN or api.token",
    "token_file": "a bearer token that has not expired, in the file of api.token_file",
}
_STYLES = {"critical": "bold red", "warning": "yellow", "info": ""}


async def check(settings: Settings) -> bool:
    """Poll all tenants once and print the table; returns whether all polls succeeded. Raises OutputError."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_ELSEWHERE)
    status, restored = await _poll_all(settings)
    # At the end, rich writes an empty text itself, which fails at once if standard output is not buffered.
    console.begin_capture()
    _print(console, settings.api, status, restored=restored)
    with output.writing():
        printed = console.end_capture()
    output.write(printed)
    return bool(status.discovery.ok and (status.tenants or status.discovery.elsewhere) and not status.failing)


def _print(console: Console, api: ApiSettings, status: Status, *, restored: bool) -> None:
    if not status.discovery.ok:
        console.print(Text(f"Discovery of tenants fails: {status.discovery.detail}", style="bold red"))
        console.print(Text(f"How to fix: {printable(_how_to_fix(api, of_account=True)[status.discovery.reason])}"))
    if status.tenants:
        console.print(_table(status, api))
    if status.with_problems:
        more = "" if restored else ", as far as one poll without state.file shows them"
        console.print(Text(f"Problems of tenants{more}:", style="bold"))
        console.print(_problems(status))
    if status.tenants or status.discovery.ok:
        console.print(Text(_summary(status), style="bold red" if status.failing else "bold"))


def _how_to_fix(api: ApiSettings, *, of_account: bool) -> Mapping[str, str]:
    """What to do about a failure, by its reason, with the settings that are in use."""
    fixes = dict(HOW_TO_FIX)
    if api.tenants_file is not None:
        fixes["auth"] = (
            f"The secret was changed or revoked: update it in api.tenants_file, which is {api.tenants_file}."
        )
    elif of_account:
        used = next((fix for name, fix in _CREDENTIALS_FIX.items() if getattr(api, name) is not None), "")
        fixes["auth"] = f"Give the account's current credentials: {used}."
    else:
        fixes["auth"] = "The secret was changed or revoked: update it in the hub, which gives it in the tenant list."
    if api.proxy_url or api.proxy_url_file:
        name = "api.proxy_url_file" if api.proxy_url_file else "api.proxy_url"
        fixes["network"] = f"Check api.url, {name}, the proxy itself, and the server's certificate."
    return fixes


async def _poll_all(settings: Settings) -> tuple[Status, bool]:
    """Poll all tenants once, with a progress bar on a terminal; and whether the state file could be read."""
    console = Console(stderr=True)
    columns = (TextColumn("polls"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    async with open_exporter(settings, Clock()) as exporter:
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


def _table(status: Status, api: ApiSettings) -> Table:
    """Working tenants first. Where nothing fails, there are no columns for failures."""
    table = Table(box=SIMPLE_HEAD)
    headings = ("tenant", "account", "integration", "working", "failing, and why", "how to fix it")
    for heading in headings if status.failing else headings[:4]:
        table.add_column(heading, overflow="fold")
    for tenant in (*status.working, *sorted(status.failing, key=lambda each: each.name)):
        integration = " ".join(part for part in (tenant.integration, tenant.integration_version) if part)
        working = _named(set(tenant.polled) - {failure.collector for failure in tenant.failures}, tenant)
        cells = [
            Text(printable(cell or "–"))  # noqa: RUF001 - the dash of an empty cell
            for cell in (tenant.name, tenant.account_name, integration, working)
        ]
        fixes = _how_to_fix(api, of_account=tenant.id == FLEET)
        fix = " ".join(dict.fromkeys(fixes[failure.reason] for failure in tenant.failures))
        failures = [Text(printable(_failures(tenant)), style="red"), Text(printable(fix))] if status.failing else []
        table.add_row(*cells, *failures)
    return table


def _problems(status: Status) -> Table:
    """What is wrong with which tenant, since when, and for how long."""
    table = Table(box=SIMPLE_HEAD)
    for heading in ("tenant", "severity", "problem", "since", "for"):
        table.add_column(heading, overflow="fold")
    for tenant in status.with_problems:
        for problem in tenant.problems:
            table.add_row(
                Text(printable(tenant.name)),
                Text(problem.severity, style=_STYLES[problem.severity]),
                f"{PROBLEMS[problem.kind]} ({problem.kind})",
                format_time(problem.since),
                format_duration(status.now - problem.since),
            )
    return table


def _named(collectors: Iterable[str], tenant: TenantStatus) -> str:
    """The names of the collectors, or `all` and their number if these are all."""
    names = sorted(collectors)
    return f"all {len(names)}" if 1 < len(names) == len(tenant.polled) else ", ".join(names)


def _failures(tenant: TenantStatus) -> str:
    """Why collectors fail, grouped by the reason and its detail."""
    texts: dict[str, list[str]] = {}
    for failure in tenant.failures:
        texts.setdefault(f"{failure.reason}: {failure.detail}", []).append(failure.collector)
    return "; ".join(f"{_named(collectors, tenant)}: {text}" for text, collectors in texts.items())


def _summary(status: Status) -> str:
    of_shard, elsewhere = status.discovery.shard.suffix, status.discovery.elsewhere
    if not status.tenants and elsewhere:
        return f"No tenant{of_shard} was found: {elsewhere} belong to other shards."
    if not status.tenants:
        return "No tenant was found. The credentials may see none, or the discovery filters exclude all."
    if status.tenants_failing:
        return f"{status.tenants_failing} of {status.tenants} tenants{of_shard} are failing."
    return f"All {status.tenants} tenants{of_shard} can be polled.{' The account fails.' if status.failing else ''}"
