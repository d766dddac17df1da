"""Runs coroutines on an event loop whose time jumps, so that a day takes a second.

`VirtualLoop` is an asyncio event loop whose clock jumps: when nothing is ready, and no socket has
anything to say, it moves its own time to the next timer instead of waiting for it. Real loopback
sockets keep working, as long as both ends live on this loop. A call in a thread takes no time.
"""

from __future__ import annotations

import asyncio
import selectors
from asyncio import Future
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from exporter.clock import Clock

T = TypeVar("T")

START = 1_788_220_800.0  # 2026-09-01T00:00:00Z, a Tuesday in term time.


class _JumpingSelector(selectors.DefaultSelector):
    """Selects sockets; if none is ready, moves the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # If no timer is set, only a socket or a thread can end the wait. While a thread works, time stands still.
        if timeout is None or (self.threads and timeout > 0):
            return super().select(None)
        # A real millisecond for the kernel and for helper threads, before time jumps past them. Where there
        # are no sockets but the loop's own pair, nothing can come.
        alone = len(self.get_map()) <= 1
        ready = super().select(0 if timeout <= 0 or alone else 0.001)
        if not ready and timeout > 0:
            self.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for a timer."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: Future[Any]) -> None:
        self._jumping.threads -= 1

    def clock(self, start: float = START) -> Clock:
        """A clock on this loop's time; `start` is Unix seconds at the loop's birth."""
        return Clock(lambda: start + self.time(), self.time, asyncio.sleep, suspended=lambda: 0.0)


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a `VirtualLoop`; in it `virtual_clock()` returns the loop's clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def virtual_clock(start: float = START) -> Clock:
    """The clock of the running `VirtualLoop`."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "start this test with run_virtual"
    return loop.clock(start)
