"""Serves one connection, with limits on its requests' time and size and on how slowly it reads.

aiohttp parses and answers the requests. It has no time limit for a request that never ends, and logs each malformed
one as an error.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from math import inf
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from exporter.web.connections import Connections
from exporter.web.limits import (
    ANSWER_SECONDS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    MAX_HEADER_BYTES,
    MAX_LINE_BYTES,
    REQUEST_SECONDS,
    SHORTEST_SECONDS,
    STALL_SECONDS,
)
from exporter.web.notices import Notices
from exporter.web.request_size import RequestSize

SERVER_NAME = "kimono-exporter"
# So many iterations of the event loop after it was opened, what was sent on it has been read.
_SETTLED = 3
# What a connection is worth when there are too many: see `worth`.
_NO_REQUEST, _STALLED, _IDLE, _ANSWERING = range(4)


class _ResponseEnds(AbstractAccessLogger):
    """aiohttp calls its access logger at the end of each response. This one tells the connection, and logs nothing."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:  # noqa: ARG002 - aiohttp's
        if isinstance(request.protocol, Connection):
            request.protocol.response_ended(response)


class Connection(web.RequestHandler):
    """One connection from a client. It is in `connections` until it is closed."""

    def __init__(
        self, server: web.Server, accepted: socket.socket, client: str, connections: Connections, notices: Notices
    ) -> None:
        self._running_loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=self._running_loop,
            access_log_class=_ResponseEnds,
            access_log=logging.getLogger(__name__),
            lingering_time=LINGER_SECONDS,
            # `RequestSize` refuses what is larger, so the parser never does.
            max_line_size=2 * MAX_LINE_BYTES,
            max_field_size=2 * MAX_HEADER_BYTES,
        )
        self.client = client
        self._accepted = accepted
        self._connections = connections
        self._notices = notices
        self._size = RequestSize()
        # aiohttp forgets its transport when it closes it, though it may take a slow client long to read the rest.
        self._wire: asyncio.WriteTransport | None = None
        self._refused = self._kept_alive = False
        self._state, self._since = _NO_REQUEST, inf
        self._settle(2 * _SETTLED)
        self._time_limit = self._running_loop.call_later(REQUEST_SECONDS, self._request_overdue)
        self._stall_limit: asyncio.TimerHandle | None = None
        self._stalled_since = inf
        connections.add(self)

    @property
    def worth(self) -> tuple[int, float]:
        """Least without a successful request, more if the client does not read, then if idle, most while answered."""
        if self._state == _IDLE:
            return _IDLE, self._since
        if self._state == _NO_REQUEST:
            return _NO_REQUEST, self._since + SHORTEST_SECONDS
        stalled_enough, answered_enough = self._stalled_since + SHORTEST_SECONDS, self._since + ANSWER_SECONDS
        return (_STALLED, stalled_enough) if stalled_enough < answered_enough else (_ANSWERING, answered_enough)

    def drop(self) -> None:
        """Close the connection at once, whatever it is doing."""
        if self._wire is not None:
            self._wire.abort()
            return
        with suppress(OSError):  # the client may be gone
            self._accepted.shutdown(socket.SHUT_RDWR)  # which ends the TLS handshake

    def could_not_open(self) -> None:
        """The TLS handshake failed."""
        self._time_limit.cancel()
        self._connections.remove(self)

    def check_began(self) -> None:
        """The password of a request is to be checked, which may take long."""
        self._state, self._since = _NO_REQUEST, self._running_loop.time()

    def answer_began(self) -> None:
        """A request is answered now, which has time limits of its own."""
        self._state, self._since = _ANSWERING, self._running_loop.time()
        self._time_limit.cancel()

    def response_ended(self, response: web.StreamResponse) -> None:
        """The response is sent: wait for the next request, or for the rest of this one."""
        successful = response.status < HTTPStatus.BAD_REQUEST
        self._state, self._since = _IDLE if successful else _NO_REQUEST, self._running_loop.time()
        more_came, self._size = self._size.body, RequestSize()
        self._kept_alive = bool(response.keep_alive) and not more_came
        if self._kept_alive:
            self._limit_time(IDLE_SECONDS, self.drop)
        else:
            self._limit_time(REQUEST_SECONDS, self._request_overdue)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, with TLS if there is TLS."""
        self._wire = cast(asyncio.WriteTransport, transport)
        self._since = inf
        self._settle(_SETTLED)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is closed, by whichever side."""
        self._time_limit.cancel()
        if self._stall_limit is not None:
            self._stall_limit.cancel()
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what the client has sent, unless it is too much."""
        if self._refused:
            return
        if data and self._kept_alive:
            self._kept_alive = False
            self._limit_time(REQUEST_SECONDS, self._request_overdue)
        status = self._size.add(data)
        if status in (HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE):
            self._refuse(status)
            return
        if self._size.headers_ended and self._state != _ANSWERING:
            self._state, self._since = _ANSWERING, self._running_loop.time()
        super().data_received(data)
        if status is not None:
            self.close()  # after the response; the rest of the body is ignored

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._stalled_since = self._running_loop.time()
        self._stall_limit = self._running_loop.call_later(STALL_SECONDS, self._stalled)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._stall_limit is not None:
            self._stall_limit.cancel()
            self._stalled_since = inf

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a malformed request. aiohttp would log it as an error, and repeat it in the response."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text="bad request\n", headers={"Server": SERVER_NAME})
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: object = None, **more: object) -> None:
        """Log what aiohttp did not expect. A malformed body, which it reads after the response, is no fault of ours."""
        if not isinstance(exc_info, RequestPayloadError):
            super().log_exception(*args, exc_info=exc_info, **more)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request of which only a part has come, and ignore the rest until the client has read that."""
        self._refused = True
        body = f"{status.phrase}\n"
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Server: {SERVER_NAME}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        if self._wire is not None:
            self._wire.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        self._limit_time(LINGER_SECONDS, self.drop)

    def _settle(self, iterations: int) -> None:
        """Count as new until the event loop has read what the client has sent, however late the loop is."""
        if iterations:
            self._running_loop.call_soon(self._settle, iterations - 1)
        elif self._since == inf:
            self._since = self._running_loop.time()

    def _limit_time(self, seconds: float, then: Callable[[], None]) -> None:
        self._time_limit.cancel()
        self._time_limit = self._running_loop.call_later(seconds, then)

    def _request_overdue(self) -> None:
        self._notices.warn("closed connections whose requests did not end in time")
        self.drop()

    def _stalled(self) -> None:
        self._notices.warn("closed connections that did not read the response in time")
        self.drop()
