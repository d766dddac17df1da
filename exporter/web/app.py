"""Which paths are there, and what is answered at each?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from exporter.web.access import Access
from exporter.web.exposition import Exposition
from exporter.web.passwords import Passwords, credentials
from exporter.web.source import Source
from exporter.web.status import StatusPage
from exporter.web.tls import subject_names

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CHALLENGE = {"WWW-Authenticate": 'Basic realm="kimono-exporter", charset="UTF-8"'}


def create_app(source: Source, access: Callable[[], Access | None] = lambda: None) -> web.Application:
    """Make the application.

    `access` is asked at each request, so that rules can be replaced while the server runs; None lets everyone in.
    """
    health = _Health(source)
    # Kubernetes has no password for its probes, and these two give nothing away.
    open_to_all: tuple[Handler, ...] = (health.healthy, health.ready)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        rules = access()
        if rules and rules.client_names and not rules.client_names & _client_names(request):
            raise web.HTTPForbidden(text="this client certificate is not let in\n")
        passwords = rules.passwords if rules and request.match_info.handler not in open_to_all else None
        if passwords and not await _is_known(request, passwords):
            raise web.HTTPUnauthorized(text="user and password, please\n", headers=CHALLENGE)
        return await handler(request)

    async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
        rules = access()
        response.headers["Server"] = "kimono-exporter"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.update(rules.headers if rules else {})

    app = web.Application(middlewares=[guard])
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/", StatusPage(source).show)
    app.router.add_get("/metrics", Exposition(source).metrics)
    app.router.add_get("/-/healthy", health.healthy)
    app.router.add_get("/-/ready", health.ready)
    return app


class _Health:
    """The two answers for probes. They say nothing but ok."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def healthy(self, _request: web.Request) -> web.Response:
        return _verdict(good=self._source.healthy())

    async def ready(self, _request: web.Request) -> web.Response:
        return _verdict(good=self._source.ready())


def _verdict(*, good: bool) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=200 if good else 503, text="ok\n" if good else "not ok\n", headers=headers)


def _client_names(request: web.Request) -> frozenset[str]:
    return subject_names(request.get_extra_info("peercert"))


async def _is_known(request: web.Request, passwords: Passwords) -> bool:
    given = credentials(request.headers.get("Authorization", ""))
    return given is not None and await passwords.accepts(*given)
