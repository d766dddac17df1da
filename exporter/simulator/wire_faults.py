"""Breaks connections and the protocol: what a fault of `BROKEN_KINDS` or `SILENT_KINDS` does on a socket."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NoReturn

from aiohttp import web

from exporter.simulator.faults import Fault
from exporter.simulator.http_messages import Reply, head

Sleep = Callable[[float], Awaitable[None]]

_CHUNK = 64 * 1024
_MISSING_BYTES = 512
_POISON = "poisoned"


class _RawResponse(web.StreamResponse):
    """Sends these bytes as they are, then closes the connection or keeps it."""

    def __init__(self, raw: bytes, *, close: bool = False) -> None:
        super().__init__()
        self._raw = raw
        self._close = close

    @property
    def keep_alive(self) -> bool:
        """Whether more requests may come on this connection."""
        return not self._close

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send the bytes."""
        if request.transport is None:
            return
        request.transport.write(self._raw)
        if self._close:
            request.transport.close()

    async def write_eof(self, data: bytes = b"") -> None:
        """Add nothing."""


# With a true reply


async def break_reply(request: web.Request, fault: Fault, reply: Reply, sleep: Sleep) -> web.StreamResponse:
    """Send a true reply as a fault of `BROKEN_KINDS` does; KeyError for another kind."""
    if fault.kind in _RAW:
        return _RawResponse(_RAW[fault.kind](reply))
    if fault.kind in _CLOSED:
        return _RawResponse(_CLOSED[fault.kind](reply), close=True)
    return await _TIMED[fault.kind](request, fault, reply, sleep)


def _whole(reply: Reply, *more: tuple[str, str]) -> bytes:
    return head(reply, ("Content-Length", str(len(reply.body))), *more) + reply.body


def _chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def unsolicited_reply(reply: Reply) -> Reply:
    """A complete reply that fits the same request, and whose facts are `poisoned`."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        value = None
    data = value.get("data") if isinstance(value, dict) else None
    fact = {"id": _POISON, "name": _POISON, "type": _POISON, "state": _POISON, _POISON: True}
    body = {"data": [fact] if isinstance(data, list) else fact, "access_token": _POISON, "expires_in": 3600}
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


_RAW: Mapping[str, Callable[[Reply], bytes]] = {
    "unsolicited": lambda reply: _whole(reply) + _whole(unsolicited_reply(reply)),
    "trailing_bytes": lambda reply: _whole(reply) + b"\x00\x01 and more",
    "informational": lambda reply: (
        b"HTTP/1.1 100 Continue\r\n\r\n" + 3 * b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _whole(reply)
    ),
    "te_and_length": lambda reply: (
        head(reply, ("Content-Length", "5"), ("Transfer-Encoding", "chunked")) + _chunked(reply.body)
    ),
    "two_lengths": lambda reply: _whole(reply, ("Content-Length", "5")),
    "bad_chunks": lambda reply: head(reply, ("Transfer-Encoding", "chunked")) + b"not a size\r\n" + reply.body,
}
_CLOSED: Mapping[str, Callable[[Reply], bytes]] = {
    "cut": lambda reply: head(reply, ("Content-Length", str(len(reply.body) + _MISSING_BYTES))) + reply.body,
    "no_length": lambda reply: head(reply) + reply.body,
    "http_1_0": lambda reply: head(reply, version="1.0") + reply.body,
    "closes": _whole,
}


async def _reset_in_body(request: web.Request, _fault: Fault, reply: Reply, _sleep: Sleep) -> web.StreamResponse:
    """Reset the connection when half of the reply has been received."""
    _send_half(request, reply)
    # One turn of the loop, in which the client gets the first half.
    await asyncio.sleep(0)
    _reset(request)
    return await _hang()


async def _hang_in_body(request: web.Request, _fault: Fault, reply: Reply, _sleep: Sleep) -> web.StreamResponse:
    _send_half(request, reply)
    return await _hang()


async def _slow_bytes(request: web.Request, fault: Fault, reply: Reply, sleep: Sleep) -> web.StreamResponse:
    """Send one byte every `seconds`."""
    for byte in _whole(reply):
        if request.transport is None or request.transport.is_closing():
            break
        request.transport.write(bytes([byte]))
        await sleep(fault.seconds)
    return _RawResponse(b"")


async def _unsolicited_later(request: web.Request, fault: Fault, reply: Reply, sleep: Sleep) -> web.StreamResponse:
    """Reply, and after `seconds`, when the connection may be idle or in use again, send one more reply."""
    transport = request.transport

    async def send_later() -> None:
        await sleep(fault.seconds)
        if transport is not None and not transport.is_closing():
            transport.write(_whole(unsolicited_reply(reply)))

    later = asyncio.create_task(send_later())
    _LATER.add(later)
    later.add_done_callback(_LATER.discard)
    return _RawResponse(_whole(reply))


# Tasks that nothing else refers to.
_LATER: set[asyncio.Task[None]] = set()
_TIMED: Mapping[str, Callable[[web.Request, Fault, Reply, Sleep], Awaitable[web.StreamResponse]]] = {
    "reset_in_body": _reset_in_body,
    "hang_in_body": _hang_in_body,
    "slow_bytes": _slow_bytes,
    "unsolicited_later": _unsolicited_later,
}


def _send_half(request: web.Request, reply: Reply) -> None:
    raw = _whole(reply)
    if request.transport is not None:
        request.transport.write(raw[: len(raw) - len(reply.body) // 2 - 1])


# Without a true reply


async def reply_wrongly(request: web.Request, fault: Fault, sleep: Sleep) -> web.StreamResponse:
    """Do what a fault of `SILENT_KINDS` does."""
    if fault.kind in _SILENT:
        return await _SILENT[fault.kind](request, fault, sleep)
    if fault.kind in _BOMBS:
        encoding, wbits = _BOMBS[fault.kind]
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        return web.Response(body=_bomb(fault.size, wbits), headers=headers)
    return _RawResponse(_NO_REPLIES[fault.kind])


_NO_REPLIES = {
    "not_http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "switching_protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}
# The encoding, and zlib's window bits for it.
_BOMBS = {"gzip_bomb": ("gzip", 31), "deflate_bomb": ("deflate", 15)}


async def _hang(*_: object) -> NoReturn:
    """Never answer. The handler is cancelled when the client disconnects."""
    while True:
        await asyncio.Event().wait()


async def _endless_informational(request: web.Request, _fault: Fault, sleep: Sleep) -> web.StreamResponse:
    """Announce a reply once a second, and never send it."""
    while request.transport is not None and not request.transport.is_closing():
        request.transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await sleep(1)
    return _RawResponse(b"")


async def _huge(request: web.Request, fault: Fault, _sleep: Sleep) -> web.StreamResponse:
    """Stream a valid JSON reply of `size` bytes and more."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    # The client may have had enough.
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(b'{"data": "')
        for first in range(0, fault.size, _CHUNK):
            await response.write(b"x" * min(_CHUNK, fault.size - first))
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


async def _reset_at_once(request: web.Request, _fault: Fault, _sleep: Sleep) -> web.StreamResponse:
    _reset(request)
    return await _hang()


async def _disconnect(request: web.Request, _fault: Fault, _sleep: Sleep) -> web.StreamResponse:
    """Close the connection without a reply."""
    if request.transport is not None:
        request.transport.close()
    return await _hang()


_SILENT: Mapping[str, Callable[[web.Request, Fault, Sleep], Awaitable[web.StreamResponse]]] = {
    "hang": _hang,
    "huge": _huge,
    "endless_informational": _endless_informational,
    "reset": _reset_at_once,
    "disconnect": _disconnect,
}


@lru_cache(maxsize=8)
def _bomb(size: int, wbits: int) -> bytes:
    """A small compressed body that unpacks to JSON of `size` bytes and more; `wbits` are zlib's."""
    packer = zlib.compressobj(wbits=wbits)
    chunks = [packer.compress(b'{"data": "')]
    chunks += [packer.compress(b"x" * min(_CHUNK, size - first)) for first in range(0, size, _CHUNK)]
    return b"".join([*chunks, packer.compress(b'"}'), packer.flush()])
