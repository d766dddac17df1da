"""Answers requests: authentication, routing, faults, overrides and the request log."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from exporter.simulator.authentication import Authenticator, Caller, TokenError
from exporter.simulator.calls import ACCOUNT, Call, Listing, Options, Route
from exporter.simulator.faults import WIRE_KINDS, ActiveFault, Faults, WireFault, fault_reply
from exporter.simulator.http_messages import MAX_BODY_BYTES, ApiError, Reply, Request, error_reply, json_reply
from exporter.simulator.inventory import Tenant
from exporter.simulator.paging import Paging
from exporter.simulator.routes import find_template, methods
from exporter.simulator.simulation import Simulation

PREFIX = "/v2/interop"
TOKEN_PATH = "/oauth/token"
UNKNOWN_ENDPOINT = "unknown"
_LOG_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request in the log. `endpoint` is the path template, `scheme` that of its authorization or empty.

    `status` is 0 if a wire fault applied instead of a reply. `now` is Unix seconds. `cookie` says whether one was sent.
    """

    method: str
    path: str
    query: dict[str, str]
    tenant_id: str | None
    endpoint: str
    status: int
    scheme: str
    now: float
    cookie: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request with its endpoint, a path template, and its caller. `now` is Unix seconds."""

    request: Request
    endpoint: str
    params: tuple[str, ...]
    caller: Caller | None
    tenant_id: str | None
    now: float


class SimulatedApi:
    """The HTTP side of the simulator. `record` says whether `requests` keeps a log."""

    def __init__(
        self,
        simulation: Simulation,
        authenticator: Authenticator,
        paging: Paging,
        options: Options,
        now: Callable[[], float],
        *,
        record: bool,
    ) -> None:
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.requests: deque[LoggedRequest] = deque(maxlen=_LOG_LENGTH)
        self.overrides: dict[tuple[str, str | None], object] = {}
        self._simulation = simulation
        self._authenticator = authenticator
        self._paging = paging
        self._options = options
        self._now = now
        self._record = record

    def reply(self, request: Request) -> Reply:
        """Answer a request. Raises WireFault if a fault applies that needs a socket."""
        received = self.receive(request)
        faults = self.select_faults(received)
        for active in faults:
            if active.fault.kind in WIRE_KINDS:
                self.log(received, 0)
                raise WireFault(active.fault)
        return self.answer(received, faults)

    def receive(self, request: Request) -> ReceivedRequest:
        """Find the endpoint and the caller of a request."""
        now = self._now()
        caller = self._authenticator.authenticate(request.header("Authorization"), now)
        tenant_id = caller.tenant.id if caller and caller.tenant else None
        if request.path == TOKEN_PATH:
            tenant = self._authenticator.tenant_by_client_id(_form(request).get("client_id", ""))
            return ReceivedRequest(request, TOKEN_PATH, (), caller, tenant.id if tenant else None, now)
        found = find_template(request.path[len(PREFIX) :]) if request.path.startswith(PREFIX) else None
        template, params = found or (UNKNOWN_ENDPOINT, ())
        return ReceivedRequest(request, template, params, caller, tenant_id, now)

    def select_faults(self, received: ReceivedRequest) -> list[ActiveFault]:
        """The faults that apply to a request. Each call counts."""
        page = received.request.query.get("page", "0")
        return self.faults.select(received.endpoint, received.tenant_id, received.now, page) if self.faults else []

    def answer(self, received: ReceivedRequest, faults: Iterable[ActiveFault] = ()) -> Reply:
        """Answer a received request, with the `faults` that apply to it; wire faults are the server's."""
        reply = self._fault_reply(received, faults) or self._true_reply(received)
        self.log(received, reply.status)
        return reply

    def log(self, received: ReceivedRequest, status: int) -> None:
        """Count a request, and add it to the log if there is one."""
        self.counts[received.endpoint] += 1
        if self._record:
            request = received.request
            scheme = request.header("Authorization").partition(" ")[0]
            self.requests.append(
                LoggedRequest(
                    method=request.method,
                    path=request.path,
                    query=dict(request.query),
                    tenant_id=received.tenant_id,
                    endpoint=received.endpoint,
                    status=status,
                    scheme=scheme,
                    now=received.now,
                    cookie=bool(request.header("Cookie")),
                )
            )

    def _fault_reply(self, received: ReceivedRequest, faults: Iterable[ActiveFault]) -> Reply | None:
        for active in faults:
            if active.fault.kind == "expired_token":
                self._authenticator.revoke_tokens()
            reply = fault_reply(active, received.endpoint, received.now)
            if reply is not None:
                return reply
        return None

    def _true_reply(self, received: ReceivedRequest) -> Reply:
        try:
            return self._token(received) if received.endpoint == TOKEN_PATH else self._resource(received)
        except ApiError as error:
            return error_reply(error)
        except TokenError as error:
            return json_reply({"error": error.error, "error_description": str(error)}, error.status)

    def _token(self, received: ReceivedRequest) -> Reply:
        if received.request.method != "POST":
            raise ApiError(405, "method_not_allowed", "Only POST is served here.", {"Allow": "POST"})
        token, lifetime = self._authenticator.issue(_form(received.request), received.now)
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _resource(self, received: ReceivedRequest) -> Reply:
        if received.endpoint == UNKNOWN_ENDPOINT:
            raise ApiError(404, "not_found", "There is nothing at this path.")
        routes = methods(received.endpoint)
        route = routes.get(received.request.method)
        if route is None:
            allowed = ", ".join(routes)
            raise ApiError(405, "method_not_allowed", f"Only {allowed} is served here.", {"Allow": allowed})
        caller = self._authenticate_again(received)
        if (caller.tenant is None) != (route.audience == ACCOUNT):
            raise ApiError(403, "forbidden", f"This call takes the credentials of an {route.audience}.")
        if received.request.is_oversized or len(received.request.body) > MAX_BODY_BYTES:
            raise ApiError(413, "payload_too_large", f"The body has more than {MAX_BODY_BYTES} bytes.")
        return self._answer_call(received, route, caller.tenant)

    def _authenticate_again(self, received: ReceivedRequest) -> Caller:
        """The caller, if its token is still valid: a fault may have revoked it, a latency outlived it."""
        caller = self._authenticator.authenticate(received.request.header("Authorization"), self._now())
        if caller is None:
            raise ApiError(401, "unauthorized", "The credentials are missing or wrong.", {"WWW-Authenticate": "Bearer"})
        return caller

    def _answer_call(self, received: ReceivedRequest, route: Route, tenant: Tenant | None) -> Reply:
        for key in ((route.template, received.tenant_id), (route.template, None)):
            if received.request.method == "GET" and key in self.overrides:
                return json_reply(self.overrides[key])
        request, now = received.request, self._simulation.now()
        call = Call(self._simulation, self._options, request.query, received.params, tenant, now, request.body)
        result = route.handler(call)
        if route.status == 204:
            return Reply(204, {}, b"")
        if isinstance(result, Listing):
            return json_reply(self._paging.cut(result, call.query, received.request.path))
        return json_reply(result if isinstance(result, int) else {"data": result})


def _form(request: Request) -> dict[str, str]:
    if not request.header("Content-Type").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(request.body.decode("ascii", "replace"), keep_blank_values=True))
