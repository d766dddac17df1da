"""Lists the drills of many tenants, and of the exporter."""

from __future__ import annotations

from exporter.drills import causes
from exporter.drills.drill import (
    EXPORTER_BOARD,
    FLEET_BOARD,
    MISSED,
    UNFINISHED,
    Drill,
)

FLEET_DRILLS = (
    # Many tenants
    Drill(
        "fleet_stalled",
        "An ingestion of every tenant does not end: the hub's workers are down.",
        causes.stalled,
        *("KimonoFleetIngestionsStalled", "critical", 20, UNFINISHED, FLEET_BOARD),
        "All of them succeed.",
        "stalled",
        "fleet",
    ),
    Drill(
        "fleet_failing",
        "An ingestion of every tenant fails.",
        causes.failing("event_bundle"),
        *("KimonoFleetIngestionsFailing", "critical", 60),
        *("kimono_ingestions_finished_total", FLEET_BOARD),
        "The next ingestion of every tenant succeeds.",
        "failing",
        "fleet",
        shortened=("ingestions_failing",),
    ),
    Drill(
        "fleet_overdue",
        "No schedule has run, for any tenant: the hub's scheduler is down.",
        causes.overdue,
        *("KimonoFleetSyncsOverdue", "critical", 20, MISSED, FLEET_BOARD),
        "All schedules run.",
        "overdue",
        "fleet",
    ),
    Drill(
        "many_unreachable",
        "The API answers every request of two fifths of the tenants with status 500.",
        causes.fault("server_error"),
        *("KimonoManyTenantsUnreachable", "critical", 50, "kimono_tenant_up", FLEET_BOARD),
        "The API answers as usual.",
        "unreachable",
        "fleet",
        share=0.4,
        shortened=("tenants_unreachable_after",),
    ),
    # The exporter
    Drill(
        "discovery_failing",
        "The API answers every request for the tenant list with status 500.",
        causes.fault("server_error", endpoint="/tenants"),
        *("KimonoDiscoveryFailing", "critical", 45, "kimono_up", EXPORTER_BOARD),
        "The API answers as usual.",
        whose="exporter",
    ),
    Drill(
        "throttled",
        "The API answers every fourth request with status 429.",
        causes.fault("throttle", every=4),
        *("KimonoApiThrottled", "warning", 60, "kimono_exporter_api_requests_total", EXPORTER_BOARD),
        "The API answers as usual.",
        whose="exporter",
    ),
    Drill(
        "polling_behind",
        "Every reply of the API takes 20 seconds.",
        causes.fault("latency", seconds=20),
        *("KimonoPollingBehind", "warning", 120, "kimono_exporter_poll_lag_seconds", EXPORTER_BOARD),
        "The API answers at once.",
        whose="exporter",
        shortened=("polling_behind",),
    ),
)
