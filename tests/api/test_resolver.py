"""Tests that host names are resolved, and that an abandoned look-up does no harm."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from exporter.api.resolver import DaemonResolver
from exporter.api.transport import _cause


def test_a_name_is_looked_up() -> None:
    found = asyncio.run(DaemonResolver().resolve("localhost", 80, socket.AF_INET))
    assert [(one["hostname"], one["host"], one["port"]) for one in found] == [("localhost", "127.0.0.1", 80)]


def test_a_name_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(socket.gaierror):
        asyncio.run(DaemonResolver().resolve("nowhere.invalid", 80))


@pytest.mark.parametrize("outcome", [[], OSError("no")])
def test_a_look_up_that_ends_too_late_is_dropped(outcome: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, done = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        go_on.wait(10)
        done.set()
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def give_up() -> None:
        waiting = asyncio.ensure_future(DaemonResolver().resolve("slow.invalid", 80))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        go_on.set()
        assert await asyncio.to_thread(done.wait, 10)

    asyncio.run(give_up())


KEY: Any = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("S3CR3T")), "certificate"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "S3CR3T")), "TLS"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(None, "S3CR3T")), "name could not be resolved"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "S3CR3T")), "Connection refused"),
        (aiohttp.ServerDisconnectedError("S3CR3T"), "closed it before"),
        (aiohttp.ClientPayloadError("S3CR3T"), "closed it before"),
        (aiohttp.InvalidURL("S3CR3T"), "InvalidURL"),
    ],
)
def test_a_broken_connection_says_why_in_words_of_ours(error: Exception, said: str) -> None:
    assert said in _cause(error)
    assert "S3CR3T" not in _cause(error)
