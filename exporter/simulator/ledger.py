"""What is really wrong, with whom, since when?

The ledger is what alerts are measured against: it knows what the simulated hub did, not what a client saw of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Incident:
    """One thing that is, or was, wrong with one tenant.

    `since` and `until` are Unix seconds; `until` is None while it lasts. `since` is the moment of the first
    wrong fact (the missed start, the bad end, the window's end), which may be later than the story's beginning.
    """

    kind: str
    tenant_id: str
    since: float
    until: float | None = None


class Ledger:
    """The book of incidents."""

    def __init__(self) -> None:
        self._incidents: list[Incident] = []

    def open(self, kind: str, tenant_id: str, since: float) -> Incident:
        """Write down a new incident, and return it so that `close` can be told of it."""
        incident = Incident(kind, tenant_id, since)
        self._incidents.append(incident)
        return incident

    def close_all(self, tenant_id: str, until: float) -> None:
        """End everything that is open about a tenant, at Unix seconds `until`: the tenant is gone."""
        for incident in self._incidents:
            if incident.tenant_id == tenant_id and incident.until is None:
                incident.until = until

    def entries(self) -> tuple[Incident, ...]:
        """All incidents, the oldest first."""
        return tuple(sorted(self._incidents, key=lambda one: (one.since, one.tenant_id, one.kind)))
