"""Serves the simulated API, which the measured clients poll. Argument: number of tenants."""

from __future__ import annotations

import asyncio
import sys

from commands import commands, respond

from exporter.simulator import Simulator, serve


async def main(tenants: int) -> None:
    """Serve until the input ends."""
    simulator = Simulator(tenants=tenants)
    for listed in simulator.tenants():
        simulator.tenant(listed.id)  # creates the tenant now, not while a client is measured
    async with serve(simulator) as base_url:
        respond(url=base_url, key=simulator.api_key)
        async for _ in commands():
            pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
