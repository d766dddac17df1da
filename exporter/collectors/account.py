"""What else do the account's credentials see? Actors, clouds, integrations; off unless asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from exporter.api.client import AccountApi
from exporter.api.models import Actor, Integration, IntegrationVersion
from exporter.collectors.collector import Collector, Reading, polled

ACTORS = polled("kimono_actors", "Actors that the account sees, by type.", "actor_type")
CLOUDS = polled("kimono_clouds", "Clouds that the account sees.")
VERSION = polled(
    "kimono_integration_version_info",
    "A version of an integration and the state of its release.",
    "integration",
    "version",
    "release_state",
)


@dataclass(frozen=True)
class Account:
    """All that the account's own lists tell; `versions` go by the integration's name."""

    actors: list[Actor]
    clouds: int
    versions: list[tuple[str, IntegrationVersion]]


class AccountCollector(Collector[AccountApi, Account, None]):
    """The account's actors, clouds and integrations. It visits no tenant."""

    name = "account"
    families = (ACTORS, CLOUDS, VERSION)

    async def fetch(self, api: AccountApi, memory: None) -> Account:  # noqa: ARG002 - nothing to remember
        """Ask for the lists, and for the versions of each integration."""
        versions = [
            (integration.name or "", version)
            for integration in await api.integrations()
            for version in await _versions(api, integration)
        ]
        return Account(await api.actors(), await api.clouds(), versions)

    def read(self, tenant_id: str, facts: Account, memory: None, now: float) -> Reading[None]:  # noqa: ARG002 - it has no tenant
        """Counts, and a row a version."""
        actors = Counter(actor.type for actor in facts.actors)
        return Reading(
            [
                *[ACTORS(count, actor_type=actor_type) for actor_type, count in actors.items()],
                CLOUDS(facts.clouds),
                *[
                    VERSION(
                        1,
                        integration=integration,
                        version=version.version or "",
                        release_state=version.release_state or "",
                    )
                    for integration, version in facts.versions
                ],
            ]
        )


async def _versions(api: AccountApi, integration: Integration) -> list[IntegrationVersion]:
    """An integration without an id can't be asked for its versions; the list names one of them."""
    if integration.id is None:
        return [IntegrationVersion(integration.version, None)] if integration.version else []
    return await api.versions(integration.id)
