"""Makes up the schools and courses that a tenant syncs."""

from __future__ import annotations

from functools import cached_property
from random import Random

from exporter.simulator.inventory import new_id
from exporter.simulator.records import Course, School

_SCHOOLS = ("Elementary School", "Middle School", "High School", "Academy")
_SUBJECTS = ("Algebra I", "Biology", "US History", "English 9", "Spanish II", "Art Foundations", "Physical Education")


class Scoping:
    """The schools and courses of one tenant, made at the first access."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    @cached_property
    def schools(self) -> list[School]:
        """The schools."""
        rng = Random(f"{self._tenant_id}/schools")
        return [_new_school(rng, number) for number in range(rng.randrange(3, 15))]

    @cached_property
    def courses(self) -> list[Course]:
        """The courses."""
        rng = Random(f"{self._tenant_id}/courses")
        return [_new_course(rng, school) for school in self.schools for _ in range(rng.randrange(5))]


def _new_school(rng: Random, number: int) -> School:
    school_id = new_id(rng)
    name = f"PS {number + 1} {rng.choice(_SCHOOLS)}"
    selected = rng.random() < 0.8
    return School(school_id, f"ref-{school_id[:8]}", name, f"{100 + number}", name.lower(), selected)


def _new_course(rng: Random, school: School) -> Course:
    course_id = new_id(rng)
    name = rng.choice(_SUBJECTS)
    selected, ref_id = rng.random() < 0.7, f"ref-{course_id[:8]}"
    return Course(course_id, ref_id, school.id, school.ref_id, name, course_id[:6], name.lower(), selected)
