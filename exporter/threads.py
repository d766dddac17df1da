"""Runs blocking calls in daemon threads, so that a slow one does not delay the end of the process.

At exit, Python waits for the threads of its usual pool, but not for daemon threads.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGALRM)

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
    # Only the main thread handles signals. At the end, it blocks them, and then another thread would be ended by them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - raised where the call is awaited
        future.set_exception(error)


_DAEMON_THREADS = _DaemonThreads()


def start_in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start the call, and return its future. Raises RuntimeError if the system has no thread left."""
    return _DAEMON_THREADS.submit(function, *args, **kwargs)


def within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the call returns, or raise what it raises; TimeoutError if it takes longer, and it still goes on."""
    return start_in_daemon_thread(function, *args, **kwargs).result(seconds)


async def in_daemon_thread(function: Callable[..., T], *args: object) -> T:
    """Return what the call returns, or raise what it raises. If this is cancelled, the call still goes on."""
    return await asyncio.get_running_loop().run_in_executor(_DAEMON_THREADS, function, *args)
