"""Logs in logfmt or JSON lines on standard error, log messages of libraries included."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor


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


_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    _printable_values,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_RENDERERS: dict[str, Processor] = {
    "logfmt": structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
    "json": structlog.processors.JSONRenderer(ensure_ascii=False),
}


def show(name: str, level: str) -> None:
    """Show the log messages of one logger from another level on, whatever `configure` was told."""
    logging.getLogger(name).setLevel(level.upper())


def configure(level: str, form: str) -> None:
    """Set the lowest level shown and the form (`logfmt` or `json`); may be called again at any time."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_traceback, _RENDERERS[form]],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel("INFO")  # below that, it logs its internals
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
