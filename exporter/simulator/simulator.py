"""What is the simulated Interop API?

The one object that tests, demos and benchmarks hold: it answers requests, tells the truth about what is behind
the answers, and changes it on demand. It shares no code with the exporter's own client.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from exporter.simulator import resources
from exporter.simulator.access import Access, Caller, TokenRefused
from exporter.simulator.faults import WIRE, Faults, Handle, WireFault, fault_reply
from exporter.simulator.fleet import Credentials, Tenant
from exporter.simulator.ledger import Incident
from exporter.simulator.life import Life
from exporter.simulator.messages import Refused, Reply, Request, error_reply, json_reply
from exporter.simulator.pages import WAYS, Paging
from exporter.simulator.records import INGESTION_FINAL_STATES, Truth
from exporter.simulator.resources import ACCOUNT, Call, Listing, Options, Route
from exporter.simulator.stories import Story
from exporter.simulator.world import World

PREFIX = "/v2/interop"
TOKEN = "/oauth/token"
UNKNOWN = "unknown"
_LOG_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class TenantRow:
    """Who one tenant is. Parts that its info has as null are None."""

    id: str
    name: str
    account_id: str | None
    account_name: str | None
    cloud_id: str | None
    cloud_name: str | None
    integration: str | None
    integration_version: str | None
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came in. `endpoint` is the path template, `scheme` that of its authorization or empty.

    `status` is 0 if it got no reply of its own, because a fault of the wire struck it.
    """

    method: str
    path: str
    query: dict[str, str]
    tenant_id: str | None
    endpoint: str
    status: int
    scheme: str
    now: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request on its way to its answer."""

    request: Request
    endpoint: str
    route: Route | None
    params: tuple[str, ...]
    caller: Caller | None
    tenant_id: str | None
    now: float


class Simulator:
    """A simulated Interop API.

    Args:
        seed: the same seed and the same sequence of calls and times give the same replies.
        tenants: how many tenants there are at first.
        now: the clock, in Unix seconds.
        page_size_max: the largest page.
        page_size: the usual page; None for the largest.
        paging: `next` as documented; `none` for no `paging` member; `ignored` for the first page for ever;
            `endless` for a list of tenants without end; `empty_last` for an empty page after the last.
        nulls: whether lists hold nulls, the first element among them.
        lists_finished: whether ingestions that finished in the last 48 hours are listed as well.
        ids: whether ingestions, schedules and rollovers have an `id`.
        honours_integrations: whether the filter `integrations` of the list of tenants has any effect.
        token_lifetime: seconds.
        stories: None makes them up; a list tells exactly those, an empty one leaves everybody healthy.
        record: whether `requests` keeps a log of what came in.

    ValueError for a way of paging that does not exist, KeyError for a story of an unknown tenant.
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
        if paging not in WAYS:
            raise ValueError(f"no way of paging is called {paging!r}: there are {', '.join(WAYS)}")
        self.now = now
        self.world = World(seed, tenants, now, stories)
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=_LOG_LENGTH)
        self._record = record
        self._access = Access(seed, self.world.fleet, token_lifetime)
        self._paging = Paging(paging, page_size_max, page_size or page_size_max, nulls)
        self._options = Options(ids, lists_finished, honours_integrations)
        self._overrides: dict[tuple[str, str | None], object] = {}

    def __repr__(self) -> str:
        return f"<Simulator of {len(self.world.fleet.tenants)} tenants>"

    # Credentials

    @property
    def api_key(self) -> str:
        """The account's API key."""
        return self._access.api_key

    @property
    def client_id(self) -> str:
        """The account's OAuth2 client id."""
        return self._access.client_id

    @property
    def client_secret(self) -> str:
        """The account's OAuth2 client secret."""
        return self._access.client_secret

    @property
    def token(self) -> str:
        """The account's ready bearer token, which does not expire."""
        return self._access.token

    def rotate(self, tenant_id: str) -> None:
        """Give a tenant a new secret: the old one, and all its tokens, are worth nothing from now on."""
        tenant = self.world.fleet.tenants[tenant_id]
        self.world.fleet.rotate(tenant, self.world.now())
        self._access.forget_tokens(tenant)

    # Truth

    def tenants(self) -> list[TenantRow]:
        """Who is there, in the order of arrival."""
        return [_row(tenant) for tenant in self.world.fleet.tenants.values()]

    def truth(self, tenant_id: str) -> Truth:
        """What is so about a tenant now; KeyError if there is no such tenant."""
        life = self.world.life(tenant_id)
        schools = [one.selected for one in life.schools] if life.is_integration else []
        courses = [one.selected for one in life.courses] if life.is_integration else []
        return Truth(
            tenant_id=tenant_id,
            flags=dict(life.flags),
            ingestions=deepcopy(list(life.ingestions.values())),
            schedules=deepcopy(life.schedules),
            rollovers=deepcopy(life.rollovers),
            application=deepcopy(life.application),
            schools_selected=schools.count(True),
            schools_unselected=schools.count(False),
            courses_selected=courses.count(True),
            courses_unselected=courses.count(False),
            stories=[story.kind for story in self.world.stories(tenant_id)],
        )

    @property
    def ledger(self) -> tuple[Incident, ...]:
        """What is, and was, really wrong up to now, the oldest first."""
        return self.world.ledger()

    # Changing the truth. KeyError for tenants and ingestions that do not exist.

    def add_tenant(self, name: str | None = None) -> str:
        """Let a tenant arrive; its id."""
        tenant = self.world.add(name)
        self._access.admit(tenant)
        return tenant.id

    def remove_tenant(self, tenant_id: str) -> None:
        """Let a tenant go, with its credentials."""
        self._access.dismiss(self.world.remove(tenant_id))

    def rename(self, tenant_id: str, name: str) -> None:
        """Give a tenant another name."""
        tenant = self.world.fleet.tenants[tenant_id]
        tenant.name = name
        tenant.updated_at = self.world.now()

    def life(self, tenant_id: str) -> Life:
        """The live records behind a tenant, to change anything that has no method of its own here."""
        return self.world.life(tenant_id)

    def set_flag(self, tenant_id: str, flag: str, on: bool) -> None:  # noqa: FBT001 - the flag's value is the point
        """Set a boolean of the state reply, a new one too."""
        self.world.life(tenant_id).flags[flag] = on

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
        """Put an ingestion into the list, which stays as it is until it is finished or forgotten; its id."""
        life = self.world.life(tenant_id)
        ingestion = life.add_ingestion(type, state, started_at, self.world.now(), id)
        ingestion.has_pending_task = has_pending_task
        return ingestion.id

    def finish_ingestion(self, tenant_id: str, ingestion_id: str, state: str = "success") -> None:
        """End an ingestion; ValueError if `state` is not a final one."""
        if state not in INGESTION_FINAL_STATES:
            raise ValueError(f"not a final state: {state!r}")
        life = self.world.life(tenant_id)
        life.finish(life.ingestions[ingestion_id], state, self.world.now())

    def set_ingestion_state(self, tenant_id: str, ingestion_id: str, state: str) -> None:
        """Give an unfinished ingestion any state, an unknown one too."""
        self.world.life(tenant_id).unfinished[ingestion_id].state = state

    def forget_ingestion(self, tenant_id: str, ingestion_id: str) -> None:
        """Lose an ingestion: asked for by id, it is 404."""
        self.world.life(tenant_id).forget(ingestion_id)

    def override(self, endpoint: str, body: object, tenant_id: str | None = None) -> None:
        """Answer every authorised call of a path template with this JSON; None goes back to the truth."""
        if body is None:
            self._overrides.pop((endpoint, tenant_id), None)
        else:
            self._overrides[endpoint, tenant_id] = body

    # Answering

    def reply(self, request: Request) -> Reply:
        """Answer a request. Raises WireFault if a fault strikes that only the server can apply."""
        arrival = self.receive(request)
        struck = self.strike(arrival)
        for handle in struck:
            if handle.fault.kind in WIRE:
                self.note(arrival, 0)
                raise WireFault(handle.fault)
        return self.answer(arrival, struck)

    def receive(self, request: Request) -> Arrival:
        """Find out what a request asks for, and who sent it."""
        now = self.now()
        caller = self._access.caller(request.header("Authorization"), now)
        tenant_id = caller.tenant.id if caller and caller.tenant else None
        if request.path == TOKEN:
            tenant = self._access.named(_form(request).get("client_id", ""))
            return Arrival(request, TOKEN, None, (), caller, tenant.id if tenant else None, now)
        found = resources.find(request.path[len(PREFIX) :]) if request.path.startswith(PREFIX) else None
        if found is None:
            return Arrival(request, UNKNOWN, None, (), caller, tenant_id, now)
        route, params = found
        return Arrival(request, route.template, route, params, caller, tenant_id, now)

    def strike(self, arrival: Arrival) -> list[Handle]:
        """The faults that strike a request; each call counts."""
        return self.faults.strike(arrival.endpoint, arrival.tenant_id, arrival.now) if self.faults else []

    def answer(self, arrival: Arrival, struck: Iterable[Handle] = ()) -> Reply:
        """Answer a request that has been received, with the faults that struck it, those of the wire aside."""
        reply = self._fault_answer(arrival, struck) or self._true_answer(arrival)
        self.note(arrival, reply.status)
        return reply

    def note(self, arrival: Arrival, status: int) -> None:
        """Count a request, and keep it if asked to."""
        self.counts[arrival.endpoint] += 1
        if self._record:
            request = arrival.request
            scheme = request.header("Authorization").partition(" ")[0]
            self.requests.append(
                Seen(
                    method=request.method,
                    path=request.path,
                    query=dict(request.query),
                    tenant_id=arrival.tenant_id,
                    endpoint=arrival.endpoint,
                    status=status,
                    scheme=scheme,
                    now=arrival.now,
                )
            )

    def _fault_answer(self, arrival: Arrival, struck: Iterable[Handle]) -> Reply | None:
        for handle in struck:
            if handle.fault.kind == "expired_token":
                self._access.forget_tokens()
            reply = fault_reply(handle, arrival.endpoint, arrival.now)
            if reply is not None:
                return reply
        return None

    def _true_answer(self, arrival: Arrival) -> Reply:
        try:
            return self._token(arrival) if arrival.endpoint == TOKEN else self._resource(arrival)
        except Refused as refused:
            return error_reply(refused)
        except TokenRefused as refused:
            return json_reply({"error": refused.error, "error_description": str(refused)}, refused.status)

    def _token(self, arrival: Arrival) -> Reply:
        if arrival.request.method != "POST":
            raise Refused(405, "method_not_allowed", "Only POST is served here.", {"Allow": "POST"})
        token, lifetime = self._access.issue(_form(arrival.request), arrival.now)
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _resource(self, arrival: Arrival) -> Reply:
        route = arrival.route
        if route is None:
            raise Refused(404, "not_found", "There is nothing at this path.")
        if arrival.request.method != "GET":
            raise Refused(405, "method_not_allowed", "Only GET is simulated here.", {"Allow": "GET"})
        caller = self._still_known(arrival)
        if (caller.tenant is None) != (route.audience == ACCOUNT):
            raise Refused(403, "forbidden", f"This call takes the credentials of an {route.audience}.")
        return self._body(arrival, route, caller.tenant)

    def _still_known(self, arrival: Arrival) -> Caller:
        """The caller, looked up anew: a fault may have forgotten its token, a latency outlived it."""
        caller = self._access.caller(arrival.request.header("Authorization"), self.now())
        if caller is None:
            raise Refused(401, "unauthorized", "The credentials are missing or wrong.", {"WWW-Authenticate": "Bearer"})
        return caller

    def _body(self, arrival: Arrival, route: Route, tenant: Tenant | None) -> Reply:
        if self._overrides:
            for key in ((route.template, arrival.tenant_id), (route.template, None)):
                if key in self._overrides:
                    return json_reply(self._overrides[key])
        call = Call(self.world, self._options, arrival.request.query, arrival.params, tenant, arrival.now)
        result = route.handler(call)
        if isinstance(result, Listing):
            return json_reply(self._paging.cut(result, call.query, arrival.request.path))
        return json_reply(result if isinstance(result, int) else {"data": result})


def _form(request: Request) -> dict[str, str]:
    if not request.header("Content-Type").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(request.body.decode("ascii", "replace"), keep_blank_values=True))


def _row(tenant: Tenant) -> TenantRow:
    account, cloud, integration = tenant.account, tenant.cloud, tenant.integration
    return TenantRow(
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
