"""What stands in for the one thing that cannot be had: an Interop API with a fleet of tenants behind it?

`Simulator` answers requests without a socket; `serve` puts it on one.
"""

from __future__ import annotations

from exporter.simulator.faults import Fault, WireFault
from exporter.simulator.ledger import Incident
from exporter.simulator.messages import Reply, Request
from exporter.simulator.records import Truth
from exporter.simulator.server import serve, serve_forever
from exporter.simulator.simulator import Simulator, TenantRow
from exporter.simulator.stories import Story

__all__ = [
    "Fault",
    "Incident",
    "Reply",
    "Request",
    "Simulator",
    "Story",
    "TenantRow",
    "Truth",
    "WireFault",
    "serve",
    "serve_forever",
]
