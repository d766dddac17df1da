"""Collects the flags of a tenant: `GET /tenant/state`. Every boolean of the reply is a flag, new ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from exporter.api.client import Api
from exporter.api.models import STATE_FLAGS, State
from exporter.collectors.collector import Collector, Poll
from exporter.history import History, flags, schedules
from exporter.history.bounds import in_order
from exporter.metrics import Family, Sample, polled

STATE = polled(
    "kimono_tenant_state",
    "Whether a flag of the tenant is on: 1 or 0 for each boolean in its state, under the field's own name.",
    *("tenant_id", "flag"),
)


class StateCollector(Collector[State]):
    """The tenant's flags."""

    name = "state"
    description = "Flags of the tenant (suspended, rollover, setup, mass change)"
    default_interval = 60.0
    families = (STATE, *flags.FAMILIES)

    async def fetch(self, api: Api, _: History, /) -> State:
        """Get the flags."""
        return await api.get_one("/tenant/state", State.parse)

    def advance(self, history: History, facts: State, at: float, /) -> History:
        """Note since when flags are on. A paused tenant's schedules are not active."""
        state = flags.advance(history.state, facts.flags, at)
        known_at = None if state.paused is None else history.state.known_at
        active = schedules.after_flags(history.schedules, at, paused=state.paused, known_at=known_at)
        return replace(history, state=state, schedules=active)

    def size(self, facts: State, /) -> int:
        """How many flags there are."""
        return len(facts.flags)

    def samples(self, poll: Poll[State], /) -> Iterator[Sample]:
        """One sample for each flag, the known ones first, and since when it has been on."""
        flags_in_order = in_order(poll.facts.flags)
        known = {flag: flags_in_order[flag] for flag in STATE_FLAGS if flag in flags_in_order}
        for flag, on in (known | flags_in_order).items():
            yield STATE(on, tenant_id=poll.tenant_id, flag=flag)
        yield from flags.samples(poll.history.state, poll.tenant_id)

    def omitted(self, poll: Poll[State], /) -> Mapping[Family, int]:
        """Flags that are on and of which the history does not know since when."""
        known = poll.history.state.flags
        if len(known) == len(poll.facts.flags):
            return {}
        return {flags.ON_SINCE: sum(on for flag, on in poll.facts.flags.items() if flag not in known)}
