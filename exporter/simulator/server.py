"""How is the simulator served over real HTTP?

A thin shell of aiohttp: it hands requests to `Simulator`, and does to the connection what faults of the wire ask.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from aiohttp import web

from exporter.simulator.faults import WIRE, Fault
from exporter.simulator.messages import Reply, Request
from exporter.simulator.simulator import Arrival, Simulator

Sleep = Callable[[float], Awaitable[None]]

_PIECE = 64 * 1024
_MISSING_BYTES = 512
# Requests that hang are not waited for when the server stops.
_SHUTDOWN_SECONDS = 0.1


@asynccontextmanager
async def serve(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[str]:
    """Serve while the block runs; gives the base URL. OSError if the port can't be bound."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _Shell(simulator, sleep).handle)
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


async def serve_forever(
    simulator: Simulator, ready: Callable[[str], None], host: str = "127.0.0.1", port: int = 0
) -> None:
    """Serve until cancelled; `ready` is told the base URL. OSError if the port can't be bound."""
    async with serve(simulator, host, port) as base_url:
        ready(base_url)
        await asyncio.Event().wait()


class _Shell:
    """Between aiohttp and the simulator."""

    def __init__(self, simulator: Simulator, sleep: Sleep) -> None:
        self._simulator = simulator
        self._sleep = sleep

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        arrival = self._simulator.receive(
            Request(request.method, request.path, dict(request.query), dict(request.headers), await request.read())
        )
        struck = self._simulator.strike(arrival)
        wire = [one.fault for one in struck if one.fault.kind in WIRE]
        for fault in wire:
            if fault.kind == "latency":
                await self._sleep(fault.seconds)
        breaks = [fault for fault in wire if fault.kind != "latency"]
        if breaks:
            return await self._break(request, arrival, breaks[0])
        reply = self._simulator.answer(arrival, [one for one in struck if one.fault.kind not in WIRE])
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _break(self, request: web.Request, arrival: Arrival, fault: Fault) -> web.StreamResponse:
        if fault.kind == "cut":
            return await _cut(request, self._simulator.answer(arrival))
        self._simulator.note(arrival, 0)
        if fault.kind == "huge":
            return await _huge(request, fault.size)
        if fault.kind == "gzip_bomb":
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            return web.Response(body=_bomb(fault.size), headers=headers)
        if fault.kind == "reset":
            _reset(request)
        return await _hang()


async def _hang() -> NoReturn:
    """Say nothing, until the handler is cancelled because the client has gone away."""
    while True:
        await asyncio.Event().wait()


async def _cut(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Promise more than is sent, and close."""
    headers = {**reply.headers, "Content-Length": str(len(reply.body) + _MISSING_BYTES)}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(reply.body)
    if request.transport is not None:
        request.transport.close()
    return response


async def _huge(request: web.Request, size: int) -> web.StreamResponse:
    """Stream valid JSON of a very long string."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"data": "')
    for first in range(0, size, _PIECE):
        await response.write(b"x" * min(_PIECE, size - first))
    await response.write(b'"}')
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    """Close the connection with a reset instead of a goodbye."""
    if request.transport is None:
        return
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


def _bomb(size: int) -> bytes:
    """Few bytes that unpack to `size` of them, and are JSON."""
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b'{"data": "')]
    pieces += [packer.compress(b"x" * min(_PIECE, size - first)) for first in range(0, size, _PIECE)]
    return b"".join([*pieces, packer.compress(b'"}'), packer.flush()])
