"""Lives through hours of changes and faults with many tenants, and measures what grows and whether counts add up."""

from __future__ import annotations

import asyncio
import gc
import heapq
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from exporter.assembly import Exporter, open_exporter
from exporter.clock import Clock
from exporter.collectors import PollResult
from exporter.polling.polls import ScheduledPoll
from exporter.settings import Settings, load
from exporter.simulator import Fault, Simulator, serve
from exporter.simulator.faults import KINDS
from exporter.web.app import create_app
from exporter.web.server import start
from tests.support.simulated_exporter import SimulatedTransport
from tests.support.virtual_time import run_virtual, virtual_clock

MINUTE, HOUR = 60.0, 3600.0
# Longer than any fault and the polls after it: then all that has happened is on the page.
_CALM = 20 * MINUTE
# How long the simulator keeps an ended ingestion: longer than the exporter does.
_KEPT = 1.25 * HOUR
_EVERY = 5 * MINUTE
_TYPES = ("collection", "bulk_load", "event_bundle", "mirror")
_FINAL = ("success", "failed", "timeout", "cancelled")
_ENDS = ("success", "success", "success", "failed", "timeout", "cancelled")
_FINISHED = "kimono_ingestions_finished_total"
_LAST_SUCCESS = "kimono_collector_last_success_timestamp_seconds"
# Bytes, where the default of a fault would take most of the time.
_SIZES = {"many_items": 100_000, "large_header": 9_000, "many_headers": 50_000}
_MOST_BYTES = 2**20
_BOMB = 2**22


@dataclass(frozen=True)
class Measured:
    """What the process holds, `at` seconds after the start. `memory` is resident, in bytes."""

    at: float
    memory: int
    objects: int
    tasks: int
    descriptors: int


@dataclass
class Outcome:
    """What a soak has shown. `wrong` has each count that differs: tenant, type and state, counted, true."""

    measured: list[Measured] = field(default_factory=list)
    requests: int = 0
    ends: int = 0
    wrong: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)

    def growth(self, name: str) -> float:
        """The slope over the last two thirds, as a share of the mean an hour (least squares)."""
        last = self.measured[len(self.measured) // 3 :]
        hours = [each.at / HOUR for each in last]
        values = [float(getattr(each, name)) for each in last]
        mean_hour, mean = sum(hours) / len(hours), sum(values) / len(values)
        spread = sum((hour - mean_hour) ** 2 for hour in hours)
        slope = sum((hour - mean_hour) * (value - mean) for hour, value in zip(hours, values, strict=True)) / spread
        return slope / mean


@dataclass
class _Ends:
    """Ends of one tenant's ingestions after its first poll, at `since`: those of late by id, and how many before."""

    since: float
    late: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    before: Counter[tuple[str, str]] = field(default_factory=Counter)


class Ledger:
    """What the simulator knows of ended ingestions, from the first poll of each tenant on."""

    def __init__(self, hub: Simulator) -> None:
        self._hub = hub
        self._ends: dict[str, _Ends] = {}

    def watch(self, exporter: Exporter, clock: Clock) -> None:
        """Note the first successful poll of each tenant: ends before it don't count."""
        recorder = exporter.poller._recorder
        record = recorder.success

        def success(poll: ScheduledPoll, result: PollResult) -> None:
            record(poll, result)
            if poll.schedule.name == "ingestions" and not poll.cancelled:
                self._ends.setdefault(poll.state.id, _Ends(clock.now()))

        recorder.success = success  # type: ignore[method-assign]

    def update(self, now: float) -> None:
        """Note all new ends, and let the simulator forget old ones: its memory is not what is measured."""
        listed = {tenant.id for tenant in self._hub.tenants()}
        for gone in self._ends.keys() - listed:
            del self._ends[gone]
        for ident, ends in self._ends.items():
            for one in list(self._hub.tenant(ident).ingestions.by_id.values()):
                if one.ended_at is None:
                    continue
                if one.ended_at > ends.since:
                    ends.late[one.id] = (one.type, one.state, one.ended_at)
                if one.ended_at < now - _KEPT:
                    self._hub.remove_ingestion(ident, one.id)
                    if one.id in ends.late:
                        ends.before[ends.late.pop(one.id)[:2]] += 1

    def true_counts(self, until: dict[str, float]) -> dict[tuple[str, str, str], int]:
        """Ends by tenant, type and state, up to the last successful poll of each tenant."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for ident, ends in self._ends.items():
            counts.update({(ident, *key): times for key, times in ends.before.items()})
            last = until.get(ident, 0.0)
            counts.update((ident, kind, state) for kind, state, at in ends.late.values() if at <= last)
        return dict(counts)


class Life:
    """Makes things happen to a simulated fleet, once a minute; the same seed gives the same life."""

    def __init__(self, hub: Simulator, seed: int, changes: Counter[str], *, by_id: bool) -> None:
        """With `by_id`, the API lists unfinished ingestions only.

        Then each run is longer than a fault, so that a poll sees it, and no fault says that an ingestion is unknown.
        """
        self._hub = hub
        self._shortest = 15 * MINUTE if by_id else MINUTE / 2
        self._kinds = sorted(KINDS - {"not_found"} if by_id else KINDS)
        self._rng = Random(f"{seed}/soak")  # noqa: S311 - believable, not secret
        self._ending: list[tuple[float, str, str]] = []
        self._changes = changes
        self._minute = 0
        for tenant in hub.tenants():
            self._give_past(tenant.id)

    def minute(self) -> None:
        """Let a minute's worth of things happen."""
        self._minute += 1
        ids = [tenant.id for tenant in self._hub.tenants()]
        self._end_ingestions()
        for ident in self._some(ids, 30):
            self._start_ingestion(ident)
        if self._minute % 5 == 0:
            self._change_tenants(ids)
        if self._minute % 10 == 0:
            self._break(ids)

    def calm(self) -> None:
        """Remove all faults."""
        self._hub.faults.clear()

    def _some(self, ids: list[str], share: int) -> list[str]:
        """One in so many of them, and at least one."""
        return self._rng.sample(ids, max(1, len(ids) // share))

    def _give_past(self, ident: str) -> None:
        """Let runs of all kinds have ended in all ways, so that what is known of a tenant does not grow with time."""
        for kind, state in product(_TYPES, _FINAL):
            started = self._hub.start_ingestion(ident, type=kind, started_at=self._hub.now() - HOUR)
            self._hub.finish_ingestion(ident, started, state)

    def _start_ingestion(self, ident: str) -> None:
        rng, now = self._rng, self._hub.now()
        started = self._hub.start_ingestion(ident, type=rng.choice(_TYPES), started_at=now)
        heapq.heappush(self._ending, (now + rng.uniform(self._shortest, 40 * MINUTE), ident, started))
        self._changes["ingestions"] += 1

    def _end_ingestions(self) -> None:
        live = self._hub.inventory.tenants
        while self._ending and self._ending[0][0] <= self._hub.now():
            _, ident, ingestion = heapq.heappop(self._ending)
            if ident in live:
                self._hub.finish_ingestion(ident, ingestion, self._rng.choice(_ENDS))

    def _change_tenants(self, ids: list[str]) -> None:
        for ident in self._some(ids, 500):
            self._hub.remove_tenant(ident)
            self._give_past(self._hub.add_tenant())
            self._changes["tenants"] += 1
        left = [ident for ident in ids if ident in self._hub.inventory.tenants]
        for ident in self._some(left, 200):
            self._hub.rotate(ident)
            self._hub.rename(ident, f"Renamed {self._minute}")
            self._changes["secrets"] += 1

    def _break(self, ids: list[str]) -> None:
        """Faults for some tenants, of all kinds in turn; once an hour one for the account, and all tokens expire."""
        rng, now = self._rng, self._hub.now()
        for ident in self._some([one for one in ids if one in self._hub.inventory.tenants], 50):
            self._add_fault(rng.choice(self._kinds), now + rng.uniform(1, 10) * MINUTE, tenant_id=ident)
        if self._minute % 60 == 0:
            self._add_fault(rng.choice(("server_error", "reset", "hang")), now + 3 * MINUTE, endpoint="/tenants")
            self._hub.faults.add(Fault("expired_token", times=1))

    def _add_fault(self, kind: str, until: float, **where: Any) -> None:
        self._hub.faults.add(Fault(kind, until=until, size=_SIZES.get(kind, _BOMB), status=_status(kind), **where))
        self._changes["faults"] += 1


def _status(kind: str) -> int | None:
    return 418 if kind == "status" else None


def soak(
    tenants: int,
    hours: float,
    *,
    sockets: bool = True,
    by_id: bool = False,
    seed: int = 1,
    most_seconds: float = float("inf"),
    told: Callable[[Measured], None] = lambda _: None,
) -> Outcome:
    """Live through so many simulated hours, or for `most_seconds` of real time; `told` gets each measurement.

    With `by_id`, the API lists unfinished ingestions only, so that the exporter gets each ended one by its id.
    """
    plan = _Plan(tenants, hours, seed, sockets, by_id, time.monotonic() + most_seconds, told)
    return run_virtual(_soak(plan))


@dataclass(frozen=True)
class _Plan:
    """What a soak is to do. `until` is the real time at which it stops early, in monotonic seconds."""

    tenants: int
    hours: float
    seed: int
    sockets: bool
    by_id: bool
    until: float
    told: Callable[[Measured], None]

    def hub(self, clock: Clock) -> Simulator:
        """The simulated API."""
        listed = not self.by_id
        return Simulator(
            seed=self.seed, tenants=self.tenants, now=clock.now, stories=[], lists_finished=listed, token_lifetime=900
        )


async def _soak(plan: _Plan) -> Outcome:
    clock, outcome = virtual_clock(), Outcome()
    hub = plan.hub(clock)
    life, ledger = Life(hub, plan.seed, outcome.changes, by_id=plan.by_id), Ledger(hub)
    async with _opened(hub, clock, sockets=plan.sockets) as (exporter, scrape):
        ledger.watch(exporter, clock)
        begun = clock.now()
        while clock.now() < begun + plan.hours * HOUR and time.monotonic() < plan.until:
            life.minute()
            await scrape()
            await clock.sleep(MINUTE)
            if (clock.now() - begun) % _EVERY < MINUTE:
                ledger.update(clock.now())
                _forget_expired_tokens(hub)
                outcome.measured.append(_measure(clock.now() - begun))
                plan.told(outcome.measured[-1])
        life.calm()
        await clock.sleep(_CALM)
        ledger.update(clock.now())
        _compare(await scrape(), ledger, outcome)
    outcome.requests = sum(hub.counts.values())
    return outcome


@asynccontextmanager
async def _opened(hub: Simulator, clock: Clock, *, sockets: bool) -> AsyncIterator[tuple[Exporter, Callable[[], Any]]]:
    """An exporter that polls the simulator, and a function that scrapes it."""
    if sockets:
        # aiohttp reads a clock of its own to close idle connections.
        with patch("aiohttp.connector.monotonic", clock.monotonic):
            async with _served(hub, clock) as (exporter, scrape):
                yield exporter, scrape
        return
    settings = _settings(hub, "http://127.0.0.1:1")
    transport = SimulatedTransport(hub, clock)
    transport.sent = deque(maxlen=0)  # type: ignore[assignment]
    exporter = Exporter(settings, transport, clock)  # type: ignore[arg-type]

    async def read() -> str:
        return b"".join(exporter.page(openmetrics=False)).decode()

    async with _polling(exporter):
        yield exporter, read


@asynccontextmanager
async def _served(hub: Simulator, clock: Clock) -> AsyncIterator[tuple[Exporter, Callable[[], Any]]]:
    """As `_opened`, over sockets."""
    async with (
        serve(hub) as url,
        open_exporter(_settings(hub, url), clock) as exporter,
        _polling(exporter),
        _page_of(exporter) as scrape,
    ):
        yield exporter, scrape


def _settings(hub: Simulator, url: str) -> Settings:
    flags = {"api.url": url, "api.rate_limit": "1000", "api.max_response_bytes": str(_MOST_BYTES)}
    return load(flags, {"KIMONO_API_KEY": hub.api_key})


@asynccontextmanager
async def _polling(exporter: Exporter) -> AsyncIterator[None]:
    polling = asyncio.create_task(exporter.poller.run())
    try:
        yield
    finally:
        polling.cancel()
        await asyncio.wait([polling])
        gc.unfreeze()


@asynccontextmanager
async def _page_of(exporter: Exporter) -> AsyncIterator[Callable[[], Any]]:
    """Serve the page; yields a function that scrapes it."""
    running = await start(create_app(exporter), "127.0.0.1", 0, None)
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def scrape() -> str:
            async with session.get(running.addresses[0] + "/metrics") as response:
                return await response.text()

        yield scrape
    await running.stop()


def _forget_expired_tokens(hub: Simulator) -> None:
    """The simulator keeps expired tokens for long, and its memory is not what is measured."""
    tokens, now = hub._authenticator._tokens, hub.now()
    for token in [token for token, issued in tokens.items() if issued.expires <= now]:
        del tokens[token]


def _measure(at: float) -> Measured:
    process = psutil.Process()
    # Objects that the exporter has exempted from garbage collection are not in the list.
    objects = len(gc.get_objects()) + gc.get_freeze_count()
    return Measured(at, process.memory_info().rss, objects, len(asyncio.all_tasks()), process.num_fds())


def _compare(page: str, ledger: Ledger, outcome: Outcome) -> None:
    """Compare the counters of ends with the simulator's ledger."""
    until: dict[str, float] = {}
    counted: dict[tuple[str, str, str], int] = {}
    for name, labels, value in _samples(page):
        if name == _FINISHED and value:
            counted[labels["tenant_id"], labels["ingestion_type"], labels["state"]] = int(value)
        if name == _LAST_SUCCESS and labels["collector"] == "ingestions":
            until[labels["tenant_id"]] = value
    true = ledger.true_counts(until)
    outcome.ends = sum(true.values())
    for key in sorted(true.keys() | counted.keys()):
        if counted.get(key, 0) != true.get(key, 0):
            outcome.wrong.append((*key, counted.get(key, 0), true.get(key, 0)))


def _samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
