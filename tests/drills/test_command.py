"""Tests the command `drill` on a page of drills that runs in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

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
        self.is_ready = True
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

        self.drills = Drills(CalmFleet(3, 1, Clock()), Clock(), Exporter().status, alerts, lambda: self.is_ready)
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


def test_no_option_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, what in (
        (["--wait"], "--wait needs NAME"),
        (["--list", "stalled"], "without NAME"),
        (["--list", "--wait"], "without --wait"),
    ):
        code, out, err = drill(capsys, "--address", "127.0.0.1:1", *arguments)
        assert (code, out, what in err) == (2, "", True)


def test_before_the_demo_is_ready_the_command_says_so_and_with_wait_tries_again(
    demo: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "kimono-exporter: the demo is not ready yet: try again in some seconds\n"
    monkeypatch.setattr(drill_client, "_MOST_LOOKS", 3)
    demo.is_ready = False
    assert drill(capsys, "stalled", "--address", demo.address) == (1, "", error)
    assert drill(capsys, "stalled", "--wait", "--address", demo.address) == (1, "", error)
    monkeypatch.setattr(drill_client.time, "sleep", lambda _: setattr(demo, "is_ready", True))
    assert drill(capsys, "stalled", "--wait", "--address", demo.address)[0] == 0


@pytest.mark.parametrize("form", ["http://{}", "http://{}/", " {} "])
def test_the_address_may_be_the_url_that_the_demo_prints(
    form: str, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = drill(capsys, "--address", form.format(demo.address))
    assert (code, err) == (0, "")
    assert "No drill has begun" in out


class _Other(BaseHTTPRequestHandler):
    """A server that is no demo, and answers each request with what the test says."""

    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET  # noqa: N815 - the base class calls it so

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"404: Not Found"),
        (404, b'{"status": "error", "error": "not found"}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"status": "success"}'),
        (200, b"[" * 100_000),
        (500, b"[" * 100_000),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["stalled"], ["stalled", "--wait"], ["--end"]], ids=str)
def test_another_server_is_no_demo_with_drills(
    status: int, body: bytes, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    handler = type("Handler", (_Other,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        code, out, err = drill(capsys, *arguments, "--address", f"127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join(10)
    assert (code, out) == (1, "")
    assert "no demo with drills answers at --address; start one with 'kimono-exporter demo --story none'" in err


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


@pytest.mark.parametrize("name", ["discovery_failing", "throttled", "polling_behind"])
def test_without_prometheus_and_a_problem_on_the_status_page_there_is_nothing_to_wait_for(
    name: str, demo: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.places.prometheus = ""
    monkeypatch.setattr(runs, "_record_alerts", lambda *_: None)
    monkeypatch.setattr(drill_client.time, "sleep", lambda _: demo.drills.end_all())  # or it would wait 15 minutes
    code, out, err = drill(capsys, name, "--wait", "--address", demo.address)
    assert code == 1
    assert f"{name} has begun" in out
    assert f"there is nothing to wait for: without Prometheus {DRILLS[name].alert} can't fire" in err
    assert demo.drills.active()


@pytest.mark.parametrize("prometheus", ["", "http://127.0.0.1:2"])
def test_a_drill_that_is_over_before_its_alert_fires_is_an_error(
    prometheus: str, demo: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.places.prometheus = prometheus
    monkeypatch.setattr(runs, "_record_alerts", lambda *_: None)
    monkeypatch.setattr(drill_client.time, "sleep", lambda _: demo.drills.end_all())
    code, _, err = drill(capsys, "stalled", "--wait", "--address", demo.address)
    assert (code, err) == (1, "kimono-exporter: the drill is over, and KimonoIngestionStalled did not fire\n")
