"""Serves an application on the configured addresses."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

from aiohttp import web

from exporter.web.connection import Connection
from exporter.web.connections import Connections, connection_limit
from exporter.web.listener import Listener
from exporter.web.notices import NOTICES, Notices

# aiohttp waits this long twice: for requests to finish, then for their cancellation.
SHUTDOWN_SECONDS = 0.8
ALL_ADDRESSES = {None, "", "::"}


class RunningServer:
    """A server that is listening; made by `start`."""

    def __init__(self, runner: web.AppRunner, listener: Listener, connections: Connections) -> None:
        self._runner = runner
        self._listener = listener
        self._connections = connections

    @property
    def addresses(self) -> list[str]:
        """The URLs of the server. Where any free port was asked for, they have the port that was chosen."""
        return self._listener.addresses

    def set_tls(self, ssl_context: ssl.SSLContext | None) -> None:
        """Use another TLS context, or None for plain HTTP, for all new connections. Open ones keep theirs."""
        self._listener.ssl_context = ssl_context

    async def stop(self) -> None:
        """Stop listening, and give open requests less than two seconds in all to finish."""
        await self._listener.close()
        await self._runner.cleanup()
        self._connections.drop_all()


async def start(
    app: web.Application,
    host: str | None,
    port: int,
    ssl_context: ssl.SSLContext | None,
    passed: list[socket.socket] | None = None,
) -> RunningServer:
    """Listen on all addresses of a host. None and "::" mean every address of both families, port 0 any free port.

    With sockets `passed` by another process, listen on these instead.

    Raises:
        OSError: the host is unknown, or the port can't be bound.
    """
    sockets = await _bind(host, port) if passed is None else passed
    # A client that is gone does not wait for the check of its password.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    server = runner.server
    assert server is not None, "it is set up"  # noqa: S101 - for the type checker
    notices = app.get(NOTICES) or Notices()
    connections = Connections(connection_limit(), notices)

    def connect(accepted: socket.socket, client: str) -> Connection:
        return Connection(server, accepted, client, connections, notices)

    return RunningServer(runner, Listener(sockets, connections, connect, ssl_context, notices), connections)


async def _bind(host: str | None, port: int) -> list[socket.socket]:
    if host in ALL_ADDRESSES:
        return [_bind_all(host, port)]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, address in dict.fromkeys((family, address) for family, *_, address in found):
        # A name such as localhost has an address in each family; with port 0, both use the same free port.
        wanted = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(socket.create_server((address[0], wanted, *address[2:]), family=family))
        except OSError as error:
            refused = error
            if error.errno != errno.EADDRNOTAVAIL:  # a family that is off is skipped; in use or forbidden is an error
                break
    if refused and (not sockets or refused.errno != errno.EADDRNOTAVAIL):
        for each in sockets:
            each.close()
        raise refused
    return sockets


def _bind_all(host: str | None, port: int) -> socket.socket:
    """Bind one socket for both families, or for IPv4 if there is no IPv6 and "::" was not asked for."""
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError) as error:  # ValueError: no dual-stack sockets on this platform
        if host == "::" or getattr(error, "errno", None) == errno.EADDRINUSE:
            raise
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - no host means all addresses
