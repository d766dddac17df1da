"""Implements the calls of actors that change schedules, rollovers and the application."""

from __future__ import annotations

from exporter.simulator import serialize
from exporter.simulator.bodies import Body, check_empty_body
from exporter.simulator.calls import Call, conflict
from exporter.simulator.http_messages import ApiError
from exporter.simulator.records import Rollover
from exporter.simulator.serialize import Json
from exporter.simulator.tenant_calls import application_of, rollover_of, schedule_of, show_rollover, show_schedule

_ROLLOVER_TYPES = ("new_year",)
_ROLLOVER_STATUSES = ("upcoming", "ongoing", "completed")

# Schedules


def create_schedule(call: Call) -> Json:
    """Create a collection schedule for every day; it runs from its next due time on."""
    hour = call.body.number("hour", 0, 23, required=True) or 0
    schedules = call.simulated.schedules
    for one in schedules.all:
        if one.hour == hour:
            raise conflict("The schedule overlaps with another schedule.", one.id)
    return show_schedule(call, schedules.create(hour, call.now))


def update_schedule(call: Call) -> Json:
    """Enable or disable a schedule. Other members of the body are ignored, as if they were read-only."""
    schedule = schedule_of(call)
    enabled = call.body.boolean("enabled", required=True) is True
    call.simulated.schedules.set_enabled(schedule, call.now, enabled=enabled)
    return show_schedule(call, schedule)


def delete_schedule(call: Call) -> None:
    """Remove a schedule. An ingestion that it has started goes on."""
    call.simulated.schedules.remove(schedule_of(call))


def run_schedule(call: Call) -> None:
    """Run a schedule now. It needs a collection schedule that is not paused, and no pending ingestion."""
    schedule = schedule_of(call)
    check_empty_body(call.raw_body)
    if schedule.type != "collection":
        raise ApiError(400, "bad_request", "The schedule type can't be run on demand.", details=schedule.type)
    if not schedule.enabled:
        raise _not_run("the schedule is paused")
    if call.simulated.is_paused():
        raise _not_run("synchronization of the tenant is paused")
    for one in call.simulated.ingestions.under_way():
        raise _not_run(f"ingestion {one.id} is pending")
    call.simulated.schedules.execute(schedule, call.now)


def _not_run(details: str) -> ApiError:
    return conflict("The schedule was not run.", details)


# Rollovers


def create_rollover(call: Call) -> Json:
    """Plan a rollover. It opens at its start, even if that has passed, and is completed at its end."""
    name, start, end = _window(call, call.body)
    if call.body.choice("status", _ROLLOVER_STATUSES, required=True) != "upcoming":
        call.body.fail("status", "must be upcoming")
    _check_end_and_overlap(call, start, end)
    return show_rollover(call, call.simulated.rollovers.create(name, start, end, call.now))


def update_rollover(call: Call) -> Json:
    """Rename a rollover, or move its window. The start of one that is ongoing stays."""
    rollover, rollovers = rollover_of(call), call.simulated.rollovers
    name, start, end = _window(call, call.body)
    _check_status(call.body, rollover)
    if rollovers.is_over(rollover):
        raise conflict("The rollover is over.", rollover.id)
    if rollover.is_on and start != rollover.start:
        raise conflict("The rollover has started.", rollover.id)
    _check_end_and_overlap(call, start, end, rollover)
    rollover.name, rollover.edited_at, rollover.updated_at = name, call.now, call.now
    rollovers.move(rollover, start, end)
    return show_rollover(call, rollover)


def delete_rollover(call: Call) -> None:
    """Remove a rollover that is not active."""
    rollover = rollover_of(call)
    if rollover.is_on:
        raise conflict("An active rollover can't be deleted.", rollover.id)
    call.simulated.rollovers.remove(rollover, call.now)


def _window(call: Call, body: Body) -> tuple[str, float, float]:
    """The name, start and end (Unix seconds) in a body whose other members are right, too."""
    name, start, end = body.required_text("name"), body.moment("start_date"), body.moment("end_date")
    body.choice("type", _ROLLOVER_TYPES, required=True)
    cloud_id, own = body.uuid("cloud_id", required=True), call.tenant.cloud
    if own is not None and cloud_id != own.id:
        body.fail("cloud_id", "is not the cloud of the tenant")
    if body.uuid("actor_id") not in (None, call.tenant.actor_id):
        body.fail("actor_id", "is not the actor of these credentials")
    if end <= start:
        body.fail("end_date", "must be after start_date")
    return name, start, end


def _check_status(body: Body, rollover: Rollover) -> None:
    """A client that sends another known status has read the rollover before that changed."""
    if body.text("status", required=True) != rollover.status:
        body.choice("status", _ROLLOVER_STATUSES)
        raise conflict("The rollover was modified concurrently.", f"status is {rollover.status}")


def _check_end_and_overlap(call: Call, start: float, end: float, rollover: Rollover | None = None) -> None:
    if end <= call.now and not (rollover and rollover.is_on):
        call.body.fail("end_date", "must not be in the past")
    other = call.simulated.rollovers.overlapping(start, end, call.now, rollover)
    if other is not None:
        raise conflict("The rollover overlaps with another rollover.", other.id)


# The application


def update_application(call: Call) -> Json:
    """Report the outcome of the pending authentication. Members that the reference calls read-only are ignored."""
    application, body = application_of(call), call.body
    if application.auth_state_pending != "updating":
        raise conflict("No authentication is pending.", f"auth_state_pending is {application.auth_state_pending}")
    message, state = body.text("auth_message"), body.choice("auth_state_pending", ("confirmed", "error"))
    props = _texts(body, "auth_props_pending")
    if "auth_message" in body:
        application.auth_message = message
    if props is not None:
        application.props_pending = props
    if state is not None:
        application.auth_state_pending = state
    if state == "confirmed":
        application.auth_state = state
        application.props, application.props_pending = application.props_pending or application.props, {}
    application.updated_at = call.now
    return serialize.application(application, call.tenant)


def _texts(body: Body, name: str) -> dict[str, str] | None:
    """An object whose values are texts."""
    value = body.mapping(name)
    if value is None:
        return None
    members = Body(value, f"{name}.")
    return {each: members.text(each) or "" for each in value}
