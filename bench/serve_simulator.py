"""What does the exporter poll while it is measured?

The simulated API in a process of its own, with everybody healthy or not as the seed has it. Argument: tenants.
"""

from __future__ import annotations

import asyncio
import sys

from commands import answer, commands

from exporter.simulator import Simulator, serve


async def main(tenants: int) -> None:
    """Serve until the input ends."""
    simulator = Simulator(tenants=tenants)
    for row in simulator.tenants():
        simulator.life(row.id)  # a life is made when it is first looked at: not while a client is measured
    async with serve(simulator) as base_url:
        answer(url=base_url, key=simulator.api_key)
        async for _ in commands():
            pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
