"""Defines a drill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.drills.causes import Cause

Whose = Literal["tenant", "fleet", "exporter"]

LASTS = 15 * 60.0
TENANT_BOARD, FLEET_BOARD = "Kimono / Tenant", "Kimono / Fleet"
ROLLOVERS_BOARD, EXPORTER_BOARD = "Kimono / Rollovers", "Kimono / Exporter"
# Metrics that several drills name.
FLAG_SINCE = "kimono_tenant_state_since_timestamp_seconds"
UNFINISHED = "kimono_ingestion_oldest_unfinished_started_timestamp_seconds"
UNFINISHED_SEEN = "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds"
MISSED = "kimono_schedule_missed_since_timestamp_seconds"
FAILURE = "kimono_tenant_failure_since_timestamp_seconds"


@dataclass(frozen=True)
class Drill:
    """One drill.

    Args:
        name: what a person types.
        happens: what is wrong, as a sentence.
        cause: causes it.
        alert: the alert that fires; empty if none may fire.
        severity: of the alert, as it fires first.
        after: seconds after which it fires, about.
        metric: the metric that shows it first.
        board: the dashboard that shows it.
        ends: what ends it, as a sentence.
        problem: the kind of problem on the status page, a key of `exporter.status.PROBLEMS`; empty if it is none.
        whose: one tenant's, that of many tenants, or the exporter's own.
        share: of the tenants that have it, if it is of the fleet.
        shortened: the thresholds that are shorter than by default, without which it would take hours.
        later: the severity that follows, and after how many seconds.
        lasts: seconds after which it ends by itself.
    """

    name: str
    happens: str
    cause: Cause
    alert: str
    severity: str
    after: float
    metric: str
    board: str
    ends: str
    problem: str = ""
    whose: Whose = "tenant"
    share: float = 1.0
    shortened: tuple[str, ...] = ()
    later: tuple[str, float] | None = None
    lasts: float = LASTS
