"""Simulates what is behind the API over time: tenants, stories and incidents, on one injected clock.

A simulated tenant is made at its first look-up and advanced at each later one. The result does not depend on
when a tenant is looked up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from random import Random

from exporter.simulator.effects import StoryEffect
from exporter.simulator.incidents import Incident, IncidentLog
from exporter.simulator.ingestions import OTHER_TYPES
from exporter.simulator.inventory import Inventory, Tenant
from exporter.simulator.random_stories import RandomStories
from exporter.simulator.scripted_effects import ALL_EFFECTS
from exporter.simulator.stories import Story
from exporter.simulator.tenant import WARM_UP, SimulatedTenant

# Every so many of the first tenants have an unfinished ingestion at the start.
_UNFINISHED_AT_START = 4


class Simulation:
    """The tenants, what happens to them, and their incidents.

    If `stories` is None, stories are made up. A list gives exactly those stories, of known tenants; it may be empty.
    """

    def __init__(self, seed: int, tenants: int, now: Callable[[], float], stories: Iterable[Story] | None) -> None:
        self._seed = seed
        self._clock = now
        self._start = self.now()
        self._tenants: dict[str, SimulatedTenant] = {}
        self._effects: dict[str, list[tuple[Story, StoryEffect]]] = {}
        self._incidents = IncidentLog()
        self.inventory = Inventory(seed, tenants, self._start)
        self._random_stories = RandomStories(seed, tenants, self._start) if stories is None else None
        for story in stories or ():
            self.add_story(story)

    def now(self) -> float:
        """Unix seconds, to the millisecond."""
        # Rounded down: a moment that is rounded up would be in the future.
        return math.floor(self._clock() * 1000) / 1000

    def tenant(self, tenant_id: str) -> SimulatedTenant:
        """A tenant as it is now; KeyError if there is no such tenant."""
        tenant = self._get_or_make(tenant_id)
        tenant.events.advance(self.now())
        return tenant

    def incidents(self) -> tuple[Incident, ...]:
        """All incidents up to now, the oldest first."""
        for tenant_id in list(self.inventory.tenants):
            self.tenant(tenant_id)
        return self._incidents.entries()

    # Stories

    def active_stories(self, tenant_id: str) -> list[Story]:
        """The stories that have begun and not ended; KeyError if there is no such tenant."""
        self.tenant(tenant_id)
        return [story for story, effect in self._effects.get(tenant_id, ()) if effect.active]

    def add_story(self, story: Story) -> None:
        """Add a story, which may begin and end in the past or in the future.

        ValueError for an unknown kind, KeyError for an unknown tenant.
        """
        if story.kind not in ALL_EFFECTS:
            raise ValueError(f"unknown kind of story {story.kind!r}: the kinds are {', '.join(ALL_EFFECTS)}")
        tenant = self._get_or_make(story.tenant_id)
        effect = self._add_effect(story, tenant)
        tenant.events.add(story.begins, partial(self._begin, effect))
        if story.ends is not None:
            tenant.events.add(story.ends, partial(self._end, story, effect))

    def begin_story(self, kind: str, tenant_id: str, ago: float = 0.0) -> Story:
        """Begin a story now. Its times are those of a story that began `ago` seconds earlier.

        ValueError if the kind is unknown, or already active for this tenant.
        """
        if kind not in ALL_EFFECTS:
            raise ValueError(f"unknown kind of story {kind!r}: the kinds are {', '.join(ALL_EFFECTS)}")
        if any(story.kind == kind for story in self.active_stories(tenant_id)):
            raise ValueError(f"a story of the kind {kind!r} is already active for this tenant")
        story = Story(kind, tenant_id, self.now() - ago)
        self._begin(self._add_effect(story, self.tenant(tenant_id)), story.begins)
        return story

    def _add_effect(self, story: Story, tenant: SimulatedTenant) -> StoryEffect:
        effect = ALL_EFFECTS[story.kind](tenant, story.kind)
        self._effects.setdefault(story.tenant_id, []).append((story, effect))
        return effect

    def end_story(self, story: Story) -> None:
        """End a story now; KeyError if it is not active."""
        self.tenant(story.tenant_id)
        for known, effect in self._effects.get(story.tenant_id, ()):
            if known is story and effect.active:
                self._end(story, effect, self.now())
                return
        raise KeyError(f"this story is not active: {story}")

    def _begin(self, effect: StoryEffect, at: float) -> None:
        effect.active = True
        effect.begin(at)

    def _end(self, story: Story, effect: StoryEffect, at: float) -> None:
        if not effect.active:
            return
        effect.active = False
        effect.end(at)
        story.ends = at
        self._effects[story.tenant_id] = [pair for pair in self._effects[story.tenant_id] if pair[1] is not effect]

    # Tenants

    def add_tenant(self, name: str | None) -> Tenant:
        """Add a tenant now, with a made-up name if `name` is None."""
        return self.inventory.add(self.now(), name)

    def remove_tenant(self, tenant_id: str) -> Tenant:
        """Remove a tenant and end its incidents; KeyError if there is none."""
        self.tenant(tenant_id)
        self._incidents.end_all(tenant_id, self.now())
        del self._tenants[tenant_id]
        self._effects.pop(tenant_id, None)
        return self.inventory.tenants.pop(tenant_id)

    def _get_or_make(self, tenant_id: str) -> SimulatedTenant:
        return self._tenants.get(tenant_id) or self._make(self.inventory.tenants[tenant_id])

    def _make(self, info: Tenant) -> SimulatedTenant:
        is_initial = info.created_at < self._start
        start = self._start - WARM_UP if is_initial else info.created_at
        tenant = SimulatedTenant(info, Random(f"{self._seed}/{info.index}"), start, self._incidents)
        self._tenants[info.id] = tenant
        if is_initial and info.index % _UNFINISHED_AT_START == 0:
            kind = OTHER_TYPES[info.index // _UNFINISHED_AT_START % len(OTHER_TYPES)]
            moment = self._start - tenant.rng.uniform(0, 15) * 60
            tenant.events.add(moment, partial(tenant.ingestions.start_if_idle, kind))
        if self._random_stories is not None:
            self._add_first_story(self._random_stories, info, is_initial=is_initial)
        return tenant

    def _add_first_story(self, stories: RandomStories, info: Tenant, *, is_initial: bool) -> None:
        rng = stories.rng(info)
        first = stories.first(info, rng) if is_initial else stories.next(info, rng, info.created_at)
        self._add_random_story(stories, first, info, rng)

    def _add_random_story(self, stories: RandomStories, story: Story, info: Tenant, rng: Random) -> None:
        """Add a story, and the next one when it ends."""
        self.add_story(story)
        if story.ends is None:
            return

        def add_next(at: float) -> None:
            self._add_random_story(stories, stories.next(info, rng, at), info, rng)

        self._tenants[info.id].events.add(story.ends, add_next)
