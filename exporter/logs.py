"""Logs in logfmt or JSON lines on standard error, log messages of libraries included."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from exporter.threads import start_in_daemon_thread

# Lines that wait for a reader of the log that stalls. Further ones are dropped.
_MAX_WAITING = 1000
_DRAIN_SECONDS = 0.5


class LogThread:
    """Writes log lines in a thread: if the log's reader stalls, a pipe is full, and writing blocks.

    It writes to the descriptor itself, because Python waits at exit for the locks of its own streams.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._dropped = 0
        start_in_daemon_thread(self._write_lines)

    def write(self, text: str) -> None:
        """Write the text soon. If too many lines wait, it is dropped; when the reader goes on, a line says how many."""
        lines = 2 if self._dropped else 1  # the line that says how many are missing must not be missing itself
        if self._lines.qsize() + lines > _MAX_WAITING:
            self._dropped += 1
            return
        self._lines.put(text.encode(sys.stderr.encoding, "replace"))
        dropped, self._dropped = self._dropped, 0
        if dropped:
            structlog.get_logger("exporter.logs").warning("log messages were dropped", number=dropped)

    def flush(self) -> None:
        """Do nothing: the thread does not buffer."""

    def drain(self, seconds: float) -> None:
        """Wait until all is written, for so many seconds at most."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _write_lines(self) -> None:
        while True:
            line = self._lines.get()
            with contextlib.suppress(OSError):
                while line:
                    line = line[os.write(self._descriptor, line) :]
            self._lines.task_done()


@contextlib.contextmanager
def in_thread() -> Iterator[None]:
    """Write log lines in a thread until the block ends; what waits then has half a second."""
    stream = sys.__stderr__
    if stream is None or sys.stderr is not stream:  # replaced: it may have no descriptor
        yield
        return
    thread = LogThread(stream.fileno())
    _write_to(thread)
    try:
        yield
    finally:
        thread.drain(_DRAIN_SECONDS)
        _write_to(None)


def _write_to(thread: LogThread | None) -> None:
    _Output.thread = thread
    if _Output.handler is not None:
        _Output.handler.setStream(thread or sys.stderr)


class _Output:
    """Where log lines go: to this thread, or to standard error if there is none; and what `configure` has set."""

    thread: LogThread | None = None
    handler: logging.StreamHandler[Any] | None = None


def printable(text: str) -> str:
    """Text without control characters, with which a hostile name could control a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def internal_error(error: BaseException) -> str:
    """The type and place of an unexpected error. Without its text, which may quote a reply, and so a secret."""
    if isinstance(error, BaseExceptionGroup):
        return internal_error(error.exceptions[0])
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"internal error: {type(error).__name__}{place} (please report it)"


def _without_traceback(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Libraries log unexpected errors with a traceback, whose last line may quote a secret."""
    exc_info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if exc_info is True else exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["error"] = internal_error(error)
    return event


def _printable_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Names come from the API and may hold anything."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _with_usual_keys(_logger: object, _method: str, event: EventDict) -> EventDict:
    """`ts`, `level` and `msg` come first, as in the log lines of Prometheus and its exporters."""
    return {"ts": event.pop("ts"), "level": event.pop("level"), "msg": event.pop("event"), **event}


_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    _printable_values,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
]
_RENDERERS: dict[str, Processor] = {
    "logfmt": structlog.processors.LogfmtRenderer(),
    "json": structlog.processors.JSONRenderer(ensure_ascii=False),
}


def show(name: str, level: str) -> None:
    """Show the log messages of one logger from another level on, whatever `configure` has set."""
    logging.getLogger(name).setLevel(level.upper())


def configure(level: str, form: str) -> None:
    """Set the lowest level shown and the form (`logfmt` or `json`); may be called again at any time."""
    logging.raiseExceptions = False  # a full disk below the log is no reason for a traceback with what was logged
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_traceback,
            _with_usual_keys,
            _RENDERERS[form],
        ],
    )
    handler: logging.StreamHandler[Any] = logging.StreamHandler(_Output.thread or sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    _Output.handler = handler
    logging.root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel("INFO")  # below that, it logs its internals
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
