"""Authenticates callers and issues tokens.

The account has three kinds of credentials: an API key, an OAuth2 client and a bearer token. An actor has one of two:
an OAuth2 client or HTTP Basic.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from exporter.simulator.inventory import Credentials, Inventory, Tenant, new_id, new_secret

_MAX_TOKENS = 50_000


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: a tenant, or the account if `tenant` is None."""

    tenant: Tenant | None


@dataclass(frozen=True, slots=True)
class _IssuedToken:
    tenant: Tenant | None
    expires: float


class TokenError(Exception):
    """A token request fails: an HTTP status, and the `error` and `error_description` of RFC 6749."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


class Authenticator:
    """The credentials of one account and its tenants, and the issued tokens. `lifetime` is in seconds."""

    def __init__(self, seed: int, inventory: Inventory, lifetime: float) -> None:
        # The text is part of the seed: another one changes every token.
        self._rng = Random(f"{seed}/access")
        self._lifetime = lifetime
        self.api_key = new_secret(self._rng, "key")
        self.client_id = new_id(self._rng)
        self.client_secret = new_secret(self._rng, "client")
        self.token = new_secret(self._rng, "ready-token")
        self._tokens: dict[str, _IssuedToken] = {}
        self._by_client: dict[str, Tenant] = {}
        for tenant in inventory.tenants.values():
            self.add(tenant)

    def add(self, tenant: Tenant) -> None:
        """Accept the credentials of a tenant."""
        self._by_client[tenant.credentials.client_id] = tenant

    def remove(self, tenant: Tenant) -> None:
        """Reject the credentials and the tokens of a tenant."""
        del self._by_client[tenant.credentials.client_id]
        self.revoke_tokens(tenant)

    def revoke_tokens(self, tenant: Tenant | None = None) -> None:
        """Revoke the tokens of a tenant; of all callers if `tenant` is None."""
        if tenant is None:
            self._tokens.clear()
        else:
            self._tokens = {token: one for token, one in self._tokens.items() if one.tenant is not tenant}

    def authenticate(self, authorization: str, now: float) -> Caller | None:
        """The caller that sent this `Authorization` header; None if it is not valid at Unix seconds `now`."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._bearer(value.strip(), now)
        if scheme.lower() == "basic":
            return self._basic(value.strip())
        return None

    def tenant_by_client_id(self, client_id: str) -> Tenant | None:
        """The tenant with this client id."""
        return self._by_client.get(client_id)

    def issue(self, form: Mapping[str, str], now: float) -> tuple[str, int]:
        """Issue a token for client credentials, with its lifetime in seconds; raises TokenError."""
        if form.get("grant_type") != "client_credentials":
            raise TokenError(400, "unsupported_grant_type", "Only client_credentials is supported.")
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        tenant = self._by_client.get(client_id)
        if tenant is None and client_id != self.client_id:
            raise TokenError(401, "invalid_client", "Client authentication failed.")
        if not _equal(client_secret, tenant.credentials.client_secret if tenant else self.client_secret):
            raise TokenError(401, "invalid_client", "Client authentication failed.")
        if tenant is not None and tenant.credentials.type != "oauth2":
            raise TokenError(400, "unauthorized_client", "This client uses HTTP Basic.")
        token = new_secret(self._rng, "token")
        self._remove_expired(now)
        self._tokens[token] = _IssuedToken(tenant, now + self._lifetime)
        return token, int(self._lifetime)

    def _remove_expired(self, now: float) -> None:
        if len(self._tokens) > _MAX_TOKENS:
            self._tokens = {token: issued for token, issued in self._tokens.items() if issued.expires > now}

    def _bearer(self, token: str, now: float) -> Caller | None:
        issued = self._tokens.get(token)
        if issued is not None:
            return Caller(issued.tenant) if now < issued.expires else None
        return Caller(None) if _equal(token, self.token) else None

    def _basic(self, value: str) -> Caller | None:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if _equal(user, self.api_key) and _equal(password, self.api_key):
            return Caller(None)
        tenant = self._by_client.get(user)
        if tenant is None or not _basic_matches(tenant.credentials, password):
            return None
        return Caller(tenant)


def _basic_matches(credentials: Credentials, password: str) -> bool:
    return credentials.type == "basic" and _equal(password, credentials.client_secret)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
