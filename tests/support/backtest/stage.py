"""Makes things happen around the tenants: to the API, to the exporter, to the fleet.

`Stage` holds a simulated API and a real exporter on it, in virtual time, and makes the kinds of happenings that a
single life can't have. What is wrong goes into the same kind of ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from exporter.assembly import Exporter
from exporter.clock import Clock
from exporter.settings import load
from exporter.simulator import Fault, Incident, Simulator, Story
from exporter.simulator.scripted_effects import ALL_EFFECTS
from exporter.simulator.times import DAY
from tests.support.backtest.scenario import ScenarioError, ScriptedStory
from tests.support.simulated_exporter import SimulatedTransport

# Seconds that a request takes while the API is slow; it would time out after 30.
SLOW = 28.0
# The share of runs that a broken hub spoils.
SPOILT = 0.9
FLEET = ""
# Stories that turn schedules off.
TURNED_OFF = ("dormant", "holiday")

End = Callable[[], None]


class Stage:
    """The simulated API, the exporter that polls it (unless it is down), and events of more than one tenant."""

    def __init__(self, simulator: Simulator, clock: Clock, flags: Mapping[str, str]) -> None:
        self.simulator = simulator
        self.clock = clock
        self.exporter: Exporter | None = None
        self.reachable = True
        self.happenings: list[ScriptedStory] = []
        self._ids = [row.id for row in simulator.tenants()]
        self._flags = flags
        self._latency = 0.0
        self._transport: SimulatedTransport | None = None
        self._polling: asyncio.Task[None] | None = None
        self._incidents: list[Incident] = []
        self._open: dict[int, tuple[Incident, End]] = {}

    def _note_what_is_off(self) -> None:
        """Record tenants whose schedules have always been off; those that a story disabled don't count.

        Looking at a tenant simulates it until now, so stories that begin in the past must be added before.
        """
        for tenant_id in self._ids:
            life = self.simulator.tenant(tenant_id)
            turned_off = any(one.kind in TURNED_OFF for one in self.simulator.active_stories(tenant_id))
            if life.schedules.all and not turned_off and not any(one.enabled for one in life.schedules.all):
                self._incidents.append(Incident("schedules_off", tenant_id, self.clock.now(), None))

    # The exporter

    def start(self) -> None:
        """Start the exporter, as a new process that knows nothing."""
        settings = load({"api.url": "http://127.0.0.1:1", **self._flags}, {"KIMONO_API_KEY": self.simulator.api_key})
        self._transport = SimulatedTransport(self.simulator, self.clock)
        self._transport.latency = self._latency
        self.exporter = Exporter(settings, self._transport, self.clock)
        self._polling = asyncio.create_task(self.exporter.poller.run())

    async def stop(self) -> None:
        """End the process."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])
        self.exporter = self._polling = self._transport = None

    # The scenario

    def plan(self, stories: list[ScriptedStory]) -> None:
        """Give each story to the simulator, or keep it for `go_on`. Raises ScenarioError for an unknown kind."""
        for story in stories:
            if story.kind in ALL_EFFECTS:
                self.simulator.add_story(Story(story.kind, self._tenant(story), story.begins, story.ends))
            elif story.kind in HAPPENINGS:
                self.happenings.append(story)
            else:
                raise ScenarioError(
                    f"no story of the kind {story.kind!r}: there are {', '.join([*ALL_EFFECTS, *HAPPENINGS])}"
                )
        self.happenings.sort(key=lambda one: one.begins)
        self._note_what_is_off()

    def _tenant(self, story: ScriptedStory) -> str:
        if story.tenant is None or not 0 <= story.tenant < len(self._ids):
            raise ScenarioError(f"a story of the kind {story.kind!r} needs a tenant from 0 to {len(self._ids) - 1}")
        return self._ids[story.tenant]

    async def go_on(self) -> None:
        """Start and end what is due by now."""
        now = self.clock.now()
        if self._transport is not None:
            self._transport.sent.clear()  # would grow for months
        for number in [number for number, (incident, _) in self._open.items() if (incident.until or now) <= now]:
            _, end = self._open.pop(number)
            end()
        while self.happenings and self.happenings[0].begins <= now:
            await self._happen(self.happenings.pop(0))

    async def _happen(self, story: ScriptedStory) -> None:
        begin = HAPPENINGS[story.kind]
        tenant_id = self._tenant(story) if story.tenant is not None else FLEET
        if tenant_id and tenant_id not in self.simulator.inventory.tenants:
            return  # it was removed before its story began
        if story.kind in ("exporter_down", "exporter_restart"):
            await self.stop()
        end = begin(self, tenant_id)
        incident = Incident(story.kind, tenant_id, self.clock.now(), story.ends)
        self._incidents.append(incident)
        if end is not None:
            self._open[len(self._incidents)] = (incident, end)

    def ledger(self) -> list[Incident]:
        """All incidents and harmless events, by their start."""
        return sorted([*self.simulator.incidents, *self._incidents], key=lambda one: one.since)

    # Incidents and events with a length. Each starts now, and returns the function that ends it.

    def fault(self, fault: Fault) -> End:
        """Break a part of the API."""
        return self.simulator.faults.add(fault).remove

    def unreachable(self, tenant_id: str) -> End:
        """The API answers every request for this tenant with 500."""
        return self.fault(Fault("server_error", tenant_id=tenant_id))

    def rejected(self, tenant_id: str) -> End:
        """The tenant's secret is rejected, and the list of tenants has no other."""
        return self.fault(Fault("revoked_secret", tenant_id=tenant_id))

    def api_outage(self, _: str) -> End:
        """Every request gets a 503."""
        return self.fault(Fault("unavailable"))

    def part_outage(self, _: str) -> End:
        """A third of the fleet can't be reached, and the list of tenants can."""
        ends = [self.unreachable(row.id) for row in self.simulator.tenants()[::3]]
        return lambda: _all(ends)

    def fleet_failing(self, _: str) -> End:
        """The hub spoils nine of ten runs; when it is fixed, it repeats the failed ones."""
        self._spoil(SPOILT)
        return self._fix

    def _spoil(self, share: float) -> None:
        for row in self.simulator.tenants():
            self.simulator.tenant(row.id).ingestions.hub_failure_rate = share

    def _fix(self) -> None:
        self._spoil(0.0)
        for row in self.simulator.tenants():
            self.simulator.tenant(row.id).ingestions.rerun_failed(self.clock.now())

    def discovery(self, _: str) -> End:
        """The list of tenants is broken, and nothing else."""
        return self.fault(Fault("html", endpoint="/tenants"))

    def throttled(self, _: str) -> End:
        """Every second request is refused with 429, without `Retry-After`."""
        return self.fault(Fault("throttle", every=2))

    def busy_api(self, _: str) -> End:
        """Now and then a request is refused with 429, and is welcome five seconds later."""
        return self.fault(Fault("throttle", every=40, retry_after=5))

    def slow_api(self, _: str) -> End:
        """Every request takes half a minute."""
        self._set_latency(SLOW)
        return lambda: self._set_latency(0.0)

    def _set_latency(self, seconds: float) -> None:
        self._latency = seconds
        if self._transport is not None:
            self._transport.latency = seconds

    def missed_scrape(self, _: str) -> End:
        """Prometheus does not get the page."""
        self.reachable = False
        return lambda: setattr(self, "reachable", True)

    def down(self, _: str) -> End:
        """The exporter has been stopped, and is started again at the end."""
        return self.start

    # Events without a length

    def added(self, _: str) -> None:
        """A tenant arrives, and its first load begins, which takes half a day."""
        tenant_id = self.simulator.add_tenant()
        now = self.clock.now()
        self.simulator.add_story(Story("long_load", tenant_id, now, now + DAY / 2))

    def removed(self, tenant_id: str) -> None:
        """A tenant is removed, and its incidents end."""
        self.simulator.remove_tenant(tenant_id)
        for incident, _ in self._open.values():
            if incident.tenant_id == tenant_id:
                incident.until = self.clock.now()

    def renamed(self, tenant_id: str) -> None:
        """A tenant gets another name."""
        name = self.simulator.inventory.tenants[tenant_id].name
        self.simulator.rename(tenant_id, f"{name} (renamed)")

    def rotated(self, tenant_id: str) -> None:
        """A tenant gets a new secret; the next list of tenants has it."""
        self.simulator.rotate(tenant_id)


def _all(ends: Iterable[End]) -> None:
    for end in ends:
        end()


HAPPENINGS: dict[str, Callable[[Stage, str], End | None]] = {
    "unreachable": Stage.unreachable,
    "credentials_rejected": Stage.rejected,
    "api_outage": Stage.api_outage,
    "part_outage": Stage.part_outage,
    "fleet_failing": Stage.fleet_failing,
    "discovery_failing": Stage.discovery,
    "throttled": Stage.throttled,
    "busy_api": Stage.busy_api,
    "slow_api": Stage.slow_api,
    "exporter_down": Stage.down,
    "exporter_restart": Stage.down,
    "missed_scrape": Stage.missed_scrape,
    "tenant_added": Stage.added,
    "tenant_removed": Stage.removed,
    "tenant_renamed": Stage.renamed,
    "secret_rotated": Stage.rotated,
}
