"""What does the API tell us, in types?

One frozen class a resource, with the members that the exporter shows. None means that the API did not say.
Names and meanings follow the vendor's reference of the Interop API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.api.auth import BasicCredentials, ClientCredentials
from exporter.api.days import read_days
from exporter.api.fields import Fields

FINAL_STATES = ("success", "failed", "cancelled", "timeout")
UNFINISHED_STATES = ("unspecified", "preparing", "scheduled", "executing")

STATE_FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
_FLAG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

_LAST_HOUR = 23
_LONGEST_DAYS = 200


@dataclass(frozen=True, slots=True)
class Tenant:
    """One installation of an integration in one cloud."""

    id: str
    name: str | None = None
    account_id: str | None = None
    account_public_id: str | None = None
    account_name: str | None = None
    cloud_id: str | None = None
    cloud_name: str | None = None
    integration_id: str | None = None
    integration: str | None = None
    integration_version: str | None = None
    credentials: BasicCredentials | ClientCredentials | None = field(default=None, repr=False)
    credentials_updated_at: float | None = None

    @classmethod
    def read(cls, fields: Fields) -> Tenant | None:
        """None for an entry without an id: it can be neither told apart nor labelled."""
        ident = fields.ident()
        if ident is None:
            if fields.raw.get("id") is None:
                fields.invalid("id")
            return None
        account, cloud, integration = fields.nested("account"), fields.nested("cloud"), fields.nested("integration")
        auth = fields.nested("auth")
        return cls(
            id=ident,
            name=fields.text("name"),
            account_id=account.ident(),
            account_public_id=account.text("public_id"),
            account_name=account.text("name"),
            cloud_id=cloud.ident(),
            cloud_name=cloud.text("name"),
            integration_id=integration.ident(),
            integration=integration.text("name"),
            integration_version=integration.text("version"),
            credentials=_credentials(auth),
            credentials_updated_at=auth.time("updated_at"),
        )


def _credentials(auth: Fields) -> BasicCredentials | ClientCredentials | None:
    client_id, secret = auth.text("client_id"), auth.text("client_secret")
    kind = (auth.word("type") or "oauth2").lower()
    if not client_id or not secret:
        return None
    if kind == "basic":
        return BasicCredentials(client_id, secret)
    if kind != "oauth2":
        # A kind that is new to us: the token endpoint is the likelier way in.
        auth.invalid("type")
    return ClientCredentials(client_id, secret)


@dataclass(frozen=True, slots=True)
class State:
    """A tenant's flags by the names of their fields, new ones included."""

    flags: Mapping[str, bool]

    @classmethod
    def read(cls, fields: Fields) -> State:
        """Every boolean of the reply, whatever its name."""
        known = {name: fields.flag(name) for name in STATE_FLAGS}
        new = {name: value for name, value in fields.raw.items() if _FLAG_NAME.fullmatch(name)}
        return cls({name: value for name, value in (new | known).items() if isinstance(value, bool)})


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One run that takes data in; `started_at` in Unix seconds."""

    id: str | None
    type: str
    state: str
    started_at: float | None
    has_pending_task: bool | None

    @classmethod
    def read(cls, fields: Fields) -> Ingestion:
        """A null type or state is the empty string, as an absent label is to Prometheus."""
        return cls(
            id=fields.ident(),
            type=fields.word("type") or "",
            state=fields.word("state") or "",
            started_at=fields.time("started_at"),
            has_pending_task=fields.flag("has_pending_task"),
        )

    @property
    def finished(self) -> bool:
        """Whether its state is one of the four final ones."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a tenant collects: at `hour` in UTC, on `weekdays` (Monday is 0; None if `days` can't be read).

    `days` is the text as received, for people.
    """

    id: str | None
    type: str
    enabled: bool | None
    hour: int | None
    days: str
    weekdays: frozenset[int] | None
    last_executed_at: float | None
    created_at: float | None

    @classmethod
    def read(cls, fields: Fields) -> Schedule:
        """`created_at` is `metadata.created`, in Unix seconds like `last_executed_at`."""
        days = fields.raw.get("days")
        weekdays = read_days(days)
        if weekdays is None:
            fields.invalid("days")
        return cls(
            id=fields.ident(),
            type=fields.word("type") or "",
            enabled=fields.flag("enabled"),
            hour=fields.count("hour", _LAST_HOUR),
            days=_days_text(days),
            weekdays=weekdays,
            last_executed_at=fields.time("last_executed_at"),
            created_at=fields.nested("metadata").time("created"),
        )


def _days_text(days: object) -> str:
    """`days` as a label: text as it is, anything else as JSON, and nothing that is too long to be days."""
    text = days if isinstance(days, str) else "" if days is None else json.dumps(days)
    return text if len(text) <= _LONGEST_DAYS and text.isprintable() else ""


@dataclass(frozen=True, slots=True)
class Rollover:
    """A planned window; times in Unix seconds."""

    id: str | None
    name: str | None
    type: str | None
    status: str | None
    start: float | None
    end: float | None
    status_change_failures: int | None
    failure_reason: str | None

    @classmethod
    def read(cls, fields: Fields) -> Rollover:
        """An empty `failure_reason` is none."""
        return cls(
            id=fields.ident(),
            name=fields.text("name"),
            type=fields.word("type"),
            status=fields.word("status"),
            start=fields.time("start_date"),
            end=fields.time("end_date"),
            status_change_failures=fields.count("status_change_failure_count"),
            failure_reason=fields.word("failure_reason"),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """How the integration's own access is set up. Its `auth_props` hold secrets and are not read."""

    auth_type: str | None
    auth_state: str | None
    deliver_tasks: bool | None
    validate_tasks: bool | None

    @classmethod
    def read(cls, fields: Fields) -> Application:
        """The members that are shown, and no others."""
        return cls(
            auth_type=fields.word("auth_type"),
            auth_state=fields.word("auth_state"),
            deliver_tasks=fields.flag("deliver_tasks"),
            validate_tasks=fields.flag("validate_tasks"),
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """A school or a course, and whether it is selected."""

    selected: bool | None

    @classmethod
    def read(cls, fields: Fields) -> Scope:
        """Only the selection is shown."""
        return cls(fields.flag("selected"))


@dataclass(frozen=True, slots=True)
class Actor:
    """Anything with credentials in a cloud. They are not read."""

    type: str

    @classmethod
    def read(cls, fields: Fields) -> Actor:
        """A null type is the empty string."""
        return cls(fields.word("type") or "")


@dataclass(frozen=True, slots=True)
class Integration:
    """A product that plugs in."""

    id: str | None
    name: str | None
    version: str | None

    @classmethod
    def read(cls, fields: Fields) -> Integration:
        """All its versions are a list of their own."""
        return cls(fields.ident(), fields.text("name"), fields.text("version"))


@dataclass(frozen=True, slots=True)
class IntegrationVersion:
    """A version of an integration."""

    version: str | None
    release_state: str | None

    @classmethod
    def read(cls, fields: Fields) -> IntegrationVersion:
        """As the list of versions gives it."""
        return cls(fields.text("version"), fields.word("release_state"))
