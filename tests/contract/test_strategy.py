"""Tests `polling.strategy` on the simulated API: what changes, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.polling.polls import ScheduledPoll
from exporter.settings import load
from exporter.simulator import Fault
from tests.support.simulated_exporter import Page, SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual


def sent_with(strategy: str, rate: float, tenants: int, seconds: float) -> list[tuple[float, str]]:
    """All requests that are sent within so many seconds, while stories happen to the tenants."""

    async def scenario() -> list[tuple[float, str]]:
        flags = {"polling.strategy": strategy, "api.rate_limit": str(rate)}
        async with running_exporter(flags, tenants=tenants) as run:
            await run.pass_time(seconds)
            return run.transport.sent

    return run_virtual(scenario())


def test_if_the_rate_limit_suffices_the_strategy_changes_no_request() -> None:
    plain, priority = (sent_with(strategy, 20, 25, 2 * 3600) for strategy in ("plain", "priority"))
    assert len(plain) > 7000
    assert priority == plain


def test_if_it_does_not_the_end_of_a_run_is_seen_sooner_with_priorities() -> None:
    """Of 60 tenants one has a run, and a round takes ten minutes."""

    async def scenario(strategy: str) -> float:
        flags = {"polling.strategy": strategy, "api.rate_limit": "0.5"}
        async with running_exporter(flags, tenants=60, stories=[]) as run:
            await run.pass_time(1800)
            tenant = run.simulator.tenants()[7].id
            ingestion = run.simulator.start_ingestion(tenant)
            labels = {"tenant_id": tenant, "ingestion_type": "collection", "state": "executing"}
            await until(run, lambda page: page.value("kimono_ingestions", **labels) is not None)
            await run.pass_time(900)
            run.simulator.finish_ingestion(tenant, ingestion)
            ended = run.clock.now()
            labels["state"] = "success"
            await until(run, lambda page: page.value("kimono_ingestions_finished_total", **labels) == 1)
            return run.clock.now() - ended

    assert run_virtual(scenario("priority")) <= 180
    assert run_virtual(scenario("plain")) > 180


async def until(run: SimulatedExporter, shows: Callable[[Page], bool]) -> None:
    """Wait until the page shows something."""
    while not shows(run.page()):
        await run.clock.sleep(10)


def test_the_strategy_changes_on_reload() -> None:
    async def scenario() -> None:
        async with running_exporter({}, tenants=3, stories=[]) as run:
            assert run.exporter.poller.scheduler.priorities
            run.exporter.apply(load({"polling.strategy": "plain"}, {"KIMONO_API_KEY": run.simulator.api_key}))
            assert not run.exporter.poller.scheduler.priorities

    run_virtual(scenario())


def test_each_poll_counts_its_requests_with_pages_tokens_and_retries() -> None:
    async def scenario() -> None:
        counted = []

        def finished(finish: Callable[[ScheduledPoll], None], poll: ScheduledPoll) -> None:
            counted.append(poll.requests)
            finish(poll)

        async with running_exporter({}, tenants=8, begin=False) as run:
            scheduler, poller = run.exporter.poller.scheduler, run.exporter.poller
            scheduler.finish = partial(finished, scheduler.finish)  # type: ignore[method-assign]  # looks at each poll
            run.simulator.faults.add(Fault("server_error", every=9))
            await poller.once()
            others = sum(path.endswith("/tenants") for _, path in run.transport.sent)
            assert sum(counted) == len(run.transport.sent) - others
            assert max(counted) > 1

    run_virtual(scenario())
