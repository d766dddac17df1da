"""Watches tasks, so that none ends unnoticed, and lets few of them go on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class EndedError(Exception):
    """A task that must not end has ended, without an error of its own."""


def asked_to_end() -> bool:
    """Whether the running task is being cancelled. If not, a `CancelledError` is an internal error in what it calls."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def watched(work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the work. Raises EndedError if it was cancelled from inside, which a task group does not notice."""
    try:
        return await work(*args, **kwargs)
    except asyncio.CancelledError:
        if asked_to_end():
            raise
    raise EndedError


async def unending(work: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> NoReturn:
    """Do what must not end until it is cancelled. Raises EndedError if it ends, or was cancelled from inside."""
    await watched(work, *args, **kwargs)
    raise EndedError


class FewAtOnce:
    """Lets few callers go on in each step of the event loop, in their order.

    If all whose replies arrive together did, everything else would wait for them. Callers are counted, and time is not
    measured: so the order of what they do is the same on each machine.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._gone = 0

    async def go(self) -> None:
        """Return in this step of the event loop, or in a later one."""
        while self._gone >= self._most:  # noqa: ASYNC110 - an event would wake all of them
            await asyncio.sleep(0)
        if not self._gone:
            asyncio.get_running_loop().call_soon(self._next_step)
        self._gone += 1

    def _next_step(self) -> None:
        self._gone = 0
