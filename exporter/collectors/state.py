"""Which modes is a tenant in? `GET /tenant/state`: every boolean of the reply is a flag, new ones too."""

from __future__ import annotations

from exporter.api.client import TenantApi
from exporter.api.models import State
from exporter.collectors.collector import Collector, Reading, polled

STATE = polled(
    "kimono_tenant_state",
    "Whether a mode is on: 1 or 0 for each boolean in the tenant's state, under the field's own name.",
    "tenant_id",
    "flag",
)


class StateCollector(Collector[TenantApi, State, None]):
    """The tenant's flags."""

    name = "state"
    families = (STATE,)

    async def fetch(self, api: TenantApi, memory: None) -> State:  # noqa: ARG002 - nothing to remember
        """Ask for the flags."""
        return await api.state()

    def read(self, tenant_id: str, facts: State, memory: None, now: float) -> Reading[None]:  # noqa: ARG002 - likewise
        """One row a flag."""
        return Reading([STATE(on, tenant_id=tenant_id, flag=flag) for flag, on in facts.flags.items()])
