"""Serves the simulator over HTTP, and applies wire faults to the connections."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from aiohttp import web

from exporter.simulator.api import ReceivedRequest, SimulatedApi
from exporter.simulator.faults import WIRE_KINDS, Fault
from exporter.simulator.http_messages import Reply, Request
from exporter.simulator.simulator import Simulator

Sleep = Callable[[float], Awaitable[None]]

_CHUNK = 64 * 1024
_MISSING_BYTES = 512
# Short, because requests that hang never finish.
_SHUTDOWN_SECONDS = 0.1


@asynccontextmanager
async def serve(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[str]:
    """Serve while the block runs; yields the base URL. OSError if the port can't be bound."""
    app = web.Application()
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
        received = self._api.receive(
            Request(request.method, request.path, dict(request.query), dict(request.headers), await request.read())
        )
        active = self._api.select_faults(received)
        wire = [one.fault for one in active if one.fault.kind in WIRE_KINDS]
        for fault in wire:
            if fault.kind == "latency":
                await self._sleep(fault.seconds)
        breaking = [fault for fault in wire if fault.kind != "latency"]
        if breaking:
            return await self._break(request, received, breaking[0])
        reply = self._api.answer(received, [one for one in active if one.fault.kind not in WIRE_KINDS])
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _break(self, request: web.Request, received: ReceivedRequest, fault: Fault) -> web.StreamResponse:
        if fault.kind == "cut":
            return await _cut(request, self._api.answer(received))
        self._api.log(received, 0)
        if fault.kind == "huge":
            return await _huge(request, fault.size)
        if fault.kind == "gzip_bomb":
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            return web.Response(body=_gzip_bomb(fault.size), headers=headers)
        if fault.kind == "reset":
            _reset(request)
        return await _hang()


async def _hang() -> NoReturn:
    """Never answer. The handler is cancelled when the client disconnects."""
    while True:
        await asyncio.Event().wait()


async def _cut(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Send less than `Content-Length` says, and close the connection."""
    headers = {**reply.headers, "Content-Length": str(len(reply.body) + _MISSING_BYTES)}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(reply.body)
    if request.transport is not None:
        request.transport.close()
    return response


async def _huge(request: web.Request, size: int) -> web.StreamResponse:
    """Stream a valid JSON reply of `size` bytes and more."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"data": "')
    for first in range(0, size, _CHUNK):
        await response.write(b"x" * min(_CHUNK, size - first))
    await response.write(b'"}')
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    """Reset the connection instead of closing it."""
    if request.transport is None:
        return
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


def _gzip_bomb(size: int) -> bytes:
    """A small gzip body that unpacks to JSON of `size` bytes and more."""
    packer = zlib.compressobj(wbits=31)
    chunks = [packer.compress(b'{"data": "')]
    chunks += [packer.compress(b"x" * min(_CHUNK, size - first)) for first in range(0, size, _CHUNK)]
    return b"".join([*chunks, packer.compress(b'"}'), packer.flush()])
