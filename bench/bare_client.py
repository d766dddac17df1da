"""Measures the exporter's requests without an exporter: a bare aiohttp client sends the same ones.

It requests the list of tenants, a token for each OAuth2 tenant and the five resources of each tenant, with the same
number of requests in flight, and drops the replies. Arguments: base URL, account key, requests in flight.

With `kept` or `new` as another argument, it polls on command: `poll ROUNDS` requests the five resources of each tenant
so often, over kept connections or a new one for each request.
"""

from __future__ import annotations

import asyncio
import base64
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from commands import commands, respond

PREFIX = "/v2/interop"
PATHS = ("/tenant/state", "/ingestions", "/tenant/schedules", "/tenant/rollovers", "/tenant/application")
PAGED = {"page": "0"}
EXPECTED = (200, 403, 404)


class BareClient:
    """Sends requests and counts them."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.requests = 0
        self._session = session

    async def get(self, path: str, authorization: str, query: dict[str, str]) -> bytes:
        """GET a path. 403 and 404 are valid: some tenants have no application."""
        self.requests += 1
        headers = {"Authorization": authorization}
        async with self._session.get(PREFIX + path, headers=headers, params=query) as response:
            if response.status not in EXPECTED:
                raise RuntimeError(f"GET {path} returned {response.status}")
            return await response.read()

    async def tenants(self, key: str) -> list[dict[str, Any]]:
        """Return the whole list of tenants."""
        found: list[dict[str, Any]] = []
        number = 0
        while True:
            self.requests += 1
            headers = {"Authorization": basic(key, key)}
            async with self._session.get(
                PREFIX + "/tenants", headers=headers, params={"page": str(number)}
            ) as response:
                page = await response.json()
            found += [tenant for tenant in page["data"] if tenant]
            if not (page.get("paging") or {}).get("next"):
                return found
            number += 1

    async def authorization(self, auth: dict[str, str]) -> str:
        """Return the Authorization header of a tenant, with a new token if its credentials are OAuth2."""
        if auth["type"] == "basic":
            return basic(auth["client_id"], auth["client_secret"])
        self.requests += 1
        form = {"grant_type": "client_credentials"} | {name: auth[name] for name in ("client_id", "client_secret")}
        async with self._session.post("/oauth/token", data=form) as response:
            return "Bearer " + (await response.json())["access_token"]

    async def work(self, tenants: Iterator[dict[str, Any]]) -> None:
        """Poll tenants from an iterator that all workers share, until it is empty."""
        for tenant in tenants:
            await self.poll(await self.authorization(tenant["auth"]))

    async def work_again(self, authorizations: Iterator[str]) -> None:
        """Like `work`, with tokens that have been fetched."""
        for authorization in authorizations:
            await self.poll(authorization)

    async def poll(self, authorization: str) -> None:
        """Request the resources of a tenant."""
        for path in PATHS:
            single = path in ("/tenant/state", "/tenant/application")
            await self.get(path, authorization, {} if single else PAGED)


def basic(user: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def main(base_url: str, key: str, in_flight: int, connections: str = "") -> None:
    """Poll every tenant once, and print the measurements; or poll on command."""
    connector = aiohttp.TCPConnector(limit=0, force_close=connections == "new")
    async with aiohttp.ClientSession(base_url, connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = BareClient(session)
        if connections:
            await poll_on_command(client, key, in_flight)
            return
        started, started_cpu = time.perf_counter(), cpu_seconds()
        tenants = await client.tenants(key)
        queue = iter(tenants)
        await asyncio.gather(*(client.work(queue) for _ in range(in_flight)))
        respond(
            seconds=time.perf_counter() - started,
            cpu=cpu_seconds() - started_cpu,
            polls=len(PATHS) * len(tenants),
            requests=client.requests,
        )


async def poll_on_command(client: BareClient, key: str, in_flight: int) -> None:
    """Fetch the tokens, and poll until the input ends."""
    authorizations = [await client.authorization(tenant["auth"]) for tenant in await client.tenants(key)]
    respond()
    async for _, rounds in commands():
        requests, started = client.requests, cpu_seconds()
        for _ in range(int(rounds)):
            queue = iter(authorizations)
            await asyncio.gather(*(client.work_again(queue) for _ in range(in_flight)))
        respond(requests=client.requests - requests, cpu=cpu_seconds() - started)


def cpu_seconds() -> float:
    """Return the CPU time of this process in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
