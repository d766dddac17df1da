"""Who is asking?

The account's three kinds of credentials, the actors' two, and the tokens that have been issued.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from exporter.simulator.fleet import Credentials, Fleet, Tenant, new_id, new_secret

_KEPT_TOKENS = 50_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has shown valid credentials: a tenant, or the account if `tenant` is None."""

    tenant: Tenant | None


@dataclass(frozen=True, slots=True)
class _Grant:
    tenant: Tenant | None
    expires: float


class TokenRefused(Exception):  # noqa: N818 - named for what happened, as OAuth names it
    """No token is given: an HTTP status, and the `error` and `error_description` of RFC 6749."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


class Access:
    """The credentials of one account and of its tenants."""

    def __init__(self, seed: int, fleet: Fleet, lifetime: float) -> None:
        self._rng = Random(f"{seed}/access")
        self._lifetime = lifetime
        self.api_key = new_secret(self._rng, "key")
        self.client_id = new_id(self._rng)
        self.client_secret = new_secret(self._rng, "client")
        self.token = new_secret(self._rng, "ready-token")
        self._grants: dict[str, _Grant] = {}
        self._by_client: dict[str, Tenant] = {}
        for tenant in fleet.tenants.values():
            self.admit(tenant)

    def admit(self, tenant: Tenant) -> None:
        """Know a new tenant."""
        self._by_client[tenant.credentials.client_id] = tenant

    def dismiss(self, tenant: Tenant) -> None:
        """Know a tenant no longer."""
        del self._by_client[tenant.credentials.client_id]
        self.forget_tokens(tenant)

    def forget_tokens(self, tenant: Tenant | None = None) -> None:
        """Forget the tokens issued to a tenant, or all that were ever issued."""
        self._grants = {} if tenant is None else {t: g for t, g in self._grants.items() if g.tenant is not tenant}

    def caller(self, authorization: str, now: float) -> Caller | None:
        """Who sent this `Authorization` header; None if nobody known did."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._bearer(value.strip(), now)
        if scheme.lower() == "basic":
            return self._basic(value.strip())
        return None

    def named(self, client_id: str) -> Tenant | None:
        """The tenant that goes by this client id."""
        return self._by_client.get(client_id)

    def issue(self, form: Mapping[str, str], now: float) -> tuple[str, int]:
        """A token for client credentials, and its lifetime in seconds; raises TokenRefused."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", "Only client_credentials is supported.")
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        tenant = self._by_client.get(client_id)
        if tenant is None and client_id != self.client_id:
            raise TokenRefused(401, "invalid_client", "Client authentication failed.")
        if not _same(client_secret, tenant.credentials.client_secret if tenant else self.client_secret):
            raise TokenRefused(401, "invalid_client", "Client authentication failed.")
        if tenant is not None and tenant.credentials.type != "oauth2":
            raise TokenRefused(400, "unauthorized_client", "This client uses HTTP Basic.")
        token = new_secret(self._rng, "token")
        self._sweep(now)
        self._grants[token] = _Grant(tenant, now + self._lifetime)
        return token, int(self._lifetime)

    def _sweep(self, now: float) -> None:
        if len(self._grants) > _KEPT_TOKENS:
            self._grants = {token: grant for token, grant in self._grants.items() if grant.expires > now}

    def _bearer(self, token: str, now: float) -> Caller | None:
        grant = self._grants.get(token)
        if grant is not None:
            return Caller(grant.tenant) if now < grant.expires else None
        return Caller(None) if _same(token, self.token) else None

    def _basic(self, value: str) -> Caller | None:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if _same(user, self.api_key) and _same(password, self.api_key):
            return Caller(None)
        tenant = self._by_client.get(user)
        if tenant is None or not _is_basic(tenant.credentials, password):
            return None
        return Caller(tenant)


def _is_basic(credentials: Credentials, password: str) -> bool:
    return credentials.type == "basic" and _same(password, credentials.client_secret)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
