"""Does the integration's own access work? `GET /tenant/application`, which only integrations have."""

from __future__ import annotations

from exporter.api.client import TenantApi
from exporter.api.models import Application
from exporter.collectors.collector import Collector, Reading, known, polled

AUTH_STATE = polled(
    "kimono_application_auth_state",
    "The state of the integration's own access now: one series, always 1.",
    "tenant_id",
    "auth_type",
    "state",
)
DELIVER = polled("kimono_application_deliver_tasks", "Whether tasks are delivered to the integration.", "tenant_id")
VALIDATE = polled("kimono_application_validate_tasks", "Whether tasks are validated by the integration.", "tenant_id")


class ApplicationCollector(Collector[TenantApi, Application, None]):
    """The tenant's application."""

    name = "application"
    families = (AUTH_STATE, DELIVER, VALIDATE)
    may_be_absent = True

    async def fetch(self, api: TenantApi, memory: None) -> Application:  # noqa: ARG002 - nothing to remember
        """Ask for it."""
        return await api.application()

    def read(self, tenant_id: str, facts: Application, memory: None, now: float) -> Reading[None]:  # noqa: ARG002 - likewise
        """The state, and two switches."""
        rows = known((DELIVER, facts.deliver_tasks), (VALIDATE, facts.validate_tasks), tenant_id=tenant_id)
        if facts.auth_state is not None:
            rows.append(AUTH_STATE(1, tenant_id=tenant_id, auth_type=facts.auth_type or "", state=facts.auth_state))
        return Reading(rows)
