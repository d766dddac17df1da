"""Says how to call the simulated API: as the account, and as a tenant for which all is well."""

from __future__ import annotations

from exporter.simulator.simulator import Simulator, TenantFacts


def how_to_change(simulator: Simulator, base_url: str) -> str:
    """A line for people: where the examples are, and a shell command that sets their variables."""
    return f"To change something with curl, see docs/sandbox.md: {shell_variables(simulator, base_url)}\n"


def shell_variables(simulator: Simulator, base_url: str) -> str:
    """A shell command that sets the variables of the examples in docs/sandbox.md, for curl."""
    key, tenant = simulator.api_key, calm_tenant(simulator)
    command = f"export API={base_url} ACCOUNT={key}:{key}"
    if tenant is None:
        return command
    return f"{command} TENANT={tenant.credentials.client_id}:{tenant.credentials.client_secret}"


def calm_tenant(simulator: Simulator) -> TenantFacts | None:
    """The first tenant that needs no token and on which every change has an effect; None if there is none.

    It has an application, a cloud, an enabled schedule, and no story, rollover or unfinished ingestion.
    """
    return next(
        (one for one in simulator.tenants() if one.credentials.type == "basic" and _is_calm(simulator, one)), None
    )


def _is_calm(simulator: Simulator, tenant: TenantFacts) -> bool:
    truth = simulator.truth(tenant.id)
    if truth.stories or truth.rollovers or truth.application is None or tenant.cloud_id is None:
        return False
    if any(truth.flags.values()) or any(one.ended_at is None for one in truth.ingestions):
        return False
    return any(one.enabled and one.type == "collection" for one in truth.schedules)
