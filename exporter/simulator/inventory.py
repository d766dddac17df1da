"""Makes up accounts, clouds, integrations, actors and tenants with realistic names, from a seed.

Every made-up secret contains the text `S3CR3T`, so that a test can detect a leak of any of them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from random import Random

from exporter.simulator.times import DAY, round_to_ms

_NAMES = (
    *("Maple", "Cedar", "Oak", "Willow", "Aspen", "Juniper", "Birch", "Sycamore", "Elm", "Hickory", "Pine", "Laurel"),
    *("Lincoln", "Madison", "Franklin", "Jefferson", "Monroe", "Harrison", "Clayton", "Easton", "Weston", "Granite"),
    *("Silver", "Clear", "Stone", "Red", "Blue", "Bear", "Eagle", "Elk", "Fox", "Deer", "Cherry", "Prairie"),
)
_LANDSCAPES = (
    *("Valley", "Ridge", "Creek", "Grove", "Hills", "Park", "Springs", "Lake", "River", "Falls", "Meadow", "Point"),
    *("Bluff", "Canyon", "Harbor", "Heights", "Mesa", "Prairie", "Bay", "Crossing"),
)
_DISTRICTS = (
    *("Unified School District", "Independent School District", "Public Schools", "Community Schools"),
    *("School District", "Central School District", "Area School District", "Consolidated Schools"),
)
_TIMEZONES = ("America/Chicago", "America/New_York", "America/Denver", "America/Los_Angeles", "America/Phoenix")
_PRODUCTS = (
    ("canopy-lms", "Canopy LMS"),
    ("brightpath-reading", "BrightPath Reading"),
    ("ledgerline-grades", "Ledgerline Grades"),
    ("northstar-assess", "Northstar Assessments"),
    ("lunchbox-pos", "Lunchbox POS"),
    ("wayfare-transport", "Wayfare Transport"),
    ("quillroom", "Quillroom Writing"),
    ("numera-math", "Numera Math"),
)
_RELEASES = (
    ("1.8.2", "deprecated"),
    ("2.4.0", "released"),
    ("2.5.1", "released"),
    ("3.0.0-rc.1", "beta"),
    ("3.1.0", "development"),
    ("0.0.1", "unspecified"),
)
_ENVIRONMENTS = ("production", "production", "production", "sandbox")


def new_id(rng: Random) -> str:
    """A UUID from the given random numbers."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def new_secret(rng: Random, use: str) -> str:
    """A made-up secret that names its use and contains the marker."""
    return f"S3CR3T-{use}-{rng.getrandbits(96):024x}"


@dataclass(slots=True)
class Account:
    """A customer account."""

    id: str
    name: str
    public_id: str
    timezone: str


@dataclass(slots=True)
class Cloud:
    """One hub instance of one account."""

    id: str
    name: str
    generation: int
    env_id: str
    env_name: str
    account: Account
    created_at: float
    userdata: str | None


@dataclass(slots=True)
class Version:
    """One version of an integration. `blueprint` is the text that describes it, if a client has sent one."""

    id: str
    version: str
    title: str | None
    release_state: str
    created_at: float
    updated_at: float
    blueprint: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class Integration:
    """A product that syncs with the hub. `version` is the current one."""

    id: str
    name: str
    title: str | None
    versions: list[Version]
    created_at: float
    updated_at: float
    version: str | None


@dataclass(slots=True)
class Credentials:
    """The credentials of one actor. `type` is `oauth2` or `basic`; `updated_at` is Unix seconds."""

    type: str
    client_id: str
    client_secret: str = field(repr=False)
    updated_at: float


@dataclass(slots=True)
class Actor:
    """An actor in a cloud that is not a tenant: a connector or a repository."""

    id: str
    name: str
    type: str
    connector_type: str | None
    auth: Credentials
    cloud: Cloud
    created_at: float


@dataclass(slots=True)
class Tenant:
    """One installation of an integration in one cloud. `index` is its position in the order of creation."""

    index: int
    id: str
    name: str
    actor_id: str
    account: Account | None
    cloud: Cloud | None
    integration: Integration | None
    version: str | None
    credentials: Credentials
    app_auth: dict[str, str | None] = field(repr=False)
    lti_developer_id: str | None
    created_at: float
    updated_at: float


class Inventory:
    """The accounts, clouds, integrations, actors and tenants, in the order of their creation."""

    def __init__(self, seed: int, tenants: int, at: float) -> None:
        # The text is part of the seed: another one changes every reply.
        self._rng = Random(f"{seed}/fleet")
        # Ids of what clients create. They come from their own numbers, so that later tenants are the same.
        self._rng_of_calls = Random(f"{seed}/calls")
        self._names: set[str] = set()
        self._created = 0
        self.accounts: dict[str, Account] = {}
        self.clouds: dict[str, Cloud] = {}
        self.actors: dict[str, Actor] = {}
        self.integrations = {one.id: one for one in (self._integration(*product, at) for product in _PRODUCTS)}
        self.tenants: dict[str, Tenant] = {}
        for _ in range(tenants):
            self.add(round_to_ms(at - self._rng.uniform(30, 700) * DAY))

    def add(self, at: float, name: str | None = None) -> Tenant:
        """Add a tenant at Unix seconds `at`, with a made-up name if `name` is None."""
        index = self._created
        self._created += 1
        rng = self._rng
        cloud = self._cloud_for_next(at)
        integration = rng.choice(list(self.integrations.values()))
        tenant = Tenant(
            index=index,
            id=new_id(rng),
            name=name or self._unique(f"{cloud.account.name} - {integration.title}"),
            actor_id=new_id(rng),
            account=cloud.account,
            cloud=cloud,
            integration=integration,
            version=rng.choice(integration.versions[:4]).version,
            credentials=Credentials("basic" if index % 4 == 3 else "oauth2", new_id(rng), new_secret(rng, "actor"), at),
            app_auth=_app_auth(rng, index),
            lti_developer_id=None if index % 3 else f"lti-{rng.randrange(10**6):06d}",
            created_at=at,
            updated_at=at,
        )
        _remove_parts(tenant)
        self.tenants[tenant.id] = tenant
        return tenant

    def new_id(self) -> str:
        """An id for what a client creates."""
        return new_id(self._rng_of_calls)

    def rotate_secret(self, tenant: Tenant, at: float) -> None:
        """Give the tenant a new secret at Unix seconds `at`."""
        tenant.credentials.client_secret = new_secret(self._rng, "actor")
        tenant.credentials.updated_at = tenant.updated_at = at

    def _integration(self, name: str, title: str, at: float) -> Integration:
        rng = self._rng
        ids = [new_id(rng) for _ in _RELEASES]
        integration_id, created = new_id(rng), at - rng.uniform(700, 2000) * DAY
        versions = [
            Version(one, number, f"{title} {number}", state, created, created)
            for one, (number, state) in zip(ids, _RELEASES, strict=True)
        ]
        return Integration(integration_id, name, title, versions, created, created, versions[1].version)

    def _cloud_for_next(self, at: float) -> Cloud:
        rng = self._rng
        if self.clouds and rng.random() < 0.45:
            return next(reversed(self.clouds.values()))
        account = self._account()
        environment = rng.choice(_ENVIRONMENTS)
        cloud = Cloud(
            id=new_id(rng),
            name=f"{account.name} Hub",
            generation=rng.choice((1, 2, 2, 2)),
            env_id=new_id(rng),
            env_name=environment,
            account=account,
            created_at=at,
            userdata=account.public_id,
        )
        self.clouds[cloud.id] = cloud
        for actor_type, connector in (("connector", "oneroster"), ("repository", None)):
            auth = Credentials("oauth2", new_id(rng), new_secret(rng, "actor"), at)
            title = f"{account.name} {actor_type}"
            actor = Actor(new_id(rng), title, actor_type, connector, auth, cloud, at)
            self.actors[actor.id] = actor
        return cloud

    def _account(self) -> Account:
        rng = self._rng
        name = self._unique(f"{rng.choice(_NAMES)} {rng.choice(_LANDSCAPES)} {rng.choice(_DISTRICTS)}")
        account = Account(new_id(rng), name, f"acct-{rng.getrandbits(32):08x}", rng.choice(_TIMEZONES))
        self.accounts[account.id] = account
        return account

    def _unique(self, name: str) -> str:
        number, unique = 1, name
        while unique in self._names:
            number += 1
            unique = f"{name} {number}"
        self._names.add(unique)
        return unique


def _app_auth(rng: Random, index: int) -> dict[str, str | None]:
    if index % 2:
        return {
            "scheme": "basic",
            "token": None,
            "refresh_token": None,
            "client_id": None,
            "client_secret": None,
            "username": f"sync-{index}",
            "password": new_secret(rng, "password"),
            "api_key": None,
        }
    return {
        "scheme": "oauth2",
        "token": new_secret(rng, "app-token"),
        "refresh_token": new_secret(rng, "refresh"),
        "client_id": new_id(rng),
        "client_secret": new_secret(rng, "app-client"),
        "username": None,
        "password": None,
        "api_key": new_secret(rng, "api-key"),
    }


def _remove_parts(tenant: Tenant) -> None:
    """Remove the account, cloud or integration from some tenants' info."""
    case = tenant.index % 25
    if case == 14:
        tenant.account = None
    if case == 15:
        tenant.cloud = None
        tenant.integration = None
        tenant.version = None
    if case == 20:
        tenant.integration = None
        tenant.version = None
