"""Makes transports whose replies come from a table or from a folder of JSON files.

`Replies` is a transport without a network. Like the real server in its published examples it ignores `page`:
whatever page of a list is asked for, the whole list comes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from exporter.api.client import Api, Client
from exporter.api.credentials import ClientCredentials
from exporter.api.rate_limiter import RateLimiter
from exporter.api.wire import PREFIX, Reply
from exporter.clock import Clock
from exporter.telemetry import Telemetry
from tests.support.virtual_time import START

FIXTURES = Path(__file__).parents[1] / "fixtures"


async def _no_pause(_: float) -> None:
    """A sleep on a stopped clock."""


STOPPED = Clock(now=lambda: START, monotonic=lambda: 0.0, sleep=_no_pause)
CREDENTIALS = ClientCredentials("client", "S3CR3T")

# The value of a reply, or only its status; None for a path that the server does not know.
Answer = Callable[[str], Any]


def table(answers: Mapping[str, Any]) -> Answer:
    """Answers by path. A number below 600 is a status."""
    return answers.get


def folder(*places: str) -> Answer:
    """Answers from files below `fixtures`, in the order of `places`. In file names `ID` is any id, and `_` is `/`."""

    def answer(path: str) -> Any:
        parts = path.strip("/").split("/")
        any_id = parts if parts[0] == "tenant" else [parts[0], "ID", *parts[2:]]
        for place in places:
            for name in ("_".join(parts), "_".join(any_id)):
                file = FIXTURES / place / f"{name}.json"
                if file.is_file():
                    return json.loads(file.read_bytes())
        return None

    return answer


class Replies:
    """A transport that answers GET requests, and returns a token to every client that is not in `refused`."""

    def __init__(self, answer: Answer, refused: Collection[str] = ()) -> None:
        self.base_url = "http://replies.invalid"
        self.answer = answer
        self.asked: list[str] = []
        self._refused = refused

    def apart(self) -> Replies:
        return self

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:  # noqa: ARG002 - a transport's signature
        self.asked.append(path.removeprefix(PREFIX))
        value = self.answer(self.asked[-1])
        if value is None:
            return Reply(404, {}, b"")
        if isinstance(value, int) and value >= 400:
            return Reply(value, {}, b"")
        return Reply(200, {}, json.dumps(value).encode())

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        if form["client_id"] in self._refused:
            return Reply(401, {}, b"")
        return Reply(200, {}, b'{"access_token": "S3CR3T-token", "token_type": "bearer", "expires_in": 3600}')

    def client(self, clock: Clock = STOPPED, telemetry: Telemetry | None = None) -> Client:
        """A client without a rate limit."""
        return Client(self, RateLimiter(math.inf, clock), clock, telemetry or Telemetry())

    def api(self) -> Api:
        return self.client().api(CREDENTIALS)
