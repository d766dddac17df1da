"""Builds the web application: its paths, and the checks before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from exporter.web.access import AccessRules
from exporter.web.connection import SERVER_NAME, Connection
from exporter.web.connections import client_of
from exporter.web.exposition import Exposition
from exporter.web.limits import PASSWORD_SECONDS
from exporter.web.notices import NOTICES, Notices
from exporter.web.passwords import Passwords, parse_basic_auth
from exporter.web.source import Source
from exporter.web.status_page import StatusPages
from exporter.web.tls import is_allowed_client
from exporter.web.verifier import BusyError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AUTHENTICATE = {"WWW-Authenticate": 'Basic realm="kimono-exporter", charset="UTF-8"'}
RETRY = {"Retry-After": str(round(PASSWORD_SECONDS))}


def create_app(
    source: Source,
    access_rules: Callable[[], AccessRules | None] = lambda: None,
    telemetry_path: str = "/metrics",
) -> web.Application:
    """Build the application, with the metrics page at `telemetry_path`.

    `access_rules` is called on each request, so that the rules can change while the server runs. None allows
    every client.
    """

    async def healthy(_request: web.Request) -> web.Response:
        return _probe_response(ok=source.healthy())

    async def ready(_request: web.Request) -> web.Response:
        return _probe_response(ok=source.ready())

    # Kubernetes probes send no password, and these two responses reveal nothing.
    for_probes: tuple[Handler, ...] = (healthy, ready)

    @web.middleware
    async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
        rules = access_rules() or AccessRules()
        if not is_allowed_client(request.get_extra_info("peercert"), rules.client_names):
            raise web.HTTPForbidden(text="client certificate not allowed\n")
        if request.match_info.handler not in for_probes:
            if rules.rate_limit and not rules.rate_limit.allows():
                raise web.HTTPTooManyRequests(text="too many requests\n")
            if rules.passwords:
                await _check_password(request, rules.passwords, notices)
        if isinstance(request.protocol, Connection):
            request.protocol.answer_began()
        return await handler(request)

    async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = SERVER_NAME
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.update((access_rules() or AccessRules()).headers)

    app = web.Application(middlewares=[check_access])
    app[NOTICES] = notices = Notices()
    app.on_response_prepare.append(add_headers)
    pages = StatusPages(source, telemetry_path)
    app.router.add_get("/", pages.status)
    app.router.add_get("/tenants/{id:[^/]*}", pages.tenant)
    app.router.add_get("/api/status", pages.status_json)
    app.router.add_get("/api/tenants/{id:[^/]*}", pages.tenant_json)
    app.router.add_get(telemetry_path, Exposition(source, notices).metrics)
    # Prometheus and its exporters have the first two. Kubernetes' own components, and many charts, have the others.
    app.add_routes([web.get("/-/healthy", healthy), web.get("/-/ready", ready)])
    app.add_routes([web.get("/healthz", healthy), web.get("/readyz", ready)])
    return app


async def _check_password(request: web.Request, passwords: Passwords, notices: Notices) -> None:
    if isinstance(request.protocol, Connection):
        request.protocol.check_began()
    sent = request.headers.getall("Authorization", [])
    # Of two headers, a proxy may have checked the other one.
    credentials = parse_basic_auth(sent[0]) if len(sent) == 1 else None
    try:
        if credentials and await passwords.accepts(*credentials, client_of(request.get_extra_info("peername"))):
            return
    except BusyError:
        notices.warn("too many passwords to check: refused requests")
        raise web.HTTPServiceUnavailable(text="too many passwords to check\n", headers=RETRY) from None
    raise web.HTTPUnauthorized(text="authentication required\n", headers=AUTHENTICATE)


def _probe_response(*, ok: bool) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=200 if ok else 503, text="ok\n" if ok else "not ok\n", headers=headers)
