"""How are names of hosts looked up without keeping the process from ending?

A look-up blocks its thread for as long as the system's resolver likes. The usual pool of threads is waited
for at the end; these threads are not.
"""

from __future__ import annotations

import asyncio
import socket
import threading

from aiohttp.abc import AbstractResolver, ResolveResult

_FLAGS = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class DaemonResolver(AbstractResolver):
    """The system's resolver, each look-up in a daemon thread. aiohttp caches the answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a host; OSError if there are none."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()
        arguments = (loop, answer, host, port, family)
        threading.Thread(target=_look_up, args=arguments, daemon=True, name="resolver").start()
        return await answer

    async def close(self) -> None:
        """Nothing to close."""


def _look_up(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[list[ResolveResult]],
    host: str,
    port: int,
    family: socket.AddressFamily,
) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        _tell(loop, answer, error)
    else:
        _tell(loop, answer, [_result(host, port, family, address) for family, _, _, _, address in found])


def _result(host: str, port: int, family: int, address: tuple[object, ...]) -> ResolveResult:
    return ResolveResult(
        hostname=host, host=str(address[0]), port=port, family=family, proto=socket.IPPROTO_TCP, flags=_FLAGS
    )


def _tell(
    loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[ResolveResult]], news: OSError | list[ResolveResult]
) -> None:
    def settle() -> None:
        if answer.done():  # nobody waits any more
            return
        if isinstance(news, OSError):
            answer.set_exception(news)
        else:
            answer.set_result(news)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
