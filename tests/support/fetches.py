"""Lists everything that the exporter gets from the API: each collector's fetch, and both kinds of discovery.

The lists follow from the tuples of collectors, so a new collector is tested without an edit here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from exporter.api.client import Client
from exporter.api.credentials import Credentials, NamedCredentials
from exporter.collectors import COLLECTORS, Collector
from exporter.history import History
from exporter.polling.sources import AccountSource, FileSource, Filter
from tests.support.replies import CREDENTIALS, Replies, folder
from tests.support.virtual_time import START

Fetch = Callable[[Client, Credentials], Awaitable[object]]

# A good reply for each path: the reference's example, or the recorded reply of a newer collector.
good_reply = folder("published", "recorded")


def is_list(path: str) -> bool:
    """Whether a path gives a list, and not one object or a bare number."""
    reply = good_reply(path)
    return isinstance(reply, dict) and isinstance(reply["data"], list)


def _earlier_reply(path: str) -> Any:
    """The reply of an earlier poll: its lists hold one object, which has left them since and is got by its ID."""
    return {"data": [{"id": "left"}]} if is_list(path) else good_reply(path)


def _second_poll(kind: type[Collector]) -> Fetch:
    facts = asyncio.run(kind().fetch(Replies(_earlier_reply).api(), History()))
    first = kind().result("tenant", History(), facts, START)
    return lambda client, credentials: kind().fetch(client.api(credentials), first.history)


FETCHES: Mapping[str, Fetch] = {kind.name: _second_poll(kind) for kind in COLLECTORS} | {
    "discovery by account": lambda client, credentials: AccountSource(
        client, lambda: credentials, Filter(("a",), ("b",))
    ).get_tenants(),
    "discovery by file": lambda client, _: FileSource(
        client, lambda: [NamedCredentials("entry", CREDENTIALS)], Filter()
    ).get_tenants(),
}


def _paths(fetch: Fetch) -> list[str]:
    replies = Replies(good_reply)
    asyncio.run(_awaited(fetch(replies.client(), CREDENTIALS)))
    return list(dict.fromkeys(replies.asked))


async def _awaited(answer: Awaitable[object]) -> None:
    await answer


# The paths below `/v2/interop` that each fetch requests if none fails.
PATHS: Mapping[str, list[str]] = {name: _paths(fetch) for name, fetch in FETCHES.items()}
