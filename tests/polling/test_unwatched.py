"""Tests that no task fails or ends unnoticed: the command ends with 1, or a failure is logged and the rest goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from exporter import serve as serving
from exporter.api.client import Api
from exporter.api.models import State
from exporter.cli import run_command
from exporter.collectors.state import StateCollector
from exporter.history import History
from exporter.polling.discovery import Discovery
from exporter.polling.poller import Poller, StuckError
from exporter.polling.problem_watch import ProblemWatch
from exporter.polling.recorder import Recorder
from exporter.polling.scheduler import Scheduler
from exporter.polling.sources import AccountSource
from exporter.serve import serve
from exporter.settings import load
from exporter.simulator import Simulator
from exporter.state_saver import StateSaver
from exporter.tasks import EndedError, unending
from exporter.telemetry import Telemetry
from tests.support.processes import environment, served
from tests.support.simulated_exporter import SimulatedExporter, running_exporter
from tests.support.virtual_time import run_virtual

MARK = "S3CR3T"


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    hub = Simulator(tenants=3, stories=[])
    with served(hub) as url:
        yield environment(hub, url, KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0")


def broken(*_: object, **__: object) -> None:
    raise KeyError(MARK)


def cancelled(*_: object, **__: object) -> None:
    raise asyncio.CancelledError


PARTS = [
    (Poller, "_next_poll"),
    (Poller, "_check_all_polled"),
    (Scheduler, "next_due"),
    (Scheduler, "finish"),
    (ProblemWatch, "update"),
    (Recorder, "failure"),
    (Discovery, "_end"),
]


# The simulator's thread is stopped in the middle of requests.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", PARTS)
@pytest.mark.parametrize("how", [broken, cancelled])
def test_an_internal_error_ends_a_command_with_1(
    how: Callable[..., None],
    place: tuple[type, str],
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if place == (Recorder, "failure"):
        monkeypatch.setattr(Recorder, "success", broken)
    monkeypatch.setattr(*place, how)
    for command in ("check", "once"):
        assert run_command([command], environ) == 1
        err = capsys.readouterr().err
        assert re.search("^kimono-exporter: internal error: [A-Za-z]+ at [a-z_]+.py:", err, re.MULTILINE)
        assert MARK not in err
        assert "Traceback" not in err


async def _ends(*_: object) -> None:
    return


@pytest.mark.parametrize(
    "place",
    [
        (Poller, "run"),
        (Poller, "_dispatch"),
        (Poller, "_discover"),
        (Telemetry, "watch_loop"),
        (StateSaver, "run"),
        (serving._Server, "reload_at_each"),
    ],
)
@pytest.mark.parametrize("how", [broken, cancelled, _ends])
def test_run_ends_if_a_task_does(
    how: Callable[..., Awaitable[None] | None],
    place: tuple[type, str],
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def task(*arguments: object) -> None:
        done = how(*arguments)
        if done is not None:
            await done

    monkeypatch.setattr(*place, task)
    settings = load({"state.file": str(tmp_path / "state")}, environ)
    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(asyncio.wait_for(serve(settings, lambda: settings, lambda *_: None), 30))
    assert re.search("KeyError|EndedError", repr(caught.value))


class OneFails(StateCollector):
    """The poll of one tenant is cancelled from inside, as a library may do by mistake."""

    polls = 0

    async def fetch(self, api: Api, history: History, /) -> State:
        type(self).polls += 1
        if type(self).polls == 1:
            raise asyncio.CancelledError
        return await super().fetch(api, history)


def simulated(scenario: Callable[[SimulatedExporter], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_exporter(tenants=3, stories=[]) as exporter:
            await scenario(exporter)

    run_virtual(run())


def test_a_poll_that_is_cancelled_from_inside_is_a_failure_of_its_tenant_alone() -> None:
    async def scenario(run: SimulatedExporter) -> None:
        run.exporter.poller.scheduler.schedules["state"].collector = OneFails()
        page = await run.until_ready()
        assert len(page.all("kimono_tenant_failure_info", collector="state", reason="bug")) == 1
        assert sorted(page.all("kimono_tenant_up").values()) == [0, 1, 1]
        page = await run.pass_time(61)
        assert set(page.all("kimono_tenant_up").values()) == {1}

    simulated(scenario)


def test_a_discovery_that_is_cancelled_from_inside_fails_and_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(run: SimulatedExporter) -> None:
        await run.until_ready()
        with monkeypatch.context() as patch:
            patch.setattr(AccountSource, "api", cancelled)
            assert (await run.pass_time(300)).value("kimono_up") == 0
        assert run.exporter.status().discovery.reason == "bug"
        assert (await run.pass_time(300)).value("kimono_up") == 1

    simulated(scenario)


class NeverEnds(StateCollector):
    """A poll that waits for what never comes."""

    async def fetch(self, api: Api, history: History, /) -> State:
        del api, history
        await asyncio.Event().wait()
        raise AssertionError


def test_a_poll_that_never_ends_does_not_keep_a_command_waiting_for_ever() -> None:
    async def scenario(run: SimulatedExporter) -> None:
        poller = run.exporter.poller
        poller.scheduler.schedules["state"].collector = NeverEnds()
        with pytest.raises(BaseExceptionGroup) as caught:
            await asyncio.wait_for(poller.once(), 7200)
        assert caught.group_contains(StuckError)
        assert run.clock.monotonic() < 3600

    async def run() -> None:
        async with running_exporter(tenants=3, stories=[], begin=False) as exporter:
            await scenario(exporter)

    run_virtual(run())


def test_what_must_not_end_may_be_cancelled() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(unending(asyncio.sleep, 60))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(EndedError):
            await unending(asyncio.sleep, 1)

    run_virtual(scenario())
