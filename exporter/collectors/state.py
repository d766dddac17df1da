"""Collects the flags of a tenant: `GET /tenant/state`. Every boolean of the reply is a flag, new ones too."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.api.client import Api
from exporter.api.models import State
from exporter.collectors.collector import Poll, StatelessCollector, polled
from exporter.metrics import Sample

STATE = polled(
    "kimono_tenant_state",
    "Whether a flag of the tenant is on: 1 or 0 for each boolean in its state, under the field's own name.",
    *("tenant_id", "flag"),
)


class StateCollector(StatelessCollector[State]):
    """The tenant's flags."""

    name = "state"
    description = "Flags of the tenant (suspended, rollover, setup, mass change)"
    default_interval = 60.0
    families = (STATE,)

    async def fetch(self, api: Api) -> State:
        """Get the flags."""
        return await api.get_one("/tenant/state", State.parse)

    def samples(self, poll: Poll[State]) -> Iterable[Sample]:
        """One sample for each flag."""
        return [STATE(on, tenant_id=poll.tenant_id, flag=flag) for flag, on in poll.facts.flags.items()]
