"""Lists where a fault can be: every path that the exporter requests, and how failures show there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.reliability.rows import COLUMNS, Row

DISCOVERY = "discovery"
ACCOUNT = "account"
SCOPES = ("one", "third", "all")


@dataclass(frozen=True)
class Place:
    """One endpoint as one caller requests it.

    `column` is that of the expectations. `collectors` poll, and `fails` names those whose polls fail with it:
    collectors, or `DISCOVERY`. `token_lifetime` is in seconds. `from_start` is for an endpoint that is only requested
    until it has answered once.
    """

    name: str
    endpoint: str
    column: str
    fails: tuple[str, ...]
    collectors: tuple[str, ...] = ("state",)
    of_account: bool = False
    tokens: bool = False
    from_start: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The account has no tenants that could be affected one by one."""
        return (ACCOUNT,) if self.of_account else SCOPES


def _collector(endpoint: str, column: str, name: str, witness: str = "state", *, of_account: bool = False) -> Place:
    return Place(endpoint, endpoint, column, (name,), (witness, name), of_account=of_account)


PLACES = (
    _collector("/tenant/state", "object", "state", "application"),
    _collector("/ingestions", "list", "ingestions"),
    _collector("/ingestions/{id}", "by_id", "ingestions"),
    _collector("/tenant/schedules", "list", "schedules"),
    _collector("/tenant/rollovers", "list", "rollovers"),
    _collector("/tenant/application", "optional", "application"),
    _collector("/tenant/scoping/schools", "optional_list", "scoping"),
    _collector("/tenant/scoping/courses", "optional_list", "scoping"),
    Place(
        "/oauth/token of tenants",
        "/oauth/token",
        "token",
        ("state", "application"),
        ("state", "application"),
        tokens=True,
    ),
    Place("/tenant", "/tenant", "object", (DISCOVERY,), from_start=True),
    Place("/tenants", "/tenants", "list", (DISCOVERY,), of_account=True),
    Place("/oauth/token of the account", "/oauth/token", "token", (DISCOVERY,), of_account=True, tokens=True),
    _collector("/integrations", "list", ACCOUNT, of_account=True),
    _collector("/integrations/{id}/versions", "list", ACCOUNT, of_account=True),
    _collector("/actors", "list", ACCOUNT, of_account=True),
    _collector("/clouds", "list", ACCOUNT, of_account=True),
)
assert {place.column for place in PLACES} == set(COLUMNS)


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    row: Row
    place: Place
    scope: str

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.row.name} · {self.place.name} · {self.scope}"

    @property
    def expected(self) -> str:
        """The expected outcome."""
        return self.row.expected[self.place.column]


def cases(row: Row) -> Iterator[Case]:
    """All cells of a row."""
    for place in PLACES:
        for scope in place.scopes:
            yield Case(row, place, scope)
