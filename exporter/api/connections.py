"""Pools connections to the API, so that each reply reaches only the caller that sent the request.

HTTP/1.1 pairs requests and replies by their order alone. If a server sends a reply too many, the next request on that
connection gets it. So each caller has connections of its own, and a connection is closed if the server sends
something that is no reply to a request. aiohttp checks that only when a reply ends, so this module overrides some of
its internals; tests/api/test_connections.py shows that they still work.
"""

from __future__ import annotations

import asyncio
import resource
import select
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http import HttpProcessingError

from exporter.api.errors import BadResponseError
from exporter.api.resolver import DaemonResolver

# Connections of one caller that are in use at the same time. A tenant is polled by one collector at a time.
PER_CALLER = 4
# Idle connections of all callers; the one that has been idle for longest is closed first. With TLS, each takes 0.4 MiB.
MAX_IDLE = 50
# Seconds until an idle connection is closed. Many servers close theirs after 60 s, and most polls come every 60 s: at
# that moment a request would often be lost.
IDLE_SECONDS = 50.0
# Shares of the process' descriptors for connections in use and for idle ones. Scrapes need some as well.
_SHARE_IN_USE, _SHARE_IDLE = 4, 8
# Bytes of one header, and of all headers of a reply.
MAX_HEADER_BYTES = 2**16
MAX_HEAD_BYTES = 2**17
MAX_HEADERS = 1_000
# Interim replies (1xx) before a reply.
MAX_INTERIM = 100
# Bytes of a body that is sent in chunks beside those of the body itself: so many, and one for so many bytes of the
# body. A chunk has at least 5, and some 10 from most servers, which send chunks of kilobytes.
MAX_FRAMING_BYTES = 2**15
BODY_BYTES_PER_FRAMING_BYTE = 8
# Bytes that are parsed until the limits are checked again: up to 1,300 chunks, which take some milliseconds.
_STEP = 2**13


class Connections(aiohttp.TCPConnector):
    """A pool of connections by caller, bounded by the process' limit of descriptors."""

    def __init__(self) -> None:
        descriptors = _descriptors()
        super().__init__(
            limit=max(1, descriptors // _SHARE_IN_USE),
            limit_per_host=PER_CALLER,
            keepalive_timeout=IDLE_SECONDS,
            resolver=DaemonResolver(),
        )
        self.max_idle = min(MAX_IDLE, descriptors // _SHARE_IDLE)
        # The longest idle first, each with its key in the pool.
        self.idle: dict[Any, ConnectionKey] = {}
        self._factory = partial(Exchange, self._forget, asyncio.get_running_loop())  # type: ignore[assignment]  # a subclass

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Any:  # noqa: ANN401 - aiohttp does not export the type
        """A connection without unread bytes. Raises `BadResponseError` if the server sends something first."""
        while True:
            connection = await super().connect(req, traces, timeout)
            exchange = connection.protocol
            reused = exchange in self.idle
            self.idle.pop(exchange, None)
            if isinstance(exchange, Exchange) and exchange.is_silent(reused=reused):
                return connection
            connection.close()
            if not reused:
                raise BadResponseError("the server sent something before the request")

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, Exchange) and protocol.is_connected():
            protocol.expecting = False
            self.idle[protocol] = key
            while len(self.idle) > self.max_idle:
                oldest = next(iter(self.idle))
                self._forget(oldest)
                oldest.close()

    def _forget(self, exchange: Exchange) -> None:
        """Remove a connection from the pool, which would keep it for 50 s more: thousands of closed ones."""
        key = self.idle.pop(exchange, None)
        pooled = self._conns.get(key) if key else None
        if key and pooled:
            left = deque(each for each in pooled if each[0] is not exchange)
            if left:
                self._conns[key] = left
            else:
                del self._conns[key]


class Exchange(ResponseHandler):
    """One connection. It is closed as soon as the server sends something that is no reply to a request."""

    def __init__(self, on_lost: Callable[[Exchange], None], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.expecting = False
        self._on_lost = on_lost
        self._opened: Any = None
        self._spoke_first = False
        self._replies = 0
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body: aiohttp.StreamReader = aiohttp.EMPTY_PAYLOAD

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._opened = transport
        super().connection_made(transport)

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 - aiohttp's own arguments
        """A request is about to be sent."""
        self.expecting, self._replies, self._head_bytes = True, 0, 0
        self._framing_bytes, self._body = 0, aiohttp.EMPTY_PAYLOAD
        super().set_response_params(**params)

    def is_silent(self, *, reused: bool) -> bool:
        """Whether the server has sent nothing since the last reply, nor closed the connection."""
        if self._spoke_first or self.transport is None or not self.is_connected() or (reused and self.should_close):
            return False
        # After a TLS handshake, the server may still send session tickets.
        has_tickets = not reused and self.transport.get_extra_info("ssl_object") is not None
        return has_tickets or not _is_readable(self.transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, unless nothing is expected, or the headers or the chunks' heads have become too large."""
        # aiohttp calls it with no data to go on with what it has kept.
        for at in range(0, max(1, len(data)), _STEP):
            if data and not self.expecting:
                self._spoke_first = True
                self.abort()
                return
            self._parse(data[at : at + _STEP])
            if not self.is_connected():
                return

    def _parse(self, data: bytes) -> None:
        body, before = self._body, self._body.total_bytes
        self._head_bytes += len(data) if not self._replies else 0
        super().data_received(data)
        if self.exception() is not None and body.is_eof():
            # If the reply ends in the same step, the parser refuses it as well. It shall not depend on its length.
            body.set_exception(BadResponseError("the server sent something after the reply that is not HTTP"))
        if not self._replies and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse("headers are too large")
        if body is not aiohttp.EMPTY_PAYLOAD:
            self._framing_bytes += len(data) - (body.total_bytes - before)
            if self._framing_bytes > MAX_FRAMING_BYTES + body.total_bytes // BODY_BYTES_PER_FRAMING_BYTE:
                self._refuse("chunks are too small")
                # So that it is not taken for a body that was cut off when the connection is closed.
                self._payload = None
                body.set_exception(BadResponseError("the reply has too many small chunks, or too much between them"))

    def feed_data(self, data: Any, size: int = 0) -> None:  # noqa: ANN401 - aiohttp's own type
        """A reply's headers are complete."""
        self._replies += 1
        self._body = data[1]
        if self._replies <= MAX_INTERIM + 1:
            super().feed_data(data, size)
        elif self._replies == MAX_INTERIM + 2:
            self._refuse("too many replies")

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is closed."""
        self._on_lost(self)
        super().connection_lost(exc)
        # Otherwise each would be garbage that refers to itself, and that only a full collection finds.
        self._body = aiohttp.EMPTY_PAYLOAD
        if hasattr(self._opened, "_read_ready_cb"):  # a method of asyncio's own transports
            self._opened._read_ready_cb = None  # noqa: SLF001
        self._opened = None

    def _refuse(self, why: str) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.set_exception(HttpProcessingError(code=400, message=why))


class PooledRequest(aiohttp.ClientRequest):
    """A request that is sent over the connections of its caller."""

    caller = 0

    @property
    def connection_key(self) -> ConnectionKey:
        """The key of the pool: two requests share connections only if all of it is equal."""
        # No request has proxy headers, so their place in the key is free.
        return super().connection_key._replace(proxy_headers_hash=self.caller)


def _is_readable(descriptor: int) -> bool:
    """Whether the socket has unread bytes, or has been closed by the other side."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _descriptors() -> int:
    """How many descriptors the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**20
