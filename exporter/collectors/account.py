"""Collects what the account's credentials see besides tenants: actors, clouds, integrations. Off by default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.api.client import Api
from exporter.api.models import Actor, Integration, IntegrationVersion
from exporter.collectors.collector import Collector, Poll
from exporter.history import History
from exporter.metrics import Sample, polled

ACTORS = polled("kimono_actors", "Actors that the account sees, by type.", "actor_type")
CLOUDS = polled("kimono_clouds", "Clouds that the account sees.")
VERSION = polled(
    "kimono_integration_version_info",
    "A version of an integration and the state of its release.",
    *("integration", "version", "release_state"),
)


@dataclass(frozen=True)
class Account:
    """The account's lists; `versions` go with the integration's name."""

    actors: list[Actor]
    clouds: int
    versions: list[tuple[str, IntegrationVersion]]


class AccountCollector(Collector[Account]):
    """The account's actors, clouds and integrations."""

    name = "account"
    description = "Counts of actors and clouds, and integration versions (needs account credentials)"
    default_interval = 3600.0
    enabled_by_default = False
    families = (ACTORS, CLOUDS, VERSION)
    of_account = True

    async def fetch(self, api: Api, _: History, /) -> Account:
        """Get the lists, and the versions of each integration."""
        versions = [
            (integration.name or "", version)
            for integration in await api.get_list("/integrations", Integration.parse)
            for version in await _versions(api, integration)
        ]
        actors = await api.get_list("/actors", Actor.parse)
        return Account(actors, len(await api.get_list("/clouds", lambda cloud: cloud)), versions)

    def size(self, facts: Account, /) -> int:
        """How many actors and versions there are."""
        return len(facts.actors) + len(facts.versions)

    def samples(self, poll: Poll[Account], /) -> Iterable[Sample]:
        """The counts, and one sample for each version."""
        for actor_type, count in Counter(actor.type for actor in poll.facts.actors).items():
            yield ACTORS(count, actor_type=actor_type)
        yield CLOUDS(poll.facts.clouds)
        for integration, version in poll.facts.versions:
            yield VERSION(
                1, integration=integration, version=version.version or "", release_state=version.release_state or ""
            )


async def _versions(api: Api, integration: Integration) -> list[IntegrationVersion]:
    """The versions of an integration. One without an id has no such list: its own version is the only one known."""
    if integration.id is None:
        return [IntegrationVersion(integration.version, None)] if integration.version else []
    return await api.get_list("/integrations/{id}/versions", IntegrationVersion.parse, ident=integration.id)
