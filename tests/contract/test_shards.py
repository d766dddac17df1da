"""Tests exporters that divide the tenants: each is polled by one, the account by the first, and a reload moves them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.api.credentials import BasicCredentials
from exporter.cli import run_command
from exporter.polling.sources import AccountSource, Filter
from exporter.settings import Settings, load
from exporter.shards import Shard, shard_of
from exporter.simulator import Fault, Simulator
from tests.support.processes import environment, served
from tests.support.replies import Replies, table
from tests.support.simulated_exporter import SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual, virtual_clock

TENANTS = 24
FLAG, HOUR = "synchronization_suspended", 3600.0
SINCE = "kimono_tenant_state_since_timestamp_seconds"
ACCOUNT = ("kimono_actors", "kimono_clouds", "kimono_integration_version_info")


def flags(index: int = 0, total: int = 1, **more: str) -> dict[str, str]:
    return {"shard.index": str(index), "shard.total": str(total), "api.rate_limit": "3000", **more}


def owned(hub: Simulator, index: int, total: int) -> set[str]:
    return {tenant.id for tenant in hub.tenants() if shard_of(tenant.id, total) == index}


def watched(run: SimulatedExporter) -> set[str]:
    return run.page().labels("kimono_tenant_up", "tenant_id")


@asynccontextmanager
async def shards(total: int, hub: Simulator, **more: str) -> AsyncIterator[list[SimulatedExporter]]:
    """All shards, once each has polled its tenants."""
    async with AsyncExitStack() as stack:
        runs = [
            await stack.enter_async_context(running_exporter(flags(index, total, **more), hub=hub))
            for index in range(total)
        ]
        for run in runs:
            await run.until_ready()
        yield runs


def new_hub(**simulator: Any) -> Simulator:
    return Simulator(**{"tenants": TENANTS, "now": virtual_clock().now, "stories": [], **simulator})


def test_each_tenant_is_polled_by_one_shard_and_each_series_of_it_is_there_once() -> None:
    async def scenario() -> None:
        hub = new_hub()
        async with shards(3, hub) as runs:
            found = [watched(run) for run in runs]
            assert found == [owned(hub, index, 3) for index in range(3)]
            counts = [len(each) for each in found]
            assert min(counts) > 0
            pages = [run.page() for run in runs]
            assert [page.value("kimono_tenants") for page in pages] == counts
            assert [page.value("kimono_up") for page in pages] == [1, 1, 1]
            infos = Counter(ident for page in pages for ident in page.labels("kimono_tenant_info", "tenant_id"))
            assert infos == Counter(tenant.id for tenant in hub.tenants())

    run_virtual(scenario())


@pytest.mark.parametrize("total", [1, 3])
def test_the_page_says_which_shard_it_is_and_its_share_of_the_rate_limit(total: int) -> None:
    async def scenario() -> None:
        async with shards(total, new_hub()) as runs:
            for index, run in enumerate(runs):
                page = run.page()
                assert page.value("kimono_exporter_shard_info", shard=str(index), shards=str(total)) == 1
                assert len(page.all("kimono_exporter_shard_info")) == 1
                assert page.value("kimono_exporter_rate_limit_requests_per_second") == 3000 / total
                assert page.value("kimono_exporter_rate_limit_allowed_requests_per_second") == 3000 / total

    run_virtual(scenario())


def test_all_shards_together_send_as_many_requests_as_the_rate_limit_allows() -> None:
    async def scenario() -> None:
        async with shards(4, new_hub(), **{"collectors.state.interval": "2s", "api.rate_limit": "4"}) as runs:
            for run in runs:
                run.transport.sent.clear()
            await runs[0].pass_time(300)
            sent = [len(run.transport.sent) for run in runs]
            assert sum(sent) == pytest.approx(4 * 300, rel=0.01), "the interval needs 12 a second"
            assert max(sent) <= 300 + 1

    run_virtual(scenario())


def test_the_first_shard_alone_has_the_series_of_the_account() -> None:
    async def scenario() -> None:
        async with shards(3, new_hub(), **{"collectors.account.enabled": "true"}) as runs:
            for run in runs:
                await run.pass_time(60)
            have = [[bool(run.page().all(name)) for name in ACCOUNT] for run in runs]
            assert have == [[True] * 3, [False] * 3, [False] * 3]
            lists = [{path.rpartition("/")[2] for _, path in run.transport.sent} for run in runs]
            assert ["actors" in each for each in lists] == [True, False, False]
            lags = [run.page().labels("kimono_exporter_poll_lag_seconds", "collector") for run in runs]
            assert ["account" in each for each in lags] == [True, False, False]

    run_virtual(scenario())


def test_with_a_tenants_file_a_shard_asks_for_the_tenants_of_others_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        hub, file = new_hub(tenants=12), tmp_path / "tenants.yaml"
        shown = [tenant.credentials for tenant in hub.tenants()]
        keys = ("type", "client_id", "client_secret")
        file.write_text(json.dumps([{key: getattr(one, key) for key in keys} for one in shown]))
        for index in range(2):
            more = {"api.tenants_file": str(file)}
            async with running_exporter(flags(index, 2, **more), hub=hub, environ={}) as run:
                await run.until_ready()
                own = owned(hub, index, 2)
                assert watched(run) == own
                assert run.exporter.status().discovery.elsewhere == 12 - len(own)
                run.transport.sent.clear()
                await run.pass_time(300)
                assert sum(path.endswith("/tenant") for _, path in run.transport.sent) == len(own)

    run_virtual(scenario())


def test_a_shard_without_tenants_is_ready_and_discovers_at_its_interval() -> None:
    async def scenario() -> None:
        hub = new_hub(tenants=1)
        (mine,) = {index for index in range(2) if owned(hub, index, 2)}
        async with running_exporter(flags(1 - mine, 2), hub=hub) as run:
            await run.until_ready()
            page = await run.pass_time(3600)
            assert (page.value("kimono_up"), page.value("kimono_tenants")) == (1, 0)
            lists = sum(path.endswith("/tenants") for _, path in run.transport.sent)
            assert lists == 13, "at the start and every 5 minutes, not every 30 seconds as without any tenant"

    run_virtual(scenario())


def test_invalid_members_of_a_tenant_are_counted_by_its_own_shard_and_missing_ids_by_all() -> None:
    items = [{"id": str(number), "cloud": 7} for number in range(TENANTS)] + [{"id": "not valid"}, {}]

    async def found(index: int) -> tuple[int, int, list[str], Counter[str]]:
        invalid: Counter[str] = Counter()
        client = Replies(table({"/tenants": {"data": items}})).client()
        client.observer.invalid = lambda _, name, times: invalid.update({name: times})  # type: ignore[method-assign]
        source = AccountSource(client, lambda: BasicCredentials("a", "b"), Filter(shard=Shard(index, 2)))
        got = await source.get_tenants()
        return len(got.tenants), got.elsewhere, list(got.failures), invalid

    results = [run_virtual(found(index)) for index in range(2)]
    for number, (tenants, elsewhere, failures, invalid) in enumerate(results):
        assert tenants == sum(shard_of(str(each), 2) == number for each in range(TENANTS))
        assert tenants + elsewhere == TENANTS
        assert failures == ["2 tenants in the list have no valid id"]
        assert invalid == {"cloud": tenants, "id": 2}


# SIGHUP


def changed(run: SimulatedExporter, index: int, total: int, **more: str) -> Settings:
    given = {"api.url": "http://127.0.0.1:1", **flags(index, total, **more)}
    return load(given, {"KIMONO_API_KEY": run.simulator.api_key})


def test_tenants_that_move_away_vanish_at_once_and_the_others_keep_their_history() -> None:
    async def scenario() -> None:
        hub = new_hub()
        for tenant in hub.tenants():
            hub.set_flag(tenant.id, FLAG, on=True)
        async with running_exporter(flags(), hub=hub) as run:
            await run.until_ready()
            before = (await run.pass_time(HOUR)).all(SINCE, flag=FLAG)
            assert len(before) == TENANTS
            # The list can't be had, and what moved away is known to nobody's advantage.
            hub.faults.add(Fault("server_error", endpoint="/tenants"))
            run.exporter.apply(changed(run, 0, 3))
            page = run.page()
            own = owned(hub, 0, 3)
            assert page.labels("kimono_tenant_info", "tenant_id") == own
            assert page.value("kimono_tenants") == len(own)
            assert page.value("kimono_exporter_shard_info", shard="0", shards="3") == 1
            assert page.value("kimono_exporter_rate_limit_requests_per_second") == 1000
            assert not [key for key in page.series if dict(key[1]).get("tenant_id", "") not in {"", *own}]
            run.transport.sent.clear()
            page = await run.pass_time(HOUR)
            assert page.all(SINCE, flag=FLAG) == {
                labels: value for labels, value in before.items() if dict(labels)["tenant_id"] in own
            }
            polls = Counter(path.rpartition("/")[2] for _, path in run.transport.sent)
            assert polls["state"] == 60 * len(own)

    run_virtual(scenario())


def test_tenants_that_come_are_found_at_once_and_begin_anew() -> None:
    async def scenario() -> None:
        hub = new_hub()
        for tenant in hub.tenants():
            hub.set_flag(tenant.id, FLAG, on=True)
        async with running_exporter(flags(0, 3), hub=hub) as run:
            await run.until_ready()
            before = (await run.pass_time(HOUR)).all(SINCE, flag=FLAG)
            at = run.clock.now()
            run.exporter.apply(changed(run, 0, 1))
            page = await run.pass_time(30)
            after = page.all(SINCE, flag=FLAG)
            assert len(after) == TENANTS
            assert {labels: after[labels] for labels in before} == before
            assert min(value for labels, value in after.items() if labels not in before) >= at

    run_virtual(scenario())


def test_the_account_moves_with_the_first_shard() -> None:
    async def scenario() -> None:
        account = {"collectors.account.enabled": "true"}
        async with running_exporter(flags(1, 2, **account), hub=new_hub()) as run:
            await run.until_ready()
            assert not run.page().all("kimono_clouds")
            run.exporter.apply(changed(run, 0, 2, **account))
            assert (await run.pass_time(60)).all("kimono_clouds")
            run.exporter.apply(changed(run, 1, 2, **account))
            assert not run.page().all("kimono_clouds")

    run_virtual(scenario())


def test_a_discovery_that_began_before_a_move_brings_nobody_back() -> None:
    async def scenario() -> None:
        hub = new_hub()
        async with running_exporter(flags(), hub=hub) as run:
            await run.until_ready()
            run.transport.latency = 20.0
            await run.pass_time(310)  # the second discovery is waiting for its reply
            run.exporter.apply(changed(run, 0, 3))
            page = await run.pass_time(300)
            assert page.labels("kimono_tenant_info", "tenant_id") == owned(hub, 0, 3)

    run_virtual(scenario())


def test_histories_of_tenants_that_moved_away_are_dropped_from_the_state_file(tmp_path: Path) -> None:
    """They would be old when the tenants come back. Meanwhile, a failed discovery drops none."""

    def saved() -> set[str]:
        _, *lines, _ = map(json.loads, (tmp_path / "state").read_text().splitlines())
        return {line["id"] for line in lines}

    async def scenario() -> None:
        hub = new_hub()
        everyone = {tenant.id for tenant in hub.tenants()}
        file = {"state.file": str(tmp_path / "state")}
        async with running_exporter(flags(**file), hub=hub) as run:
            await run.until_ready()
        assert saved() == everyone
        hub.faults.add(Fault("server_error", endpoint="/tenants"))
        async with running_exporter(flags(0, 3, **file), hub=hub) as run:
            await run.pass_time(120)
        assert saved() == everyone, "nothing is dropped before the list is known"
        hub.faults.clear()
        async with running_exporter(flags(0, 3, **file), hub=hub) as run:
            await run.until_ready()
        assert saved() == owned(hub, 0, 3)

    run_virtual(scenario())


# What people see


def test_the_log_says_which_shard_has_how_many_tenants() -> None:
    async def scenario() -> list[Any]:
        hub = new_hub()
        with structlog.testing.capture_logs() as lines:
            async with running_exporter(flags(1, 3), hub=hub) as run:
                await run.until_ready()
        (line,) = [line for line in lines if line["event"] == "tenants discovered"]
        assert (line["tenants"], line["shard"], line["shards"]) == (len(owned(hub, 1, 3)), 1, 3)

    run_virtual(scenario())


def test_check_and_once_say_which_shard_they_saw(capsys: pytest.CaptureFixture[str]) -> None:
    hub = Simulator(tenants=8, stories=[])
    mine = owned(hub, 1, 2)
    with served(hub) as url:
        environ = environment(hub, url) | {"KIMONO_SHARD_TOTAL": "2", "KIMONO_SHARD_INDEX": "kimono-exporter-1"}
        assert run_command(["check"], environ) == 0
        assert f"All {len(mine)} tenants of shard 1 of 2 can be polled." in capsys.readouterr().out
        hub.faults.add(Fault("forbidden", tenant_id=min(mine), endpoint="/tenant/state"))
        assert run_command(["check"], environ) == 1
        assert f"1 of {len(mine)} tenants of shard 1 of 2 are failing." in capsys.readouterr().out
        assert run_command(["once"], environ) == 0
        out, err = capsys.readouterr()
        assert 'kimono_exporter_shard_info{shard="1",shards="2"} 1.0' in out
        assert f"1 of {len(mine)} tenants of shard 1 of 2 are failing" in err


def test_check_of_a_shard_without_tenants_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    hub = Simulator(tenants=1, stories=[])
    (mine,) = {index for index in range(2) if owned(hub, index, 2)}
    with served(hub) as url:
        environ = environment(hub, url) | {"KIMONO_SHARD_TOTAL": "2", "KIMONO_SHARD_INDEX": str(1 - mine)}
        assert run_command(["check"], environ) == 0
    assert f"No tenant of shard {1 - mine} of 2 was found: 1 belong to other shards." in capsys.readouterr().out
