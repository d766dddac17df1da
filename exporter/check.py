"""Can every tenant be read, and if not, what is to be done? The table that `kimono-exporter check` prints."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from exporter.api.errors import REASONS
from exporter.assembly import Exporter
from exporter.logs import printable
from exporter.poller import Watch

MEND = {
    "auth": "Its secret was changed or revoked: the tenant list, or api.tenants_file, must carry the new one.",
    "forbidden": "Ask the hub's administrator to let these credentials read it.",
    "not_found": "Check api.url: this API does not know the address, or the tenant was removed.",
    "throttled": "Lower api.rate_limit, or lengthen the collectors' intervals.",
    "timeout": "Try again; if it stays, raise api.timeout.",
    "network": "Check api.url, DNS, the firewall and the certificate of the server.",
    "server": "Try again later; if it stays, tell the hub's support.",
    "bad_response": "Check that api.url is the API itself and not a portal or proxy in front of it.",
    "bug": "Please report it with the text on the left.",
}
assert set(MEND) == set(REASONS)  # noqa: S101 - a new reason needs its advice

# In a file or a pipe no line is folded, so that it can be searched.
_WIDTH_ELSEWHERE = 10_000


async def check(exporter: Exporter) -> int:
    """Visit everyone once, print the table, and give the exit code: 0 if all could be read, else 1."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_ELSEWHERE)
    await _visit_all(exporter)
    poller = exporter.poller
    if not poller.discovery_ok:
        console.print(Text(f"The tenants can't be listed: {poller.discovery_detail}", style="bold red"))
        console.print(Text(f"To mend it: {_mend_discovery(poller.discovery_failing)}"))
    watches = sorted(poller.everyone(), key=lambda watch: (bool(watch.failures), watch.name))
    failing = sum(bool(watch.failures) for watch in watches)
    if poller.watches:
        console.print(_table(watches, failing=failing > 0))
    if poller.watches or poller.discovery_ok:
        summary = _summary(len(poller.watches), sum(bool(watch.failures) for watch in poller.watches.values()))
        console.print(Text(summary, style="bold red" if failing else "bold"))
    return 0 if poller.discovery_ok and poller.watches and not failing else 1


def _mend_discovery(reason: str) -> str:
    if reason == "auth":
        return "Give the account's current credentials: api.key, api.client_id with its secret, or api.token."
    return MEND[reason]


async def _visit_all(exporter: Exporter) -> None:
    """A progress bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("visits"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("visits", total=None)

        def advance(_: Watch) -> None:
            progress.update(task, advance=1, total=exporter.poller.visits_planned)

        exporter.poller.visited = advance
        await exporter.poller.once()


def _table(watches: Iterable[Watch], *, failing: bool) -> Table:
    """Where nothing fails there is nothing to say of failures."""
    table = Table(box=SIMPLE_HEAD)
    headings = ("tenant", "account", "integration", "worked", "failed, and why", "how to mend it")
    for heading in headings if failing else headings[:4]:
        table.add_column(heading, overflow="fold")
    for watch in watches:
        tenant = watch.tenant
        account, integration = (tenant.account_name, _integration(watch)) if tenant else (None, "")
        worked = _named(watch.attempted - set(watch.failures), watch)
        failed = _failures(watch)
        mend = " ".join(dict.fromkeys(MEND[failure.reason] for failure in watch.failures.values()))
        cells = [Text(printable(cell or "–")) for cell in (watch.name, account, integration, worked)]  # noqa: RUF001
        table.add_row(*cells, *([Text(printable(failed), style="red"), Text(mend)] if failing else []))
    return table


def _integration(watch: Watch) -> str:
    tenant = watch.tenant
    parts = (tenant.integration, tenant.integration_version) if tenant else ()
    return " ".join(part for part in parts if part)


def _named(collectors: Collection[str], watch: Watch) -> str:
    """Collectors by name, or in a word."""
    if len(collectors) > 1 and len(collectors) == len(watch.attempted):
        return f"all {len(collectors)}"
    return ", ".join(sorted(collectors))


def _failures(watch: Watch) -> str:
    """Collectors that fail alike stand together."""
    texts: dict[str, list[str]] = {}
    for collector, failure in watch.failures.items():
        texts.setdefault(f"{failure.reason}: {failure.detail}", []).append(collector)
    return "; ".join(f"{_named(collectors, watch)}: {text}" for text, collectors in texts.items())


def _summary(tenants: int, failing: int) -> str:
    if not tenants:
        return "No tenant was found. The credentials may see none, or the discovery filters let none through."
    if failing:
        return f"{failing} of {tenants} tenants can't be read."
    return f"All {tenants} tenants can be read."
