"""Resolves host names in daemon threads, so that a slow look-up does not delay the end of the process.

A look-up blocks its thread for as long as the system's resolver takes.
"""

from __future__ import annotations

import socket
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from exporter.threads import in_daemon_thread

_FLAGS = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class DaemonResolver(AbstractResolver):
    """The system's resolver, each look-up in a daemon thread. aiohttp caches the answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return all addresses of a host. Raises `OSError` if there are none."""
        look_up = partial(socket.getaddrinfo, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=found, proto=socket.IPPROTO_TCP, flags=_FLAGS
            )
            for found, _, _, _, address in await in_daemon_thread(look_up, host, port)
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
