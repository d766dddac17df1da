"""Simulates the Interop API without a socket, for tests, demos and benchmarks.

A `Simulator` answers requests, shows the true state behind the replies, and changes it on demand. It shares no code
with the exporter's own client.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

from exporter.simulator.api import LoggedRequest, SimulatedApi
from exporter.simulator.authentication import Authenticator
from exporter.simulator.calls import Options
from exporter.simulator.faults import Faults
from exporter.simulator.http_messages import Reply, Request
from exporter.simulator.incidents import Incident
from exporter.simulator.inventory import Credentials, Inventory, Tenant
from exporter.simulator.paging import PAGING_MODES, Paging
from exporter.simulator.records import INGESTION_FINAL_STATES, Truth
from exporter.simulator.simulation import Simulation
from exporter.simulator.stories import Story
from exporter.simulator.tenant import SimulatedTenant


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The identity and credentials of one tenant. Parts that are null in its info are None."""

    id: str
    name: str
    account_id: str | None
    account_name: str | None
    cloud_id: str | None
    cloud_name: str | None
    integration: str | None
    integration_version: str | None
    credentials: Credentials


class Simulator:
    """A simulated Interop API.

    Args:
        seed: the same seed and the same sequence of calls and times give the same replies.
        tenants: the number of tenants at the start.
        now: the clock, in Unix seconds.
        page_size_max: the largest page.
        page_size: the default page size; None for the largest.
        paging: `next` as documented; `none` for no `paging` member; `ignored` for always the first page;
            `endless` for a list of tenants without end; `empty_last` for an empty page after the last.
        nulls: whether lists contain nulls, also as the first item.
        lists_finished: whether ingestions that finished in the last 48 hours are listed too.
        ids: whether ingestions, schedules and rollovers have an `id`.
        honours_integrations: whether the filter `integrations` of the list of tenants has an effect.
        token_lifetime: seconds.
        stories: None makes them up; a list gives exactly those. With an empty list, all tenants are healthy.
        record: whether `requests` keeps a log of the requests.

    ValueError for an unknown paging mode, KeyError for a story of an unknown tenant.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        tenants: int = 25,
        now: Callable[[], float] = time.time,
        page_size_max: int = 100,
        page_size: int | None = None,
        paging: str = "next",
        nulls: bool = True,
        lists_finished: bool = False,
        ids: bool = True,
        honours_integrations: bool = False,
        token_lifetime: float = 3600,
        stories: Iterable[Story] | None = None,
        record: bool = False,
    ) -> None:
        if paging not in PAGING_MODES:
            raise ValueError(f"unknown paging mode {paging!r}: the modes are {', '.join(PAGING_MODES)}")
        self.now = now
        self._simulation = Simulation(seed, tenants, now, stories)
        self._authenticator = Authenticator(seed, self._simulation.inventory, token_lifetime)
        self.api = SimulatedApi(
            self._simulation,
            self._authenticator,
            Paging(paging, page_size_max, page_size or page_size_max, nulls),
            Options(ids, lists_finished, honours_integrations),
            now,
            record=record,
        )

    def __repr__(self) -> str:
        return f"<Simulator of {len(self.inventory.tenants)} tenants>"

    @property
    def inventory(self) -> Inventory:
        """The accounts, clouds, integrations, actors and tenants."""
        return self._simulation.inventory

    # Requests

    def reply(self, request: Request) -> Reply:
        """Answer a request. Raises WireFault if a fault applies that only the server can apply."""
        return self.api.reply(request)

    @property
    def faults(self) -> Faults:
        """The active faults."""
        return self.api.faults

    @property
    def counts(self) -> Counter[str]:
        """The number of requests by path template."""
        return self.api.counts

    @property
    def requests(self) -> deque[LoggedRequest]:
        """The last requests, if `record` is on."""
        return self.api.requests

    def override(self, endpoint: str, body: object, tenant_id: str | None = None) -> None:
        """Answer each authorised GET of a path template with this JSON; None removes the override."""
        if body is None:
            self.api.overrides.pop((endpoint, tenant_id), None)
        else:
            self.api.overrides[endpoint, tenant_id] = body

    # Credentials

    @property
    def api_key(self) -> str:
        """The account's API key."""
        return self._authenticator.api_key

    @property
    def client_id(self) -> str:
        """The account's OAuth2 client id."""
        return self._authenticator.client_id

    @property
    def client_secret(self) -> str:
        """The account's OAuth2 client secret."""
        return self._authenticator.client_secret

    @property
    def token(self) -> str:
        """The account's ready bearer token, which does not expire."""
        return self._authenticator.token

    def rotate(self, tenant_id: str) -> None:
        """Give a tenant a new secret; the old one and its tokens are rejected from now on."""
        tenant = self.inventory.tenants[tenant_id]
        self.inventory.rotate_secret(tenant, self._simulation.now())
        self._authenticator.revoke_tokens(tenant)

    # Truth

    def tenants(self) -> list[TenantFacts]:
        """All tenants, in the order of their creation."""
        return [_facts(tenant) for tenant in self.inventory.tenants.values()]

    def truth(self, tenant_id: str) -> Truth:
        """The true state of a tenant now; KeyError if there is no such tenant."""
        tenant = self._simulation.tenant(tenant_id)
        has_scoping = tenant.application is not None
        schools = [one.selected for one in tenant.scoping.schools] if has_scoping else []
        courses = [one.selected for one in tenant.scoping.courses] if has_scoping else []
        return Truth(
            tenant_id=tenant_id,
            flags=dict(tenant.flags),
            ingestions=deepcopy(list(tenant.ingestions.by_id.values())),
            schedules=deepcopy(tenant.schedules.all),
            rollovers=deepcopy(tenant.rollovers.all),
            application=deepcopy(tenant.application),
            schools_selected=schools.count(True),
            schools_unselected=schools.count(False),
            courses_selected=courses.count(True),
            courses_unselected=courses.count(False),
            stories=[story.kind for story in self.active_stories(tenant_id)],
        )

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The true incidents up to now, the oldest first."""
        return self._simulation.incidents()

    # Stories

    def active_stories(self, tenant_id: str) -> list[Story]:
        """The stories of a tenant that have begun and not ended; KeyError if there is no such tenant."""
        return self._simulation.active_stories(tenant_id)

    def add_story(self, story: Story) -> None:
        """Add a story, which may begin and end in the past or in the future.

        ValueError for an unknown kind, KeyError for an unknown tenant.
        """
        self._simulation.add_story(story)

    def begin_story(self, kind: str, tenant_id: str, ago: float = 0.0) -> Story:
        """Begin a story now. Its times are those of a story that began `ago` seconds earlier.

        ValueError if the kind is unknown, or already active for this tenant.
        """
        return self._simulation.begin_story(kind, tenant_id, ago)

    def end_story(self, story: Story) -> None:
        """End a story now; KeyError if it is not active."""
        self._simulation.end_story(story)

    # Changes. KeyError for unknown tenants and ingestions.

    def add_tenant(self, name: str | None = None) -> str:
        """Add a tenant, and return its id."""
        tenant = self._simulation.add_tenant(name)
        self._authenticator.add(tenant)
        return tenant.id

    def remove_tenant(self, tenant_id: str) -> None:
        """Remove a tenant and its credentials."""
        self._authenticator.remove(self._simulation.remove_tenant(tenant_id))

    def rename(self, tenant_id: str, name: str) -> None:
        """Rename a tenant."""
        tenant = self.inventory.tenants[tenant_id]
        tenant.name = name
        tenant.updated_at = self._simulation.now()

    def tenant(self, tenant_id: str) -> SimulatedTenant:
        """The live state of a tenant, for changes that have no method here."""
        return self._simulation.tenant(tenant_id)

    def set_flag(self, tenant_id: str, flag: str, on: bool) -> None:  # noqa: FBT001 - the flag's value is the point
        """Set a boolean of the state reply, known or new."""
        self.tenant(tenant_id).flags[flag] = on

    def start_ingestion(
        self,
        tenant_id: str,
        *,
        type: str = "collection",  # noqa: A002 - the API's own word
        state: str = "executing",
        started_at: float | None = None,
        id: str | None = None,  # noqa: A002 - the API's own word
        has_pending_task: bool = False,
    ) -> str:
        """Add an ingestion that stays as it is until it is finished or removed, and return its id."""
        ingestion = self.tenant(tenant_id).ingestions.add(type, state, started_at, self._simulation.now(), id)
        ingestion.has_pending_task = has_pending_task
        return ingestion.id

    def finish_ingestion(self, tenant_id: str, ingestion_id: str, state: str = "success") -> None:
        """Finish an ingestion; ValueError if `state` is not a final one."""
        if state not in INGESTION_FINAL_STATES:
            raise ValueError(f"not a final state: {state!r}")
        ingestions = self.tenant(tenant_id).ingestions
        ingestions.finish(ingestions.by_id[ingestion_id], state, self._simulation.now())

    def set_ingestion_state(self, tenant_id: str, ingestion_id: str, state: str) -> None:
        """Set the state of an unfinished ingestion, known or new."""
        self.tenant(tenant_id).ingestions.unfinished[ingestion_id].state = state

    def remove_ingestion(self, tenant_id: str, ingestion_id: str) -> None:
        """Remove an ingestion: a request for its id returns 404."""
        self.tenant(tenant_id).ingestions.remove(ingestion_id)


def _facts(tenant: Tenant) -> TenantFacts:
    account, cloud, integration = tenant.account, tenant.cloud, tenant.integration
    return TenantFacts(
        id=tenant.id,
        name=tenant.name,
        account_id=account.id if account else None,
        account_name=account.name if account else None,
        cloud_id=cloud.id if cloud else None,
        cloud_name=cloud.name if cloud else None,
        integration=integration.name if integration else None,
        integration_version=tenant.version,
        credentials=replace(tenant.credentials),
    )
