"""Shared code of the simulator's tests: headers for each kind of credentials, a manual clock, and API calls."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from exporter.simulator import Reply, Request, Simulator
from exporter.simulator.routes import find_template
from tests.support.virtual_time import START

PREFIX = "/v2/interop"
FORM = "application/x-www-form-urlencoded"
DAY = 86_400.0
HOUR = 3600.0
P = ParamSpec("P")


class ManualClock:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> float:
        return self.at


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def account(simulator: Simulator) -> dict[str, str]:
    return basic(simulator.api_key, simulator.api_key)


def ask_token(simulator: Simulator, client_id: str, client_secret: str, grant: str = "client_credentials") -> Reply:
    form = urlencode({"grant_type": grant, "client_id": client_id, "client_secret": client_secret})
    return simulator.reply(Request("POST", "/oauth/token", {}, {"content-type": FORM}, form.encode()))


def actor(simulator: Simulator, tenant_id: str) -> dict[str, str]:
    """The headers of a call by the tenant itself."""
    credentials = next(tenant.credentials for tenant in simulator.tenants() if tenant.id == tenant_id)
    if credentials.type == "basic":
        return basic(credentials.client_id, credentials.client_secret)
    reply = ask_token(simulator, credentials.client_id, credentials.client_secret)
    return bearer(json.loads(reply.body)["access_token"])


def call(simulator: Simulator, path: str, headers: dict[str, str] | None = None, **query: str) -> Reply:
    return send(simulator, "GET", path, headers, **query)


def send(
    simulator: Simulator,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    *,
    json_body: object = None,
    raw: bytes = b"",
    **query: str,
) -> Reply:
    """A call with a body: JSON, or the bytes of `raw`. Good replies are noted for `serves`."""
    sent = raw if json_body is None else json.dumps(json_body).encode()
    headers = account(simulator) if headers is None else headers
    reply = simulator.reply(Request(method, PREFIX + path, query, headers, sent))
    if reply.status < 300:
        found = find_template(path)
        _ANSWERED.add(f"{method} {found[0] if found else path}")
    return reply


# The calls that got a good reply in the running test.
_ANSWERED: set[str] = set()


def serves(*names: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Mark a test with the calls that it shows, such as `POST /tenant/schedules`; the docs list them.

    The test fails if one of them gets no good reply in it.
    """

    def mark(test: Callable[P, None]) -> Callable[P, None]:
        @wraps(test)
        def checked(*args: P.args, **kwargs: P.kwargs) -> None:
            _ANSWERED.clear()
            test(*args, **kwargs)
            assert set(names) <= _ANSWERED, f"got no good reply: {set(names) - _ANSWERED}"

        return checked

    return mark


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


def data(simulator: Simulator, path: str, headers: dict[str, str] | None = None, **query: str) -> Any:
    """The `data` of a reply with status 200; of a list without its nulls."""
    reply = call(simulator, path, headers, **query)
    assert reply.status == 200, reply.body
    found = body(reply)["data"]
    return [one for one in found if one is not None] if isinstance(found, list) else found


def everything(simulator: Simulator, path: str, **query: str) -> list[Any]:
    """A whole list, page by page until there is no `next`; at most 50 pages."""
    found: list[Any] = []
    for page in range(50):
        reply = body(call(simulator, path, page=str(page), **query))
        found += [one for one in reply["data"] if one is not None]
        if reply["paging"]["next"] is None:
            return found
    raise AssertionError("no end")


@dataclass(frozen=True)
class AsTenant:
    """Calls of one tenant, each with a token that is still valid."""

    simulator: Simulator
    tenant_id: str

    def send(self, method: str, path: str, json_body: object = None, **query: str) -> Reply:
        headers = actor(self.simulator, self.tenant_id)
        return send(self.simulator, method, path, headers, json_body=json_body, **query)

    def get(self, path: str, **query: str) -> Any:
        """The `data` of a reply, or the number."""
        found = body(self.send("GET", path, **query))
        if not isinstance(found, dict):
            return found
        shown = found["data"]
        return [one for one in shown if one is not None] if isinstance(shown, list) else shown


def details(reply: Reply) -> tuple[int, str | None]:
    """The status and the details of an error in its envelope."""
    error = body(reply)["error"]
    assert error.keys() == {"status", "code", "message", "ext_message", "details"}
    assert error["status"] == reply.status
    return reply.status, error["details"]


PUBLISHED = Path(__file__).parents[1] / "fixtures" / "published"


def assert_published(name: str, found: Any) -> None:
    """Check that a reply has all members of a published example, each of the example's type or null."""
    _assert_shape(json.loads((PUBLISHED / f"{name}.json").read_text()), found, name)


def _assert_shape(example: Any, found: Any, where: str) -> None:
    if example is None or found is None:
        return
    assert type(found) is type(example), where
    if isinstance(example, list):
        for one in found:
            _assert_shape(example[-1], one, f"{where}[]")
    elif isinstance(example, dict) and "ANY_ADDITIONAL_PROPERTY" in example:
        assert all(isinstance(value, str) for value in found.values()), where
    elif isinstance(example, dict):
        assert found.keys() >= example.keys(), where
        for member, value in example.items():
            _assert_shape(value, found[member], f"{where}.{member}")
    elif isinstance(example, str) and example.endswith("Z"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found), where
    elif isinstance(example, str) and example.count("-") == 4:
        assert str(UUID(found)) == found, where


def moment(at: float) -> str:
    """Unix seconds as the API writes a time."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
