"""Implements the calls of the account that change clouds, integrations, their versions and blueprints."""

from __future__ import annotations

from exporter.simulator import serialize
from exporter.simulator.account_calls import cloud_of, integration_of
from exporter.simulator.bodies import bad_body
from exporter.simulator.calls import Call, conflict, find
from exporter.simulator.inventory import Account, Cloud, Integration, Version
from exporter.simulator.serialize import Json

_RELEASE_STATES = ("unspecified", "development", "beta", "released", "deprecated")
_MOST_GENERATION = 1000
_GENERATION = 2

# Clouds


def create_cloud(call: Call) -> Json:
    """Create a cloud without actors. If the userdata is the public id of an account, the cloud belongs to that."""
    body, inventory = call.body, call.inventory
    name, userdata = body.required_text("name"), body.text("userdata")
    generation = body.number("generation", 1, _MOST_GENERATION) or _GENERATION
    cloud = Cloud(
        id=inventory.new_id(),
        name=name,
        generation=generation,
        env_id=inventory.new_id(),
        env_name="sandbox",
        account=_account(call, userdata),
        created_at=call.now,
        userdata=userdata,
    )
    inventory.clouds[cloud.id] = cloud
    return serialize.cloud(cloud)


def _account(call: Call, userdata: str | None) -> Account:
    accounts = list(call.inventory.accounts.values())
    if not accounts:
        raise conflict("There is no account.")
    return next((one for one in accounts if one.public_id == userdata), accounts[0])


def delete_cloud(call: Call) -> None:
    """Remove a cloud, with its connectors and repositories, if no tenant is in it."""
    cloud, inventory = cloud_of(call), call.inventory
    for tenant in inventory.tenants.values():
        if tenant.cloud is cloud:
            raise conflict("The cloud has tenants.", tenant.id)
    for actor in [one for one in inventory.actors.values() if one.cloud is cloud]:
        del inventory.actors[actor.id]
    del inventory.clouds[cloud.id]


# Integrations


def create_integration(call: Call) -> Json:
    """Create an integration. If its version is given, that is created too."""
    body, inventory = call.body, call.inventory
    name, title, number = body.required_text("name"), body.text("title"), body.text("version")
    _check_name(call, name)
    version = [_version(call, number, title, "development")] if number else []
    one = Integration(inventory.new_id(), name, title, version, call.now, call.now, number or None)
    inventory.integrations[one.id] = one
    return serialize.integration(one)


def update_integration(call: Call) -> None:
    """Change the name, the title or the current version. Tenants show the new name at once."""
    integration, body = integration_of(call), call.body
    name = body.required_text("name") if "name" in body else integration.name
    title = body.text("title") if "title" in body else integration.title
    version = body.text("version") if "version" in body else integration.version
    if version is not None and all(one.version != version for one in integration.versions):
        body.fail("version", "is not a version of the integration")
    if name != integration.name:
        _check_name(call, name)
    integration.name, integration.title, integration.version = name, title, version
    integration.updated_at = call.now


def delete_integration(call: Call) -> None:
    """Remove an integration, if no tenant is one of its installations."""
    integration = integration_of(call)
    for tenant in call.inventory.tenants.values():
        if tenant.integration is integration:
            raise conflict("The integration has tenants.", tenant.id)
    del call.inventory.integrations[integration.id]


def _check_name(call: Call, name: str) -> None:
    for one in call.inventory.integrations.values():
        if one.name == name:
            raise conflict("There is an integration with this name.", one.id)


# Versions and blueprints


def create_version(call: Call) -> Json:
    """Create a version of an integration. The body is kept as its blueprint."""
    integration, body = integration_of(call), call.body
    number, title = body.required_text("version"), body.text("title")
    state = body.choice("release_state", _RELEASE_STATES) or "development"
    for one in integration.versions:
        if one.version == number:
            raise conflict("There is such a version.", one.id)
    version = _version(call, number, title, state)
    version.blueprint = call.raw_body.decode()  # the body was read, so it is UTF-8
    integration.versions.append(version)
    return serialize.version(version)


def update_version(call: Call) -> None:
    """Change the title or the release state of a version. Its number stays."""
    version, body = _version_of(call), call.body
    title = body.text("title") if "title" in body else version.title
    state = body.choice("release_state", _RELEASE_STATES) or version.release_state
    if body.text("version") not in (None, version.version):
        body.fail("version", "is not the version in the path")
    version.title, version.release_state, version.updated_at = title, state, call.now


def delete_version(call: Call) -> None:
    """Remove a version, if no tenant uses it and it is not the current one."""
    integration, version = integration_of(call), _version_of(call)
    for tenant in call.inventory.tenants.values():
        if tenant.integration is integration and tenant.version == version.version:
            raise conflict("The version has tenants.", tenant.id)
    if integration.version == version.version:
        raise conflict("The version is the current one.", integration.id)
    integration.versions.remove(version)


def update_blueprint(call: Call) -> Json:
    """Keep a blueprint. Its format is not published, so any text is accepted."""
    version = _version_of(call)
    try:
        blueprint = call.raw_body.decode()
    except UnicodeDecodeError:
        raise bad_body("is not UTF-8") from None
    if not blueprint.strip():
        raise bad_body("must not be empty")
    version.blueprint, version.updated_at = blueprint, call.now
    return serialize.version(version)


def _version_of(call: Call) -> Version:
    return find(integration_of(call).versions, call.params[1], lambda one: one.version)


def _version(call: Call, number: str, title: str | None, state: str) -> Version:
    return Version(call.inventory.new_id(), number, title, state, call.now, call.now)
