"""Makes the value of an Authorization header from credentials.

Account credentials list the tenants. Actor credentials, which the tenant list carries, belong to one tenant each.
HTTP Basic credentials and ready tokens are sent as they are. An OAuth2 client first gets a token, and keeps it
until shortly before it expires.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from exporter.api import wire
from exporter.api.credentials import BasicCredentials, BearerToken, ClientCredentials
from exporter.api.errors import AuthError
from exporter.clock import Clock

# The vendor's client kits get a new token at most three times. If the API then still refuses the tokens of a client, it
# gets one more in so many seconds.
RENEWALS = 3
RENEWAL_SECONDS = 30.0

GetToken = Callable[[ClientCredentials], Awaitable[wire.Token]]


class FixedIdentity:
    """Credentials that are sent as they are: HTTP Basic or a ready token. None is a tenant without usable ones."""

    def __init__(self, credentials: BasicCredentials | BearerToken | None) -> None:
        self._credentials = credentials

    async def authorization(self) -> str:
        """Return the value of the Authorization header. Raises `AuthError` if there is none."""
        match self._credentials:
            case BasicCredentials(user, password):
                return wire.basic(user, password)
            case BearerToken(token):
                return wire.bearer(token)
        raise AuthError("the tenant list has no client ID and secret for this tenant")

    def rejected(self, authorization: str) -> bool:  # noqa: ARG002 - as in TokenIdentity
        """Return False after a 401: these credentials can't be renewed."""
        return False


class TokenIdentity:
    """An OAuth2 client. All calls that wait for a token share one token request."""

    def __init__(self, credentials: ClientCredentials, get_token: GetToken, clock: Clock) -> None:
        self._credentials = credentials
        self._get_token = get_token
        self._clock = clock
        self._header: str | None = None
        self._renew_at = 0.0
        # Until when the renewals so far count, in monotonic seconds.
        self._renewed_until = -math.inf
        self._refreshing = asyncio.Lock()

    async def authorization(self) -> str:
        """Return the value of the Authorization header. Gets a new token if the old one is about to expire."""
        async with self._refreshing:
            if self._header is None or self._clock.monotonic() >= self._renew_at:
                token = await self._get_token(self._credentials)
                self._header = wire.bearer(token.value)
                # Renewed a tenth of its lifetime early (a minute at most): clocks differ, and requests take time.
                self._renew_at = self._clock.monotonic() + token.lifetime - min(60.0, token.lifetime / 10)
            return self._header

    def rejected(self, authorization: str) -> bool:
        """Drop the token after a 401, unless another call has already renewed it. Return whether to try another one.

        If the API refuses all tokens, the last one stays: it may be good for other calls.
        """
        if authorization == self._header:
            now = self._clock.monotonic()
            until = max(self._renewed_until, now) + RENEWAL_SECONDS
            if until > now + RENEWALS * RENEWAL_SECONDS:
                return False
            self._header, self._renewed_until = None, until
        return True


# One holder of credentials.
Identity = FixedIdentity | TokenIdentity
