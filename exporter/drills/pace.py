"""Shortens what makes alerts slow, so that a drill takes minutes: thresholds, waits, and ranges of PromQL.

A threshold that is not here stays as it is: a sync is overdue after two hours, and stale after five days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.assets import Links, Speed, rules_text
from exporter.thresholds import DEFAULTS

# Seconds.
QUICK: Mapping[str, float] = {
    "tenant_unreachable": 60,
    "tenants_unreachable_after": 30,
    "polling_behind": 60,
    "ingestion_stalled": 90,
    "bulk_ingestion_stalled": 180,
    "ingestions_failing": 30,
    "ingestions_failing_critical": 150,
    "after_pause": 60,
    "sync_suspended": 60,
    "mass_change_pending": 30,
    "mass_change_pending_critical": 150,
    "setup_mode": 60,
    "rollover": 30,
    "rollover_failing": 30,
    "application_auth": 30,
}
# `for`, `keep_firing_for` and the interval of evaluations, which have lower bounds of their own.
_WAITS = 60.0
# For how long an alert about the fleet outlasts its condition, and how far that about 429 looks back.
_RANGES = (
    (re.compile(r"(kimono:(?:hub|cloud|integration)_fault:ratio)\[1h\]"), r"\1[1m]"),
    (re.compile(r"(kimono_exporter_api_requests_total(?:\{[^}]*\})?)\[20m\]"), r"\1[1m]"),
)


@dataclass(frozen=True)
class _DrillSpeed(Speed):
    """Shortens waits by a factor, and thresholds to the values of this module."""

    def thresholds(self, values: Mapping[str, float]) -> dict[str, float]:
        return {**values, **QUICK}


def quick_thresholds() -> dict[str, float]:
    """All thresholds of a demo with drills, in their units."""
    return {**DEFAULTS, **QUICK}


def quick_rules(links: Links) -> str:
    """The alert rules of a demo with drills, as YAML that Prometheus reads."""
    text = rules_text(links=links, speed=_DrillSpeed(_WAITS))
    for pattern, replacement in _RANGES:
        text = pattern.sub(replacement, text)
    return text
