"""What can be asked of the API, and how hard do we try?

Every call pays the budget, is counted, is tried again where that can help, and ends in a model or in an
`ApiError`. A list is read to its end or not at all.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from exporter.api import wire
from exporter.api.auth import (
    BasicCredentials,
    BearerToken,
    ClientCredentials,
    Credentials,
    FixedIdentity,
    Identity,
    NoIdentity,
    TokenIdentity,
)
from exporter.api.budget import Budget
from exporter.api.errors import (
    ApiError,
    AuthError,
    BadResponseError,
    ForbiddenError,
    NotFoundError,
    ServerError,
    ThrottledError,
    TransientError,
)
from exporter.api.fields import Fields
from exporter.api.models import (
    Actor,
    Application,
    Ingestion,
    Integration,
    IntegrationVersion,
    Rollover,
    Schedule,
    Scope,
    State,
    Tenant,
)
from exporter.api.transport import Transport
from exporter.clock import Clock

T = TypeVar("T")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Send = Callable[[], Awaitable[wire.Reply]]
Check = Callable[[wire.Reply, float], wire.Reply]

# The vendor's client kits ask for a new token at most three times.
_RENEWALS = 3
_ATTEMPTS = 3
# A server that holds back for longer than this is asked again by the next poll, not by this one.
_LONGEST_RETRY_AFTER = 60.0
# A list that has not ended by then does not end.
MAX_PAGES = 1_000
MAX_ITEMS = 200_000
# A page may be empty though more follow. After this many in a row the server is not believed any more.
EMPTY_PAGES = 20


class Observer(Protocol):
    """Who is told what the client does, so that it can be counted."""

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """A request ended: `code` is the HTTP status or the transport's reason."""

    def retry(self, reason: str) -> None:
        """A call is tried again."""

    def token(self, outcome: str) -> None:
        """A token request ended: `success` or a reason."""

    def waited(self, seconds: float) -> None:
        """A request waited for the budget."""

    def truncated(self, endpoint: str) -> None:
        """A list did not end, and was given up."""

    def invalid(self, endpoint: str, field: str) -> None:
        """A member of a reply could not be read."""


@dataclass
class Client:
    """The API over a transport. `concurrency` bounds the requests in flight."""

    transport: Transport
    budget: Budget
    clock: Clock
    observer: Observer
    concurrency: int = 20
    page_size: int | None = None
    in_flight: asyncio.Semaphore = field(init=False, repr=False)
    _tenants: WeakValueDictionary[Credentials | None, TenantApi] = field(
        init=False, repr=False, default_factory=WeakValueDictionary
    )

    def __post_init__(self) -> None:
        self.in_flight = asyncio.Semaphore(self.concurrency)
        self._try = AsyncRetrying(
            sleep=self.clock.sleep,
            stop=stop_after_attempt(_ATTEMPTS),
            retry=retry_if_exception(_worth_another_try),
            wait=_pause,
            before_sleep=self._count_retry,
            reraise=True,
        )

    def limit(self, concurrency: int) -> None:
        """Allow so many requests in flight from now on; those that are, end under the old limit."""
        if concurrency != self.concurrency:
            self.concurrency, self.in_flight = concurrency, asyncio.Semaphore(concurrency)

    def account(self, credentials: Credentials) -> AccountApi:
        """The calls of account credentials."""
        return AccountApi(self, self._identity(credentials))

    def tenant(self, credentials: Credentials | None) -> TenantApi:
        """The calls of one tenant's actor credentials; for the same credentials the same object, and so one token."""
        api = self._tenants.get(credentials)
        if api is None:
            api = self._tenants[credentials] = TenantApi(self, self._identity(credentials))
        return api

    def _identity(self, credentials: Credentials | None) -> Identity:
        if credentials is None:
            return NoIdentity()
        if isinstance(credentials, BasicCredentials | BearerToken):
            return FixedIdentity(credentials)
        return TokenIdentity(credentials, self._fetch_token, self.clock)

    async def read(self, identity: Identity, endpoint: str, query: Mapping[str, str], ident: str | None) -> wire.Reply:
        """A GET that ended well. A 401 is answered with a new token, three times at most."""
        path = wire.path(endpoint, ident)
        for _ in range(_RENEWALS):
            authorization = await identity.authorization()
            try:
                return await self._send(endpoint, lambda: self.transport.get(path, query, authorization))  # noqa: B023 - sent before the next turn
            except AuthError:
                if not identity.rejected(authorization):
                    raise
        authorization = await identity.authorization()
        return await self._send(endpoint, lambda: self.transport.get(path, query, authorization))

    async def _fetch_token(self, credentials: ClientCredentials) -> wire.Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        try:
            reply = await self._send(wire.TOKEN_PATH, lambda: self.transport.post_token(form), wire.check_token)
            token = wire.token(reply.body)
        except ApiError as error:
            self.observer.token(error.reason)
            raise
        self.observer.token("success")
        return token

    async def _send(self, endpoint: str, send: Send, check: Check = wire.check) -> wire.Reply:
        """The reply, if it is a good one. What may pass by itself is tried again."""
        # A copy, because one AsyncRetrying holds the state of one call.
        return await self._try.copy()(self._attempt, endpoint, send, check)

    async def _attempt(self, endpoint: str, send: Send, check: Check) -> wire.Reply:
        async with self.in_flight:
            self.observer.waited(await self.budget.take())
            reply = await self._observed(endpoint, send)
        try:
            return check(reply, self.clock.now())
        except (ThrottledError, ServerError) as error:
            # A 5xx that does not say "later" is no word about our rate.
            if isinstance(error, ThrottledError) or error.retry_after is not None:
                self.budget.throttled(error.retry_after)
            raise

    async def _observed(self, endpoint: str, send: Send) -> wire.Reply:
        begun = self.clock.monotonic()
        code = "bug"
        try:
            reply = await send()
            code = str(reply.status)
        except ApiError as error:
            code = error.reason
            raise
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        finally:
            self.observer.request(endpoint, code, self.clock.monotonic() - begun)
        return reply

    def _count_retry(self, state: RetryCallState) -> None:
        self.observer.retry(_failure(state).reason)

    def fields(self, endpoint: str, raw: Mapping[str, Any]) -> Fields:
        """An object's typed members; those that can't be read are counted for this endpoint."""
        return Fields(raw, lambda name: self.observer.invalid(endpoint, name))

    async def one(self, identity: Identity, endpoint: str, ident: str | None = None) -> Fields:
        """A single object."""
        reply = await self.read(identity, endpoint, {}, ident)
        return self.fields(endpoint, wire.one(reply.body))

    async def many(
        self,
        identity: Identity,
        endpoint: str,
        read: Callable[[Fields], T],
        query: Mapping[str, str] | None = None,
        ident: str | None = None,
    ) -> list[T]:
        """A whole list, each object once, or an `ApiError`.

        Each page is read when it comes: thousands of objects at once would hold up the event loop.

        A server that says where its list ends is believed. With one that does not, pages are asked for until
        one is empty or brings nothing new. A server that promises more and repeats itself, or that never
        comes to an end, has not given a whole list: that is a `BadResponseError`.
        """
        found: dict[str, T] = {}
        number, empty = 0, 0
        for _ in range(MAX_PAGES):
            page = await self._page(identity, endpoint, query or {}, number, ident)
            items = _keyed(page.items)
            new = not items.keys() <= found.keys()
            if new:
                found.update({key: read(self.fields(endpoint, item)) for key, item in items.items()})
            empty = 0 if page.items else empty + 1
            if page.more is False or (page.more is None and not new):
                return list(found.values())
            if (page.items and not new) or empty == EMPTY_PAGES or len(found) > MAX_ITEMS:
                break
            number = page.number if page.number is not None and page.number > number else number + 1
        self.observer.truncated(endpoint)
        raise BadResponseError("the list does not end: the server promises more and gives nothing new")

    async def _page(
        self, identity: Identity, endpoint: str, query: Mapping[str, str], number: int, ident: str | None
    ) -> wire.Page:
        paging = {"page": str(number)} | ({"page_size": str(self.page_size)} if self.page_size else {})
        try:
            reply = await self.read(identity, endpoint, {**query, **paging}, ident)
        except (ForbiddenError, NotFoundError):
            if number == 0:
                raise
            # The list is there and may be read, as its first page shows: this says nothing about the list.
            raise BadResponseError("a later page of the list was refused") from None
        return wire.page(reply.body)


def _keyed(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Objects by what tells them apart: their id, or all of them, and then how many alike came before on the page."""
    keyed: dict[str, dict[str, Any]] = {}
    alike: Counter[str] = Counter()
    for item in items:
        ident = item.get("id")
        key = json.dumps(item if ident in (None, "") else ident, sort_keys=True)
        if ident in (None, ""):
            alike[key] += 1
            key = f"{key} {alike[key]}"
        keyed[key] = item
    return keyed


def _worth_another_try(error: BaseException) -> bool:
    """Whether the same request may go through soon. One that is told to wait for long is left to the next poll."""
    return isinstance(error, TransientError) and (_told(error) or 0.0) <= _LONGEST_RETRY_AFTER


def _told(error: BaseException) -> float | None:
    """The seconds that the server asked to wait, if it did."""
    return error.retry_after if isinstance(error, ThrottledError | ServerError) else None


_backoff = wait_random_exponential(multiplier=0.5, max=5)


def _pause(state: RetryCallState) -> float:
    """Seconds until the next try. Where the server said how long, the budget sees to it."""
    return _backoff(state) if _told(_failure(state)) is None else 0.0


def _failure(state: RetryCallState) -> ApiError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ApiError)  # noqa: S101 - tenacity waits after one of these alone
    return error


@dataclass(frozen=True)
class TenantApi:
    """What one tenant's actor credentials can read: no path names the tenant, the credentials do."""

    client: Client
    identity: Identity

    async def myself(self) -> Tenant | None:
        """The tenant that these credentials belong to."""
        return Tenant.read(await self.client.one(self.identity, "/tenant"))

    async def state(self) -> State:
        """The tenant's flags."""
        return State.read(await self.client.one(self.identity, "/tenant/state"))

    async def application(self) -> Application:
        """The integration's own access; 403 or 404 where the tenant is none."""
        return Application.read(await self.client.one(self.identity, "/tenant/application"))

    async def rollovers(self) -> list[Rollover]:
        """All planned windows."""
        return await self.client.many(self.identity, "/tenant/rollovers", Rollover.read)

    async def schedules(self) -> list[Schedule]:
        """All schedules."""
        return await self.client.many(self.identity, "/tenant/schedules", Schedule.read)

    async def ingestions(self) -> list[Ingestion]:
        """The ingestions that the server lists: the unfinished ones at least."""
        return await self.client.many(self.identity, "/ingestions", Ingestion.read)

    async def ending(self, ident: str, known: Ingestion) -> Ingestion | None:
        """What became of an ingestion that was `known`; None if the API no longer knows it.

        What the reply leaves out is as it was. A reply that can't be read leaves all as it was: one object that
        the server can't show must not keep the tenant's others from being seen.
        """
        try:
            now = Ingestion.read(await self.client.one(self.identity, "/ingestions/{id}", ident))
        except NotFoundError:
            return None
        except (BadResponseError, ForbiddenError):
            return known
        return replace(now, id=ident, type=now.type or known.type, started_at=now.started_at or known.started_at)

    async def schools(self) -> list[Scope]:
        """The schools that can be selected."""
        return await self.client.many(self.identity, "/tenant/scoping/schools", Scope.read)

    async def courses(self) -> list[Scope]:
        """The courses that can be selected."""
        return await self.client.many(self.identity, "/tenant/scoping/courses", Scope.read)


@dataclass(frozen=True)
class AccountApi:
    """What account credentials can read."""

    client: Client
    identity: Identity

    async def tenants(self, accounts: Iterable[str] = (), integrations: Iterable[str] = ()) -> list[Tenant]:
        """All tenants that the server lists for these filters. It may ignore them, so filter again."""
        filters = {"accounts": list(accounts), "integrations": list(integrations)}
        # The server knows ids; a name would have it find nobody.
        query = {name: ",".join(ids) for name, ids in filters.items() if ids and all(map(_UUID.fullmatch, ids))}
        read = await self.client.many(self.identity, "/tenants", Tenant.read, query)
        return [tenant for tenant in read if tenant is not None]

    async def actors(self) -> list[Actor]:
        """All actors."""
        return await self.client.many(self.identity, "/actors", Actor.read)

    async def clouds(self) -> int:
        """How many clouds there are."""
        return len(await self.client.many(self.identity, "/clouds", lambda cloud: cloud))

    async def integrations(self) -> list[Integration]:
        """All integrations."""
        return await self.client.many(self.identity, "/integrations", Integration.read)

    async def versions(self, integration_id: str) -> list[IntegrationVersion]:
        """All versions of one integration."""
        endpoint = "/integrations/{id}/versions"
        return await self.client.many(self.identity, endpoint, IntegrationVersion.read, ident=integration_id)
