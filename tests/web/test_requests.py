"""Tests that odd requests get a quiet reply with the right status, and large ones are bounded."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
import structlog

from exporter.web import AccessRules, Verifier, limits
from exporter.web.passwords import Passwords
from exporter.web.rate_limit import RateLimit
from exporter.web.request_size import RequestSize
from tests.support.virtual_time import run_virtual
from tests.web.serving import HASHED, raw_connection, serving

GET = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
NEEDS_PASSWORD = AccessRules(passwords=Passwords({"prometheus": HASHED}, Verifier()))


async def reply_to(sent: bytes, rules: AccessRules | None = None) -> bytes:
    """What the server sends until it closes the connection."""
    async with serving(access=lambda: rules) as (_, running), raw_connection(running, sent) as reader:
        received = b""
        while data := await reader.read(65536):
            received += data
        return received


def status_of(sent: bytes, caplog: pytest.LogCaptureFixture, rules: AccessRules | None = None) -> int:
    """The status of the first reply. Asserts that nothing above debug is logged, and that nothing sent is repeated."""
    with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as logs:
        received = run_virtual(reply_to(sent, rules))
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
    assert caplog.records == []
    assert b"aiohttp" not in received
    assert b"ODD" not in received
    return int(received.split(b" ", 2)[1])


# Large requests


def with_header_of(total: int) -> bytes:
    """A request whose headers have so many bytes."""
    start, _, rest = GET.partition("\r\n")
    rest += "Connection: close\r\nCookie: "
    return f"{start}\r\n{rest}{'c' * (total - len(rest) - 4)}\r\n\r\n".encode()


@pytest.mark.parametrize("size", [9_000, 30_000, limits.MAX_HEADER_BYTES - 1, limits.MAX_HEADER_BYTES])
def test_headers_of_up_to_64_kib_are_read(caplog: pytest.LogCaptureFixture, size: int) -> None:
    assert status_of(with_header_of(size), caplog) == 200


def test_many_headers_are_read(caplog: pytest.LogCaptureFixture) -> None:
    many = "".join(f"X-Header-{number}: value\r\n" for number in range(100))
    assert status_of(f"{GET}{many}Connection: close\r\n\r\n".encode(), caplog) == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (with_header_of(limits.MAX_HEADER_BYTES + 1), 431),
        (with_header_of(1_000_000), 431),
        (f"{GET}Cookie: {'c' * 100_000}".encode(), 431),
        (f"{GET}{'c' * 100_000}: a\r\n\r\n".encode(), 431),
        ((GET + "A: b\r\n" * 20_000).encode(), 431),
        (f"{GET}Authorization: Basic {'a' * 100_000}\r\n\r\n".encode(), 431),
        (f"GET /{'a' * limits.MAX_LINE_BYTES} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 414),
        (f"GET /metrics?{'a' * 100_000} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 414),
        (b"A" * 100_000, 414),
        (b"\r\n" * 100_000, 414),
        (b"\0" * 1_000_000, 414),
    ],
)
def test_requests_that_are_too_large_are_refused_quietly(
    caplog: pytest.LogCaptureFixture, sent: bytes, status: int
) -> None:
    assert status_of(sent, caplog) == status


def test_a_line_of_up_to_8_kib_is_read(caplog: pytest.LogCaptureFixture) -> None:
    line = f"GET /metrics?{'a' * (limits.MAX_LINE_BYTES - 24)} HTTP/1.1\r\n"
    assert len(line) == limits.MAX_LINE_BYTES
    assert status_of(f"{line}Host: localhost\r\nConnection: close\r\n\r\n".encode(), caplog) == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/nowhere"])
def test_a_body_that_is_large_is_not_read_and_the_request_is_answered(
    caplog: pytest.LogCaptureFixture, path: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n"
    expected = 404 if path == "/nowhere" else 405
    assert status_of(head.encode() + b"x" * 1_000_000, caplog) == expected


def test_the_size_of_a_request_does_not_depend_on_how_it_arrives() -> None:
    rng = random.Random(11)  # noqa: S311 - reproducible, not secret
    requests = [
        with_header_of(300) + b"body",
        b"\r\n\r\n" + with_header_of(500),
        with_header_of(66_000),
        b"A" * 9_000,
        b"GET / HTTP/1.1\r\n",
    ]
    for sent in requests:
        whole = RequestSize()
        status = whole.add(sent)
        for _ in range(50):
            parts = RequestSize()
            left, found = sent, None
            while left and found is None:
                cut = rng.choice((1, 2, 3, 50, 5000))
                found = parts.add(left[:cut])
                left = left[cut:]
            assert found == status
            if status is None:
                assert (parts.headers_ended, parts.body) == (whole.headers_ended, whole.body)


# Malformed requests


@pytest.mark.parametrize(
    "sent",
    [
        "ODD",
        "ODD /\r\n\r\n",
        "GET / ODD/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: ODD\r\n\r\n",
        "GET ODD HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[ODD HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //[ODD]:99999999 HTTP/1.1\r\nHost: a\r\n\r\n",
        f"{GET}ODD\r\n\r\n",
        f"{GET}: ODD\r\n\r\n",
        f"{GET}O D D: a\r\n\r\n",
        f"{GET}A: ODD\0\r\n\r\n",
        f"{GET}Host: ODD\r\n\r\n",
        f"{GET}Content-Length: ODD\r\n\r\n",
        f"{GET}Content-Length: -1\r\n\r\n",
        f"{GET}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"{GET}Transfer-Encoding: ODD\r\n\r\n",
        f"{GET}Transfer-Encoding: chunked\r\n\r\nODD\r\n",
        f"{GET}" + "A: b\r\n" * 2_000 + "\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT ODD:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        f"{GET}Expect: nothing\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused_quietly(caplog: pytest.LogCaptureFixture, sent: str) -> None:
    if sent == "ODD":
        sent += " " * limits.MAX_LINE_BYTES
    assert status_of(sent.encode("latin-1"), caplog) in {200, 400, 404, 405, 414, 417, 431}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Encoding: gzip\r\nContent-Length: 2", b"ab"),
        ("Content-Encoding: deflate\r\nContent-Length: 7", b"ODD ODD"),
        ("Content-Encoding: br\r\nContent-Length: 3", b"ODD"),
        ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", b"2\r\nab\r\n0\r\n\r\n"),
        ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", b"2\r\nabODD"),
        ("Transfer-Encoding: chunked", b"2\r\nabODD\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"2\r\nab\r\nODD\r\n"),
        ("Content-Encoding: gzip\r\nExpect: 100-continue\r\nContent-Length: 2", b"ab"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_malformed_body_is_ignored_quietly(
    caplog: pytest.LogCaptureFixture, method: str, headers: str, body: bytes
) -> None:
    sent = f"{GET}{headers}\r\n\r\n".replace("GET", method).encode() + body
    assert status_of(sent, caplog) in {100, 200, 400, 405}
    assert status_of(sent, caplog, NEEDS_PASSWORD) in {100, 400, 401, 405}


def test_random_bytes_get_a_quiet_reply_or_none(caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(11)  # noqa: S311 - reproducible, not secret
    parts = [
        b"GET /metrics", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"Host: a", b"Content-Length: ", b"7",
        b"Cookie", b": ", b"\0", b"\xff", b"Transfer-Encoding: chunked", b"Authorization: Basic ", b"\xc3\xa9",
        b"?", b"#", b"%",
        b"[", b"Expect: 100-continue", b"Connection: upgrade", b"Accept: ", b"q=nan", b"\x80", b"Range: bytes=0-",
        b"OPTIONS * ",
    ]  # fmt: skip

    async def scenario() -> None:
        async with serving(access=lambda: NEEDS_PASSWORD) as (_, running):
            for _ in range(300):
                sent = b"".join(rng.choices(parts, k=rng.randrange(1, 30)))
                async with raw_connection(running, sent) as reader:
                    await reader.read(65536)

    with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    allowed = {"closed connections whose requests did not end in time"}
    assert {entry["event"] for entry in logs if entry["log_level"] != "debug"} <= allowed
    assert caplog.records == []


# Odd credentials


@pytest.mark.parametrize(
    "headers",
    [
        "Authorization: Basic é",
        "Authorization: Basic \udcff",
        "Authorization: Basic",
        "Authorization: Basic ",
        "Authorization: ",
        "Authorization: é",
        "Authorization: Basic ====",
        "Authorization: Basic YQ",
        "Authorization: Basic YQ==",
        "Authorization: Basic cHJvbWV0aGV1czp4 cHJvbWV0aGV1czp4",
        "Authorization: Basic /////w==",
        "Authorization: Basic Og==",
        "Authorization: Basic cHJvbWV0aGV1czo=",
        "Authorization: Basic cHJvbWV0aGV1czoA",
        "Authorization: Basic \u0663\u0664",
        "Authorization: Basic 4pyTOuKckw==",
        "Authorization: Bearer é",
        "Authorization: Negotiate AAAA",
        "Authorization: Digest username=a",
        "Authorization: Basic a\r\nAuthorization: Basic b",
        "authorization: Basic a\r\nAUTHORIZATION: Basic a",
        f"Authorization: Basic {'a' * 60_000}",
        f"Authorization: {'é' * 20_000}",
        f"Authorization: Basic {'cHJvbWV0aGV1czp4' + 'eHh4' * 14_000}",
    ],
)
def test_odd_credentials_are_refused_quietly(caplog: pytest.LogCaptureFixture, headers: str) -> None:
    sent = f"{GET}Connection: close\r\n{headers}\r\n\r\n".encode("utf-8", "surrogateescape")
    assert status_of(sent, caplog, NEEDS_PASSWORD) == 401


def test_a_right_password_beside_another_header_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    right = "Authorization: Basic cHJvbWV0aGV1czp0aGUtY2xlYXItcGFzc3dvcmQ="
    close = "Connection: close\r\n"
    assert status_of(f"{GET}{close}{right}\r\n\r\n".encode(), caplog, NEEDS_PASSWORD) == 200
    assert status_of(f"{GET}{close}{right}\r\n{right}\r\n\r\n".encode(), caplog, NEEDS_PASSWORD) == 401


@pytest.mark.parametrize("letter", ["\0", "\x01", "\x7f"])
def test_control_characters_in_credentials_are_refused_quietly(caplog: pytest.LogCaptureFixture, letter: str) -> None:
    sent = f"{GET}Connection: close\r\nAuthorization: Basic a{letter}b\r\n\r\n".encode()
    assert status_of(sent, caplog, NEEDS_PASSWORD) in {400, 401}


# The rate limit of the web configuration


def test_more_requests_than_the_rate_limit_get_429_and_probes_do_not_count() -> None:
    async def scenario() -> None:
        rules = AccessRules(rate_limit=RateLimit(interval=2, burst=3))

        async with serving(access=lambda: rules) as (client, _):

            async def ask(path: str) -> int:
                async with client.get(path) as response:
                    return response.status

            assert [await ask("/-/healthy") for _ in range(5)] == [200] * 5
            assert [await ask("/metrics") for _ in range(5)] == [200, 200, 200, 429, 429]
            assert [await ask("/-/ready") for _ in range(5)] == [200] * 5
            await asyncio.sleep(2)
            assert [await ask("/") for _ in range(2)] == [200, 429]
            await asyncio.sleep(1000)
            assert [await ask("/metrics") for _ in range(4)] == [200, 200, 200, 429]

    run_virtual(scenario())
