"""Drills: incidents that a person causes in the demo, to see what the exporter and its alerts make of them."""

from __future__ import annotations

from exporter.drills.catalog import DRILLS, NOT_POSSIBLE, UnknownDrillError, find
from exporter.drills.drill import Drill
from exporter.drills.fleet import CalmFleet
from exporter.drills.pace import quick_rules, quick_thresholds
from exporter.drills.page import serve
from exporter.drills.runs import Drills, DrillStateError, Run
from exporter.drills.watch import AlertState, AlertWatch
from exporter.drills.words import Places

__all__ = [
    "DRILLS",
    "NOT_POSSIBLE",
    "AlertState",
    "AlertWatch",
    "CalmFleet",
    "Drill",
    "DrillStateError",
    "Drills",
    "Places",
    "Run",
    "UnknownDrillError",
    "find",
    "quick_rules",
    "quick_thresholds",
    "serve",
]
