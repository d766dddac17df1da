"""Implements the calls of the API: one small function per call, and the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from exporter.simulator import serialize
from exporter.simulator.http_messages import ApiError
from exporter.simulator.inventory import Actor, Cloud, Integration, Inventory, Tenant
from exporter.simulator.records import Ingestion, Rollover
from exporter.simulator.scoping import Scoping
from exporter.simulator.serialize import Json
from exporter.simulator.simulation import Simulation
from exporter.simulator.tenant import SimulatedTenant
from exporter.simulator.times import HOUR

T = TypeVar("T")

ACCOUNT = "account"
ACTOR = "actor"
_FINISHED_STAY_LISTED = 48 * HOUR


@dataclass(frozen=True, slots=True)
class Listing:
    """A list before it is cut into pages, and the function that serializes an item."""

    items: Sequence[object]
    serialize: Callable[[object], Json]


@dataclass(frozen=True, slots=True)
class Options:
    """What this server does where the reference leaves a choice."""

    ids: bool
    lists_finished: bool
    honours_integrations: bool


@dataclass(frozen=True)
class Call:
    """One authorised call. `caller` is None for the account. `now` is Unix seconds."""

    simulation: Simulation
    options: Options
    query: Mapping[str, str]
    params: tuple[str, ...]
    caller: Tenant | None
    now: float

    @property
    def inventory(self) -> Inventory:
        """The accounts, clouds, integrations, actors and tenants."""
        return self.simulation.inventory

    @property
    def tenant(self) -> Tenant:
        """The calling tenant."""
        if self.caller is None:
            raise ApiError(403, "forbidden", "These credentials belong to no tenant.")
        return self.caller

    @cached_property
    def simulated(self) -> SimulatedTenant:
        """The calling tenant as it is now."""
        return self.simulation.tenant(self.tenant.id)


Handler = Callable[[Call], "Json | Listing | int"]


def _listing(items: Iterable[T], serialize_one: Callable[[T], Json]) -> Listing:
    # All items of one list are of the type that the function takes.
    return Listing(list(items), serialize_one)  # type: ignore[arg-type]


def _find(items: Iterable[T], wanted: str, key: Callable[[T], str]) -> T:
    for item in items:
        if key(item) == wanted:
            return item
    raise _not_found()


def _not_found() -> ApiError:
    return ApiError(404, "not_found", "There is no such resource.")


def _split(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(",") if part.strip())


# The account's calls


def _tenants(call: Call) -> Listing:
    items: Iterable[Tenant] = call.inventory.tenants.values()
    accounts = _split(call.query.get("accounts", ""))
    if accounts:
        items = [one for one in items if one.account and accounts & {one.account.id, one.account.public_id}]
    integrations = _split(call.query.get("integrations", ""))
    if integrations and call.options.honours_integrations:
        items = [one for one in items if one.integration and integrations & {one.integration.id, one.integration.name}]
    return _listing(items, serialize.tenant_info)


def _tenants_id(call: Call) -> Json:
    tenant = call.inventory.tenants.get(call.params[0])
    if tenant is None:
        raise _not_found()
    return serialize.tenant_info(tenant)


def _actors(call: Call) -> Listing:
    actors: list[Actor | Tenant] = [*call.inventory.actors.values(), *call.inventory.tenants.values()]
    return _listing(actors, serialize.actor)


def _clouds(call: Call) -> Listing:
    return _listing(call.inventory.clouds.values(), serialize.cloud)


def _clouds_search(call: Call) -> Listing:
    generation, userdata = call.query.get("generation", ""), call.query.get("userdata", "")
    name = call.query.get("name", "").lower()
    matching = [
        cloud
        for cloud in call.inventory.clouds.values()
        if generation in ("", str(cloud.generation))
        and userdata in ("", cloud.account.public_id)
        and name in cloud.name.lower()
    ]
    return _listing(matching, serialize.cloud)


def _cloud(call: Call) -> Cloud:
    return _find(call.inventory.clouds.values(), call.params[0], lambda one: one.id)


def _clouds_id(call: Call) -> Json:
    return serialize.cloud(_cloud(call))


def _clouds_id_actors(call: Call) -> Listing:
    cloud = _cloud(call)
    members: list[Actor | Tenant] = [one for one in call.inventory.actors.values() if one.cloud is cloud]
    members += [one for one in call.inventory.tenants.values() if one.cloud is cloud]
    return _listing(members, serialize.actor)


def _integrations(call: Call) -> Listing:
    return _listing(call.inventory.integrations.values(), serialize.integration)


def _integration(call: Call) -> Integration:
    return _find(call.inventory.integrations.values(), call.params[0], lambda one: one.id)


def _integrations_id(call: Call) -> Json:
    return serialize.integration(_integration(call))


def _integrations_id_versions(call: Call) -> Listing:
    integration = _integration(call)
    return _listing(integration.versions, lambda one: serialize.version(one, integration))


# The actors' calls


def _tenant(call: Call) -> Json:
    return serialize.tenant_info(call.tenant)


def _tenant_state(call: Call) -> Json:
    return dict[str, object](call.simulated.flags)


def _tenant_application(call: Call) -> Json:
    application = call.simulated.application
    if application is None:
        raise _no_integration(call)
    return serialize.application(application, call.tenant)


def _no_integration(call: Call) -> ApiError:
    """Some servers send 403, others 404: here it depends on the tenant."""
    if call.tenant.index % 2:
        return ApiError(404, "not_found", "The tenant is not an integration.")
    return ApiError(403, "forbidden", "The tenant is not an integration.")


_ROLLOVER_ORDERS: dict[str, Callable[[Rollover], tuple[float, str]]] = {
    "start_date": lambda one: (one.start, ""),
    "end_date": lambda one: (one.end, ""),
    "name": lambda one: (0.0, one.name),
}


def _rollovers(call: Call) -> Listing:
    order = call.query.get("sort", "")
    rollovers = list(call.simulated.rollovers.all)
    key = _ROLLOVER_ORDERS.get(order.lstrip("-"))
    if key is not None:
        rollovers.sort(key=key, reverse=order.startswith("-"))
    return _listing(rollovers, lambda one: _drop_id_if_hidden(call, serialize.rollover(one, call.tenant)))


def _rollovers_count(call: Call) -> int:
    return len(call.simulated.rollovers.all)


def _rollovers_id(call: Call) -> Json:
    one = _find(call.simulated.rollovers.all, call.params[0], lambda one: one.id)
    return _drop_id_if_hidden(call, serialize.rollover(one, call.tenant))


def _schedules(call: Call) -> Listing:
    return _listing(
        call.simulated.schedules.all, lambda one: _drop_id_if_hidden(call, serialize.schedule(one, call.tenant))
    )


def _schedules_count(call: Call) -> int:
    return len(call.simulated.schedules.all)


def _schedules_id(call: Call) -> Json:
    one = _find(call.simulated.schedules.all, call.params[0], lambda one: one.id)
    return _drop_id_if_hidden(call, serialize.schedule(one, call.tenant))


def _listed_ingestions(call: Call) -> list[Ingestion]:
    if not (call.options.lists_finished or call.simulated.ingestions.lists_finished):
        return list(call.simulated.ingestions.unfinished.values())
    oldest = call.now - _FINISHED_STAY_LISTED
    return [one for one in call.simulated.ingestions.by_id.values() if one.ended_at is None or one.ended_at >= oldest]


def _ingestions(call: Call) -> Listing:
    return _listing(
        _listed_ingestions(call), lambda one: _drop_id_if_hidden(call, serialize.ingestion(one, call.tenant))
    )


def _ingestions_count(call: Call) -> int:
    return len(_listed_ingestions(call))


def _ingestions_id(call: Call) -> Json:
    one = call.simulated.ingestions.by_id.get(call.params[0])
    if one is None:
        raise _not_found()
    return _drop_id_if_hidden(call, serialize.ingestion(one, call.tenant))


def _scoping(call: Call) -> Scoping:
    if call.simulated.application is None:
        raise _no_integration(call)
    return call.simulated.scoping


def _schools(call: Call) -> Listing:
    return _listing(_scoping(call).schools, lambda one: serialize.school(one, call.tenant))


def _schools_id(call: Call) -> Json:
    return serialize.school(_find(_scoping(call).schools, call.params[0], lambda one: one.id), call.tenant)


def _courses(call: Call) -> Listing:
    return _listing(_scoping(call).courses, lambda one: serialize.course(one, call.tenant))


def _courses_id(call: Call) -> Json:
    return serialize.course(_find(_scoping(call).courses, call.params[0], lambda one: one.id), call.tenant)


def _drop_id_if_hidden(call: Call, resource: Json) -> Json:
    return resource if call.options.ids else serialize.without_id(resource)


@dataclass(frozen=True, slots=True)
class Route:
    """One call: its path template below the prefix, the credentials that it takes, and its handler."""

    template: str
    audience: str
    handler: Handler


ROUTES = (
    Route("/tenants", ACCOUNT, _tenants),
    Route("/tenants/{id}", ACCOUNT, _tenants_id),
    Route("/actors", ACCOUNT, _actors),
    Route("/clouds", ACCOUNT, _clouds),
    Route("/clouds/search", ACCOUNT, _clouds_search),
    Route("/clouds/{id}", ACCOUNT, _clouds_id),
    Route("/clouds/{id}/actors", ACCOUNT, _clouds_id_actors),
    Route("/integrations", ACCOUNT, _integrations),
    Route("/integrations/{id}", ACCOUNT, _integrations_id),
    Route("/integrations/{id}/versions", ACCOUNT, _integrations_id_versions),
    Route("/tenant", ACTOR, _tenant),
    Route("/tenant/state", ACTOR, _tenant_state),
    Route("/tenant/application", ACTOR, _tenant_application),
    Route("/tenant/rollovers", ACTOR, _rollovers),
    Route("/tenant/rollovers/count", ACTOR, _rollovers_count),
    Route("/tenant/rollovers/{id}", ACTOR, _rollovers_id),
    Route("/tenant/schedules", ACTOR, _schedules),
    Route("/tenant/schedules/count", ACTOR, _schedules_count),
    Route("/tenant/schedules/{id}", ACTOR, _schedules_id),
    Route("/ingestions", ACTOR, _ingestions),
    Route("/ingestions/count", ACTOR, _ingestions_count),
    Route("/ingestions/{id}", ACTOR, _ingestions_id),
    Route("/tenant/scoping/schools", ACTOR, _schools),
    Route("/tenant/scoping/schools/{id}", ACTOR, _schools_id),
    Route("/tenant/scoping/courses", ACTOR, _courses),
    Route("/tenant/scoping/courses/{id}", ACTOR, _courses_id),
)
_FIXED = {route.template: route for route in ROUTES if "{" not in route.template}
_WITH_IDS = [(route, route.template.split("/")) for route in ROUTES if "{" in route.template]


def find_route(path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The route for a path below the prefix, and the ids in the path; None if there is none."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed, ()
    parts = path.split("/")
    for route, wanted in _WITH_IDS:
        if len(parts) == len(wanted) and all(w in (p, "{id}") for w, p in zip(wanted, parts, strict=True)):
            return route, tuple(p for w, p in zip(wanted, parts, strict=True) if w == "{id}")
    return None
