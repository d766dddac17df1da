"""Lists the families that polls fill, in the order of the page."""

from __future__ import annotations

from exporter.collectors import COLLECTORS
from exporter.history import SHARED
from exporter.metrics import Family
from exporter.polling.discovery import FLEET_FAMILIES
from exporter.polling.tenant import HEALTH_FAMILIES, IDENTITY_FAMILIES, SUCCESS_FAMILIES

FAMILIES: tuple[Family, ...] = (
    *FLEET_FAMILIES,
    *IDENTITY_FAMILIES,
    *HEALTH_FAMILIES,
    *SUCCESS_FAMILIES,
    *(family for each in COLLECTORS for family in (*each.families, *each.fleet_families)),
    *(family for shared in SHARED for family in shared.families),
)
