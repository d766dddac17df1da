"""Defines what the exporter must provide so that its pages can be served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exporter.blocks import Section
from exporter.issues import Entry
from exporter.status import Counts, Status
from exporter.tenant_details import TenantDetails


class Source(Protocol):
    """Where the pages come from. All calls run on the event loop, so none may block."""

    def sections(self, *, openmetrics: bool) -> Iterable[Section]:
        """Take a snapshot of all series now: the sections of the exposition in their order."""

    def healthy(self) -> bool:
        """Whether polling has made progress lately, even if the API fails."""

    def ready(self) -> bool:
        """Whether the first discovery and the first poll of every tenant have ended."""

    def entries(self, *, quiet: bool) -> Iterable[Entry]:
        """All tenants, and the account if it is polled, one by one.

        The entry of one with which something is wrong is the same object while nothing has changed. Without `quiet`,
        the others may be missing.
        """

    def overview(self, counts: Counts) -> Status:
        """The snapshot without tenants, which have been counted."""

    def details(self, tenant_id: str) -> TenantDetails | None:
        """All that is known of a tenant; None if there is none with this id."""
