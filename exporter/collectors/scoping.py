"""How much of a district is selected? `GET /tenant/scoping/schools` and `/courses`; off unless asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from exporter.api.client import TenantApi
from exporter.api.models import Scope
from exporter.collectors.collector import Collector, Reading, polled
from exporter.metrics import Family, Sample

SCHOOLS = polled("kimono_scoping_schools", "Schools, by whether they are selected.", "tenant_id", "selected")
COURSES = polled("kimono_scoping_courses", "Courses, by whether they are selected.", "tenant_id", "selected")


@dataclass(frozen=True)
class Scoping:
    """All that can be selected."""

    schools: list[Scope]
    courses: list[Scope]


class ScopingCollector(Collector[TenantApi, Scoping, None]):
    """The tenant's schools and courses."""

    name = "scoping"
    families = (SCHOOLS, COURSES)
    may_be_absent = True

    async def fetch(self, api: TenantApi, memory: None) -> Scoping:  # noqa: ARG002 - nothing to remember
        """Ask for both lists."""
        return Scoping(await api.schools(), await api.courses())

    def read(self, tenant_id: str, facts: Scoping, memory: None, now: float) -> Reading[None]:  # noqa: ARG002 - likewise
        """Two counts of each; what does not say whether it is selected counts in neither."""
        return Reading([*_counts(SCHOOLS, tenant_id, facts.schools), *_counts(COURSES, tenant_id, facts.courses)])


def _counts(family: Family, tenant_id: str, scopes: list[Scope]) -> list[Sample]:
    counts = Counter(scope.selected for scope in scopes)
    return [family(counts[on], tenant_id=tenant_id, selected=str(on).lower()) for on in (True, False)]
