"""Gives the tests of the API client a transport without a socket, and an observer.

A transport without a socket, an observer that remembers, and JSON of any shape.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from exporter.api.client import Api, Client
from exporter.api.errors import ApiError
from exporter.api.models import State
from exporter.api.rate_limiter import RateLimiter
from exporter.api.wire import Reply
from tests.support.virtual_time import virtual_clock

SECRET = "S3CR3T"

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["2026-09-01T00:00:00Z", "0001-01-01T00:00:00Z", "\ud800", "", "success", "1-5", "123"])
)


def json_values(keys: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Any]:
    """Anything that json.loads may give, halves of surrogate pairs and infinities included."""
    names = st.text(max_size=8) if keys is None else keys | st.text(max_size=8)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=12
    )


@dataclass(frozen=True)
class Call:
    """One request as the transport saw it; `at` in seconds of the loop."""

    path: str
    query: Mapping[str, str]
    authorization: str
    at: float


Answer = Callable[[Call], "Reply | ApiError | Awaitable[Reply]"]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with JSON; bytes go out as they are. `retry_after` becomes `retry-after`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def data(value: Any) -> Reply:
    """A good reply in the API's envelope."""
    return reply({"data": value})


def token(value: str = "token", **more: Any) -> Reply:
    """A good reply of the token endpoint."""
    return reply({"access_token": value, "expires_in": 3600, **more})


def replies(*these: Reply | ApiError) -> Answer:
    """One after the other; the last one for ever."""
    left = list(these)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class FakeTransport:
    """Answers from functions, and remembers what it was asked."""

    def __init__(self, answer: Answer, token_answer: Answer | None = None) -> None:
        self.calls: list[Call] = []
        self.token_calls: list[Call] = []
        self._answer = answer
        self._token_answer = token_answer or (lambda _: token(f"token-{len(self.token_calls)}"))

    def apart(self) -> FakeTransport:
        return self

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        call = Call(path, dict(query), authorization, asyncio.get_running_loop().time())
        self.calls.append(call)
        return await _settled(self._answer(call))

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        call = Call("/oauth/token", dict(form), "", asyncio.get_running_loop().time())
        self.token_calls.append(call)
        return await _settled(self._token_answer(call))


async def _settled(answer: Reply | ApiError | Awaitable[Reply]) -> Reply:
    if isinstance(answer, ApiError):
        raise answer
    return answer if isinstance(answer, Reply) else await answer


@dataclass
class Recorder:
    """The observer: everything that it was told, in order."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    lists_truncated: list[str] = field(default_factory=list)
    invalid_fields: list[tuple[str, str]] = field(default_factory=list)

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        self.requests.append((endpoint, code))
        self.seconds.append(seconds)

    def retry(self, reason: str) -> None:
        self.retries.append(reason)

    def token(self, outcome: str) -> None:
        self.tokens.append(outcome)

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def truncated(self, endpoint: str) -> None:
        self.lists_truncated.append(endpoint)

    def invalid(self, endpoint: str, field: str, times: int) -> None:
        self.invalid_fields += [(endpoint, field)] * times


def client(transport: Any, rate: float = float("inf"), **more: Any) -> Client:
    """A client in virtual time; its observer is a `Recorder`."""
    clock = virtual_clock()
    return Client(transport, RateLimiter(rate, clock), clock, Recorder(), **more)


async def get_state(api: Api) -> State:
    """The call that these tests make where it does not matter which one."""
    return await api.get_one("/tenant/state", State.parse)
