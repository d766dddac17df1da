"""Defines what the exporter must provide so that its pages can be served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exporter.status import Status


class Source(Protocol):
    """Where the pages come from. All calls run on the event loop, so none may block."""

    def page(self, *, openmetrics: bool) -> Iterable[bytes]:
        """Take a snapshot of all series now; iterating it gives the exposition in pieces.

        The event loop is blocked while a piece is joined: 1 MB takes about 1 ms.
        """

    def healthy(self) -> bool:
        """Whether polling has made progress lately, even if the API fails."""

    def ready(self) -> bool:
        """Whether the first discovery and the first poll of every tenant have ended."""

    def status(self) -> Status:
        """Take the snapshot that the status page shows."""
