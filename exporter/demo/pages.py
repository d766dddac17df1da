"""Serves the demo's own pages on loopback: the receiver of notifications, and what alerts link to.

What the receiver gets is printed. So it takes only what Alertmanager sends, and nothing from pages of other sites.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from exporter.demo.ports import HOST
from exporter.logs import printable
from exporter.origin import check_origin

_ALERTS_SHOWN = 5
_MOST_BYTES = 2**20
_JSON = "application/json"
_MOST_CHARACTERS = 200

Tell = Callable[[str], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Alert(BaseModel):
    """What is printed of an alert."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]


class Notification(BaseModel):
    """Alertmanager's body of a webhook, version 4: https://prometheus.io/docs/alerting/latest/configuration/."""

    alerts: list[Alert]


@contextlib.asynccontextmanager
async def serving(port: int, runbooks: Mapping[str, str], tell: Tell) -> AsyncIterator[web.Application]:
    """Serve the pages until the block ends. `tell` gets lines about each notification. Raises OSError."""
    app = web.Application(middlewares=[_check_origin], client_max_size=_MOST_BYTES)
    app.add_routes(
        [
            web.post("/notify/{receiver}", partial(_notified, tell=tell)),
            web.get("/runbooks/{name}", partial(_runbook, runbooks=runbooks)),
            web.get("/d/{board}", _no_board),
        ]
    )
    # Alertmanager compresses nothing. What is not decompressed can't be broken or grow.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield app
    finally:
        await runner.cleanup()


@web.middleware
async def _check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts, and notifications that come from other origins."""
    check_origin(request)
    return await handler(request)


async def _notified(request: web.Request, tell: Tell) -> web.Response:
    if request.content_type != _JSON:  # the only one that a form of another site can't send
        raise web.HTTPUnsupportedMediaType(text=f"the body must be {_JSON}\n")
    try:
        body = Notification.model_validate_json(await request.read())
    except ValueError:
        raise web.HTTPBadRequest(text="the body is no notification of Alertmanager\n") from None
    tell("".join(f"{line}\n" for line in notification(request.match_info["receiver"], body.alerts)))
    return web.Response()


def notification(receiver: str, alerts: Sequence[Alert]) -> Iterator[str]:
    """Lines for people about the alerts of a notification, without control characters."""
    for alert in alerts[:_ALERTS_SHOWN]:
        labels, summary = alert.labels, alert.annotations.get("summary", "")
        who = labels.get("tenant_name") or labels.get("integration") or labels.get("cloud_name") or ""
        what = "fires" if alert.status == "firing" else "is resolved"
        text = f"{labels.get('alertname', '')} ({labels.get('severity', '')}) {what}{who and f' for {who}'}: {summary}"
        yield printable(f"To {receiver}: {text}")[:_MOST_CHARACTERS]
    if len(alerts) > _ALERTS_SHOWN:
        yield printable(f"To {receiver}: and {len(alerts) - _ALERTS_SHOWN} more alerts")


async def _runbook(request: web.Request, runbooks: Mapping[str, str]) -> web.Response:
    text = runbooks.get(request.match_info["name"])
    if text is None:
        raise web.HTTPNotFound
    return web.Response(text=text)


async def _no_board(_request: web.Request) -> web.Response:
    """What links to dashboards lead to without Grafana."""
    raise web.HTTPNotFound(text="Grafana is not running, so the demo has no dashboards.\n")
