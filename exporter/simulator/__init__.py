"""Simulates an Interop API with many tenants, for tests, demos and benchmarks.

`Simulator` answers requests without a socket; `serve` serves it over HTTP.
"""

from __future__ import annotations

from exporter.simulator.faults import Fault, WireFault
from exporter.simulator.http_messages import Reply, Request
from exporter.simulator.incidents import Incident
from exporter.simulator.records import Truth
from exporter.simulator.sandbox import how_to_change
from exporter.simulator.server import serve
from exporter.simulator.simulator import Simulator, TenantFacts
from exporter.simulator.stories import Story

__all__ = [
    "Fault",
    "Incident",
    "Reply",
    "Request",
    "Simulator",
    "Story",
    "TenantFacts",
    "Truth",
    "WireFault",
    "how_to_change",
    "serve",
]
