"""Defines what the exporter must provide so that its pages can be served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exporter.blocks import Section
from exporter.status import Status


class Source(Protocol):
    """Where the pages come from. All calls run on the event loop, so none may block."""

    def sections(self, *, openmetrics: bool) -> Iterable[Section]:
        """Take a snapshot of all series now: the sections of the exposition in their order."""

    def healthy(self) -> bool:
        """Whether polling has made progress lately, even if the API fails."""

    def ready(self) -> bool:
        """Whether the first discovery and the first poll of every tenant have ended."""

    def status(self) -> Status:
        """Take the snapshot that the status page shows."""
