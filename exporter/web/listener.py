"""Accepts connections, with TLS or without, and goes on when there are no file descriptors left."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import structlog

from exporter.web.connection import Connection
from exporter.web.connections import Connections, client_of
from exporter.web.limits import SEND_BUFFER_BYTES
from exporter.web.notices import Notices

# The kernel keeps so many connections that are not accepted yet.
BACKLOG = 1024
# More are accepted in the next iteration of the event loop, so that a flood does not block it.
ACCEPTS_AT_ONCE = 8
# When there are too many connections, or no descriptors left, it waits so long for those that are closed meanwhile.
PAUSE_SECONDS = 0.05
SHORTAGE_CLOSES = 4

log = structlog.get_logger(__name__)


class Listener:
    """Accepts connections on sockets. `ssl_context` may be replaced: it is for new connections."""

    def __init__(
        self,
        sockets: list[socket.socket],
        connections: Connections,
        make: Callable[[socket.socket, str], Connection],
        ssl_context: ssl.SSLContext | None,
        notices: Notices,
    ) -> None:
        self.ssl_context = ssl_context
        self._sockets = sockets
        self._connections = connections
        self._make = make
        self._notices = notices
        self._loop = asyncio.get_running_loop()
        self._opening: dict[asyncio.Task[None], Connection] = {}
        for each in sockets:
            each.settimeout(0)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # also for what it accepts
            each.listen(BACKLOG)
            self._watch(each)

    @property
    def addresses(self) -> list[str]:
        """The URLs of the sockets."""
        scheme = "https" if self.ssl_context else "http"
        names = (each.getsockname()[:2] for each in self._sockets)
        return [f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}" for host, port in names]

    async def close(self) -> None:
        """Accept no more connections, and close those whose TLS handshakes have not ended."""
        while self._sockets:
            listening = self._sockets.pop()
            self._loop.remove_reader(listening)
            listening.close()
        for connection in self._opening.values():
            connection.drop()
        if self._opening:
            await asyncio.wait(self._opening)

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            # Not before what open connections have sent meanwhile: it decides which are closed for new ones.
            self._loop.add_reader(listening, self._loop.call_soon, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        if listening.fileno() < 0:
            return
        for _ in range(ACCEPTS_AT_ONCE):
            if not self._connections.has_room():
                self._pause(listening)
                return
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._out_of_descriptors(listening)
                return
            accepted.settimeout(0)
            connection = self._make(accepted, client_of(address))
            task = self._loop.create_task(self._open(accepted, connection))
            self._opening[task] = connection
            task.add_done_callback(self._opening.pop)

    def _out_of_descriptors(self, listening: socket.socket) -> None:
        self._notices.warn("can't accept connections: no file descriptors left")
        for _ in range(SHORTAGE_CLOSES):
            self._connections.make_room()
        self._pause(listening)

    def _pause(self, listening: socket.socket) -> None:
        """Leave new connections to the kernel for a moment."""
        self._loop.remove_reader(listening)
        self._loop.call_later(PAUSE_SECONDS, self._watch, listening)

    async def _open(self, accepted: socket.socket, connection: Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted, ssl=self.ssl_context)
        except OSError as error:  # a TLS error, or a client that went away or was closed
            connection.could_not_open()
            log.debug("a connection could not be opened", error=type(error).__name__)
