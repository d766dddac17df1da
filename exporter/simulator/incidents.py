"""Records the true incidents: which tenant has which problem, and since when.

Alerts are measured against this record. It holds what the simulated hub did, not what a client saw of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Incident:
    """One problem of one tenant.

    `since` and `until` are Unix seconds; `until` is None while the problem lasts. `since` is the time of the first
    failure (the missed start, the failed run, the window's end). It may be later than the start of the story.
    """

    kind: str
    tenant_id: str
    since: float
    until: float | None = None


class IncidentLog:
    """The incidents of all tenants."""

    def __init__(self) -> None:
        self._incidents: list[Incident] = []

    def add(self, incident: Incident) -> None:
        """Add an incident."""
        self._incidents.append(incident)

    def end_all(self, tenant_id: str, until: float) -> None:
        """End all open incidents of a removed tenant at Unix seconds `until`."""
        for incident in self._incidents:
            if incident.tenant_id == tenant_id and incident.until is None:
                incident.until = until

    def entries(self) -> tuple[Incident, ...]:
        """All incidents, the oldest first."""
        return tuple(sorted(self._incidents, key=lambda one: (one.since, one.tenant_id, one.kind)))


class TenantIncidents:
    """The open incidents of one tenant, at most one of each kind."""

    def __init__(self, log: IncidentLog, tenant_id: str) -> None:
        self._log = log
        self._tenant_id = tenant_id
        self._open: dict[str, Incident] = {}

    def begin(self, kind: str, since: float) -> None:
        """Begin an incident at Unix seconds `since`, unless one of this kind is open."""
        if kind not in self._open:
            self._open[kind] = Incident(kind, self._tenant_id, since)
            self._log.add(self._open[kind])

    def end(self, kind: str, until: float) -> None:
        """End the open incident of this kind at Unix seconds `until`, if there is one."""
        incident = self._open.pop(kind, None)
        if incident is not None:
            incident.until = until
