"""Implements the calls of actors that read: the tenant, its application, rollovers, schedules, ingestions, scoping."""

from __future__ import annotations

from collections.abc import Callable

from exporter.simulator import serialize
from exporter.simulator.calls import Call, Listing, bad_parameter, find, listing, not_found
from exporter.simulator.http_messages import ApiError
from exporter.simulator.records import Application, Ingestion, Rollover, Schedule
from exporter.simulator.scoping import Scoping
from exporter.simulator.serialize import Json
from exporter.simulator.times import HOUR

_FINISHED_STAY_LISTED = 48 * HOUR


def own_tenant(call: Call) -> Json:
    """The calling tenant."""
    return serialize.tenant_info(call.tenant)


def state(call: Call) -> Json:
    """The flags of the tenant."""
    return dict[str, object](call.simulated.flags)


def application_of(call: Call) -> Application:
    """The application of the tenant; raises ApiError if it is no integration."""
    application = call.simulated.application
    if application is None:
        raise _no_integration(call)
    return application


def application(call: Call) -> Json:
    """The application of the tenant."""
    return serialize.application(application_of(call), call.tenant)


def _no_integration(call: Call) -> ApiError:
    """Some servers send 403, others 404: here it depends on the tenant."""
    if call.tenant.index % 2:
        return ApiError(404, "not_found", "The tenant is not an integration.")
    return ApiError(403, "forbidden", "The tenant is not an integration.")


# Rollovers

_ROLLOVER_ORDERS: dict[str, Callable[[Rollover], tuple[float, str]]] = {
    "start_date": lambda one: (one.start, ""),
    "end_date": lambda one: (one.end, ""),
    "name": lambda one: (0.0, one.name),
    "type": lambda one: (0.0, one.type),
    "status": lambda one: (0.0, one.status),
}


def list_rollovers(call: Call) -> Listing:
    """The rollovers, in the order of `sort`."""
    order = call.query.get("sort", "")
    rollovers = list(call.simulated.rollovers.all)
    if order:
        key = _ROLLOVER_ORDERS.get(order.removeprefix("-"))
        if key is None:
            raise bad_parameter("sort", f"must be one of {', '.join(_ROLLOVER_ORDERS)}, with - for descending order")
        rollovers.sort(key=key, reverse=order.startswith("-"))
    return listing(rollovers, lambda one: show_rollover(call, one))


def count_rollovers(call: Call) -> int:
    """The number of rollovers."""
    return len(call.simulated.rollovers.all)


def rollover_of(call: Call) -> Rollover:
    """The rollover in the path; raises ApiError if there is none."""
    return find(call.simulated.rollovers.all, call.params[0], lambda one: one.id)


def find_rollover(call: Call) -> Json:
    """A rollover by its id."""
    return show_rollover(call, rollover_of(call))


def show_rollover(call: Call, one: Rollover) -> Json:
    """A rollover as this server shows it."""
    return _drop_id_if_hidden(call, serialize.rollover(one, call.tenant))


# Schedules


def list_schedules(call: Call) -> Listing:
    """The schedules."""
    return listing(call.simulated.schedules.all, lambda one: show_schedule(call, one))


def count_schedules(call: Call) -> int:
    """The number of schedules."""
    return len(call.simulated.schedules.all)


def schedule_of(call: Call) -> Schedule:
    """The schedule in the path; raises ApiError if there is none."""
    return find(call.simulated.schedules.all, call.params[0], lambda one: one.id)


def find_schedule(call: Call) -> Json:
    """A schedule by its id."""
    return show_schedule(call, schedule_of(call))


def show_schedule(call: Call, one: Schedule) -> Json:
    """A schedule as this server shows it."""
    return _drop_id_if_hidden(call, serialize.schedule(one, call.tenant))


# Ingestions


def _listed_ingestions(call: Call) -> list[Ingestion]:
    if not (call.options.lists_finished or call.simulated.ingestions.lists_finished):
        return list(call.simulated.ingestions.unfinished.values())
    oldest = call.now - _FINISHED_STAY_LISTED
    return [one for one in call.simulated.ingestions.by_id.values() if one.ended_at is None or one.ended_at >= oldest]


def list_ingestions(call: Call) -> Listing:
    """The unfinished ingestions; on some servers, the finished ones of two days as well."""
    return listing(
        _listed_ingestions(call), lambda one: _drop_id_if_hidden(call, serialize.ingestion(one, call.tenant))
    )


def count_ingestions(call: Call) -> int:
    """The number of ingestions in the list."""
    return len(_listed_ingestions(call))


def find_ingestion(call: Call) -> Json:
    """An ingestion by its id."""
    one = call.simulated.ingestions.by_id.get(call.params[0])
    if one is None:
        raise not_found()
    return _drop_id_if_hidden(call, serialize.ingestion(one, call.tenant))


# Scoping


def scoping_of(call: Call) -> Scoping:
    """The scoping of the tenant; raises ApiError if it is no integration."""
    application_of(call)
    return call.simulated.scoping


def list_schools(call: Call) -> Listing:
    """The schools."""
    return listing(scoping_of(call).schools, lambda one: serialize.school(one, call.tenant))


def find_school(call: Call) -> Json:
    """A school by its id."""
    return serialize.school(find(scoping_of(call).schools, call.params[0], lambda one: one.id), call.tenant)


def list_courses(call: Call) -> Listing:
    """The courses."""
    return listing(scoping_of(call).courses, lambda one: serialize.course(one, call.tenant))


def find_course(call: Call) -> Json:
    """A course by its id."""
    return serialize.course(find(scoping_of(call).courses, call.params[0], lambda one: one.id), call.tenant)


def _drop_id_if_hidden(call: Call, resource: Json) -> Json:
    return resource if call.options.ids else serialize.without_id(resource)
