"""Serves the demo's own pages on loopback: the receiver of notifications, and what alerts link to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from exporter.demo.ports import HOST
from exporter.logs import printable

_ALERTS_SHOWN = 5
_MOST_BYTES = 16 * 2**20
_MOST_CHARACTERS = 200

Tell = Callable[[str], None]


@contextlib.asynccontextmanager
async def serving(port: int, runbooks: Mapping[str, str], tell: Tell) -> AsyncIterator[web.Application]:
    """Serve the pages until the block ends. `tell` gets lines about each notification. Raises OSError."""
    app = web.Application(client_max_size=_MOST_BYTES)
    app.add_routes(
        [
            web.post("/notify/{receiver}", lambda request: _notified(request, tell)),
            web.get("/runbooks/{name}", lambda request: _runbook(request, runbooks)),
            web.get("/d/{board}", _no_board),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, shutdown_timeout=0.5).start()
        yield app
    finally:
        await runner.cleanup()


async def _notified(request: web.Request, tell: Tell) -> web.Response:
    body = await request.json()
    tell("".join(f"{line}\n" for line in notification(request.match_info["receiver"], body)))
    return web.Response()


def notification(receiver: str, body: Mapping[str, Any]) -> Iterator[str]:
    """Lines for people about a notification, which is Alertmanager's body of a webhook (version 4)."""
    alerts = body["alerts"]
    for alert in alerts[:_ALERTS_SHOWN]:
        labels, summary = alert["labels"], alert["annotations"].get("summary", "")
        who = labels.get("tenant_name") or labels.get("integration") or labels.get("cloud_name") or ""
        what = "fires" if alert["status"] == "firing" else "is resolved"
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
