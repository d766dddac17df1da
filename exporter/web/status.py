"""What does a person see who opens the exporter in a browser?"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from pathlib import Path

import jinja2
from aiohttp import web

from exporter.web.source import Overview, Source

LISTED = 50
# From one tenant in so many on, it is not about single ones.
MANY = 5
# What the closed set of reasons means to a person, and where to look first.
REASONS = {
    "auth": "credentials rejected",
    "forbidden": "access denied",
    "not_found": "not found",
    "throttled": "too many requests",
    "timeout": "no answer in time",
    "network": "can't connect",
    "server": "error at the API",
    "bad_response": "unreadable reply",
    "bug": "a bug in the exporter: see its log",
}


@dataclass(frozen=True)
class Verdict:
    """The one sentence to read at night; `level` is `good`, `waiting`, `warning` or `bad`."""

    level: str
    text: str


def verdict(overview: Overview, *, healthy: bool) -> Verdict:
    """Sum up the state; what hides everything else comes first."""
    failing, tenants = overview.tenants_failing, overview.tenants
    if not healthy:
        return Verdict("bad", "The poller has stopped making progress")
    if overview.discovery_ok is False:
        return Verdict("bad", "The list of tenants can't be read")
    if not overview.ready:
        return Verdict("waiting", "Starting: not every tenant has been visited yet")
    if failing:
        level = "bad" if failing * MANY >= tenants else "warning"
        return Verdict(level, f"{failing:,} of {_count(tenants)} can't be read")
    if not tenants:
        return Verdict("warning", "There are no tenants to watch")
    return Verdict("good", f"{_count(tenants)} watched, all of them read")


def span(seconds: float) -> str:
    """Write a length of time in its two largest units: `2 h 5 min`."""
    total = max(0, round(seconds))
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, total = divmod(total, size)
        if amount or parts:
            parts.append((amount, unit))
    return " ".join(f"{amount} {unit}" for amount, unit in parts[:2] if amount) or "0 s"


def moment(unix_seconds: float) -> str:
    """Write Unix seconds as `2026-09-01 00:00:00 UTC`."""
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class StatusPage:
    """Serves `/` from a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        environment.filters.update(span=span, moment=moment)
        self._template = environment.from_string(Path(__file__).with_name("status.html").read_text("utf-8"))

    async def show(self, _request: web.Request) -> web.Response:
        """Answer with the page. Its style is its own; scripts, frames and all that is foreign are forbidden."""
        nonce = secrets.token_urlsafe(16)
        overview = self._source.overview()
        text = self._template.render(
            o=overview,
            verdict=verdict(overview, healthy=self._source.healthy()),
            listed=overview.failing[:LISTED],
            unlisted=overview.failing_unlisted + max(0, len(overview.failing) - LISTED),
            reasons=REASONS,
            nonce=nonce,
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)


def _count(tenants: int) -> str:
    return "1 tenant" if tenants == 1 else f"{tenants:,} tenants"
