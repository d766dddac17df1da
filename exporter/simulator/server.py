"""Serves the simulator over HTTP, and applies wire faults to the connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from exporter.simulator.altered_replies import altered_reply
from exporter.simulator.api import ReceivedRequest, SimulatedApi
from exporter.simulator.faults import ALTERED_KINDS, SILENT_KINDS, WIRE_KINDS, Fault
from exporter.simulator.http_messages import MAX_BODY_BYTES, Reply, Request
from exporter.simulator.simulator import Simulator
from exporter.simulator.wire_faults import Sleep, break_reply, reply_wrongly

# Short, because requests that hang never finish.
_SHUTDOWN_SECONDS = 0.1


@asynccontextmanager
async def serve(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[str]:
    """Serve while the block runs; yields the base URL. OSError if the port can't be bound."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", _Handler(simulator.api, sleep).handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}"
    finally:
        await runner.cleanup()


class _Handler:
    """Passes requests from aiohttp to the simulated API."""

    def __init__(self, api: SimulatedApi, sleep: Sleep) -> None:
        self._api = api
        self._sleep = sleep

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        received = self._api.receive(await _read(request))
        active = self._api.select_faults(received)
        wire = [one.fault for one in active if one.fault.kind in WIRE_KINDS]
        for fault in wire:
            if fault.kind == "latency":
                await self._sleep(fault.seconds)
        breaking = [fault for fault in wire if fault.kind != "latency"]
        if breaking:
            return await self._break(request, received, breaking[0])
        reply = self._api.answer(received, [one for one in active if one.fault.kind not in WIRE_KINDS])
        return _response(reply)

    async def _break(self, request: web.Request, received: ReceivedRequest, fault: Fault) -> web.StreamResponse:
        if fault.kind in SILENT_KINDS:
            self._api.log(received, 0)
            return await reply_wrongly(request, fault, self._sleep)
        reply = self._api.answer(received)
        if fault.kind in ALTERED_KINDS:
            return _response(altered_reply(fault, reply))
        return await break_reply(request, fault, reply, self._sleep)


async def _read(request: web.Request) -> Request:
    """The request; without its body, if that is too large. A list in the query may have several parameters."""
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    try:
        body, is_oversized = await request.read(), False
    except web.HTTPRequestEntityTooLarge:
        body, is_oversized = b"", True
    return Request(request.method, request.path, query, dict(request.headers), body, is_oversized)


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
