"""Tests the client with replies, and the pages with requests, that are hardly HTTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing.inputs import damaged
from tests.support.fuzzing.runs import fuzzed
from tests.support.fuzzing.sockets import ask_the_pages, get_from
from tests.support.virtual_time import run_virtual

BODY = b'{"data": {"rollover_mode_enabled": true, "note": "S3CR3T"}}'
HEADERS = (
    *(
        b"Content-Length: 59",
        b"Content-Length: 5",
        b"Content-Length: 99",
        b"Content-Length: -1",
        b"Content-Length: 1,1",
    ),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: x"),
    *(b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Content-Encoding: nonsense"),
    *(b"Content-Type: text/html; charset=nonsense", b"Content-Type: application/json; charset=utf-16"),
    *(b"Location: http://127.0.0.1:1/S3CR3T", b"Retry-After: 1", b"Set-Cookie: a=S3CR3T", b"Connection: close"),
    *(b"X: " + b"y" * 9_000, b"X" * 9_000 + b": y", b"X : y", b" X: y", b": y", b"X", b"X: \x00", b"X: \xff"),
)
STARTS = (
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/2 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 999 x"),
    *(b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Switching", b"HTTP/1.1 204 None", b"HTTP/1.1 304 x", b"HTTP/1.1 -1 x"),
    *(b"HTTP/1.1 302 Found", b"HTTP/1.1 401 S3CR3T", b"HTTP/1.1 503 S3CR3T", b"ICY 200 OK", b"", b"\x16\x03\x01\x02"),
)
CHUNKED = b"3b\r\n" + BODY + b"\r\n0\r\n\r\n"


@st.composite
def raw_replies(draw: st.DrawFn) -> list[bytes]:
    """Replies made of odd parts, sometimes damaged, in one piece or several."""
    start = draw(st.just(STARTS[0]) | st.sampled_from(STARTS))
    headers = draw(st.lists(st.sampled_from(HEADERS), max_size=4))
    body = draw(st.sampled_from([BODY, BODY, CHUNKED, b"", BODY * 2, b"\x1f\x8b\x08", b"ffffffffffffffffff\r\nx"]))
    raw = b"\r\n".join([start, *headers, b"", body])
    raw = draw(st.just(raw) | damaged(raw))
    cut = draw(st.integers(0, len(raw)))
    return [raw[:cut], raw[cut:]]


@fuzzed(150)
@given(raw_replies())
def test_any_bytes_are_a_reply_or_a_foreseen_failure(pieces: list[bytes]) -> None:
    run_virtual(get_from(pieces))


REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip;q=0.5\r\nAccept: */*\r\n\r\n"
PATHS = (
    *(b"/metrics", b"/-/healthy", b"/-/ready", b"/nothing", b"*", b"//", b"/%", b"/%00", b"/%ff", b"/metrics?a=%zz"),
    *(b"http://[::1/", b"http://a b/", b"/\xe9", b"/" + b"a" * 9_000, b"/metrics#x", b"metrics", b""),
)
REQUEST_HEADERS = (
    *(
        b"Accept: " + b"," * 3_000,
        b"Accept: text/plain;q=\xe9",
        b"Accept: application/openmetrics-text;q=1e400",
        b"Accept: ;;;q",
    ),
    *(
        b"Accept-Encoding: gzip;q=nan",
        b"Accept-Encoding: \x00",
        b"Authorization: Basic \xe9",
        b"Authorization: Basic e",
    ),
    *(
        b"Authorization: Basic OjpAOg==",
        b"Cookie: a=" + b"b" * 9_000,
        b"Host: \xff",
        b"Host: a:b:c",
        b"Content-Length: 5",
    ),
    *(
        b"Content-Length: -5",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Expect: x",
        b"Upgrade: websocket",
    ),
    *(b"Range: bytes=0-1", b"Connection: upgrade", b"If-None-Match: *", b"Content-Encoding: gzip", b"X: \x00", b"X"),
)


@st.composite
def raw_requests(draw: st.DrawFn) -> bytes:
    """Requests made of odd parts, sometimes damaged."""
    method = draw(
        st.sampled_from([b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"PRI", b"get", b"\xff"])
    )
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]))
    first = b" ".join([method, draw(st.sampled_from(PATHS)), version])
    headers = draw(st.lists(st.sampled_from(REQUEST_HEADERS), max_size=4))
    raw = b"\r\n".join(
        [first, b"Host: localhost", *headers, b"", draw(st.sampled_from([b"", b"hello", b"5\r\nhello\r\n"]))]
    )
    return draw(st.one_of(st.just(raw), st.just(raw), damaged(raw), damaged(REQUEST), st.binary(max_size=60)))


@fuzzed(40)
@given(st.lists(raw_requests(), min_size=1, max_size=6))
def test_any_request_is_answered_or_dropped_and_the_next_scrape_gets_its_page(requests: list[bytes]) -> None:
    run_virtual(ask_the_pages(requests))


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nContent-Length: 59\r\n\r\n" + BODY])
def test_a_good_reply_is_read(raw: bytes) -> None:
    assert run_virtual(get_from([raw])) is None
