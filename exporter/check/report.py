"""Writes what `check` found for people: failures and problems in groups, and healthy tenants as a count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from exporter.check.advice import how_to_fix
from exporter.check.calls import Call, outcomes
from exporter.logs import printable
from exporter.settings import ApiSettings
from exporter.status import PROBLEMS, SEVERITIES, Failure, Problem, Status, TenantStatus
from exporter.store import FLEET
from exporter.web.status_page import format_duration, format_time

# Of each group, so many tenants are named; and so many groups of failures are shown.
_NAMED, _GROUPS = 3, 8
_NAME_CELLS, _ACCOUNT_CELLS = 44, 28
_STYLES = {"critical": "bold red", "warning": "yellow", "info": ""}
_INDENT = 2
_COLUMNS = (12, 28, 8, 13)


@dataclass
class _Group:
    """Tenants that fail in the same way. `collectors` are those that do so for any of them."""

    reason: str
    detail: str
    fix: str
    tenants: list[TenantStatus] = field(default_factory=list)
    collectors: set[str] = field(default_factory=set)


class Report:
    """Prints to a console, in lines that are not wider than it."""

    def __init__(self, console: Console, api: ApiSettings, *, name_all: bool) -> None:
        self._console = console
        self._api = api
        self._all = name_all

    def print(self, status: Status, calls: Iterable[Call] | None, *, restored: bool) -> None:
        """Print what was found; with `calls`, those of each tenant come first."""
        if calls is not None:
            noted = list(calls)
            for tenant in sorted((*status.working, *status.failing), key=lambda each: each.name):
                if tenant.id != FLEET:
                    self._print_calls(tenant, noted)
        if not status.discovery.ok:
            fix = how_to_fix(self._api, of_account=True)[status.discovery.reason]
            self._print(f"Discovery of tenants fails: {self._causes(status.discovery.detail)}", style="bold red")
            self._print(f"How to fix: {fix}")
            self._print("")
        self._print_failures(status)
        self._print_problems(status, restored=restored)
        self._print_working(status.working)
        if status.tenants or status.discovery.ok:
            self._print(summary(status), style="bold red" if status.failing else "bold")

    # Failures

    def _causes(self, detail: str) -> str:
        """Of a tenants file, each entry that fails is named."""
        causes = detail.split("; ")
        more = len(causes) - _NAMED
        return detail if self._all or more <= 0 else f"{'; '.join(causes[:_NAMED])}; and {more:,} more"

    def _print_failures(self, status: Status) -> None:
        groups = sorted(self._groups(status.failing), key=lambda each: -len(each.tenants))
        shown = groups if self._all else groups[:_GROUPS]
        for group in shown:
            of_account = all(tenant.id == FLEET for tenant in group.tenants)
            who = "The account" if of_account else _count(len(group.tenants), "tenant")
            self._print(f"{who} {'fails' if len(group.tenants) == 1 else 'fail'}: {group.reason}", style="bold red")
            self._print(f"{', '.join(sorted(group.collectors))}: {group.detail}", _INDENT)
            if not of_account:
                self._print_tenants(group.tenants)
            self._print(f"How to fix: {group.fix}", _INDENT)
            self._print("")
        if len(groups) > len(shown):
            self._print(f"There are {len(groups) - len(shown)} more kinds of failures: --all shows them.")
            self._print("")

    def _groups(self, failing: Iterable[TenantStatus]) -> Iterable[_Group]:
        groups: dict[tuple[str, str, str], _Group] = {}
        for tenant in failing:
            fixes = how_to_fix(self._api, of_account=tenant.id == FLEET)
            for failure in tenant.failures:
                key = (failure.reason, _same(failure), fixes[failure.reason])
                group = groups.setdefault(key, _Group(failure.reason, failure.detail, fixes[failure.reason]))
                group.collectors.add(failure.collector)
                if tenant not in group.tenants[-1:]:
                    group.tenants.append(tenant)
        return groups.values()

    # Problems

    def _print_problems(self, status: Status, *, restored: bool) -> None:
        if not status.with_problems:
            return
        more = "" if restored else ", as one poll without a history in state.file shows them"
        self._print(f"Problems of {_count(len(status.with_problems), 'tenant')}{more}:", style="bold")
        groups: dict[tuple[str, str], list[tuple[Problem, TenantStatus]]] = {}
        for tenant in status.with_problems:
            for problem in tenant.problems:
                groups.setdefault((problem.severity, problem.kind), []).append((problem, tenant))
        severities: Sequence[str] = SEVERITIES
        for severity, kind in sorted(groups, key=lambda each: (severities.index(each[0]), -len(groups[each]))):
            self._print_kind(severity, kind, groups[severity, kind], status.now)
        self._print("")

    def _print_kind(self, severity: str, kind: str, found: list[tuple[Problem, TenantStatus]], now: float) -> None:
        found.sort(key=lambda each: each[0].since)
        self._print(f"{severity}: {PROBLEMS[kind]} ({kind})", _INDENT, _STYLES[severity])
        if self._all:
            for problem, tenant in found:
                since = f"since {format_time(problem.since)}, for {format_duration(now - problem.since)}"
                self._print(f"{_name(tenant)}: {since}", 2 * _INDENT)
            return
        longest = f"{'for' if len(found) == 1 else 'the longest for'} {format_duration(now - found[0][0].since)}"
        tenants = [tenant for _, tenant in found]
        self._print(f"{_count(len(found), 'tenant')}, {longest}: {_first_names(tenants)}", 2 * _INDENT)

    # Tenants

    def _print_working(self, working: Sequence[TenantStatus]) -> None:
        tenants = [each for each in working if each.id != FLEET]
        if self._all:
            for tenant in tenants:
                self._print(f"ok: {_name(tenant)}{_version(tenant)}")
        if tenants:
            counts: dict[str, int] = {}
            for tenant in tenants:
                for collector in tenant.polled:
                    counts[collector] = counts.get(collector, 0) + 1
            each = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))
            self._print(f"{_count(len(tenants), 'tenant')} without failures: {each}")

    def _print_tenants(self, tenants: Sequence[TenantStatus]) -> None:
        if not self._all:
            self._print(f"Tenants: {_first_names(tenants)}", _INDENT)
            return
        self._print("Tenants:", _INDENT)
        for tenant in tenants:
            self._print(_name(tenant), 2 * _INDENT)

    def _print_calls(self, tenant: TenantStatus, calls: Iterable[Call]) -> None:
        self._print(f"{_name(tenant)}{_version(tenant)}", style="bold")
        self._print(f"id {tenant.id}; secrets are not shown", _INDENT)
        self._print_row(("collector", "call", "seconds", "status"), "outcome")
        for call, outcome in outcomes(calls, tenant):
            cells = (call.collector, f"{call.method} {call.endpoint}", f"{call.seconds:.3f}", call.code)
            again = ", again" if call.retried else ""
            self._print_row(cells, outcome + again, style="" if outcome in ("ok", "absent") else "red")
        self._print("")

    def _print_row(self, cells: Iterable[str], last: str, style: str = "") -> None:
        texts = (set_cell_size(printable(cell), width - 1) for cell, width in zip(cells, _COLUMNS, strict=True))
        self._print_line(f"{' ' * _INDENT}{' '.join(texts)} {last}", style)

    # Lines

    def _print(self, text: str, indent: int = 0, style: str = "") -> None:
        """Fold a text into lines. rich knows how many cells a letter takes, and breaks words that are too long."""
        width = max(20, self._console.width - indent)
        for line in Text(printable(text)).wrap(self._console, width, overflow="fold"):
            self._print_line(" " * indent + line.plain.rstrip(), style)

    def _print_line(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style), no_wrap=True, overflow="ignore", crop=False, highlight=False)


def _same(failure: Failure) -> str:
    """The text of a failure, without what differs from tenant to tenant: how long the API asks each one to wait."""
    return re.sub("[0-9]+", "N", failure.detail) if failure.reason == "throttled" else failure.detail


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _name(tenant: TenantStatus) -> str:
    account = "" if tenant.account_name in tenant.name else tenant.account_name
    return f"{tenant.name} ({account})" if account else tenant.name


def _first_names(tenants: Sequence[TenantStatus]) -> str:
    names = ", ".join(_short_name(tenant) for tenant in tenants[:_NAMED])
    return f"{names} and {len(tenants) - _NAMED:,} more" if len(tenants) > _NAMED else names


def _short_name(tenant: TenantStatus) -> str:
    name = _cut(tenant.name, _NAME_CELLS)
    account = "" if tenant.account_name in tenant.name else _cut(tenant.account_name, _ACCOUNT_CELLS)
    return f"{name} ({account})" if account else name


def _cut(text: str, cells: int) -> str:
    text = printable(text)
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 3).rstrip() + "..."


def _version(tenant: TenantStatus) -> str:
    parts = [part for part in (tenant.integration, tenant.integration_version) if part]
    return f", {' '.join(parts)}" if parts else ""


def summary(status: Status) -> str:
    """The outcome in one sentence."""
    of_shard, elsewhere = status.discovery.shard.suffix, status.discovery.elsewhere
    if not status.tenants and elsewhere:
        return f"No tenant{of_shard} was found: {elsewhere} belong to other shards."
    if not status.tenants:
        return "No tenant was found. The credentials may see none, or the discovery filters exclude all."
    if status.tenants_failing:
        return f"{status.tenants_failing} of {status.tenants} tenants{of_shard} are failing."
    which = "The only tenant" if status.tenants == 1 else f"All {status.tenants} tenants"
    return f"{which}{of_shard} can be polled.{' The account fails.' if status.failing else ''}"
