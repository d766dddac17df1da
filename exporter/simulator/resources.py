"""What can be read, by whom, and what is in it?

The read surface of the API: one small function a call, and the table of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from exporter.simulator import shapes
from exporter.simulator.fleet import Actor, Tenant
from exporter.simulator.life import HOUR, Life
from exporter.simulator.messages import Refused
from exporter.simulator.records import Ingestion, Rollover
from exporter.simulator.shapes import Json
from exporter.simulator.world import World

T = TypeVar("T")

ACCOUNT = "account"
ACTOR = "actor"
_FINISHED_KEPT_IN_LIST = 48 * HOUR


@dataclass(frozen=True, slots=True)
class Listing:
    """A list before it is cut into pages, and the shape of its elements."""

    items: Sequence[object]
    shape: Callable[[object], Json]


@dataclass(frozen=True, slots=True)
class Options:
    """How this server differs from others, where the reference leaves it open."""

    ids: bool
    lists_finished: bool
    honours_integrations: bool


@dataclass(frozen=True)
class Call:
    """One authorised call. `tenant_info` is the caller's own tenant; only actors' calls have one."""

    world: World
    options: Options
    query: Mapping[str, str]
    params: tuple[str, ...]
    caller: Tenant | None
    now: float

    @property
    def tenant(self) -> Tenant:
        """The tenant that calls."""
        if self.caller is None:
            raise Refused(403, "forbidden", "These credentials belong to no tenant.")
        return self.caller

    @cached_property
    def life(self) -> Life:
        """The calling tenant's life as it is now."""
        return self.world.life(self.tenant.id)


Handler = Callable[[Call], "Json | Listing | int"]


def _listing(items: Iterable[T], shape: Callable[[T], Json]) -> Listing:
    # One list holds elements of one kind only, and `shape` is the one for it.
    return Listing(list(items), shape)  # type: ignore[arg-type]


def _found(items: Iterable[T], wanted: str, key: Callable[[T], str]) -> T:
    for item in items:
        if key(item) == wanted:
            return item
    raise _not_found()


def _not_found() -> Refused:
    return Refused(404, "not_found", "There is no such resource.")


def _split(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(",") if part.strip())


# The account's calls


def _tenants(call: Call) -> Listing:
    items: Iterable[Tenant] = call.world.fleet.tenants.values()
    accounts = _split(call.query.get("accounts", ""))
    if accounts:
        items = [one for one in items if one.account and accounts & {one.account.id, one.account.public_id}]
    integrations = _split(call.query.get("integrations", ""))
    if integrations and call.options.honours_integrations:
        items = [one for one in items if one.integration and integrations & {one.integration.id, one.integration.name}]
    return _listing(items, shapes.tenant_info)


def _tenants_id(call: Call) -> Json:
    tenant = call.world.fleet.tenants.get(call.params[0])
    if tenant is None:
        raise _not_found()
    return shapes.tenant_info(tenant)


def _actors(call: Call) -> Listing:
    fleet = call.world.fleet
    everybody: list[Actor | Tenant] = [*fleet.actors.values(), *fleet.tenants.values()]
    return _listing(everybody, shapes.actor)


def _clouds(call: Call) -> Listing:
    return _listing(call.world.fleet.clouds.values(), shapes.cloud)


def _clouds_search(call: Call) -> Listing:
    generation, userdata = call.query.get("generation", ""), call.query.get("userdata", "")
    name = call.query.get("name", "").lower()
    found = [
        cloud
        for cloud in call.world.fleet.clouds.values()
        if generation in ("", str(cloud.generation))
        and userdata in ("", cloud.account.public_id)
        and name in cloud.name.lower()
    ]
    return _listing(found, shapes.cloud)


def _clouds_id(call: Call) -> Json:
    return shapes.cloud(_found(call.world.fleet.clouds.values(), call.params[0], lambda one: one.id))


def _clouds_id_actors(call: Call) -> Listing:
    fleet = call.world.fleet
    cloud = _found(fleet.clouds.values(), call.params[0], lambda one: one.id)
    inside: list[Actor | Tenant] = [one for one in fleet.actors.values() if one.cloud is cloud]
    inside += [one for one in fleet.tenants.values() if one.cloud is cloud]
    return _listing(inside, shapes.actor)


def _integrations(call: Call) -> Listing:
    return _listing(call.world.fleet.integrations.values(), shapes.integration)


def _integrations_id(call: Call) -> Json:
    return shapes.integration(_found(call.world.fleet.integrations.values(), call.params[0], lambda one: one.id))


def _integrations_id_versions(call: Call) -> Listing:
    integration = _found(call.world.fleet.integrations.values(), call.params[0], lambda one: one.id)
    return _listing(integration.versions, lambda one: shapes.version(one, integration))


# The actors' calls


def _tenant(call: Call) -> Json:
    return shapes.tenant_info(call.tenant)


def _tenant_state(call: Call) -> Json:
    return dict[str, object](call.life.flags)


def _tenant_application(call: Call) -> Json:
    application = call.life.application
    if application is None:
        raise _no_integration(call)
    return shapes.application(application, call.tenant)


def _no_integration(call: Call) -> Refused:
    """Some servers say 403, others 404; so here some tenants get the one, some the other."""
    if call.tenant.index % 2:
        return Refused(404, "not_found", "The tenant is not an integration.")
    return Refused(403, "forbidden", "The tenant is not an integration.")


_ROLLOVER_ORDERS: dict[str, Callable[[Rollover], tuple[float, str]]] = {
    "start_date": lambda one: (one.start, ""),
    "end_date": lambda one: (one.end, ""),
    "name": lambda one: (0.0, one.name),
}


def _rollovers(call: Call) -> Listing:
    order = call.query.get("sort", "")
    rollovers = list(call.life.rollovers)
    key = _ROLLOVER_ORDERS.get(order.lstrip("-"))
    if key is not None:
        rollovers.sort(key=key, reverse=order.startswith("-"))
    return _listing(rollovers, lambda one: _shown(call, shapes.rollover(one, call.tenant)))


def _rollovers_count(call: Call) -> int:
    return len(call.life.rollovers)


def _rollovers_id(call: Call) -> Json:
    one = _found(call.life.rollovers, call.params[0], lambda one: one.id)
    return _shown(call, shapes.rollover(one, call.tenant))


def _schedules(call: Call) -> Listing:
    return _listing(call.life.schedules, lambda one: _shown(call, shapes.schedule(one, call.tenant)))


def _schedules_count(call: Call) -> int:
    return len(call.life.schedules)


def _schedules_id(call: Call) -> Json:
    one = _found(call.life.schedules, call.params[0], lambda one: one.id)
    return _shown(call, shapes.schedule(one, call.tenant))


def _listed_ingestions(call: Call) -> list[Ingestion]:
    if not call.options.lists_finished:
        return list(call.life.unfinished.values())
    oldest = call.now - _FINISHED_KEPT_IN_LIST
    return [one for one in call.life.ingestions.values() if one.ended_at is None or one.ended_at >= oldest]


def _ingestions(call: Call) -> Listing:
    return _listing(_listed_ingestions(call), lambda one: _shown(call, shapes.ingestion(one, call.tenant)))


def _ingestions_count(call: Call) -> int:
    return len(_listed_ingestions(call))


def _ingestions_id(call: Call) -> Json:
    one = call.life.ingestions.get(call.params[0])
    if one is None:
        raise _not_found()
    return _shown(call, shapes.ingestion(one, call.tenant))


def _scoped_life(call: Call) -> Life:
    if call.life.application is None:
        raise _no_integration(call)
    return call.life


def _schools(call: Call) -> Listing:
    return _listing(_scoped_life(call).schools, lambda one: shapes.school(one, call.tenant))


def _schools_id(call: Call) -> Json:
    return shapes.school(_found(_scoped_life(call).schools, call.params[0], lambda one: one.id), call.tenant)


def _courses(call: Call) -> Listing:
    return _listing(_scoped_life(call).courses, lambda one: shapes.course(one, call.tenant))


def _courses_id(call: Call) -> Json:
    return shapes.course(_found(_scoped_life(call).courses, call.params[0], lambda one: one.id), call.tenant)


def _shown(call: Call, resource: Json) -> Json:
    return resource if call.options.ids else shapes.without_id(resource)


@dataclass(frozen=True, slots=True)
class Route:
    """One call: its path template below the prefix, whose credentials it takes, and what answers it."""

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
_OPEN = [(route, route.template.split("/")) for route in ROUTES if "{" in route.template]


def find(path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The route for a path below the prefix, and the ids in the path; None if there is none."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed, ()
    parts = path.split("/")
    for route, wanted in _OPEN:
        if len(parts) == len(wanted) and all(w in (p, "{id}") for w, p in zip(wanted, parts, strict=True)):
            return route, tuple(p for w, p in zip(wanted, parts, strict=True) if w == "{id}")
    return None
