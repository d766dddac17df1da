"""Shared code of the simulator's tests: headers for each kind of credentials, a manual clock, and API calls."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from exporter.simulator import Reply, Request, Simulator
from tests.support.virtual_time import START

PREFIX = "/v2/interop"
FORM = "application/x-www-form-urlencoded"
DAY = 86_400.0
HOUR = 3600.0


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
    return simulator.reply(Request("GET", PREFIX + path, query, account(simulator) if headers is None else headers))


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
