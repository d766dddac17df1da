"""How do the parts become an exporter?

Settings in, one `Exporter` out: it polls, it is the `Source` of the pages, and it takes new settings while
it runs.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, islice
from typing import Any

from exporter import __version__
from exporter.api.auth import BasicCredentials, BearerToken, ClientCredentials, Credentials
from exporter.api.budget import Budget
from exporter.api.client import Client
from exporter.api.errors import AuthError
from exporter.api.transport import HttpTransport, open_transport
from exporter.clock import Clock
from exporter.collectors import ACCOUNT_COLLECTORS, TENANT_COLLECTORS, Collector
from exporter.discovery import AccountDiscovery, Entry, FileDiscovery, Filter
from exporter.families import FAMILIES
from exporter.poller import Poller, Watch
from exporter.settings import Api, SecretUnreadableError, Settings, SettingsError, read_tenants_file
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.web import CollectorRow, FailingTenant, Overview

_EOF = b"# EOF\n"
_FAILING_SHOWN = 50


class Exporter:
    """A poller with a client below it and a store beside it."""

    def __init__(self, settings: Settings, transport: HttpTransport, clock: Clock) -> None:
        self.clock = clock
        self.started = clock.now()
        self.telemetry = Telemetry()
        self.store = Store(FAMILIES)
        self.transport = transport
        self.client = Client(
            transport,
            Budget(settings.api.rate_limit, clock),
            clock,
            self.telemetry,
            concurrency=settings.api.concurrency,
        )
        self.poller = Poller(self.client, self.store, self.telemetry, clock)
        self.telemetry.report_lag(self.poller.lags)
        budget = self.client.budget
        self.telemetry.report_budget(lambda: budget.full_rate, lambda: budget.allowed)
        self._settings = settings
        self._configure()

    def apply(self, settings: Settings) -> None:
        """Take new settings while running. What is known of the tenants stays; where we listen stays, too."""
        self._settings = settings
        api = settings.api
        self.transport.base_url, self.transport.timeout = api.url, api.timeout
        self.transport.max_bytes = api.max_response_bytes
        self.client.budget.full_rate = api.rate_limit
        self.client.limit(api.concurrency)
        self._configure()

    def _configure(self) -> None:
        settings = self._settings
        wanted = Filter(
            settings.discovery.accounts,
            settings.discovery.integrations,
            settings.discovery.include,
            settings.discovery.exclude,
        )
        tenant_collectors = self._enabled(TENANT_COLLECTORS)
        if settings.api.tenants_file is not None:
            from_file = FileDiscovery(self.client, lambda: _entries(settings.api), wanted)
            self.poller.configure(from_file, settings.discovery.interval, tenant_collectors)
            return
        by_account = AccountDiscovery(self.client, lambda: account_credentials(settings.api), wanted)
        self.poller.configure(
            by_account,
            settings.discovery.interval,
            tenant_collectors,
            by_account.api,
            self._enabled(ACCOUNT_COLLECTORS),
        )

    def _enabled(self, kinds: Iterable[type[Collector[Any, Any, Any]]]) -> dict[Collector[Any, Any, Any], float]:
        chosen = dict(self._settings.collectors)
        return {kind(): chosen[kind.name].interval for kind in kinds if chosen[kind.name].enabled}

    # The source of the pages

    def page(self, *, openmetrics: bool, process: bool = True) -> Iterator[bytes]:
        """The whole page as it is now, in pieces."""
        own = self.telemetry.page(openmetrics=openmetrics, process=process)
        polled = self.store.page(self.clock.monotonic(), openmetrics=openmetrics)
        return chain(polled, [own, _EOF] if openmetrics else [own])

    def healthy(self) -> bool:
        """Whether the poller has made progress lately."""
        return self.poller.healthy

    def ready(self) -> bool:
        """Whether everyone has been visited once."""
        return self.poller.ready

    def overview(self) -> Overview:
        """The facts of the status page."""
        poller = self.poller
        failing = [row for watch in poller.everyone() for row in _failing_rows(watch, poller.plans)]
        failing.sort(key=lambda row: row.since)
        lags = poller.lags()
        return Overview(
            version=__version__,
            started=self.started,
            now=self.clock.now(),
            discovery_ok=poller.discovery_ok,
            tenants=len(poller.watches),
            ready=poller.ready,
            api_url=self._settings.api.url,
            collectors=tuple(
                CollectorRow(name, plan.interval, lags[name], poller.failing(name))
                for name, plan in poller.plans.items()
            ),
            tenants_failing=len({row.tenant_id for row in failing}),
            failing=tuple(islice(failing, _FAILING_SHOWN)),
            failing_unlisted=max(0, len(failing) - _FAILING_SHOWN),
            discovered=poller.discovered_at,
        )


def _failing_rows(watch: Watch, order: Iterable[str]) -> Iterator[FailingTenant]:
    """A row for each reason: collectors that fail alike stand together."""
    for reason in dict.fromkeys(failure.reason for failure in watch.failures.values()):
        alike = {name: failure for name, failure in watch.failures.items() if failure.reason == reason}
        yield FailingTenant(
            tenant_id=watch.id,
            tenant_name=watch.name,
            account_name=(watch.tenant.account_name if watch.tenant else None) or "",
            collectors=", ".join(name for name in order if name in alike),
            reason=reason,
            since=min(failure.since for failure in alike.values()),
        )


@asynccontextmanager
async def open_exporter(settings: Settings, clock: Clock) -> AsyncIterator[Exporter]:
    """An exporter over HTTP that has not begun to poll."""
    api = settings.api
    async with open_transport(api.url, api.timeout, api.max_response_bytes) as transport:
        exporter = Exporter(settings, transport, clock)
        exporter.poller.grown = _spare_from_collection
        _spare_from_collection()
        yield exporter


def _spare_from_collection() -> None:
    """What tenants take up stays for long. To look through it for garbage takes 0.1 s and more at 10,000 of them."""
    gc.collect(1)  # the young alone: what is garbage among them would stay for ever
    gc.freeze()


def account_credentials(api: Api) -> Credentials:
    """The account's credentials as they are now; secrets in files are read at each call.

    Raises `AuthError` where there are none that can be read.
    """
    try:
        key, token, secret = api.secret("key"), api.secret("token"), api.secret("client_secret")
    except SecretUnreadableError as error:
        raise AuthError(str(error)) from None
    if key:
        return BasicCredentials(key, key)
    if token:
        return BearerToken(token)
    if api.client_id and secret:
        return ClientCredentials(api.client_id, secret)
    raise AuthError("no account credentials are set")


def _entries(api: Api) -> Iterable[Entry]:
    """The tenants file as it is now."""
    if api.tenants_file is None:
        return
    try:
        tenants = read_tenants_file(api.tenants_file)
    except SettingsError as error:
        raise AuthError("; ".join(str(problem) for problem in error.problems)) from None
    for each in tenants:
        kind = BasicCredentials if each.kind == "basic" else ClientCredentials
        yield Entry(each.name, kind(each.client_id, each.client_secret))
