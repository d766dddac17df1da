"""Defines the credentials that the API accepts, from the tenants file to the request.

No `repr` shows any of their parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A user name and a password, or an API key as both."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """An OAuth2 client (RFC 6749, 4.4)."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token that was issued elsewhere."""

    token: str = field(repr=False)


# What one tenant can have, in the tenant list or in the tenants file.
TenantCredentials = BasicCredentials | ClientCredentials
Credentials = TenantCredentials | BearerToken


@dataclass(frozen=True, slots=True)
class NamedCredentials:
    """One entry of the tenants file; `name` is for people."""

    name: str
    credentials: TenantCredentials
