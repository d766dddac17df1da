"""Runs blocking calls in daemon threads, so that a slow one does not delay the end of the process.

At exit, Python waits for the threads of its usual pool, but not for daemon threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _DaemonThreads(Executor):
    """Runs each call in a daemon thread of its own."""

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        # From here on it can't be cancelled, so that a thread whose caller was cancelled can still set its result.
        future.set_running_or_notify_cancel()
        threading.Thread(target=_run, args=(future, function, args, kwargs), daemon=True).start()
        return future


def _run(future: Future[Any], function: Callable[..., Any], args: Any, kwargs: Any) -> None:  # noqa: ANN401 - any call
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - raised where the call is awaited
        future.set_exception(error)


_DAEMON_THREADS = _DaemonThreads()


async def in_daemon_thread(function: Callable[..., T], *args: object) -> T:
    """Return what the call returns, or raise what it raises. If this is cancelled, the call still goes on."""
    return await asyncio.get_running_loop().run_in_executor(_DAEMON_THREADS, function, *args)
