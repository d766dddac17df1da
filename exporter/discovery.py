"""Which tenants are there to watch?

Either account credentials list them, or a file of actor credentials does, and each pair tells whose it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Protocol

from exporter.api.auth import BasicCredentials, ClientCredentials, Credentials
from exporter.api.client import AccountApi, Client
from exporter.api.errors import ApiError, BadResponseError
from exporter.api.models import Tenant


@dataclass(frozen=True)
class Filter:
    """Which tenants are wanted. Empty parts let all through; `include` and `exclude` are globs, exclude wins."""

    accounts: Sequence[str] = ()
    integrations: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def wants(self, tenant: Tenant) -> bool:
        """Accounts match by id, public id or name, integrations by id or name, globs by tenant id or name."""
        return (
            _any_of(self.accounts, (tenant.account_id, tenant.account_public_id, tenant.account_name))
            and _any_of(self.integrations, (tenant.integration_id, tenant.integration))
            and (not self.include or _matches(self.include, tenant))
            and not _matches(self.exclude, tenant)
        )


def _any_of(wanted: Sequence[str], names: Iterable[str | None]) -> bool:
    return not wanted or any(name in wanted for name in names)


def _matches(globs: Sequence[str], tenant: Tenant) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs for name in (tenant.id, tenant.name) if name is not None)


@dataclass(frozen=True)
class Discovered:
    """The tenants found. With `failures`, texts without secrets, there may be others that were not."""

    tenants: list[Tenant]
    failures: list[str] = field(default_factory=list)
    reason: str = ""


class Discovery(Protocol):
    """One way to find tenants."""

    async def tenants(self) -> Discovered:
        """Ask now; raises `ApiError` if nothing can be said."""


class AccountDiscovery:
    """Lists tenants with account credentials, which are asked for anew each time: a file may have changed."""

    def __init__(self, client: Client, credentials: Callable[[], Credentials], wanted: Filter) -> None:
        self._client = client
        self._read = credentials
        self._wanted = wanted
        self._credentials: Credentials | None = None
        self._api: AccountApi | None = None

    def api(self) -> AccountApi:
        """The account's calls; the same object, and so the same token, while the credentials are the same."""
        credentials = self._read()
        if self._api is None or credentials != self._credentials:
            self._credentials, self._api = credentials, self._client.account(credentials)
        return self._api

    async def tenants(self) -> Discovered:
        """The tenants that the account lists and the filter wants, each once."""
        found = await self.api().tenants(self._wanted.accounts, self._wanted.integrations)
        unique = {tenant.id: tenant for tenant in found}
        return Discovered([tenant for tenant in unique.values() if self._wanted.wants(tenant)])


@dataclass(frozen=True)
class Entry:
    """Actor credentials from the tenants file, under a name for people."""

    name: str
    credentials: BasicCredentials | ClientCredentials


class FileDiscovery:
    """Asks each entry of the tenants file which tenant it is; the file is read anew each time."""

    def __init__(self, client: Client, entries: Callable[[], Iterable[Entry]], wanted: Filter) -> None:
        self._client = client
        self._entries = entries
        self._wanted = wanted
        self._known: dict[Credentials, Tenant] = {}

    async def tenants(self) -> Discovered:
        """The tenants that could be asked; one that could not does not keep the others from being seen."""
        entries = list(self._entries())
        answers = await asyncio.gather(*[self._identify(entry) for entry in entries])
        self._known = {
            entry.credentials: answer
            for entry, answer in zip(entries, answers, strict=True)
            if isinstance(answer, Tenant)
        }
        found = {tenant.id: tenant for tenant in self._known.values() if self._wanted.wants(tenant)}
        failed = {
            f"{entry.name}: {answer}": answer.reason
            for entry, answer in zip(entries, answers, strict=True)
            if isinstance(answer, ApiError)
        }
        return Discovered(list(found.values()), list(failed), next(iter(failed.values()), ""))

    async def _identify(self, entry: Entry) -> Tenant | ApiError:
        """The entry's tenant. One that is known already stays: its own polls tell what is wrong with it now."""
        try:
            tenant = await self._client.tenant(entry.credentials).myself()
        except ApiError as error:
            return self._known.get(entry.credentials, error)
        if tenant is None:
            return self._known.get(entry.credentials, BadResponseError("the reply has no tenant id"))
        # The file's credentials are the ones that are known to work: the reply may show none, or others.
        return replace(tenant, credentials=entry.credentials)
