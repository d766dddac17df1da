"""Wires the parts into an exporter: settings in, one `Exporter` out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from exporter.api.client import Client
from exporter.api.credentials import Credentials, NamedCredentials
from exporter.api.errors import AuthError, RequestTimeoutError
from exporter.api.rate_limiter import RateLimiter
from exporter.api.transport import HttpTransport, Options, open_transport
from exporter.blocks import Block, Section, plain_page
from exporter.clock import Clock
from exporter.collectors import COLLECTORS
from exporter.families import FAMILIES
from exporter.files import FileError, FileTimeoutError
from exporter.garbage import exempt_survivors
from exporter.issues import Entry
from exporter.polling.poller import Poller
from exporter.polling.sources import AccountSource, FileSource, Filter, TenantSource
from exporter.settings import LEAVES, ApiSettings, Settings, SettingsError, SettingsTimeoutError, read_tenants_file
from exporter.state_file import StateFileError
from exporter.state_saver import Snapshot, StateSaver, check, locked, restore
from exporter.status import Counts, Status
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.tenant_details import TenantDetails

_EOF = b"# EOF\n"
_KINDS = {each.name: each for each in COLLECTORS}


class Exporter:
    """A poller, with a client below it and a store beside it; the `Source` of the web pages."""

    def __init__(self, settings: Settings, transport: HttpTransport, clock: Clock) -> None:
        self.clock = clock
        self.telemetry = Telemetry()
        self.store = Store(FAMILIES)
        self.transport = transport
        limiter = RateLimiter(settings.api.rate_limit / settings.shard.total, clock)
        self.client = Client(transport, limiter, clock, self.telemetry, concurrency=settings.api.concurrency)
        self.poller = Poller(self.client, self.store, self.telemetry, clock)
        self._source: TenantSource | None = None
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take settings, at the start or while running. The listen address stays, and what is known of the tenants,
        unless they are of another API.
        """
        api, discovery, shard = settings.api, settings.discovery, settings.shard.shard()
        # Tenants, their credentials, tokens and histories are of one API only.
        before = self._source if api.url == self.transport.base_url else None
        if api.url != self.transport.base_url:
            self.poller.discovery.forget()
            self.transport = self.client.transport = self.transport.to(api.url)
        options = self.transport.options
        options.timeout, options.max_bytes, options.egress = api.timeout, api.max_response_bytes, settings.egress
        self.client.rate_limiter.full_rate = api.rate_limit / shard.total
        self.client.limit(api.concurrency)
        self.poller.scheduler.priorities = settings.polling.strategy == "priority"
        self.telemetry.shard(shard)
        self.poller.discovery.assign(shard)
        wanted = Filter(discovery.accounts, discovery.integrations, discovery.include, discovery.exclude, shard)
        chosen = {_KINDS[name]: section for name, section in settings.collectors if section.enabled}
        # Series of the account are not divided: one shard has them.
        mine = {kind: section for kind, section in chosen.items() if shard.is_first or not kind.of_account}
        intervals = {kind: section.interval for kind, section in mine.items()}
        if api.tenants_file is not None:
            entries = partial(_tenant_entries, api.tenants_file)
            self._source = FileSource(self.client, entries, wanted, before)
            self.poller.configure(self._source, discovery.interval, intervals)
        else:
            self._source = AccountSource(self.client, partial(account_credentials, api), wanted)
            self.poller.configure(self._source, discovery.interval, intervals, self._source.api)

    def page(self, *, openmetrics: bool, process: bool = True) -> Iterator[bytes]:
        """The whole page as it is now, in pieces; without `process`, it has no `process_*` and `python_*`."""
        return iter(plain_page(self.sections(openmetrics=openmetrics, process=process)))

    def sections(self, *, openmetrics: bool, process: bool = True) -> Iterator[Section]:
        """The page as `page` gives it, in sections: those of samples that have not changed are the same as before."""
        limiter, lags = self.client.rate_limiter, self.poller.scheduler.lags()
        own = self.telemetry.page(lags, limiter.full_rate, limiter.allowed, openmetrics=openmetrics, process=process)
        polled = self.store.sections(self.clock.monotonic(), openmetrics=openmetrics)
        return chain(polled, [Section([Block(own + _EOF if openmetrics else own)])])

    def snapshot(self) -> Snapshot:
        """What must outlive a restart."""
        return Snapshot(self.transport.base_url, self.poller.histories(), self.poller.changes)

    def healthy(self) -> bool:
        """Whether the poller has made progress lately."""
        return self.poller.healthy

    def ready(self) -> bool:
        """Whether all tenants have been polled once."""
        return self.poller.ready

    def status(self) -> Status:
        """The whole snapshot, with all tenants at once."""
        return self.poller.status()

    def entries(self, *, quiet: bool) -> Iterator[Entry]:
        """All tenants with their lines, one by one; those with which nothing is wrong if `quiet`."""
        return self.poller.entries(quiet=quiet)

    def overview(self, counts: Counts) -> Status:
        """The snapshot without tenants, which have been counted."""
        return self.poller.overview(counts)

    def details(self, tenant_id: str) -> TenantDetails | None:
        """All that is known of a tenant, if there is one with this id."""
        return self.poller.details(tenant_id)


@asynccontextmanager
async def open_exporter(settings: Settings, clock: Clock) -> AsyncIterator[Exporter]:
    """An exporter over HTTP that has not begun to poll."""
    api = settings.api
    options = Options(api.timeout, api.max_response_bytes, settings.egress)
    async with open_transport(api.url, options) as transport:
        with exempt_survivors(clock.monotonic):
            yield Exporter(settings, transport, clock)


@asynccontextmanager
async def keeping_state(exporter: Exporter, path: Path | None) -> AsyncIterator[StateSaver | None]:
    """Restore what the state file has, and save it again at the end; None without a file.

    Raises SettingsError if the file can't be used.
    """
    if path is None:
        yield None
        return
    try:
        async with locked(path, exporter.clock) as file:
            saved = await restore(file, exporter.transport.base_url, exporter.clock.now())
            exporter.poller.restore(saved.histories, saved.at)
            saver = StateSaver(file, saved.at, exporter.snapshot, exporter.telemetry, exporter.clock)
            try:
                yield saver
            finally:
                await saver.finish()
    except StateFileError as error:
        raise _unusable(error) from None


async def check_state(path: Path | None) -> None:
    """Check that `keeping_state` could use the file, and change nothing. Raises SettingsError."""
    if path is not None:
        try:
            await check(path)
        except StateFileError as error:
            raise _unusable(error) from None


def _unusable(error: StateFileError) -> SettingsError:
    return SettingsError((LEAVES["state.file"].problem(str(error)),))


def account_credentials(api: ApiSettings) -> Credentials:
    """The account's credentials as they are now.

    Raises AuthError if a file with them can't be used, RequestTimeoutError if it does not respond. Blocks meanwhile.
    """
    try:
        return api.credentials()
    except FileTimeoutError as error:
        raise RequestTimeoutError(str(error)) from None
    except (FileError, SettingsError) as error:
        raise AuthError(str(error)) from None


def _tenant_entries(path: Path) -> tuple[NamedCredentials, ...]:
    """The tenants file as it is now; raises and blocks as `account_credentials` does."""
    try:
        return read_tenants_file(path)
    except SettingsTimeoutError as error:
        raise RequestTimeoutError(str(error)) from None
    except SettingsError as error:
        raise AuthError("; ".join(str(problem) for problem in error.problems)) from None
