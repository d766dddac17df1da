"""Tests the command `drill` on a page of drills that runs in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from exporter.cli import run_command
from exporter.clock import Clock
from exporter.drills import DRILLS, NOT_POSSIBLE, AlertState, CalmFleet, Drills, Places, runs, serve
from exporter.drills import client as drill_client
from tests.drills.test_page import Exporter


class Demo:
    """Drills that are served; alerts follow at each look."""

    def __init__(self) -> None:
        self.address = ""
        self.places = Places("http://127.0.0.1:1", "http://127.0.0.1:2")
        self.drills: Drills
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        async def alerts() -> list[AlertState]:
            return [
                AlertState(run.drill.alert, tenant, run.drill.severity, "firing")
                for run in self.drills.active()
                for tenant in run.ids
            ]

        self.drills = Drills(CalmFleet(3, 1, Clock()), Clock(), Exporter().status, alerts)
        async with serve(self.drills, self.places) as url:
            self.address = url.removeprefix("http://")
            observing = asyncio.create_task(self._observe(alerts))
            self._ready.set()
            await self._stop.wait()
            observing.cancel()

    async def _observe(self, alerts: object) -> None:
        while True:  # without the waits of `Drills.run`
            await asyncio.sleep(0)
            self.drills.observe(self.drills.runs, await alerts())  # type: ignore[operator]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    monkeypatch.setattr(drill_client, "_PAUSE", 0.01)
    one = Demo()
    yield one
    one.close()


def drill(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(["drill", *arguments], {})
    return code, *capsys.readouterr()


def test_a_drill_begins_and_the_command_says_what_to_expect_where(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = drill(capsys, "mass-change", "--address", demo.address)
    assert (code, err) == (0, "")
    assert "KimonoMassChangePending (warning) fires after about 45 s, and as critical after about 165 s." in out
    assert "mass_change_pending is 30 s instead of 1 h" in out
    assert "http://127.0.0.1:1/metrics" in out
    assert "http://127.0.0.1:2/alerts" in out
    assert "It ends by itself after 15 minutes." in out
    assert "S3CR3T" not in out
    assert [run.drill.name for run in demo.drills.active()] == ["mass_change"]


def test_with_wait_it_prints_until_the_alert_fires_and_until_it_is_resolved(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = drill(capsys, "stalled", "--wait", "--address", demo.address)
    assert code == 0
    assert "KimonoIngestionStalled fires" in out
    code, out, _ = drill(capsys, "stalled", "--end", "--wait", "--address", demo.address)
    assert code == 0
    assert "stalled has ended. The ingestion succeeds." in out
    assert "KimonoIngestionStalled is resolved" in out
    _, out, _ = drill(capsys, "--address", demo.address)
    assert "KimonoIngestionStalled is resolved" in out


def test_all_drills_end_at_once(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No drill has begun" in drill(capsys, "--address", demo.address)[1]
    assert "No drill is active" in drill(capsys, "--end", "--address", demo.address)[1]
    for name in ("stalled", "discovery_failing"):
        drill(capsys, name, "--address", demo.address)
    _, out, _ = drill(capsys, "--end", "--address", demo.address)
    assert "stalled has ended" in out
    assert "discovery_failing has ended" in out
    assert not demo.drills.active()


def test_the_list_has_all_drills(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = drill(capsys, "--list")
    assert code == 0
    assert all(f"\n{name}\n" in f"\n{out}" for name in DRILLS)
    assert all(name in out for name in NOT_POSSIBLE)


def test_an_unknown_drill_is_an_error_without_a_demo(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = drill(capsys, "stald", "--address", "127.0.0.1:1")
    assert (code, err) == (2, "kimono-exporter: there is no such drill; did you mean stalled?\n")


def test_what_the_demo_refuses_is_an_error(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = drill(capsys, "stalled", "--end", "--address", demo.address)
    assert (code, err) == (1, "kimono-exporter: the drill stalled is not active\n")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x", "-", "a b", "S3CR3T:1"])
def test_without_a_demo_the_command_says_how_to_start_one(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = drill(capsys, "stalled", f"--address={address}")
    assert code == 1
    assert "kimono-exporter demo --story none" in err
    assert "Traceback" not in err
    assert "S3CR3T" not in err


def test_a_drill_without_an_alert_is_not_waited_for(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = drill(capsys, "hiccup", "--wait", "--address", demo.address)
    assert code == 0
    assert "No alert fires." in out


def test_without_prometheus_the_command_waits_for_the_status_page(
    demo: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.places.prometheus = ""
    monkeypatch.setattr(runs, "_record_alerts", lambda *_: None)
    monkeypatch.setattr(runs, "_record_problem", lambda run, _status, now: setattr(run, "shown", now))
    code, out, _ = drill(capsys, "stalled", "--wait", "--address", demo.address)
    assert code == 0
    assert "the exporter's status shows the problem" in out
    assert "There is no Prometheus in this demo, so no alert can fire." in out
