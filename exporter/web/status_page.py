"""Serves the status page: a summary, the failing tenants with their reasons, and the collectors."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from aiohttp import web

from exporter.status import MEANING, Status, TenantStatus
from exporter.web.limits import STATUS_PAGE_SECONDS
from exporter.web.source import Source

FAILURES_SHOWN = 50
# If at least one tenant in so many fails, the cause is probably not the tenants.
MANY_FAILING = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """The state in one sentence; `level` is `good`, `waiting`, `warning` or `bad`."""

    level: str
    text: str


def summarize(status: Status) -> Summary:
    """Return the first sentence that applies: problems that hide others stand first."""
    failing, tenants = status.tenants_failing, status.tenants
    count = "1 tenant" if tenants == 1 else f"{tenants:,} tenants"
    level = "bad" if failing * MANY_FAILING >= tenants else "warning"
    of_shard = status.discovery.shard.suffix
    verb = "is" if failing == 1 else "are"
    overdue = max((each.lag for each in status.collectors if each.lag > each.interval), default=0.0)
    sentences = (
        (not status.healthy, "bad", "Polling has stopped"),
        (status.discovery.ok is False, "bad", "Tenant discovery is failing"),
        (not status.ready, "waiting", "Starting: not every tenant has been polled yet"),
        (failing, level, f"{failing:,} of {count} {verb} failing"),
        (status.failing, "warning", "Polling of the account is failing"),
        (not tenants and status.discovery.elsewhere, "good", f"No tenants{of_shard}: all belong to others"),
        (not tenants, "warning", "No tenants found"),
        (overdue, "warning", f"Polling is {format_duration(overdue)} behind schedule"),
        (True, "good", f"{count}, all up to date"),
    )
    return next(Summary(level, text) for applies, level, text in sentences if applies)


@dataclass(frozen=True, slots=True)
class FailureLine:
    """The collectors that fail for one tenant for the same reason; `since` is the first failure, in Unix seconds."""

    tenant: TenantStatus
    collectors: str
    reason: str
    since: float


def failure_lines(status: Status) -> list[FailureLine]:
    """Group the failures of each tenant by reason, oldest first."""
    lines = []
    for tenant in status.failing:
        for reason in dict.fromkeys(failure.reason for failure in tenant.failures):
            since = {failure.collector: failure.since for failure in tenant.failures if failure.reason == reason}
            collectors = ", ".join(collector.name for collector in status.collectors if collector.name in since)
            lines.append(FailureLine(tenant, collectors, reason, min(since.values())))
    return sorted(lines, key=lambda line: line.since)


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: `2 h 5 min`."""
    total = max(0, round(seconds))
    parts = [(total // 86400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        del parts[0]
    return " ".join(f"{amount} {unit}" for amount, unit in parts[:2] if amount) or "0 s"


def format_time(unix_seconds: float) -> str:
    """Write Unix seconds as `2026-09-01 00:00:00 UTC`."""
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class StatusPage:
    """Serves `/` from a source."""

    def __init__(self, source: Source, telemetry_path: str = "/metrics") -> None:
        self._source = source
        # Links are relative, so that they also work behind a proxy that serves the exporter below a path.
        self._metrics = telemetry_path.lstrip("/")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        environment.filters.update(format_duration=format_duration, format_time=format_time)
        self._made: tuple[float, str, Mapping[str, str]] | None = None
        self._template = environment.from_string(Path(__file__).with_name("status_page.html").read_text("utf-8"))

    async def show(self, _request: web.Request) -> web.Response:
        """Answer with the page, or with that of a moment ago: a flood of requests must not keep the exporter busy."""
        now = asyncio.get_running_loop().time()
        if self._made is None or now - self._made[0] >= STATUS_PAGE_SECONDS:
            self._made = (now, *self._make())
        _, text, headers = self._made
        return web.Response(text=text, content_type="text/html", headers=headers)

    def _make(self) -> tuple[str, Mapping[str, str]]:
        """Make the page and its headers, which allow its own style only: no scripts, no frames, nothing external."""
        nonce = secrets.token_urlsafe(16)
        status = self._source.status()
        lines = failure_lines(status)
        text = self._template.render(
            status=status,
            summary=summarize(status),
            lines=lines[:FAILURES_SHOWN],
            not_shown=len(lines[FAILURES_SHOWN:]),
            meaning=MEANING,
            nonce=nonce,
            metrics=self._metrics,
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return text, headers
