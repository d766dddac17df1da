"""Who are we, to the API?

Account credentials list tenants; actor credentials, which the tenant list carries, read one tenant each.
Either kind gives the value of an Authorization header; OAuth2 ones trade id and secret for a token first
and keep it until shortly before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from exporter.api import wire
from exporter.api.errors import AuthError
from exporter.clock import Clock


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """User and password, or an API key as both."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """An OAuth2 client (RFC 6749, 4.4)."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A ready token."""

    token: str = field(repr=False)


Credentials = BasicCredentials | ClientCredentials | BearerToken

FetchToken = Callable[[ClientCredentials], Awaitable[wire.Token]]


class Identity(Protocol):
    """One holder of credentials."""

    async def authorization(self) -> str:
        """The value of the Authorization header; `AuthError` if there can be none."""

    def rejected(self, authorization: str) -> bool:
        """The API answered 401 to it: True if asking for the header again gives a new one."""


class FixedIdentity:
    """Credentials that are sent as they are: HTTP Basic or a ready token."""

    def __init__(self, credentials: BasicCredentials | BearerToken) -> None:
        self._credentials = credentials

    async def authorization(self) -> str:
        """The header's value."""
        if isinstance(self._credentials, BearerToken):
            return wire.bearer(self._credentials.token)
        return wire.basic(self._credentials.user, self._credentials.password)

    def rejected(self, authorization: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing can be renewed here."""
        return False


class NoIdentity:
    """A tenant whose entry in the list carries no usable credentials."""

    async def authorization(self) -> str:
        """There is none."""
        raise AuthError("the tenant list carries no client id and secret for this tenant")

    def rejected(self, authorization: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing can be renewed here."""
        return False


class TokenIdentity:
    """An OAuth2 client with its token, fetched once for all that wait for it."""

    def __init__(self, credentials: ClientCredentials, fetch: FetchToken, clock: Clock) -> None:
        self._credentials = credentials
        self._fetch = fetch
        self._clock = clock
        self._header: str | None = None
        self._renew_at = 0.0
        self._refreshing = asyncio.Lock()

    async def authorization(self) -> str:
        """The header's value, with a fresh token where the old one is about to end."""
        async with self._refreshing:
            if self._header is None or self._clock.monotonic() >= self._renew_at:
                token = await self._fetch(self._credentials)
                self._header = wire.bearer(token.value)
                # A tenth of its life early, a minute at most: clocks differ, and requests take time.
                self._renew_at = self._clock.monotonic() + token.lifetime - min(60.0, token.lifetime / 10)
            return self._header

    def rejected(self, authorization: str) -> bool:
        """Drop the token, unless someone else has already renewed it."""
        if authorization == self._header:
            self._header = None
        return True
