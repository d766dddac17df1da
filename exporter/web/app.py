"""Builds the web application: its four paths, and the checks before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from exporter.web.access import AccessRules
from exporter.web.exposition import Exposition
from exporter.web.passwords import parse_basic_auth
from exporter.web.source import Source
from exporter.web.status_page import StatusPage
from exporter.web.tls import subject_names

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AUTHENTICATE = {"WWW-Authenticate": 'Basic realm="kimono-exporter", charset="UTF-8"'}


def create_app(source: Source, access_rules: Callable[[], AccessRules | None] = lambda: None) -> web.Application:
    """Build the application.

    `access_rules` is called on each request, so that the rules can change while the server runs. None allows
    every client.
    """

    async def healthy(_request: web.Request) -> web.Response:
        return _probe_response(ok=source.healthy())

    async def ready(_request: web.Request) -> web.Response:
        return _probe_response(ok=source.ready())

    # Kubernetes probes send no password, and these two responses reveal nothing.
    without_password: tuple[Handler, ...] = (healthy, ready)

    @web.middleware
    async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
        rules = access_rules() or AccessRules()
        if rules.client_names and not rules.client_names & subject_names(request.get_extra_info("peercert")):
            raise web.HTTPForbidden(text="client certificate not allowed\n")
        passwords = None if request.match_info.handler in without_password else rules.passwords
        credentials = parse_basic_auth(request.headers.get("Authorization", ""))
        if passwords and not (credentials and await passwords.accepts(*credentials)):
            raise web.HTTPUnauthorized(text="authentication required\n", headers=AUTHENTICATE)
        return await handler(request)

    async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "kimono-exporter"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.update((access_rules() or AccessRules()).headers)

    app = web.Application(middlewares=[check_access])
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/", StatusPage(source).show)
    app.router.add_get("/metrics", Exposition(source).metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    return app


def _probe_response(*, ok: bool) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=200 if ok else 503, text="ok\n" if ok else "not ok\n", headers=headers)
