"""Which resources are collected? One file each, and one line here."""

from __future__ import annotations

from typing import Any

from exporter.api.client import AccountApi, TenantApi
from exporter.collectors.account import AccountCollector
from exporter.collectors.application import ApplicationCollector
from exporter.collectors.collector import Collector, Reading
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.scoping import ScopingCollector
from exporter.collectors.state import StateCollector

# In the order of the page, and of the first visits to a tenant.
TENANT_COLLECTORS: tuple[type[Collector[TenantApi, Any, Any]], ...] = (
    StateCollector,
    IngestionsCollector,
    SchedulesCollector,
    RolloversCollector,
    ApplicationCollector,
    ScopingCollector,
)
ACCOUNT_COLLECTORS: tuple[type[Collector[AccountApi, Any, Any]], ...] = (AccountCollector,)

__all__ = ["ACCOUNT_COLLECTORS", "TENANT_COLLECTORS", "Collector", "Reading"]
