"""Finds the tenants to watch: the account's list has them, or a file of tenants' own credentials."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from exporter.api.client import Api, Client
from exporter.api.credentials import Credentials, NamedCredentials, TenantCredentials
from exporter.api.errors import ApiError, BadResponseError
from exporter.api.fields import Fields, composed
from exporter.api.models import Tenant
from exporter.shards import Shard
from exporter.threads import in_daemon_thread

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Filter:
    """Which tenants to watch. Empty parts match all; `include` and `exclude` are globs, exclude wins.

    The sources apply `shard` first: of the tenants of other shards, they keep nothing.
    """

    accounts: Sequence[str] = ()
    integrations: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    shard: Shard = Shard()

    def __post_init__(self) -> None:
        """Bring names to the form that the models give them: an é may be written as one character or as two."""
        for name in ("accounts", "integrations", "include", "exclude"):
            object.__setattr__(self, name, tuple(map(composed, getattr(self, name))))

    def matches(self, tenant: Tenant) -> bool:
        """Accounts match by id, public id or name, integrations by id or name, globs by tenant id or name."""
        return (
            _any_of(self.accounts, (tenant.account_id, tenant.account_public_id, tenant.account_name))
            and _any_of(self.integrations, (tenant.integration_id, tenant.integration))
            and (not self.include or _any_glob(self.include, tenant))
            and not _any_glob(self.exclude, tenant)
        )

    def select(self, tenants: Iterable[Tenant | None]) -> list[Tenant]:
        """The tenants that match, each once. None stands for one that can't be identified."""
        unique = {tenant.id: tenant for tenant in tenants if tenant is not None}
        return [tenant for tenant in unique.values() if self.matches(tenant)]

    def query(self) -> dict[str, str]:
        """The part of the filter that the server can apply: it knows ids, and a name would match nothing there."""
        filters = {"accounts": self.accounts, "integrations": self.integrations}
        return {name: ",".join(ids) for name, ids in filters.items() if ids and all(map(_UUID.fullmatch, ids))}


def _any_of(wanted: Sequence[str], names: Iterable[str | None]) -> bool:
    return not wanted or any(name in wanted for name in names)


def _any_glob(globs: Sequence[str], tenant: Tenant) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs for name in (tenant.id, tenant.name) if name is not None)


@dataclass(frozen=True)
class Discovered:
    """The tenants found. `apis` has those already opened for some of them, by tenant id: they hold a token.

    `elsewhere` is how many belong to other shards, whether or not the filter matches them.

    With `failures`, texts without secrets, there may be more tenants; `reason` is that of the first failure.
    """

    tenants: list[Tenant]
    apis: Mapping[str, Api] = field(default_factory=dict)
    failures: Sequence[str] = ()
    reason: str = ""
    elsewhere: int = 0


class _Elsewhere(Enum):
    """Stands for a tenant of another shard."""

    TENANT = auto()


class TenantSource(Protocol):
    """One way to find tenants."""

    async def get_tenants(self) -> Discovered:
        """Find them now; raises `ApiError` if that fails as a whole."""


class AccountSource:
    """Lists tenants with account credentials, which are read anew each time: a file may have changed."""

    def __init__(self, client: Client, credentials: Callable[[], Credentials], wanted: Filter) -> None:
        """`credentials` may block, and raises `ApiError`."""
        self._client = client
        self._get_credentials = credentials
        self._wanted = wanted
        self._credentials: Credentials | None = None
        self._api: Api | None = None

    async def api(self) -> Api:
        """The account's calls: the same object, and so the same token, while the credentials are the same."""
        credentials = await in_daemon_thread(self._get_credentials)
        if self._api is None or credentials != self._credentials:
            self._credentials, self._api = credentials, self._client.api(credentials, of_account=True)
        return self._api

    async def get_tenants(self) -> Discovered:
        """The tenants that the account lists and the filter matches, each once. The server may ignore its filters.

        Those whose id is missing or invalid can't be polled: then there are more tenants than were found.
        """
        listed = await (await self.api()).get_list("/tenants", self._own, self._wanted.query())
        await asyncio.sleep(0)  # the end of a long list takes a while, and so does what follows
        own = [tenant for tenant in listed if not isinstance(tenant, _Elsewhere)]
        failures = _without_id(sum(tenant is None for tenant in own))
        reason = BadResponseError.reason if failures else ""
        elsewhere = len(listed) - len(own)
        tenants = await in_daemon_thread(self._wanted.select, own)  # globs on many names take long
        return Discovered(tenants, failures=failures, reason=reason, elsewhere=elsewhere)

    def _own(self, fields: Fields) -> Tenant | Literal[_Elsewhere.TENANT] | None:
        """The tenant, unless it belongs to another shard: that one reads it, and counts its invalid members."""
        ident = Fields(fields.raw, lambda _: None).ident()
        if ident is not None and not self._wanted.shard.owns(ident):
            return _Elsewhere.TENANT
        return Tenant.parse(fields)


def _without_id(number: int) -> list[str]:
    if not number:
        return []
    which = "1 tenant in the list has" if number == 1 else f"{number} tenants in the list have"
    return [f"{which} no valid id"]


@dataclass
class _Entry:
    """An entry of the tenants file, and the tenant that it turned out to belong to."""

    credentials: TenantCredentials
    api: Api
    tenant: Tenant | None = None


class FileSource:
    """Asks which tenant each entry of the tenants file belongs to; the file is read anew each time."""

    def __init__(
        self,
        client: Client,
        entries: Callable[[], Iterable[NamedCredentials]],
        wanted: Filter,
        before: TenantSource | None = None,
    ) -> None:
        """`entries` may block, and raises `ApiError`.

        The tokens of the source `before`, which this one replaces, are kept where credentials stay the same.
        """
        self._client = client
        self._get_entries = entries
        self._wanted = wanted
        entries_before = before.entries if isinstance(before, FileSource) else []
        self.entries: list[_Entry] = [_Entry(each.credentials, each.api) for each in entries_before]

    async def get_tenants(self) -> Discovered:
        """The tenants of all entries that could be identified; a failing entry does not affect the others.

        Entries whose credentials stay the same keep their token.
        """
        given = list(await in_daemon_thread(self._get_entries))
        known = {entry.credentials: entry for entry in self.entries}
        self.entries = [
            known.get(each.credentials) or _Entry(each.credentials, self._client.api(each.credentials))
            for each in given
        ]
        shard = self._wanted.shard
        errors = await asyncio.gather(*[_identify(entry, shard) for entry in self.entries])
        failed = {f"{each.name}: {error}": error.reason for each, error in zip(given, errors, strict=True) if error}
        known_tenants = [entry.tenant for entry in self.entries if entry.tenant]
        own = [tenant for tenant in known_tenants if shard.owns(tenant.id)]
        tenants, elsewhere = self._wanted.select(own), len(known_tenants) - len(own)
        apis = {entry.tenant.id: entry.api for entry in self.entries if entry.tenant}
        return Discovered(tenants, apis, list(failed), next(iter(failed.values()), ""), elsewhere)


async def _identify(entry: _Entry, shard: Shard) -> ApiError | None:
    """Find out the entry's tenant. If that fails, a known one stays: its polls show what is wrong with it.

    One of another shard is not asked for again: the same credentials are those of the same tenant.
    """
    if entry.tenant and not shard.owns(entry.tenant.id):
        return None
    try:
        tenant = await entry.api.get_one("/tenant", Tenant.parse)
    except ApiError as error:
        return None if entry.tenant else error
    if tenant is not None:
        # The file's credentials are the ones that work: the reply may show none, or others.
        entry.tenant = replace(tenant, credentials=entry.credentials)
    return None if entry.tenant else BadResponseError("the reply has no tenant id")
