"""Resolves host names in daemon threads, so that a slow look-up does not delay the end of the process.

A look-up blocks its thread for as long as the system's resolver takes. At exit, Python waits for the threads of
its usual pool, but not for daemon threads.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_FLAGS = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class DaemonResolver(AbstractResolver):
    """The system's resolver, each look-up in a daemon thread. aiohttp caches the answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return all addresses of a host. Raises `OSError` if there are none."""
        answer: Future[list[Any]] = Future()
        # From here on it can't be cancelled, so that a thread whose request was cancelled can still set its result.
        answer.set_running_or_notify_cancel()
        arguments = (answer, host, port, family)
        threading.Thread(target=_look_up, args=arguments, daemon=True, name="resolver").start()
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=found, proto=socket.IPPROTO_TCP, flags=_FLAGS
            )
            for found, _, _, _, address in await asyncio.wrap_future(answer)
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _look_up(answer: Future[list[Any]], host: str, port: int, family: socket.AddressFamily) -> None:
    try:
        answer.set_result(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        )
    except OSError as error:
        answer.set_exception(error)
