"""Holds what the parts of one simulated tenant share."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from exporter.simulator.events import EventQueue
from exporter.simulator.incidents import TenantIncidents
from exporter.simulator.inventory import Tenant
from exporter.simulator.records import PAUSING_FLAGS


@dataclass(frozen=True, slots=True)
class TenantContext:
    """The identity, random numbers, events, incidents and state flags of one tenant.

    `rng_of_calls` makes the ids of what clients create, so that they change nothing else.
    """

    info: Tenant
    rng: Random
    events: EventQueue
    incidents: TenantIncidents
    flags: dict[str, bool]
    rng_of_calls: Random

    def is_paused(self) -> bool:
        """Whether suspension, rollover or setup mode pauses the schedules."""
        return any(self.flags[flag] for flag in PAUSING_FLAGS)
