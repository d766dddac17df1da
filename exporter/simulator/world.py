"""How does the simulated world go on?

The fleet, each tenant's life, the stories, and the ledger, on one injected clock. A life is made when it is
first looked at, and moves on when it is looked at again; what happens does not depend on who looks when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from random import Random

from exporter.simulator.fleet import DAY, Fleet, Tenant, whole_ms
from exporter.simulator.ledger import Incident, Ledger
from exporter.simulator.life import HOUR, OTHER_TYPES, WARM_UP, Life
from exporter.simulator.oddities import TOLD
from exporter.simulator.stories import HARMLESS, PLOTS, UNHEALTHY, Plot, Story

# The share of tenants with something wrong, and what keeps it there: how long it lasts, and the time between.
_UNHEALTHY_SHARE = 0.1
_UNHEALTHY_SHORTEST = 6 * HOUR
_UNHEALTHY_MEAN = 30 * HOUR
_HARMLESS_SHARE = 0.1
_HARMLESS_MEAN = 10 * DAY
_MEAN_GAP = 11 * DAY
# In a fleet of this size or larger every kind of story is being told from the start.
_FULL_SHOW = 25
# Every so many of the first tenants have something running when the world begins.
_BUSY_AT_FIRST = 4


class World:
    """Who lives, what happens to them, and what is wrong.

    `stories` None makes them up; a list (of known tenants, an empty one too) tells exactly those.
    """

    def __init__(self, seed: int, tenants: int, now: Callable[[], float], stories: Iterable[Story] | None) -> None:
        self._seed = seed
        self._clock = now
        self._born = self.now()
        self._lives: dict[str, Life] = {}
        self._plots: dict[str, list[tuple[Story, Plot]]] = {}
        self._ledger = Ledger()
        self.fleet = Fleet(seed, tenants, self._born)
        self._makes_up = stories is None
        self._show = _showcase(tenants)
        self._share = _share_of_the_rest(tenants, len(self._show))
        for story in stories or ():
            self.tell(story)

    def now(self) -> float:
        """Unix seconds, to the millisecond."""
        # Rounded down: a rounded moment later than the clock's would not have come yet.
        return math.floor(self._clock() * 1000) / 1000

    def life(self, tenant_id: str) -> Life:
        """The life of a tenant as it is now; KeyError if there is no such tenant."""
        life = self._lives.get(tenant_id) or self._start(self.fleet.tenants[tenant_id])
        life.advance(self.now())
        return life

    def ledger(self) -> tuple[Incident, ...]:
        """All incidents up to now, the oldest first."""
        for tenant_id in list(self.fleet.tenants):
            self.life(tenant_id)
        return self._ledger.entries()

    # Stories

    def stories(self, tenant_id: str) -> list[Story]:
        """The stories that are being told of a tenant now; KeyError if there is no such tenant."""
        self.life(tenant_id)
        return [story for story, plot in self._plots.get(tenant_id, ()) if plot.running]

    def tell(self, story: Story) -> None:
        """Tell a story that may begin and end in the past or in the future.

        ValueError for a kind that does not exist, KeyError for a tenant that does not.
        """
        if story.kind not in TOLD:
            raise ValueError(f"no story of the kind {story.kind!r}: there are {', '.join(TOLD)}")
        life = self._lives.get(story.tenant_id) or self._start(self.fleet.tenants[story.tenant_id])
        plot = TOLD[story.kind](life, story.kind)
        self._plots.setdefault(story.tenant_id, []).append((story, plot))
        life.at(story.begins, partial(self._begin, plot))
        if story.ends is not None:
            life.at(story.ends, partial(self._end, story, plot))

    def begin(self, kind: str, tenant_id: str) -> Story:
        """Begin a story now. ValueError if the kind does not exist, or is being told of that tenant already."""
        if any(story.kind == kind for story in self.stories(tenant_id)):
            raise ValueError(f"a story of the kind {kind!r} is being told of this tenant already")
        story = Story(kind, tenant_id, self.now())
        self.tell(story)
        self.life(tenant_id)
        return story

    def end(self, story: Story) -> None:
        """End a story now; KeyError if it is not being told."""
        self.life(story.tenant_id)
        for told, plot in self._plots.get(story.tenant_id, ()):
            if told is story and plot.running:
                self._end(story, plot, self.now())
                return
        raise KeyError(f"no such story is being told: {story}")

    def _begin(self, plot: Plot, at: float) -> None:
        plot.running = True
        plot.begin(at)

    def _end(self, story: Story, plot: Plot, at: float) -> None:
        if not plot.running:
            return
        plot.running = False
        plot.end(at)
        story.ends = at
        self._plots[story.tenant_id] = [pair for pair in self._plots[story.tenant_id] if pair[1] is not plot]

    # Coming and going

    def add(self, name: str | None) -> Tenant:
        """Let a tenant arrive now."""
        return self.fleet.add(self.now(), name)

    def remove(self, tenant_id: str) -> Tenant:
        """Let a tenant go; KeyError if there is none."""
        self.life(tenant_id)
        self._ledger.close_all(tenant_id, self.now())
        del self._lives[tenant_id]
        self._plots.pop(tenant_id, None)
        return self.fleet.tenants.pop(tenant_id)

    def _start(self, tenant: Tenant) -> Life:
        arrived_with_the_world = tenant.created_at < self._born
        born = self._born - WARM_UP if arrived_with_the_world else tenant.created_at
        life = Life(tenant, Random(f"{self._seed}/{tenant.index}"), born, self._ledger)
        self._lives[tenant.id] = life
        if arrived_with_the_world and tenant.index % _BUSY_AT_FIRST == 0:
            kind = OTHER_TYPES[tenant.index // _BUSY_AT_FIRST % len(OTHER_TYPES)]
            life.at(self._born - life.rng.uniform(0, 15) * 60, partial(life.run_if_idle, kind))
        if self._makes_up:
            rng = Random(f"{self._seed}/{tenant.index}/stories")
            if arrived_with_the_world:
                self._first_story(tenant, rng)
            else:
                self._next_story(tenant, rng, tenant.created_at)
        return life

    def _first_story(self, tenant: Tenant, rng: Random) -> None:
        if tenant.index < len(self._show):
            kind, hours = self._show[tenant.index]
            self.tell(Story(kind, tenant.id, whole_ms(self._born - hours * HOUR * rng.uniform(0.9, 1.1))))
        elif rng.random() < self._share:
            begins = self._born - rng.uniform(2, 72) * HOUR
            ends = self._born + rng.expovariate(1 / _UNHEALTHY_MEAN)
            self._make_up(tenant, rng, Story(rng.choice(list(UNHEALTHY)), tenant.id, whole_ms(begins), whole_ms(ends)))
        else:
            self._next_story(tenant, rng, self._born)

    def _next_story(self, tenant: Tenant, rng: Random, after: float) -> None:
        begins = after + rng.expovariate(1 / _MEAN_GAP)
        if rng.random() < _HARMLESS_SHARE:
            kind, lasts = rng.choice(list(HARMLESS)), rng.expovariate(1 / _HARMLESS_MEAN)
        else:
            kind, lasts = rng.choice(list(UNHEALTHY)), _UNHEALTHY_SHORTEST + rng.expovariate(1 / _UNHEALTHY_MEAN)
        self._make_up(tenant, rng, Story(kind, tenant.id, whole_ms(begins), whole_ms(begins + lasts)))

    def _make_up(self, tenant: Tenant, rng: Random, story: Story) -> None:
        """Tell a story, and when it is over, think of the next."""
        self.tell(story)
        if story.ends is not None:
            self._lives[story.tenant_id].at(story.ends, partial(self._next_story, tenant, rng))


def _showcase(tenants: int) -> list[tuple[str, float]]:
    """Which story the first tenants are in from the start, and for how many hours it has been going on."""
    hours = {"overdue": 96.0, "failing": 40.0, "suspended": 60.0, "setup": 120.0, "mass_change": 30.0}
    kinds = [(kind, hours.get(kind, 20.0)) for kind in PLOTS]
    return kinds[: len(kinds) * min(tenants, _FULL_SHOW) // _FULL_SHOW]


def _share_of_the_rest(tenants: int, shown: int) -> float:
    """The chance of the others to begin in trouble, so that a large fleet has its share of it as a whole."""
    rest = tenants - shown
    return max(0.0, _UNHEALTHY_SHARE * tenants - len(UNHEALTHY)) / rest if rest > 0 else 0.0
