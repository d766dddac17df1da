"""Which families are on the page, beside the exporter's own?

Those of the collectors, and those about the visits themselves, which the poller fills.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from exporter.collectors import ACCOUNT_COLLECTORS, TENANT_COLLECTORS, Collector
from exporter.collectors.collector import polled
from exporter.metrics import Family

UP = polled("kimono_up", "Whether the last discovery of tenants succeeded.")
TENANTS = polled("kimono_tenants", "Tenants that are watched now.")
INFO = polled(
    "kimono_tenant_info",
    "A tenant and what it belongs to; what the API left out is empty.",
    *("tenant_id", "tenant_name", "account_id", "account_name"),
    *("cloud_id", "cloud_name", "integration", "integration_version"),
)
CREDENTIALS_UPDATED = polled(
    "kimono_tenant_credentials_updated_timestamp_seconds",
    "When the tenant's credentials were last changed, in Unix seconds.",
    "tenant_id",
)
TENANT_UP = polled(
    "kimono_tenant_up", "Whether the newest poll of every enabled collector succeeded for the tenant.", "tenant_id"
)
FAILURE = polled(
    "kimono_tenant_failure_info",
    "Why a collector can't read the tenant; only while it can't.",
    *("tenant_id", "collector", "reason"),
)
LAST_SUCCESS = polled(
    "kimono_collector_last_success_timestamp_seconds",
    "When a collector last succeeded for the tenant, in Unix seconds.",
    *("tenant_id", "collector"),
)

FLEET_FAMILIES = (UP, TENANTS)
IDENTITY_FAMILIES = (INFO, CREDENTIALS_UPDATED)
HEALTH_FAMILIES = (TENANT_UP, FAILURE, LAST_SUCCESS)
_COLLECTORS: tuple[type[Collector[Any, Any, Any]], ...] = (*TENANT_COLLECTORS, *ACCOUNT_COLLECTORS)
_OF_COLLECTORS = chain.from_iterable((*each.families, *each.fleet_families) for each in _COLLECTORS)
# In the order of the page.
FAMILIES: tuple[Family, ...] = (*FLEET_FAMILIES, *IDENTITY_FAMILIES, *HEALTH_FAMILIES, *_OF_COLLECTORS)
