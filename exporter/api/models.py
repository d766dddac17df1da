"""Defines one frozen class for each resource of the API, with the members that the exporter shows.

None means unknown: the member was null, missing or invalid. Names and meanings follow the vendor's reference of the
Interop API. The annotation of a member says how it is parsed, and what the API calls it if its name is another.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self, get_type_hints

from exporter.api.credentials import BasicCredentials, ClientCredentials, TenantCredentials
from exporter.api.days import parse_days
from exporter.api.fields import Fields, composed, is_visible

FINAL_STATES = ("success", "failed", "cancelled", "timeout")
UNFINISHED_STATES = ("unspecified", "preparing", "scheduled", "executing")

STATE_FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
_LONGEST_FLAG_NAME = 128

_LAST_HOUR = 23
_LONGEST_DAYS = 200

Ident = Annotated[str | None, Fields.ident]
Text = Annotated[str | None, Fields.text]
Word = Annotated[str | None, Fields.word]
Label = Annotated[str, Fields.label]
Flag = Annotated[bool | None, Fields.flag]
Time = Annotated[float | None, Fields.time]


class Model:
    """A resource whose members are parsed as their annotations say."""

    __slots__ = ()
    _members: ClassVar[Sequence[tuple[Callable[[Fields, str], Any], str]]] = ()

    def __init_subclass__(cls) -> None:
        """Note how each member is parsed, and its name in the API: the annotation's, or the member's own."""
        hints = get_type_hints(cls, include_extras=True)
        cls._members = [(*hints[name].__metadata__, name)[:2] for name in cls.__annotations__]

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Return the resource with these members."""
        return cls(*[parse(fields, name) for parse, name in cls._members])


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
    credentials: TenantCredentials | None = field(default=None, repr=False)
    credentials_updated_at: float | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Tenant | None:
        """Return None for an entry without an ID: its samples would have no label to tell them apart."""
        ident = fields.ident()
        if ident is None:
            if fields.raw.get("id") is None:
                fields.invalid("id")
            return None
        account, cloud, integration = fields.nested("account"), fields.nested("cloud"), fields.nested("integration")

        def shared(text: str | None) -> str | None:
            """One text for all tenants that have the same."""
            return text and sys.intern(text)

        auth = fields.nested("auth")
        return cls(
            id=ident,
            name=fields.text("name"),
            account_id=shared(account.ident()),
            account_public_id=shared(account.text("public_id")),
            account_name=shared(account.text("name")),
            cloud_id=shared(cloud.ident()),
            cloud_name=shared(cloud.text("name")),
            integration_id=shared(integration.ident()),
            integration=shared(integration.text("name")),
            integration_version=shared(integration.text("version")),
            credentials=_credentials(auth),
            credentials_updated_at=auth.time("updated_at"),
        )


def _credentials(auth: Fields) -> TenantCredentials | None:
    client_id, secret = auth.secret("client_id"), auth.secret("client_secret")
    kind = (auth.word("type") or "oauth2").lower()
    if not client_id or not secret:
        return None
    if kind == "basic":
        return BasicCredentials(client_id, secret)
    if kind != "oauth2":
        # An unknown kind: the token endpoint is more likely to accept it than HTTP Basic.
        auth.invalid("type")
    return ClientCredentials(client_id, secret)


@dataclass(frozen=True, slots=True)
class State:
    """A tenant's flags by the names of their fields, new ones included."""

    flags: Mapping[str, bool]

    @classmethod
    def parse(cls, fields: Fields) -> State:
        """Every boolean of the reply, whatever its name.

        A name that no label should have (blank, too long, or with characters that can't be seen) is counted.
        """
        known = {name: fields.flag(name) for name in STATE_FLAGS}
        new = {composed(name): on for name, on in fields.raw.items() if isinstance(on, bool) and name not in known}
        for name in new:
            if not _is_flag_name(name):
                fields.invalid("flag_name")
        shown = {name: on for name, on in new.items() if _is_flag_name(name) and name not in known}
        return cls(shown | {name: on for name, on in known.items() if on is not None})


def _is_flag_name(name: str) -> bool:
    return len(name) <= _LONGEST_FLAG_NAME and name.isprintable() and is_visible(name)


@dataclass(frozen=True, slots=True)
class Ingestion(Model):
    """One run that takes data in; `started_at` in Unix seconds."""

    id: Ident
    type: Label
    state: Label
    started_at: Time
    has_pending_task: Flag

    @property
    def finished(self) -> bool:
        """Whether its state is one of the four final ones."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a tenant collects: at `hour` in UTC, on `weekdays` (Monday is 0).

    `weekdays` is None if `days` or a time is invalid: then no due time is certain. `days` is the text as received, for
    people. `has_unknown_start` says that it has a last start, but not in a form that can be parsed.
    """

    id: str | None
    type: str
    enabled: bool | None
    hour: int | None
    days: str
    weekdays: frozenset[int] | None
    last_executed_at: float | None
    created_at: float | None
    has_unknown_start: bool = False

    @classmethod
    def parse(cls, fields: Fields) -> Schedule:
        """`created_at` is `metadata.created`, in Unix seconds like `last_executed_at`."""
        days, metadata = fields.raw.get("days"), fields.nested("metadata")
        weekdays = parse_days(days)
        if weekdays is None:
            fields.invalid("days")
        last_executed_at, created_at = fields.time("last_executed_at"), metadata.time("created")
        has_unknown_start = last_executed_at is None and fields.raw.get("last_executed_at") is not None
        has_unknown_creation = created_at is None and metadata.raw.get("created") is not None
        if has_unknown_start or has_unknown_creation:
            weekdays = None  # an invalid time is unknown, not "never": the schedule would seem to be missed
        return cls(
            id=fields.ident(),
            type=fields.label("type"),
            enabled=fields.flag("enabled"),
            hour=fields.count("hour", _LAST_HOUR),
            days=_days_text(days),
            weekdays=weekdays,
            last_executed_at=last_executed_at,
            created_at=created_at,
            has_unknown_start=has_unknown_start,
        )


def _days_text(days: object) -> str:
    """`days` as a label: text unchanged, anything else as JSON, and empty if it is too long to be days."""
    text = days if isinstance(days, str) else "" if days is None else json.dumps(days)
    return text if len(text) <= _LONGEST_DAYS and text.isprintable() else ""


@dataclass(frozen=True, slots=True)
class Rollover(Model):
    """A planned window; times in Unix seconds. An empty `failure_reason` counts as missing.

    `has_unknown_start` and `has_unknown_end` say that it has such a time, but not in a form that can be parsed.
    """

    id: Ident
    name: Text
    type: Word
    status: Word
    start: Annotated[float | None, Fields.time, "start_date"]
    end: Annotated[float | None, Fields.time, "end_date"]
    status_change_failures: Annotated[int | None, Fields.count, "status_change_failure_count"]
    failure_reason: Word
    has_unknown_start: Annotated[bool, Fields.is_invalid_time, "start_date"] = False
    has_unknown_end: Annotated[bool, Fields.is_invalid_time, "end_date"] = False


@dataclass(frozen=True, slots=True)
class Application(Model):
    """How the integration's own access is set up. Its `auth_props` hold secrets and are not parsed."""

    auth_type: Word
    auth_state: Word
    deliver_tasks: Flag
    validate_tasks: Flag


@dataclass(frozen=True, slots=True)
class Scope(Model):
    """A school or a course, and whether it is selected."""

    selected: Flag


@dataclass(frozen=True, slots=True)
class Actor(Model):
    """Anything with credentials in a cloud. The credentials are not parsed."""

    type: Label


@dataclass(frozen=True, slots=True)
class Integration(Model):
    """A product that plugs in, with its current version; the other versions have an endpoint of their own."""

    id: Ident
    name: Text
    version: Text


@dataclass(frozen=True, slots=True)
class IntegrationVersion(Model):
    """A version of an integration, as the list of versions has it."""

    version: Text
    release_state: Word
