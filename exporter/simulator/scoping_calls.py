"""Implements the calls that change which schools and courses a tenant syncs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from exporter.simulator import serialize
from exporter.simulator.bodies import Body
from exporter.simulator.calls import Call, conflict, find
from exporter.simulator.inventory import new_id
from exporter.simulator.records import Course, School
from exporter.simulator.serialize import Json
from exporter.simulator.tenant_calls import scoping_of

Scope = TypeVar("Scope", School, Course)
# The members that schools and courses have in common, and the attributes of their records.
_TEXTS = {"name": "name", "local_id": "local_id", "keywords": "keywords"}


def create_schools(call: Call) -> Json | None:
    """Replace the schools, or append to them. The reply has the first new one, as published: one object."""
    schools = scoping_of(call).schools
    new = _create(call, schools, lambda body: _new_school(call, body))
    return serialize.school(new[0], call.tenant) if new else None


def update_school(call: Call) -> Json:
    """Change the members of a school that are in the body."""
    school = find(scoping_of(call).schools, call.params[0], lambda one: one.id)
    body = call.body
    _check_owner(call, body)
    _check_same_id(body, "school_id", school.id)
    _update(school, body, {**_TEXTS, "school_ref_id": "ref_id"})
    return serialize.school(school, call.tenant)


def delete_school(call: Call) -> None:
    """Remove a school; its courses stay."""
    schools = scoping_of(call).schools
    schools.remove(find(schools, call.params[0], lambda one: one.id))


def delete_schools(call: Call) -> None:
    """Remove all schools; courses stay."""
    scoping_of(call).schools.clear()


def create_courses(call: Call) -> Json | None:
    """Replace the courses, or append to them. The reply has the first new one, as published: one object."""
    courses = scoping_of(call).courses
    new = _create(call, courses, lambda body: _new_course(call, body))
    return serialize.course(new[0], call.tenant) if new else None


def update_course(call: Call) -> Json:
    """Change the members of a course that are in the body."""
    course = find(scoping_of(call).courses, call.params[0], lambda one: one.id)
    body = call.body
    _check_owner(call, body)
    _check_same_id(body, "course_id", course.id)
    school_id = body.uuid("school_id") if "school_id" in body else course.school_id
    _update(course, body, {**_TEXTS, "course_ref_id": "ref_id", "school_ref_id": "school_ref_id"})
    course.school_id = school_id
    return serialize.course(course, call.tenant)


def delete_course(call: Call) -> None:
    """Remove a course."""
    courses = scoping_of(call).courses
    courses.remove(find(courses, call.params[0], lambda one: one.id))


def delete_courses(call: Call) -> None:
    """Remove all courses."""
    scoping_of(call).courses.clear()


def _create(call: Call, have: list[Scope], make: Callable[[Body], Scope]) -> list[Scope]:
    """Make all that is in the body, or nothing if one of them is wrong."""
    replaces = call.flag("replace", default=True)
    new = [make(each) for each in call.body.bodies("data")]
    ids = set() if replaces else {one.id for one in have}
    for one in new:
        if one.id in ids:
            raise conflict("Two of them have the same id.", one.id)
        ids.add(one.id)
    if replaces:
        have.clear()
    have.extend(new)
    return new


def _new_school(call: Call, body: Body) -> School:
    _check_owner(call, body)
    return School(
        id=body.uuid("school_id") or new_id(call.simulated.rng_of_calls),
        ref_id=body.text("school_ref_id"),
        name=body.text("name"),
        local_id=body.text("local_id"),
        keywords=body.text("keywords"),
        selected=body.boolean("selected") or False,
    )


def _new_course(call: Call, body: Body) -> Course:
    _check_owner(call, body)
    return Course(
        id=body.uuid("course_id") or new_id(call.simulated.rng_of_calls),
        ref_id=body.text("course_ref_id"),
        school_id=body.uuid("school_id"),
        school_ref_id=body.text("school_ref_id"),
        name=body.text("name"),
        local_id=body.text("local_id"),
        keywords=body.text("keywords"),
        selected=body.boolean("selected") or False,
    )


def _update(one: School | Course, body: Body, texts: Mapping[str, str]) -> None:
    """Change the texts and the selection that are in the body; a wrong body changes nothing."""
    values = {name: body.text(member) for member, name in texts.items() if member in body}
    selected = body.boolean("selected")
    for name, value in values.items():
        setattr(one, name, value)
    one.selected = one.selected if selected is None else selected


def _check_owner(call: Call, body: Body) -> None:
    """The tenant can name itself and its account, and no other."""
    if body.uuid("tenant_id") not in (None, call.tenant.id):
        body.fail("tenant_id", "is not the tenant of these credentials")
    own = call.tenant.account.id if call.tenant.account else None
    if body.uuid("account_id") not in (None, own):
        body.fail("account_id", "is not the account of these credentials")


def _check_same_id(body: Body, name: str, wanted: str) -> None:
    if body.uuid(name) not in (None, wanted):
        body.fail(name, "is not the id in the path")
