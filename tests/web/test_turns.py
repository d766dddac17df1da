"""Tests that long work gives way to others, and short work does not."""

from __future__ import annotations

import asyncio
import time

import pytest

from exporter.web import limits
from exporter.web.turns import Turns


@pytest.mark.parametrize(
    ("step", "expected"),
    [(limits.TURN_SECONDS / 1000, 0), (limits.TURN_SECONDS / 4, 25), (limits.TURN_SECONDS, 100)],
)
def test_work_gives_way_once_in_a_turn(monkeypatch: pytest.MonkeyPatch, step: float, expected: int) -> None:
    elapsed = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: elapsed)

    async def scenario() -> None:
        nonlocal elapsed
        others = 0

        async def other() -> None:
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        turns = Turns()
        for _ in range(100):
            elapsed += step * 1.0001
            await turns.give_way()
        assert others == pytest.approx(expected, abs=1)
        task.cancel()

    asyncio.run(scenario())
