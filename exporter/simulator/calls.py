"""Defines one call of the API: its route, its caller, and the errors that several calls have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from exporter.simulator.bodies import Body, parse_body
from exporter.simulator.http_messages import ApiError
from exporter.simulator.inventory import Inventory, Tenant
from exporter.simulator.serialize import Json
from exporter.simulator.simulation import Simulation
from exporter.simulator.tenant import SimulatedTenant

T = TypeVar("T")

ACCOUNT = "account"
ACTOR = "actor"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list before it is cut into pages, and the function that serializes an item."""

    items: Sequence[object]
    serialize: Callable[[object], Json]


@dataclass(frozen=True, slots=True)
class Options:
    """What this server does where the reference leaves a choice."""

    ids: bool
    lists_finished: bool
    honours_integrations: bool


@dataclass(frozen=True)
class Call:
    """One authorised call. `caller` is None for the account. `now` is Unix seconds."""

    simulation: Simulation
    options: Options
    query: Mapping[str, str]
    params: tuple[str, ...]
    caller: Tenant | None
    now: float
    raw_body: bytes = b""

    @property
    def inventory(self) -> Inventory:
        """The accounts, clouds, integrations, actors and tenants."""
        return self.simulation.inventory

    @property
    def tenant(self) -> Tenant:
        """The calling tenant."""
        if self.caller is None:
            raise ApiError(403, "forbidden", "These credentials belong to no tenant.")
        return self.caller

    @cached_property
    def simulated(self) -> SimulatedTenant:
        """The calling tenant as it is now."""
        return self.simulation.tenant(self.tenant.id)

    @cached_property
    def body(self) -> Body:
        """The JSON object in the body; raises ApiError if it is none."""
        return parse_body(self.raw_body)

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean of the query; raises ApiError if it is neither `true` nor `false`."""
        text = self.query.get(name, "")
        if text not in ("", "true", "false"):
            raise bad_parameter(name, "must be true or false")
        return text == "true" if text else default


Handler = Callable[[Call], "Json | Listing | int | None"]


@dataclass(frozen=True, slots=True)
class Route:
    """One call: its methods, its path template below the prefix, the credentials that it takes, and its handler.

    `status` is that of a good reply; one with 204 has no body. `decided` says what the simulator does where the
    reference is silent. The page docs/sandbox.md shows it.
    """

    methods: tuple[str, ...]
    template: str
    audience: str
    handler: Handler
    status: int = 200
    decided: str = ""

    @property
    def name(self) -> str:
        """The call, such as `GET /tenants/{id}`, by its first method."""
        return f"{self.methods[0]} {self.template}"


def listing(items: Iterable[T], serialize_one: Callable[[T], Json]) -> Listing:
    """A list of items of the type that the function takes."""
    return Listing(list(items), serialize_one)  # type: ignore[arg-type]


def find(items: Iterable[T], wanted: str, key: Callable[[T], str]) -> T:
    """The item with this key; raises ApiError if there is none."""
    for item in items:
        if key(item) == wanted:
            return item
    raise not_found()


def not_found() -> ApiError:
    """The error for an unknown id."""
    return ApiError(404, "not_found", "There is no such resource.")


def conflict(message: str, details: str | None = None) -> ApiError:
    """The error for a change that the present state does not allow."""
    return ApiError(409, "conflict", message, details=details)


def bad_parameter(name: str, problem: str) -> ApiError:
    """The error for a parameter of the query."""
    return ApiError(400, "bad_request", f"The parameter {name} {problem}.", details=name)
