"""Serves the status page, the page of each tenant, and both as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import jinja2
from aiohttp import web

from exporter.issues import KINDS
from exporter.status import ALERTS, HOW_TO_FIX, MEANING, SEVERITIES
from exporter.web.formats import (
    LONGEST_TEXT,
    format_duration,
    format_relative,
    format_time,
    machine_time,
    shown,
    tenant_link,
)
from exporter.web.kept import Kept
from exporter.web.limits import STATUS_PAGES_KEPT
from exporter.web.listing import select
from exporter.web.query import Query, QueryError, parse
from exporter.web.snapshot import Snapshots
from exporter.web.source import Source
from exporter.web.status_json import Json, status_json, tenant_json
from exporter.web.summary import Summary, summarize
from exporter.web.turns import Turns

__all__ = ["StatusPages", "format_duration", "format_time"]

REFRESH_SECONDS = 60
_FOLDER = Path(__file__).parent
_TEMPLATES = ("layout.html", "status_page.html", "tenant_page.html", "message_page.html", "parts.html")
_NO_TENANT = (
    "There is no tenant with this id. It may have been removed, or belong to another shard, or the exporter may not "
    "have found it yet."
)


@dataclass(frozen=True, slots=True)
class Made:
    """A page that is ready to be sent."""

    status: int
    body: bytes
    content_type: str = "text/html"


class Html:
    """Makes pages of templates. Their style is in them; its hash is the only thing that the policy allows."""

    def __init__(self, telemetry_path: str) -> None:
        style = (_FOLDER / "style.css").read_text("utf-8")
        templates = {name: (_FOLDER / name).read_text("utf-8") for name in _TEMPLATES}
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(templates),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            duration=format_duration, time=format_time, relative=format_relative, machine_time=machine_time
        )
        environment.filters.update(shown=shown, tenant_link=tenant_link)
        environment.globals.update(
            style=style, kinds=KINDS, meaning=MEANING, how_to_fix=HOW_TO_FIX, alerts=ALERTS, severities=SEVERITIES
        )
        # Links are relative, so that they also work behind a proxy that serves the exporter below a path.
        environment.globals.update(metrics=telemetry_path.lstrip("/"))
        environment.globals.update(refresh_seconds=REFRESH_SECONDS, longest_text=LONGEST_TEXT)
        self._templates = {name: environment.get_template(name) for name in _TEMPLATES}
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self.headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    async def make(self, template: str, **values: Any) -> Made:  # noqa: ANN401 - what the template needs
        """A page, made in small steps: one with a thousand rows takes long."""
        turns, pieces = Turns(), []
        for piece in self._templates[template].generate(values):
            pieces.append(piece)
            await turns.give_way()
        return _html(200, "".join(pieces))

    def message(self, status: int, title: str, text: str, root: str) -> Made:
        """A page that only says something; `root` leads to the status page."""
        summary = Summary("warning", title)
        values = {"summary": summary, "text": text, "root": root, "query": Query(), "api": ""}
        return _html(status, self._templates["message_page.html"].render(values))


class StatusPages:
    """Serves `/`, `/tenants/ID`, `/api/status` and `/api/tenants/ID` from a source."""

    def __init__(self, source: Source, telemetry_path: str = "/metrics") -> None:
        self._source = source
        self._snapshots = Snapshots(source)
        self._html = Html(telemetry_path)
        self._kept = Kept[Made](STATUS_PAGES_KEPT)

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the status page."""
        return await self._answer(request, self._status_page, self._bad_query(""))

    async def status_json(self, request: web.Request) -> web.Response:
        """Answer with the status as JSON."""
        return await self._answer(request, self._status_json, _bad_query_json)

    async def tenant(self, request: web.Request) -> web.Response:
        """Answer with a tenant's page."""
        return await self._answer(request, partial(self._tenant_page, _tenant_id(request)), self._bad_query("../"))

    async def tenant_json(self, request: web.Request) -> web.Response:
        """Answer with a tenant as JSON."""
        return await self._answer(request, partial(self._tenant_json, _tenant_id(request)), _bad_query_json)

    async def _answer(
        self, request: web.Request, make: Callable[[Query], Awaitable[Made]], refused: Callable[[QueryError], Made]
    ) -> web.Response:
        """Answer with the page, or with that of a moment ago."""
        try:
            query = parse(request.query.items(), of_tenant=_names_tenant(request))
        except QueryError as error:
            made = refused(error)
        else:
            key = (request.match_info.handler.__name__, _tenant_id(request), query)
            made = await self._kept.get(key, partial(make, query))
        return web.Response(
            status=made.status,
            body=made.body,
            content_type=made.content_type,
            charset="utf-8",
            headers=self._html.headers,
        )

    def _bad_query(self, root: str) -> Callable[[QueryError], Made]:
        return lambda error: self._html.message(400, "This address can't be used", str(error), root)

    async def _status_page(self, query: Query) -> Made:
        snapshot = await self._snapshots.get(quiet=query.with_healthy)
        listing = await select(snapshot, query, grouped=True)
        return await self._html.make(
            "status_page.html",
            snapshot=snapshot,
            status=snapshot.status,
            summary=summarize(snapshot),
            listing=listing,
            query=query,
            root="",
            api="api/status" + query.link(page=query.page, refresh=""),
        )

    async def _status_json(self, query: Query) -> Made:
        snapshot = await self._snapshots.get(quiet=query.with_healthy)
        return _json(200, status_json(snapshot, query, await select(snapshot, query, grouped=False)))

    async def _tenant_page(self, tenant_id: str, query: Query) -> Made:
        details = self._source.details(tenant_id)
        if details is None:
            return self._html.message(404, "No such tenant", _NO_TENANT, "../")
        tenant = details.status
        worst = tenant.problems[0].severity if tenant.problems else "warning" if tenant.failures else ""
        calm = "waiting" if details.paused_by else "good"
        level = {"critical": "bad", "warning": "warning", "info": "waiting"}.get(worst, calm)
        return await self._html.make(
            "tenant_page.html",
            details=details,
            tenant=tenant,
            summary=Summary(level, shown(tenant.name)),
            query=query,
            root="../",
            api="../api/" + tenant_link(tenant.id),
        )

    async def _tenant_json(self, tenant_id: str, _query: Query) -> Made:
        details = self._source.details(tenant_id)
        return _json(404, {"error": _NO_TENANT}) if details is None else _json(200, tenant_json(details))


def _html(status: int, text: str) -> Made:
    """Half of a surrogate pair, which JSON may hold, can't be encoded."""
    return Made(status, text.encode("utf-8", "backslashreplace"))


def _json(status: int, content: Mapping[str, Any] | Json) -> Made:
    return Made(status, json.dumps(content, allow_nan=False).encode() + b"\n", "application/json")


def _bad_query_json(error: QueryError) -> Made:
    return _json(400, {"error": str(error)})


def _names_tenant(request: web.Request) -> bool:
    """Whether the query names the tenant: no path can end with an id that is empty or consists of dots."""
    return "id" in request.match_info and not request.match_info["id"]


def _tenant_id(request: web.Request) -> str:
    """The id as it is in the path, or in the query if the path has none."""
    if _names_tenant(request):
        return request.query.get("id", "")
    raw = unquote_to_bytes(request.rel_url.raw_path.rpartition("/")[2])
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
