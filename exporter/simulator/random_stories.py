"""Makes up stories at random, so that about a tenth of the tenants have an incident at any time."""

from __future__ import annotations

from random import Random

from exporter.simulator.effects import HARMLESS_EFFECTS, INCIDENT_EFFECTS, RANDOM_EFFECTS
from exporter.simulator.inventory import Tenant
from exporter.simulator.stories import Story
from exporter.simulator.times import DAY, HOUR, round_to_ms

# The share of tenants with an incident. The durations and the gap between stories keep it constant.
_INCIDENT_SHARE = 0.1
_INCIDENT_SHORTEST = 6 * HOUR
_INCIDENT_MEAN = 30 * HOUR
_HARMLESS_SHARE = 0.1
_HARMLESS_MEAN = 10 * DAY
_MEAN_GAP = 11 * DAY
# With this many tenants or more, every kind of story is active from the start.
_TENANTS_FOR_EVERY_KIND = 25


class RandomStories:
    """Makes up the stories of a simulation that starts at Unix seconds `start`, from a seed."""

    def __init__(self, seed: int, tenants: int, start: float) -> None:
        self._seed = seed
        self._start = start
        self._initial = _initial_kinds(tenants)
        self._share_of_others = _share_of_others(tenants, len(self._initial))

    def rng(self, tenant: Tenant) -> Random:
        """The random numbers for the stories of one tenant."""
        return Random(f"{self._seed}/{tenant.index}/stories")

    def first(self, tenant: Tenant, rng: Random) -> Story:
        """The first story of a tenant that exists from the start."""
        if tenant.index < len(self._initial):
            kind, hours = self._initial[tenant.index]
            return Story(kind, tenant.id, round_to_ms(self._start - hours * HOUR * rng.uniform(0.9, 1.1)))
        if rng.random() < self._share_of_others:
            begins = self._start - rng.uniform(2, 72) * HOUR
            ends = self._start + rng.expovariate(1 / _INCIDENT_MEAN)
            return _story(rng.choice(list(INCIDENT_EFFECTS)), tenant, begins, ends)
        return self.next(tenant, rng, self._start)

    def next(self, tenant: Tenant, rng: Random, after: float) -> Story:
        """A story that begins later than Unix seconds `after`."""
        begins = after + rng.expovariate(1 / _MEAN_GAP)
        if rng.random() < _HARMLESS_SHARE:
            kind, duration = rng.choice(list(HARMLESS_EFFECTS)), rng.expovariate(1 / _HARMLESS_MEAN)
        else:
            kind = rng.choice(list(INCIDENT_EFFECTS))
            duration = _INCIDENT_SHORTEST + rng.expovariate(1 / _INCIDENT_MEAN)
        return _story(kind, tenant, begins, begins + duration)


def _story(kind: str, tenant: Tenant, begins: float, ends: float) -> Story:
    return Story(kind, tenant.id, round_to_ms(begins), round_to_ms(ends))


def _initial_kinds(tenants: int) -> list[tuple[str, float]]:
    """The stories of the first tenants, each with the hours since it began."""
    hours = {"overdue": 96.0, "failing": 40.0, "suspended": 60.0, "setup": 120.0, "mass_change": 30.0}
    kinds = [(kind, hours.get(kind, 20.0)) for kind in RANDOM_EFFECTS]
    return kinds[: len(kinds) * min(tenants, _TENANTS_FOR_EVERY_KIND) // _TENANTS_FOR_EVERY_KIND]


def _share_of_others(tenants: int, initial: int) -> float:
    """The chance of each other tenant to start with an incident, so that the share of all tenants is right."""
    others = tenants - initial
    return max(0.0, _INCIDENT_SHARE * tenants - len(INCIDENT_EFFECTS)) / others if others > 0 else 0.0
