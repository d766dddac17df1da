"""Logs what clients cause: the first time at once, then once a minute with a count.

A client can make the same thing happen thousands of times a second, and must not fill the log with it.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from exporter.web.limits import NOTICE_SECONDS

log = structlog.get_logger(__name__)


class Notices:
    """Warnings that are counted while they repeat."""

    def __init__(self) -> None:
        self._repeated: dict[str, int] = {}

    def warn(self, event: str) -> None:
        """Log the event now, or within a minute together with others of its kind. Call it on the event loop."""
        if event in self._repeated:
            self._repeated[event] += 1
        else:
            log.warning(event)
            self._begin_interval(event)

    def _begin_interval(self, event: str) -> None:
        self._repeated[event] = 0
        asyncio.get_running_loop().call_later(NOTICE_SECONDS, self._end_interval, event)

    def _end_interval(self, event: str) -> None:
        again = self._repeated.pop(event)
        if again:
            log.warning(event, times=again, seconds=NOTICE_SECONDS)
            self._begin_interval(event)


# Where an application keeps them.
NOTICES: web.AppKey[Notices] = web.AppKey("notices", Notices)
