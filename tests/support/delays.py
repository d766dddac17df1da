"""Measures how long it takes from an event in the hub to the metric that shows it.

The real exporter polls the simulator in virtual time, without sockets. The tenants live some hours of a normal night:
schedules start runs, runs end, and a tenth of the tenants have an incident, as the simulator makes them up. Some events
that are rare are added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from exporter.history import schedules
from exporter.polling.polls import ScheduledPoll
from exporter.simulator import Simulator, Story
from exporter.simulator.schedules import EVERY_DAY
from exporter.thresholds import DAY, HOUR, MINUTE, threshold
from tests.support.simulated_exporter import SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

# Requests a second that one tenant takes with the default intervals, tokens included.
NEEDED = 0.0414
# Requests for the first polls of a tenant, with its token, and for one round of polls.
_FIRST_REQUESTS, _ROUND_REQUESTS = 6, 5.5
# 2026-10-13, a Tuesday, 03:55 UTC: a tenth of the schedules is due at each full hour that follows.
FIRST_HOUR = 4
BEGINS = 1_791_849_600.0 + FIRST_HOUR * HOUR - 5 * MINUTE
KINDS = ("run starts", "run ends", "run stalls", "flag on", "schedule missed", "rollover stuck")
# The last four are added: each happens to one of so many tenants, but not to more than so many.
_TENANTS_FOR_ONE, _MOST_ADDED = 40, 60
_FLAGS = {
    "suspended": "synchronization_suspended",
    "setup": "setup_mode_enabled",
    "mass_change": "mass_change_pending",
}


@dataclass(frozen=True)
class Night:
    """A fleet, its rate limit (requests a second) and strategy, and for how long (seconds) events count."""

    tenants: int
    rate: float
    strategy: str
    lasts: float = 2 * HOUR
    seed: int = 1

    @property
    def warm_up(self) -> float:
        """Seconds until each tenant has been polled once, and most have been twice."""
        return 10 * MINUTE + 1.6 * _FIRST_REQUESTS * self.tenants / self.rate

    @property
    def tail(self) -> float:
        """Seconds in which the last events can still be seen: two rounds of all polls, or a bit more."""
        return 5 * MINUTE + 2.2 * _ROUND_REQUESTS * self.tenants / self.rate

    @property
    def ends(self) -> float:
        """Until when events count, in Unix seconds."""
        return BEGINS + self.lasts


@dataclass
class Outcome:
    """The delays (seconds) by kind of event; infinity for one that no poll has shown. `requests` sent in all."""

    delays: Mapping[str, list[float]]
    requests: int
    lags: Mapping[str, float]

    def quantile(self, kind: str, share: float) -> float:
        """The delay below which this share of the events is."""
        delays = sorted(self.delays[kind])
        return delays[min(len(delays) - 1, math.ceil(share * len(delays)) - 1)] if delays else math.nan

    def unseen(self, kind: str) -> float:
        """The share of the events that no poll has shown."""
        delays = self.delays[kind]
        return sum(map(math.isinf, delays)) / len(delays) if delays else math.nan


def measure(night: Night) -> Outcome:
    """Live through a night, and measure."""
    return run_virtual(_measure(night))


async def _measure(night: Night) -> Outcome:
    start = BEGINS - night.warm_up
    flags = {
        "api.rate_limit": f"{night.rate:g}",
        # Polls that are under way wait for the rate limit: for a second, as at the default rate limit.
        "api.concurrency": f"{max(1, min(20, round(night.rate)))}",
        "polling.strategy": night.strategy,
    }
    simulated = {"tenants": night.tenants, "seed": night.seed}
    async with running_exporter(flags, start=start, **simulated) as run:
        watch = _Watch(run, night)
        end, sent = night.ends + night.tail, 0
        while run.clock.now() < end:
            await run.clock.sleep(10 * MINUTE)
            sent += len(run.transport.sent)
            run.transport.sent.clear()
        return Outcome(watch.delays(), sent, run.exporter.poller.scheduler.lags())


@dataclass
class _Added:
    """An event that was added, at Unix seconds `at`; `seen` is when a poll showed it, `flag` the flag that shows it."""

    kind: str
    at: float
    flag: str = ""
    seen: float = math.inf


@dataclass
class _Watch:
    """Adds events, and notes which poll shows each of them first."""

    run: SimulatedExporter
    night: Night
    added: dict[str, list[_Added]] = field(default_factory=dict)
    started: dict[tuple[str, str], float] = field(default_factory=dict)
    ended: dict[tuple[str, str], float] = field(default_factory=dict)
    missed: dict[tuple[str, float], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add_events(self.run.simulator)
        scheduler = self.run.exporter.poller.scheduler
        # It is called once the page shows what the poll has found.
        finish = scheduler.finish
        scheduler.finish = partial(self._finished, finish)  # type: ignore[method-assign]  # looks at each poll

    def _add_events(self, simulator: Simulator) -> None:
        rng = Random(self.night.seed)  # noqa: S311 - repeatable numbers, no secrets
        ids = [row.id for row in simulator.tenants()]
        rng.shuffle(ids)
        for kind in KINDS[2:]:
            for _ in range(min(_MOST_ADDED, self.night.tenants // _TENANTS_FOR_ONE)):
                tenant_id, event = ids.pop(), _Added(kind, rng.uniform(BEGINS, self.night.ends))
                _add(simulator, tenant_id, event, rng, self._due_hour(rng))
                self.added.setdefault(tenant_id, []).append(event)

    def _due_hour(self, rng: Random) -> int:
        """One of the full hours (UTC) of the night."""
        return FIRST_HOUR + rng.randrange(round(self.night.lasts / HOUR))

    def _finished(self, finish: Callable[[ScheduledPoll], None], poll: ScheduledPoll) -> None:
        finish(poll)
        ident, name, now = poll.state.id, poll.schedule.name, self.run.clock.now()
        history = poll.state.history
        if name == "ingestions":
            for key in history.ingestions.seen:
                self.started.setdefault((ident, key), now)
            for key in history.ingestions.ended:
                self.ended.setdefault((ident, key), now)
        if name == "schedules":
            for due in schedules.missed(history.schedules, now).values():
                self.missed.setdefault((ident, due), now)
        for event in self.added.get(ident, ()):
            on = event.flag and history.state.flags.get(event.flag) and name == "state"
            stalled = name == "ingestions" and event.kind == "run stalls" and history.ingestions.running
            if now >= event.at and (on or stalled):
                event.seen = min(event.seen, now)

    def delays(self) -> Mapping[str, list[float]]:
        """The delays of all events that count, by kind."""
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for kind, delay in self._delays():
            found[kind].append(delay)
        return found

    def _counts(self, at: float | None) -> bool:
        return at is not None and BEGINS <= at < self.night.ends

    def _delays(self) -> Iterator[tuple[str, float]]:
        simulator = self.run.simulator
        for row in simulator.tenants():
            for each in simulator.tenant(row.id).ingestions.by_id.values():
                key = (row.id, each.id)
                if self._counts(each.created_at):
                    yield "run starts", self.started.get(key, math.inf) - each.created_at
                if each.ended_at is not None and self._counts(each.ended_at) and each.created_at < each.ended_at:
                    seen = self.ended.get(key, math.inf) if key in self.started else math.inf
                    yield "run ends", seen - each.ended_at
        for incident in simulator.incidents:
            if incident.kind == "overdue" and self._counts(incident.since):
                seen = self.missed.get((incident.tenant_id, incident.since), math.inf)
                yield "schedule missed", seen - incident.since
        for tenant_id, events in self.added.items():
            for event in (each for each in events if each.kind != "schedule missed"):
                # A story that the simulator has made up may have ended it.
                if not event.flag or simulator.tenant(tenant_id).flags[event.flag]:
                    yield event.kind, event.seen - event.at


def _add(simulator: Simulator, tenant_id: str, event: _Added, rng: Random, due_hour: int) -> None:
    """Let an event happen to a tenant."""
    tenant = simulator.tenant(tenant_id)
    if event.kind == "run stalls":
        simulator.add_story(Story("stalled", tenant_id, event.at - threshold("ingestion_stalled")))
    elif event.kind == "flag on":
        story = rng.choice(sorted(_FLAGS))
        event.flag = _FLAGS[story]
        simulator.add_story(Story(story, tenant_id, event.at))
    elif event.kind == "schedule missed":
        schedule = tenant.schedules.enabled_or_new()
        tenant.schedules.set_days(schedule, None, EVERY_DAY)
        tenant.schedules.set_hour(schedule, due_hour)
        simulator.add_story(Story("overdue", tenant_id, BEGINS - DAY / 2))
    else:
        event.flag = "rollover_mode_enabled"
        tenant.rollovers.plan(event.at - 5 * DAY, event.at).ends_by_itself = False
