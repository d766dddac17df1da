"""Runs the whole exporter on the simulated API in virtual time, and parses its page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from exporter.api.errors import NetworkError, RequestTimeoutError
from exporter.api.transport import Options
from exporter.api.wire import TOKEN_PATH, Reply
from exporter.assembly import Exporter, keeping_state
from exporter.clock import Clock
from exporter.settings import Settings, load
from exporter.simulator import Request, Simulator, WireFault
from tests.support.virtual_time import virtual_clock

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Page:
    """A parsed page: the value of every series by its name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series: Series = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.series, f"{key} is on the page twice"
                self.series[key] = sample.value

    def value(self, name: str, /, **labels: str) -> float | None:
        """The one series with exactly these labels, or None."""
        return self.series.get((name, frozenset(labels.items())))

    def all(self, name: str, /, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """All series of a name that have at least these labels."""
        wanted = frozenset(labels.items())
        return {have: value for (each, have), value in self.series.items() if each == name and wanted <= have}

    def names(self, **labels: str) -> set[str]:
        """The names of all series that have at least these labels."""
        wanted = frozenset(labels.items())
        return {name for name, have in self.series if wanted <= have}

    def labels(self, name: str, label: str, /, **labels: str) -> set[str]:
        """The values of one label among the series of a name."""
        return {dict(have)[label] for have in self.all(name, **labels)}


class SimulatedTransport:
    """The client's transport, straight to a simulator: without sockets, days pass in seconds."""

    def __init__(self, simulator: Simulator, clock: Clock, base_url: str = "http://127.0.0.1:1") -> None:
        self.base_url = base_url
        self.options = Options(30.0, 2**24)
        self.others: list[SimulatedTransport] = []
        self.simulator = simulator
        self.clock = clock
        self.sent: list[tuple[float, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.latency = 0.0

    def to(self, base_url: str) -> SimulatedTransport:
        """To another address, at which the same simulator answers."""
        other = SimulatedTransport(self.simulator, self.clock, base_url)
        self.others.append(other)
        return other

    def apart(self) -> SimulatedTransport:
        """There are no connections that callers could share."""
        return self

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        return await self._answer(Request("GET", path, dict(query), {"authorization": authorization}, b""))

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self._answer(Request("POST", TOKEN_PATH, {}, headers, body))

    async def _answer(self, request: Request) -> Reply:
        self.sent.append((self.clock.now(), request.path))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency:
                await self.clock.sleep(self.latency)
            reply = self.simulator.reply(request)
        except WireFault as error:
            if error.fault.kind == "hang":
                await self.clock.sleep(self.options.timeout)
                raise RequestTimeoutError("no whole reply") from None
            raise NetworkError("the connection failed") from None
        finally:
            self.in_flight -= 1
        return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.body)


@dataclass
class SimulatedExporter:
    """A simulator and an exporter that polls it, on the clock of the running virtual loop."""

    simulator: Simulator
    exporter: Exporter
    clock: Clock
    transport: SimulatedTransport
    settings: Settings

    def page(self) -> Page:
        """The current page."""
        return Page(b"".join(self.exporter.page(openmetrics=False)).decode())

    async def pass_time(self, seconds: float) -> Page:
        """Let time pass (seconds), then return the page."""
        await self.clock.sleep(seconds)
        return self.page()

    async def until_ready(self, most: float = 600) -> Page:
        """Wait until every tenant was polled once; return the page."""
        for _ in range(int(most)):
            if self.exporter.ready():
                return self.page()
            await self.clock.sleep(1)
        raise AssertionError("not ready")


@asynccontextmanager
async def running_exporter(
    flags: Mapping[str, str] | None = None,
    *,
    hub: Simulator | None = None,
    start: float | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    begin: bool = True,
    **simulator: Any,
) -> AsyncIterator[SimulatedExporter]:
    """Run an exporter on a simulator: `hub`, or a new one. `simulator` holds arguments of `Simulator`.

    `environ` has other variables than the API's key. Without `begin`, nothing is polled yet.
    """
    clock = clock or (virtual_clock() if start is None else virtual_clock(start))
    api = hub or Simulator(**{"tenants": 6, "now": clock.now, **simulator})
    variables = {"KIMONO_API_KEY": api.api_key} if environ is None else environ
    settings = load({"api.url": "http://127.0.0.1:1", **(flags or {})}, variables)
    transport = SimulatedTransport(api, clock)
    exporter = Exporter(settings, transport, clock)
    async with keeping_state(exporter, settings.state.file) as saver:
        working = [asyncio.create_task(each.run()) for each in (exporter.poller, saver) if each and begin]
        try:
            yield SimulatedExporter(api, exporter, clock, transport, settings)
        finally:
            for task in working:
                task.cancel()
            if working:
                await asyncio.wait(working)
