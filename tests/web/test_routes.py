"""Tests which paths answer, to which methods, and what probes see."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.serving import FakeSource, serving


@pytest.mark.parametrize(
    ("path", "source", "status", "body"),
    [
        ("/-/healthy", FakeSource(), 200, "ok\n"),
        ("/-/healthy", FakeSource(is_healthy=False), 503, "not ok\n"),
        ("/-/healthy", FakeSource(is_ready=False), 200, "ok\n"),
        ("/-/ready", FakeSource(), 200, "ok\n"),
        ("/-/ready", FakeSource(is_ready=False), 503, "not ok\n"),
        ("/-/ready", FakeSource(is_healthy=False), 200, "ok\n"),
        ("/healthz", FakeSource(), 200, "ok\n"),
        ("/healthz", FakeSource(is_healthy=False), 503, "not ok\n"),
        ("/healthz", FakeSource(is_ready=False), 200, "ok\n"),
        ("/readyz", FakeSource(), 200, "ok\n"),
        ("/readyz", FakeSource(is_ready=False), 503, "not ok\n"),
    ],
)
def test_the_health_paths_say_ok_or_not_ok(path: str, source: FakeSource, status: int, body: str) -> None:
    async def scenario() -> None:
        async with serving(source) as (client, _), client.get(path) as response:
            assert (response.status, await response.text()) == (status, body)

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/healthz", "/readyz"])
def test_every_path_answers_get_and_head_and_nothing_else(path: str) -> None:
    async def scenario() -> None:
        async with serving() as (client, _):
            for method, status in [("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405), ("OPTIONS", 405)]:
                async with client.request(method, path) as response:
                    assert response.status == status, method
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                    assert response.headers["Server"] == "kimono-exporter"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "path", ["/metric", "/metrics/", "/-/", "/-/reload", "/static/status_page.html", "/../etc/passwd"]
)
def test_any_other_path_is_not_found(path: str) -> None:
    async def scenario() -> None:
        async with serving() as (client, _), client.get(path) as response:
            assert response.status == 404

    asyncio.run(scenario())
