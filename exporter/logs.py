"""How does the exporter log? In logfmt or JSON lines on standard error, libraries' lines included."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_RENDERERS: dict[str, Processor] = {
    "logfmt": structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
    "json": structlog.processors.JSONRenderer(ensure_ascii=False),
}


def configure(level: str, form: str) -> None:
    """Set the least level shown and the form (`logfmt` or `json`); may be called again at any time."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _RENDERERS[form],
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
