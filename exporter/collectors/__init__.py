"""Lists the collectors: one file each, and one line here."""

from __future__ import annotations

from typing import Any

from exporter.collectors.account import AccountCollector
from exporter.collectors.application import ApplicationCollector
from exporter.collectors.collector import Collector, FleetChange, PollResult
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.scoping import ScopingCollector
from exporter.collectors.state import StateCollector

# In the order of the page, and of the first polls of a tenant.
COLLECTORS: tuple[type[Collector[Any]], ...] = (
    StateCollector,
    IngestionsCollector,
    SchedulesCollector,
    RolloversCollector,
    ApplicationCollector,
    ScopingCollector,
    AccountCollector,
)

__all__ = ["COLLECTORS", "Collector", "FleetChange", "PollResult"]
