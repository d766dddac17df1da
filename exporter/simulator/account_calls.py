"""Implements the calls of the account that read: tenants, actors, clouds and integrations."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.simulator import serialize
from exporter.simulator.calls import Call, Listing, bad_parameter, find, listing, not_found
from exporter.simulator.inventory import Actor, Cloud, Integration, Tenant
from exporter.simulator.serialize import Json


def list_tenants(call: Call) -> Listing:
    """The tenants, by account and integration.

    The published parameter is `integration`. Older client kits send `integrations`, which servers have ignored.
    """
    items: Iterable[Tenant] = call.inventory.tenants.values()
    accounts = _split(call.query.get("accounts", ""))
    if accounts:
        items = [one for one in items if one.account and accounts & {one.account.id, one.account.public_id}]
    integrations = _split(call.query.get("integration", ""))
    if call.options.honours_integrations:
        integrations |= _split(call.query.get("integrations", ""))
    if integrations:
        items = [one for one in items if one.integration and integrations & {one.integration.id, one.integration.name}]
    return listing(items, serialize.tenant_info)


def _split(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(",") if part.strip())


def find_tenant(call: Call) -> Json:
    """A tenant by its id."""
    tenant = call.inventory.tenants.get(call.params[0])
    if tenant is None:
        raise not_found()
    return serialize.tenant_info(tenant)


def list_actors(call: Call) -> Listing:
    """All actors; each tenant is one."""
    actors: list[Actor | Tenant] = [*call.inventory.actors.values(), *call.inventory.tenants.values()]
    return listing(actors, serialize.actor)


def list_clouds(call: Call) -> Listing:
    """All clouds."""
    return listing(call.inventory.clouds.values(), serialize.cloud)


def search_clouds(call: Call) -> Listing:
    """The clouds with this generation, this userdata, and this text in their name."""
    generation, userdata = call.query.get("generation", ""), call.query.get("userdata", "")
    if not (generation == "" or (generation.isascii() and generation.isdigit())):
        raise bad_parameter("generation", "must be a number")
    name = call.query.get("name", "").lower()
    matching = [
        cloud
        for cloud in call.inventory.clouds.values()
        if generation in ("", str(cloud.generation)) and userdata in ("", cloud.userdata) and name in cloud.name.lower()
    ]
    return listing(matching, serialize.cloud)


def cloud_of(call: Call) -> Cloud:
    """The cloud in the path; raises ApiError if there is none."""
    return find(call.inventory.clouds.values(), call.params[0], lambda one: one.id)


def find_cloud(call: Call) -> Json:
    """A cloud by its id."""
    return serialize.cloud(cloud_of(call))


def list_actors_of_cloud(call: Call) -> Listing:
    """The actors of a cloud; without their credentials if `include_credentials` is false."""
    cloud = cloud_of(call)
    members: list[Actor | Tenant] = [one for one in call.inventory.actors.values() if one.cloud is cloud]
    members += [one for one in call.inventory.tenants.values() if one.cloud is cloud]
    if call.flag("include_credentials", default=True):
        return listing(members, serialize.actor)
    return listing(members, lambda one: {**serialize.actor(one), "auth": None})


def list_integrations(call: Call) -> Listing:
    """The integrations, by name."""
    name = call.query.get("name", "")
    return listing(
        [one for one in call.inventory.integrations.values() if name in ("", one.name)], serialize.integration
    )


def integration_of(call: Call) -> Integration:
    """The integration in the path; raises ApiError if there is none."""
    return find(call.inventory.integrations.values(), call.params[0], lambda one: one.id)


def find_integration(call: Call) -> Json:
    """An integration by its id."""
    return serialize.integration(integration_of(call))


def list_versions(call: Call) -> Listing:
    """The versions of an integration."""
    return listing(integration_of(call).versions, serialize.version)
