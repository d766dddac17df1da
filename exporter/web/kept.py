"""Keeps what was made a moment ago, so that a flood of requests does not keep the exporter busy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from exporter.web.limits import STATUS_PAGE_SECONDS

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, the newest last: at most `most`, each made again when it is old. One is made at a time.

    A page that is kept may have been made of a snapshot that was kept. So what it shows may be as old as both together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # With the time of the event loop at which each was made.
        self._made: dict[Hashable, tuple[float, T]] = {}
        self._making = asyncio.Lock()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The value of a moment ago, or a new one."""
        fresh = self._fresh(key)
        if fresh is None:
            async with self._making:
                fresh = self._fresh(key)  # others may have waited for the same
                if fresh is None:
                    fresh = await self._make(key, make)
        return fresh[1]

    def _fresh(self, key: Hashable) -> tuple[float, T] | None:
        found = self._made.get(key)
        old = found is None or asyncio.get_running_loop().time() - found[0] >= STATUS_PAGE_SECONDS
        return None if old else found

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> tuple[float, T]:
        made = await make()
        self._made.pop(key, None)
        while len(self._made) >= self._most:
            del self._made[next(iter(self._made))]
        self._made[key] = asyncio.get_running_loop().time(), made
        return self._made[key]
