"""Collects the state of an integration's own access: `GET /tenant/application`, which only integrations have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exporter.api.client import Api
from exporter.api.models import Application
from exporter.collectors.collector import Collector, Poll
from exporter.history import History, application
from exporter.metrics import Sample, known, polled

AUTH_STATE = polled(
    "kimono_application_auth_state",
    "The state of the integration's own access now: one series, always 1.",
    *("tenant_id", "auth_type", "state"),
)
DELIVER = polled("kimono_application_deliver_tasks", "Whether tasks are delivered to the integration.", "tenant_id")
VALIDATE = polled("kimono_application_validate_tasks", "Whether tasks are validated by the integration.", "tenant_id")


class ApplicationCollector(Collector[Application]):
    """The tenant's application."""

    name = "application"
    description = "State of an integration's own access"
    default_interval = 300.0
    families = (AUTH_STATE, *application.FAMILIES, DELIVER, VALIDATE)
    may_be_absent = True

    async def fetch(self, api: Api, _: History, /) -> Application:
        """Get the application."""
        return await api.get_one("/tenant/application", Application.parse)

    def advance(self, history: History, facts: Application, at: float, /) -> History:
        """Note since when its access has been in its state."""
        return replace(history, application=application.advance(history.application, facts.auth_state, at))

    def samples(self, poll: Poll[Application], /) -> Iterator[Sample]:
        """The state, since when it is so, and two switches."""
        facts = poll.facts
        yield from known((DELIVER, facts.deliver_tasks), (VALIDATE, facts.validate_tasks), tenant_id=poll.tenant_id)
        if facts.auth_state is not None:
            yield AUTH_STATE(1, tenant_id=poll.tenant_id, auth_type=facts.auth_type or "", state=facts.auth_state)
        yield from application.samples(poll.history.application, poll.tenant_id)
