"""Tests that nothing known of one API is sent to another one, whose address comes with new settings."""

from __future__ import annotations

import pytest

from exporter.simulator import Fault, Simulator
from tests.support.simulated_exporter import SimulatedExporter, SimulatedTransport, running_exporter
from tests.support.virtual_time import run_virtual

FAST = {"api.rate_limit": "1000", "collectors.account.enabled": "true"}
OTHER = "http://127.0.0.1:2"
LIST = "/v2/interop/tenants"
OF_ACCOUNT = (LIST, "/v2/interop/actors", "/v2/interop/clouds", "/v2/interop/integrations")


def switched(run: SimulatedExporter, **api: object) -> SimulatedTransport:
    """Reload with the address of another API, and return the transport to it."""
    settings = run.settings.api.model_copy(update={"url": OTHER, **api})
    run.exporter.apply(run.settings.model_copy(update={"api": settings}))
    (other,) = run.transport.others
    return other


def paths(transport: SimulatedTransport) -> set[str]:
    return {path for _, path in transport.sent}


def test_another_api_that_can_not_list_tenants_gets_no_credentials_of_any() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            await run.until_ready()
            other = switched(run)
            other.simulator = Simulator(tenants=3, now=run.clock.now)
            other.simulator.faults.add(Fault("server_error", endpoint="/tenants"))
            page = await run.pass_time(3600)
            assert LIST in paths(other)
            assert not [path for path in paths(other) if not path.startswith(OF_ACCOUNT)]
            assert page.value("kimono_up") == 0
            assert page.value("kimono_tenants") == 0
            assert not page.all("kimono_tenant_up")

    run_virtual(scenario())


async def until_under_way(run: SimulatedExporter, path: str) -> None:
    """Wait until a request is sent whose reply takes some seconds."""
    run.transport.latency = 5.0
    run.transport.sent.clear()
    for _ in range(1000):
        if path in paths(run.transport):
            return
        await run.pass_time(1)
    raise AssertionError(f"no request for {path}")


@pytest.mark.parametrize("path", [LIST, "/oauth/token", "/v2/interop/tenant/state", "/v2/interop/ingestions"])
def test_what_is_under_way_ends_at_the_old_api_and_not_at_the_other(path: str) -> None:
    """After a token come requests with it. What a discovery finds belongs to the old API."""

    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            if path == LIST:
                await run.until_ready()
            await until_under_way(run, path)
            other = switched(run)
            other.simulator = Simulator(tenants=3, now=run.clock.now)
            other.simulator.faults.add(Fault("server_error", endpoint="/tenants"))
            page = await run.pass_time(600)
            assert not [each for each in paths(other) if not each.startswith(OF_ACCOUNT)]
            assert page.value("kimono_tenants") == 0
            assert not page.all("kimono_tenant_info")
            assert not page.all("kimono_tenant_state")

    run_virtual(scenario())


def test_the_tenants_of_the_other_api_are_watched_with_new_tokens() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            await run.until_ready()
            tokens = sum(path == "/oauth/token" for _, path in run.transport.sent)
            other = switched(run)
            page = await run.pass_time(300)
            assert page.value("kimono_tenants") == 5
            assert set(page.all("kimono_tenant_up").values()) == {1}
            assert sum(path == "/oauth/token" for _, path in other.sent) == tokens
            run.transport.sent.clear()
            await run.pass_time(600)
            assert not run.transport.sent

    run_virtual(scenario())


def test_the_same_address_keeps_tenants_and_tokens() -> None:
    async def scenario() -> None:
        async with running_exporter(FAST, stories=[], tenants=5) as run:
            await run.until_ready()
            run.transport.sent.clear()
            run.exporter.apply(run.settings)
            page = await run.pass_time(300)
            assert page.value("kimono_tenants") == 5
            assert "/oauth/token" not in paths(run.transport)
            assert not run.transport.others

    run_virtual(scenario())
