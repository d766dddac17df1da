"""Collects how many schools and courses are selected: `GET /tenant/scoping/schools` and `/courses`. Off by default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.api.client import Api
from exporter.api.models import Scope
from exporter.collectors.collector import Collector, Poll
from exporter.history import History
from exporter.metrics import Family, Sample, polled

SCHOOLS = polled("kimono_scoping_schools", "Schools, by whether they are selected.", "tenant_id", "selected")
COURSES = polled("kimono_scoping_courses", "Courses, by whether they are selected.", "tenant_id", "selected")


@dataclass(frozen=True)
class Scoping:
    """All that can be selected."""

    schools: list[Scope]
    courses: list[Scope]


class ScopingCollector(Collector[Scoping]):
    """The tenant's schools and courses."""

    name = "scoping"
    description = "Counts of schools and courses in scope"
    default_interval = 3600.0
    enabled_by_default = False
    families = (SCHOOLS, COURSES)
    may_be_absent = True

    async def fetch(self, api: Api, _: History, /) -> Scoping:
        """Get both lists."""
        schools = await api.get_list("/tenant/scoping/schools", Scope.parse)
        return Scoping(schools, await api.get_list("/tenant/scoping/courses", Scope.parse))

    def size(self, facts: Scoping, /) -> int:
        """How many schools and courses there are."""
        return len(facts.schools) + len(facts.courses)

    def samples(self, poll: Poll[Scoping], /) -> Iterable[Sample]:
        """Two counts of each; an object that does not say whether it is selected counts in neither."""
        yield from _counts(SCHOOLS, poll.tenant_id, poll.facts.schools)
        yield from _counts(COURSES, poll.tenant_id, poll.facts.courses)


def _counts(family: Family, tenant_id: str, scopes: list[Scope]) -> list[Sample]:
    counts = Counter(scope.selected for scope in scopes)
    return [family(counts[on], tenant_id=tenant_id, selected=str(on).lower()) for on in (True, False)]
