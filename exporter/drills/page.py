"""Serves the drills of a demo on loopback: a page with forms, and JSON for the command `drill`.

A page of another site that is open in the same browser must not start drills. So `exporter.origin` checks each request.
Forms carry a token, too, and JSON has a content type that a form of another site can't send.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import jinja2
from aiohttp import web

from exporter.drills import words
from exporter.drills.catalog import DRILLS, NOT_POSSIBLE, UnknownDrillError
from exporter.drills.runs import Drills, DrillStateError, Run
from exporter.drills.words import Places
from exporter.origin import check_origin

_MOST_BYTES = 4096
_SHUTDOWN_SECONDS = 0.1
_JSON = "application/json"
# With `no-referrer`, browsers send `Origin: null` with the forms of this page, too.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(drills: Drills, places: Places, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve while the block runs; yields the base URL. OSError if the port can't be bound."""
    app = create_app(drills, places)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def create_app(drills: Drills, places: Places) -> web.Application:
    """The application: its page, its JSON, and the checks before them."""
    page = _Page(drills, places)
    app = web.Application(middlewares=[_check_origin], client_max_size=_MOST_BYTES)
    app.router.add_get("/", page.show)
    app.router.add_post("/begin", page.begin)
    app.router.add_post("/end", page.end)
    app.router.add_get("/api/drills", page.show_json)
    app.router.add_post("/api/begin", page.begin_json)
    app.router.add_post("/api/end", page.end_json)
    return app


@web.middleware
async def _check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts, and changes that come from other origins."""
    check_origin(request, _HEADERS)
    return await handler(request)


class _Page:
    """Answers the requests."""

    def __init__(self, drills: Drills, places: Places) -> None:
        self._drills = drills
        self._places = places
        self._token = secrets.token_urlsafe(24)
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        self._template = environment.from_string(Path(__file__).with_name("page.html").read_text("utf-8"))

    async def show(self, request: web.Request) -> web.Response:
        """The page."""
        return self._page("", 200, request)

    def _page(self, error: str, status: int, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        text = self._template.render(
            drills=DRILLS.values(),
            not_possible=NOT_POSSIBLE,
            runs=list(reversed(self._drills.runs)),
            active={run.drill.name for run in self._drills.active()},
            has_prometheus=bool(self._places.prometheus),
            places=self._places,
            words=words,
            token=self._token,
            nonce=nonce,
            error=error,
            # What was typed or shown stays for a moment.
            refreshes=request.method == "GET",
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        headers = {**_HEADERS, "Content-Security-Policy": policy}
        return web.Response(status=status, text=text, content_type="text/html", headers=headers)

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Begin the drill that the form names."""
        return await self._change(request, self._drills.begin)

    async def end(self, request: web.Request) -> web.StreamResponse:
        """End the drill that the form names."""
        return await self._change(request, self._drills.end)

    async def _change(self, request: web.Request, change: Callable[[str], object]) -> web.StreamResponse:
        form = await request.post()
        if not hmac.compare_digest(str(form.get("token", "")).encode(), self._token.encode()):
            return self._page("This page was of an earlier demo. Try again.", 403, request)
        try:
            change(str(form.get("name", "")))
        except UnknownDrillError as error:
            return self._page(str(error), 404, request)
        except DrillStateError as error:
            return self._page(str(error), 409, request)
        raise web.HTTPSeeOther("/", headers=_HEADERS)

    # JSON

    async def show_json(self, _request: web.Request) -> web.Response:
        """All drills, and how they go."""
        return web.json_response(words.as_json(self._drills, self._places), headers=_HEADERS)

    async def begin_json(self, request: web.Request) -> web.Response:
        """Begin a drill: `{"name": …}`."""
        return await self._change_json(request, lambda name: [self._drills.begin(name)])

    async def end_json(self, request: web.Request) -> web.Response:
        """End a drill: `{"name": …}`; all of them with an empty name."""
        return await self._change_json(
            request, lambda name: [self._drills.end(name)] if name else self._drills.end_all()
        )

    async def _change_json(self, request: web.Request, change: Callable[[str], list[Run]]) -> web.Response:
        if request.content_type != _JSON:
            return web.json_response({"error": f"the body must be {_JSON}"}, status=415, headers=_HEADERS)
        try:
            body = await request.json()
            name = body.get("name", "") if isinstance(body, dict) else ""
            runs = change(name if isinstance(name, str) else "")
        except UnknownDrillError as error:
            return web.json_response({"error": str(error)}, status=404, headers=_HEADERS)
        except DrillStateError as error:
            return web.json_response({"error": str(error)}, status=409, headers=_HEADERS)
        except (ValueError, RecursionError):  # deeply nested JSON
            return web.json_response({"error": "the body is not JSON"}, status=400, headers=_HEADERS)
        shown = [words.run_json(run, self._places) for run in runs]
        return web.json_response({"runs": shown}, headers=_HEADERS)
