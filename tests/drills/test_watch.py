"""Tests that whatever answers in the place of Prometheus, and whatever fails, the demo goes on."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.drills import AlertState, AlertWatch, watch
from tests.drills.demo import running_demo
from tests.support.virtual_time import run_virtual

GOOD = b'{"data": {"alerts": [{"labels": {"alertname": "A", "tenant_id": "1"}, "state": "firing"}]}}'


def ask(body: bytes, status: int = 200) -> list[AlertState] | None:
    """What the watch makes of an answer that does not say its length."""

    async def answer(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(status=status)
        reply.enable_chunked_encoding()
        await reply.prepare(request)
        await reply.write(body)
        await reply.write_eof()
        return reply

    async def run() -> list[AlertState] | None:
        app = web.Application()
        app.router.add_get("/api/v1/alerts", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return await AlertWatch(f"http://127.0.0.1:{runner.addresses[0][1]}").alerts()
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_alerts_are_read() -> None:
    assert ask(GOOD) == [AlertState("A", "1", "", "firing")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"7",
        b'{"data": []}',
        b'{"data": {"alerts": null}}',
        b'{"data": {"alerts": [7]}}',
        b'{"data": {"alerts": [{"labels": null}]}}',
        b'{"data": {"alerts": [{"labels": []}]}}',
        b'{"data": {"alerts": [{"labels": {"alertname": "A"}}]}}',
        b'{"data": {"alerts": [{"labels": "text", "state": "firing"}]}}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:60],
)
def test_a_malformed_answer_says_nothing(body: bytes) -> None:
    assert ask(body) is None


def test_labels_of_other_types_are_text() -> None:
    body = GOOD.replace(b'"1"', b"[1]")
    assert ask(body) == [AlertState("A", "[1]", "", "firing")]


def test_an_answer_that_is_too_long_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_MOST_BYTES", len(GOOD) - 1)
    assert ask(GOOD) is None


def test_an_error_says_nothing() -> None:
    assert ask(GOOD, status=503) is None


def test_a_failure_to_follow_is_logged_once_and_drills_still_end() -> None:
    async def fails() -> list[AlertState]:
        raise LookupError("S3CR3T")

    async def play() -> float | None:
        async with running_demo(2, fails) as demo:
            run = demo.drills.begin("stalled")
            await demo.clock.sleep(run.drill.lasts + 60)
            return run.ended

    with capture_logs() as logs:
        assert run_virtual(play()) is not None
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["can't follow the drills"]
