"""Makes things happen around the tenants: to the API, to the exporters, to Prometheus, to the fleet.

`Stage` holds a simulated API and the exporters on it, in virtual time, and makes the kinds of happenings that a single
tenant can't have. What is wrong goes into the same kind of ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from exporter.clock import Clock
from exporter.simulator import Fault, Incident, Simulator, Story
from exporter.simulator.scripted_effects import ALL_EFFECTS
from exporter.simulator.times import DAY
from tests.support.backtest.instances import (
    FLEET_STORIES,
    REPLICA_STORIES,
    SHARD_STORIES,
    SLOW,
    ExporterStory,
    Instance,
)
from tests.support.backtest.scenario import Scenario, ScenarioError, ScriptedStory
from tests.support.backtest.storms import STORMS

FLEET = ""
# Stories that turn schedules off.
TURNED_OFF = ("dormant", "dormant_and_suspended", "holiday")

End = Callable[[], None]


class Stage:
    """The simulated API, the exporters that poll it, and events of more than one tenant.

    `prometheus_up` says whether Prometheus runs, `reachable` whether it gets the pages.
    """

    def __init__(
        self,
        simulator: Simulator,
        clock: Clock,
        flags: Mapping[str, str],
        scenario: Scenario,
        state_folder: Path | None = None,
    ) -> None:
        """With `state_folder`, an empty one, each exporter has a state file there."""
        self.simulator = simulator
        self.clock = clock
        self.reachable = self.prometheus_up = True
        self.happenings: list[ScriptedStory] = []
        self.told: list[Incident] = []
        self.instances = list(_instances(simulator, clock, flags, scenario, state_folder))
        self._ids = [row.id for row in simulator.tenants()]
        self._incidents: list[Incident] = []
        self._open: dict[int, tuple[Incident, End]] = {}
        self._breaking: list[tuple[Incident, ExporterStory]] = []

    def _note_what_is_off(self) -> None:
        """Record tenants whose schedules have always been off; those that a story disabled don't count.

        Looking at a tenant simulates it until now, so stories that begin in the past must be added before.
        """
        for tenant_id in self._ids:
            life = self.simulator.tenant(tenant_id)
            turned_off = any(one.kind in TURNED_OFF for one in self.simulator.active_stories(tenant_id))
            if life.schedules.all and not turned_off and not any(one.enabled for one in life.schedules.all):
                self._incidents.append(Incident("schedules_off", tenant_id, self.clock.now(), None))

    # The exporters

    def start(self) -> None:
        """Start all exporters."""
        for each in self.instances:
            each.start()

    async def stop(self) -> None:
        """Stop all exporters."""
        for each in self.instances:
            await each.stop()

    # The scenario

    def plan(self, stories: list[ScriptedStory]) -> None:
        """Give each story to the simulator, or keep it for `go_on`. Raises ScenarioError for an unknown kind."""
        for story in stories:
            if story.kind in ALL_EFFECTS:
                self.simulator.add_story(Story(story.kind, self._tenant(story), story.begins, story.ends))
                self.told.append(Incident(story.kind, self._tenant(story), story.begins, story.ends))
            elif story.kind in KINDS:
                self.happenings.append(story)
            else:
                raise ScenarioError(f"no story of the kind {story.kind!r}: there are {', '.join(KINDS)}")
            if (story.exporter is not None) != (story.kind in _OF_EXPORTER):
                raise ScenarioError(f"an exporter is named by {', '.join(_OF_EXPORTER)} alone: {story}")
            if story.exporter is not None and not 0 <= story.exporter < len(self.instances):
                raise ScenarioError(f"there are exporters 0 to {len(self.instances) - 1}: {story}")
        self.happenings.sort(key=lambda one: one.begins)
        self._note_what_is_off()

    def _tenant(self, story: ScriptedStory) -> str:
        if story.tenant is None or not 0 <= story.tenant < len(self._ids):
            raise ScenarioError(f"a story of the kind {story.kind!r} needs a tenant from 0 to {len(self._ids) - 1}")
        return self._ids[story.tenant]

    async def go_on(self) -> None:
        """Start and end what is due by now. Called once a minute."""
        now = self.clock.now()
        for each in self.instances:
            each.forget_requests()
        for number in [number for number, (incident, _) in self._open.items() if (incident.until or now) <= now]:
            _, end = self._open.pop(number)
            end()
        for incident, story in list(self._breaking):
            if (incident.until or now) <= now:
                self._breaking.remove((incident, story))
                await story.end()
            else:
                await story.tick()
        while self.happenings and self.happenings[0].begins <= now:
            await self._happen(self.happenings.pop(0))

    async def _happen(self, story: ScriptedStory) -> None:
        tenant_id = self._tenant(story) if story.tenant is not None else FLEET
        if tenant_id and tenant_id not in self.simulator.inventory.tenants:
            return  # it was removed before its story began
        incident = Incident(story.kind, tenant_id, self.clock.now(), story.ends)
        self._incidents.append(incident)
        self.told.append(incident)
        if story.kind in FLEET_STORIES:
            await self._break(incident, FLEET_STORIES[story.kind](self.instances))
        elif story.exporter is not None and story.kind in SHARD_STORIES:
            shard = self.instances[story.exporter].shard
            of_shard = [each for each in self.instances if each.shard == shard]
            await self._break(incident, SHARD_STORIES[story.kind](of_shard))
        elif story.exporter is not None:
            await self._break(incident, REPLICA_STORIES[story.kind]([self.instances[story.exporter]]))
        else:
            end = HAPPENINGS[story.kind](self, tenant_id)
            if end is not None:
                self._open[len(self._incidents)] = (incident, end)

    async def _break(self, incident: Incident, story: ExporterStory) -> None:
        self._breaking.append((incident, story))
        await story.begin()

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
        for each in self.instances:
            each.network(latency=seconds)

    def missed_scrape(self, _: str) -> End:
        """Prometheus does not get the pages."""
        self.reachable = False
        return lambda: setattr(self, "reachable", True)

    def prometheus_down(self, _: str) -> End:
        """Prometheus does not run: no scrape, and no rule is evaluated."""
        self.prometheus_up = False
        return lambda: setattr(self, "prometheus_up", True)

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

    def account_renamed(self, tenant_id: str) -> None:
        """The tenant's account gets another name."""
        account = self.simulator.inventory.tenants[tenant_id].account
        if account is not None:
            account.name = f"{account.name} (renamed)"

    def rotated(self, tenant_id: str) -> None:
        """A tenant gets a new secret; the next list of tenants has it."""
        self.simulator.rotate(tenant_id)


def _instances(
    simulator: Simulator, clock: Clock, flags: Mapping[str, str], scenario: Scenario, folder: Path | None
) -> Iterable[Instance]:
    """The exporters: all replicas of the first shard, then those of the next one."""
    single = scenario.shards * scenario.replicas == 1
    for number in range(scenario.shards * scenario.replicas):
        name = "" if single else f"exporter-{number}:10120"
        state_file = None if folder is None else folder / f"{number}.json"
        shard = number // scenario.replicas
        yield Instance(simulator, clock, flags, name, shard=shard, shards=scenario.shards, state_file=state_file)


def _all(ends: Iterable[End]) -> None:
    for end in ends:
        end()


def _storm(begin: Callable[[Simulator], End]) -> Callable[[Stage, str], End]:
    return lambda stage, _: begin(stage.simulator)


HAPPENINGS: dict[str, Callable[[Stage, str], End | None]] = {
    "unreachable": Stage.unreachable,
    "credentials_rejected": Stage.rejected,
    "api_outage": Stage.api_outage,
    "part_outage": Stage.part_outage,
    "discovery_failing": Stage.discovery,
    "throttled": Stage.throttled,
    "busy_api": Stage.busy_api,
    "slow_api": Stage.slow_api,
    "missed_scrape": Stage.missed_scrape,
    "prometheus_down": Stage.prometheus_down,
    "tenant_added": Stage.added,
    "tenant_removed": Stage.removed,
    "tenant_renamed": Stage.renamed,
    "account_renamed": Stage.account_renamed,
    "secret_rotated": Stage.rotated,
    **{kind: _storm(begin) for kind, begin in STORMS.items()},
}
# Every kind of story.
KINDS = (*ALL_EFFECTS, *HAPPENINGS, *FLEET_STORIES, *SHARD_STORIES, *REPLICA_STORIES)
_OF_EXPORTER = (*SHARD_STORIES, *REPLICA_STORIES)
