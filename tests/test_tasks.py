"""Tests that few tasks go on in one step of the event loop, each of them, and in their order."""

from __future__ import annotations

import asyncio
from itertools import count, groupby

from exporter.tasks import FewAtOnce


async def _steps(callers: int, most: int) -> list[tuple[int, int]]:
    """For each caller, in the order in which they went on: the step of the event loop, and the caller."""
    few, steps, gone = FewAtOnce(most), count(), list[tuple[int, int]]()
    step = next(steps)

    async def go(caller: int) -> None:
        await few.go()
        gone.append((step, caller))

    tasks = [asyncio.create_task(go(caller)) for caller in range(callers)]
    while not all(task.done() for task in tasks):
        step = next(steps)
        await asyncio.sleep(0)
    return gone


def test_few_go_on_at_once_and_all_in_their_order() -> None:
    gone = asyncio.run(_steps(20, most=6))
    assert [caller for _, caller in gone] == list(range(20))
    assert [len(list(each)) for _, each in groupby(gone, key=lambda pair: pair[0])] == [6, 6, 6, 2]


def test_those_that_come_later_find_a_free_place() -> None:
    async def scenario() -> None:
        few = FewAtOnce(2)
        for _ in range(3):
            await few.go()
            await few.go()
            await asyncio.sleep(0)

    asyncio.run(scenario())
