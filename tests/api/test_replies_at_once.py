"""Tests that few of the replies that arrive together are used in one step of the event loop."""

from __future__ import annotations

import asyncio
from itertools import groupby

from exporter.api.client import REPLIES_AT_ONCE
from exporter.api.throttling import Caller
from exporter.api.wire import Reply
from tests.api.fakes import FakeTransport, client, data, replies
from tests.support.virtual_time import run_virtual


def test_few_replies_are_used_at_once_of_all_that_arrive_together() -> None:
    async def scenario() -> list[int]:
        one, arrived, used = client(FakeTransport(replies(data({})))), asyncio.Event(), list[int]()
        step = 0

        async def send() -> Reply:
            await arrived.wait()
            return data({})

        def check(reply: Reply, _now: float) -> Reply:
            used.append(step)
            return reply

        calls = [asyncio.create_task(one.send("/tenant", send, Caller(), check)) for _ in range(one.concurrency)]
        await asyncio.sleep(0.01)
        arrived.set()
        while not all(call.done() for call in calls):
            step += 1
            await asyncio.sleep(0)
        return used

    used = run_virtual(scenario())
    assert len(used) == 20
    assert max(len(list(each)) for _, each in groupby(used)) == REPLIES_AT_ONCE
