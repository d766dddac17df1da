"""Sends the requests to the API, and gets objects and whole lists with them.

Every request, token requests and retries included, waits for the rate limiter and is counted. Failures that may
pass by themselves are retried. A call returns a value or raises an `ApiError`; a list is complete or an error.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from exporter.api import errors, wire
from exporter.api.auth import FixedIdentity, Identity, TokenIdentity
from exporter.api.credentials import ClientCredentials, Credentials
from exporter.api.fields import Fields
from exporter.api.rate_limiter import RateLimiter
from exporter.api.reader import Reader
from exporter.api.throttling import Caller, Throttling
from exporter.api.transport import Transport
from exporter.clock import Clock
from exporter.tasks import FewAtOnce
from exporter.threads import in_daemon_thread

T = TypeVar("T")

Send = Callable[[], Awaitable[wire.Reply]]
Check = Callable[[wire.Reply, float], wire.Reply]
Parse = Callable[[Fields], T]

_ATTEMPTS = 3
# A retry comes after a random pause of at most these seconds, and twice as many before the next one. At random, so that
# requests that failed together don't come back together.
_FIRST_PAUSE = 0.5
# If the server asks to wait longer than these seconds, the next poll tries again, not this one.
_LONGEST_RETRY_AFTER = 60.0
# The longest wait in seconds of a call that was not throttled itself, because its caller was.
_SHORT_HOLD = 10.0
# Called with 1 when a request begins to wait before it is sent again, and with -1 when it ends: the poller then gives
# the slot of this poll to another one.
on_pause: ContextVar[Callable[[int], None]] = ContextVar("on_pause", default=lambda _: None)
# Replies of which so many are used in one step of the event loop. Each takes up to a millisecond, with the poll's end.
REPLIES_AT_ONCE = 6
# A longer list is treated as one that never ends.
MAX_PAGES = 1_000
MAX_ITEMS = 200_000
# A page may be empty although more follow, but not this many in a row.
EMPTY_PAGES = 20
# Nor may so many pages in a row bring nothing new. One may: a server that counts from 1 sends its first page twice, and
# a list that grows meanwhile shifts its pages.
REPEATED_PAGES = 2


class Observer(Protocol):
    """Receives what the client does, to count it."""

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """A request ended after `seconds`. `code` is the HTTP status, or why there is none."""

    def retry(self, reason: str) -> None:
        """A request is retried."""

    def token(self, outcome: str) -> None:
        """A token request ended: `success` or a reason."""

    def waited(self, seconds: float) -> None:
        """A request waited for the rate limiter."""

    def truncated(self, endpoint: str) -> None:
        """A list did not end. The client stopped getting it."""

    def invalid(self, endpoint: str, field: str, times: int) -> None:
        """A member of a reply, or of so many of its objects, could not be parsed."""


@dataclass
class Client:
    """Sends requests over a transport, which may be replaced. `concurrency` is the highest number in flight."""

    transport: Transport
    rate_limiter: RateLimiter
    clock: Clock
    observer: Observer
    concurrency: int = 20

    def __post_init__(self) -> None:
        self.in_flight = asyncio.Semaphore(self.concurrency)
        self._parsing = asyncio.Lock()
        self._replies = FewAtOnce(REPLIES_AT_ONCE)
        self.throttling = Throttling(self.rate_limiter, self.clock)

    def limit(self, concurrency: int) -> None:
        """Change how many requests may be in flight. Those that already are end under the old limit."""
        if concurrency != self.concurrency:
            self.concurrency, self.in_flight = concurrency, asyncio.Semaphore(concurrency)

    def api(self, credentials: Credentials | None, *, of_account: bool = False) -> Api:
        """The API as these credentials see it. Each call gives a new `Api`, which fetches a token of its own.

        It keeps the address of now: its credentials and tokens are sent nowhere else. It has connections of its own,
        because a server may mix up the replies on one connection. If the API throttles an `Api`
        `of_account`, all requests slow down; otherwise only those of this `Api`.
        """
        transport, caller = self.transport.apart(), Caller(of_account)
        if isinstance(credentials, ClientCredentials):
            get_token = partial(self._get_token, transport, caller)
            return Api(self, transport, TokenIdentity(credentials, get_token, self.clock), caller)
        return Api(self, transport, FixedIdentity(credentials), caller)

    async def _get_token(self, transport: Transport, caller: Caller, credentials: ClientCredentials) -> wire.Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        try:
            reply = await self.send(wire.TOKEN_PATH, partial(transport.post_token, form), caller, wire.check_token)
            token = wire.parse_token(reply.body)
        except errors.ApiError as error:
            self.observer.token(error.reason)
            raise
        self.observer.token("success")
        return token

    async def send(self, endpoint: str, send: Send, caller: Caller, check: Check = wire.check) -> wire.Reply:
        """Send a request and return its reply if `check` accepts it; retry after a failure that may pass by itself."""
        for retries in range(_ATTEMPTS - 1):
            try:
                return await self._attempt(endpoint, send, caller, check)
            except errors.TransientError as error:
                if (error.retry_after or 0.0) > _LONGEST_RETRY_AFTER:
                    raise
                self.observer.retry(error.reason)
                seconds = self._seconds_before_retry(error.retry_after, retries, caller)
            await self._pause(seconds)
        return await self._attempt(endpoint, send, caller, check)

    async def _attempt(self, endpoint: str, send: Send, caller: Caller, check: Check) -> wire.Reply:
        await self._respect_hold(caller)
        async with self.in_flight:
            self.observer.waited(await self.rate_limiter.acquire())
            reply = await self._observed(endpoint, send)
        await self._replies.go()
        self.throttling.answered(caller)
        try:
            return check(reply, self.clock.now())
        except errors.TransientError as error:
            # A 5xx without `Retry-After` says nothing about the rate.
            if isinstance(error, errors.ThrottledError) or error.retry_after is not None:
                self.throttling.throttled(caller, error)
            raise

    async def _respect_hold(self, caller: Caller) -> None:
        """Wait if the API allows this caller another request within seconds. If not, raise the error of the last reply.

        That is not retried. The throttled call itself waits for longer; if all did, polls would be minutes late.
        """
        hold = self.throttling.hold(caller)
        if hold > _SHORT_HOLD:
            raise caller.refusal(f"nothing was sent: the API has asked to wait for {hold:.0f} s more", math.inf)
        if hold > 0:
            await self._pause(hold)

    async def _pause(self, seconds: float) -> None:
        paused = on_pause.get()
        paused(1)
        try:
            await self.clock.sleep(seconds)
        finally:
            paused(-1)

    async def _observed(self, endpoint: str, send: Send) -> wire.Reply:
        begun = self.clock.monotonic()
        code = "bug"
        try:
            reply = await send()
            code = str(reply.status)
        except errors.ApiError as error:
            code = error.reason
            raise
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        finally:
            self.observer.request(endpoint, code, self.clock.monotonic() - begun)
        return reply

    async def parsed(self, parse: Callable[[bytes], T], body: bytes) -> T:
        """What `parse` returns for the body of a reply.

        A large one is parsed in a thread, so that the event loop goes on, and one at a time, because of the memory.
        """
        if wire.is_small(body):
            return parse(body)
        async with self._parsing:
            return await in_daemon_thread(parse, body)

    def _seconds_before_retry(self, retry_after: float | None, retries: int, caller: Caller) -> float:
        """Seconds until the next try: those of `Retry-After`, or growing ones."""
        if retry_after is None:
            return random.uniform(0, _FIRST_PAUSE * 2**retries)  # noqa: S311 - no secret
        # If the account has to wait, the rate limiter waits.
        return 0.0 if caller.of_account else self.throttling.hold(caller)


@dataclass(frozen=True, slots=True)
class Api:
    """What one holder of credentials can get from the API. Calls through one `Api` share one token.

    `endpoint` is a path below `/v2/interop`; an `ident` replaces the `{id}` in it. Every method raises `ApiError`.
    """

    client: Client
    transport: Transport
    identity: Identity
    caller: Caller

    async def get_one(self, endpoint: str, parse: Parse[T], ident: str | None = None) -> T:
        """Get a single object."""
        reply, reader = await self._get(endpoint, {}, ident), Reader(parse)
        found = await self.client.parsed(reader.object, reply.body)
        self._count_invalid(endpoint, reader)
        return found

    async def get_list(
        self, endpoint: str, parse: Parse[T], query: Mapping[str, str] | None = None, ident: str | None = None
    ) -> list[T]:
        """Get a whole list, each object once.

        If the replies have `paging`, the list ends as it says. If not, the list ends with a page that is empty, or
        with `REPEATED_PAGES` in a row that bring nothing new. If a server announces more and repeats itself, or its
        list never ends, the list is not whole: that raises `BadResponseError`.

        Each page is parsed as it arrives, and its objects at once become what `parse` makes of them.
        """
        found: dict[str, T] = {}
        number, empty, repeated = 0, 0, 0
        for _ in range(MAX_PAGES):
            reader = Reader(parse)
            page = await self._get_page(endpoint, query or {}, number, ident, reader)
            items: dict[str, T] = dict(page.items)
            new = not items.keys() <= found.keys()
            if new:
                found.update(items)
                self._count_invalid(endpoint, reader)
            empty = 0 if page.items else empty + 1
            repeated = 0 if new else repeated + bool(page.items)
            if page.more is False or (page.more is None and (empty or repeated == REPEATED_PAGES)):
                return list(found.values())
            if repeated == REPEATED_PAGES or empty == EMPTY_PAGES or len(found) > MAX_ITEMS:
                break
            number = page.number if page.number is not None and page.number > number else number + 1
        self.client.observer.truncated(endpoint)
        text = "the list does not end: the server announces more pages, but they bring nothing new"
        raise errors.BadResponseError(text)

    async def _get_page(
        self, endpoint: str, query: Mapping[str, str], number: int, ident: str | None, reader: Reader[T]
    ) -> wire.Page:
        try:
            reply = await self._get(endpoint, {**query, "page": str(number)}, ident)
        except (errors.ForbiddenError, errors.NotFoundError):
            if number == 0:
                raise
            # The first page shows that the list exists and is allowed, so it is not absent.
            raise errors.BadResponseError("the server refused a later page of the list") from None
        return await self.client.parsed(reader.page, reply.body)

    async def _get(self, endpoint: str, query: Mapping[str, str], ident: str | None) -> wire.Reply:
        """Send a GET. After a 401, renew the token and try again, as often as the identity allows."""
        path = wire.path(endpoint, ident)
        while True:
            authorization = await self.identity.authorization()
            try:
                send = partial(self.transport.get, path, query, authorization)
                return await self.client.send(endpoint, send, self.caller)
            except errors.AuthError:
                if not self.identity.rejected(authorization):
                    raise

    def _count_invalid(self, endpoint: str, reader: Reader[Any]) -> None:
        for name, times in reader.invalid.items():
            self.client.observer.invalid(endpoint, name, times)
