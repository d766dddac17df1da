"""Tests the demo's receiver of notifications: what it takes, from whom, and what reaches the terminal."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest

from exporter.demo.pages import serving
from tests.support.processes import free_port

JSON = {"Content-Type": "application/json"}
ALERT = {
    "status": "firing",
    "labels": {"alertname": "KimonoSyncOverdue", "severity": "critical", "tenant_name": "Maple\x1b]0;x\x07\nLMS"},
    "annotations": {"summary": "A sync is\x9b2J late"},
}
BODY = json.dumps({"version": "4", "receiver": "on-call", "alerts": [ALERT]}).encode()


def answer(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str, list[str]]:
    """The status and text of a reply, and what was printed."""
    told: list[str] = []

    async def ask() -> tuple[int, str]:
        port = free_port()
        async with serving(port, {"one": "# One\n"}, told.append), aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}{path}"
            async with session.request(method, url, data=io.BytesIO(body), headers=headers or {}) as reply:
                return reply.status, await reply.text()

    return (*asyncio.run(ask()), told)


def test_a_notification_is_printed_without_control_characters() -> None:
    status, text, told = answer("POST", "/notify/on-call%1b[2J", BODY, JSON)
    assert (status, text) == (200, "")
    assert told == ["To on-call?[2J: KimonoSyncOverdue (critical) fires for Maple?]0;x??LMS: A sync is?2J late\n"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example:10125"}, 403),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_page_of_another_site_prints_nothing(headers: dict[str, str], status: int) -> None:
    found, text, told = answer("POST", "/notify/on-call", BODY, {**JSON, **headers})
    assert (found, told) == (status, [])
    assert text.count("\n") == 1


def test_no_other_host_reads_the_runbooks() -> None:
    assert answer("GET", "/runbooks/one")[:2] == (200, "# One\n")
    assert answer("GET", "/runbooks/one", headers={"Host": "attacker.example"})[0] == 403


def changed(**parts: Any) -> bytes:
    return json.dumps({"alerts": [{**ALERT, **parts}]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"alerts":{}}',
        b'{"alerts":[{}]}',
        b"[" * 200_000,
        b"9" * 5000,
        b'{"alerts":[],"x":"\xff"}',
        b'{"alerts":[{"status":"firing","labels":{"alertname":"\\ud800"},"annotations":{}}]}',
        changed(labels={"tenant_name": 1}),
        changed(annotations=None),
        changed(status="\x1b"),
    ],
)
def test_a_body_that_is_no_notification_is_refused_and_not_logged(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, text, told = answer("POST", "/notify/on-call", body, JSON)
    assert (status, text, told) == (400, "the body is no notification of Alertmanager\n", [])
    assert caplog.records == []


@pytest.mark.parametrize("more", [{"Content-Encoding": "gzip"}, {"Content-Type": "application/json; charset=x"}])
def test_headers_that_lie_about_the_body_are_no_internal_error(
    more: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    status, _, told = answer("POST", "/notify/on-call", b"not json", {**JSON, **more})
    assert (status, told) == (400, [])
    assert caplog.records == []


def test_a_body_has_at_most_1_mib(caplog: pytest.LogCaptureFixture) -> None:
    assert answer("POST", "/notify/on-call", BODY + b" " * (2**20 - len(BODY)), JSON)[0] == 200
    assert answer("POST", "/notify/on-call", BODY + b" " * 2**20, JSON)[0] == 413
    assert caplog.records == []
