"""Where does the server listen, and how does it change its certificate or stop?"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

from aiohttp import web

# aiohttp waits this long twice: for requests to end by themselves, then for them to be cancelled.
GRACE_SECONDS = 0.8
ALL_ADDRESSES = {None, "", "::"}


class Running:
    """A server that listens; made by `start`."""

    def __init__(self, runner: web.AppRunner, sockets: list[socket.socket]) -> None:
        self._runner = runner
        self._sockets = sockets
        self._sites: list[web.SockSite] = []
        self._scheme = "http"

    @property
    def addresses(self) -> list[str]:
        """The URLs that it can be reached at, with the port that it really has."""
        return [f"{self._scheme}://{_authority(listening)}" for listening in self._sockets]

    async def renew(self, ssl_context: ssl.SSLContext | None) -> None:
        """Use another TLS context, or none, for all new connections; those that are open keep theirs.

        The sockets listen on throughout: no connection is refused.
        """
        before = self._sites
        self._sites = [web.SockSite(self._runner, each.dup(), ssl_context=ssl_context) for each in self._sockets]
        for site in self._sites:
            await site.start()
        for site in before:
            await site.stop()
        self._scheme = "http" if ssl_context is None else "https"

    async def stop(self) -> None:
        """Stop listening and let open requests end, for less than two seconds in all."""
        await self._runner.cleanup()
        for listening in self._sockets:
            listening.close()


async def start(app: web.Application, host: str | None, port: int, ssl_context: ssl.SSLContext | None) -> Running:
    """Listen on all addresses of a host; None and "::" are every address of both families, port 0 is any free one.

    Raises:
        OSError: the host is unknown, or the port can't be bound.
    """
    sockets = await _bind(host, port)
    # A log of scrapes is noise: who asks, and how often, is for Prometheus itself to show.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    running = Running(runner, sockets)
    await running.renew(ssl_context)
    return running


async def _bind(host: str | None, port: int) -> list[socket.socket]:
    if host in ALL_ADDRESSES:
        return [_bind_all(host, port)]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, address in dict.fromkeys((family, address) for family, *_, address in found):
        # A name such as localhost has an address in each family: where any port will do, they share it.
        wanted = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(socket.create_server((address[0], wanted, *address[2:]), family=family))
        except OSError as error:
            refused = error
            if error.errno != errno.EADDRNOTAVAIL:  # in use or forbidden, and not just a family that is off
                break
    if refused and (not sockets or refused.errno != errno.EADDRNOTAVAIL):
        for each in sockets:
            each.close()
        raise refused
    return sockets


def _bind_all(host: str | None, port: int) -> socket.socket:
    """Bind one socket for both families, or for IPv4 where there is no IPv6 and it was not asked for by name."""
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError) as error:  # ValueError: this platform has no socket for both
        if host == "::" or getattr(error, "errno", None) == errno.EADDRINUSE:
            raise
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - all addresses is what was asked for


def _authority(listening: socket.socket) -> str:
    address, port, *_ = listening.getsockname()
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
