"""Tests the bytes that wire faults send, as a plain socket gets them."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.simulator import Fault, Simulator, serve
from exporter.simulator.faults import ALTERED_KINDS, BROKEN_KINDS, SILENT_KINDS
from tests.simulator.calls import PREFIX, account, call
from tests.support.virtual_time import run_virtual, virtual_clock

# Seconds after which a server that has not closed the connection is left.
PATIENCE = 300.0


@dataclass(frozen=True)
class Received:
    """What a socket got: all bytes, whether the server closed the connection, and after how many seconds."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


def get(fault: Fault) -> tuple[Received, bytes]:
    """GET the list of tenants while a fault is active; returns what came, and the true body."""

    async def inside() -> tuple[Received, bytes]:
        simulator = Simulator(now=virtual_clock().now, stories=(), tenants=3, page_size_max=2)
        true = call(simulator, "/tenants").body
        simulator.faults.add(fault)
        async with serve(simulator) as url:
            host, _, port = url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            lines = [f"GET {PREFIX}/tenants HTTP/1.1", f"Host: {host}"]
            lines += [f"{name}: {value}" for name, value in account(simulator).items()]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            received = await _receive(reader)
            writer.close()
        return received, true

    return run_virtual(inside())


async def _receive(reader: asyncio.StreamReader) -> Received:
    loop = asyncio.get_running_loop()
    begun, raw, closed = loop.time(), b"", False
    try:
        async with asyncio.timeout(PATIENCE):
            while more := await reader.read(65_536):
                raw += more
            closed = True
    except TimeoutError:
        pass
    except ConnectionResetError:
        closed = True
    return Received(raw, closed, loop.time() - begun)


@pytest.mark.parametrize("kind", sorted(ALTERED_KINDS | BROKEN_KINDS | SILENT_KINDS))
def test_every_wire_fault_changes_what_is_sent(kind: str) -> None:
    usual, _ = get(Fault("latency", seconds=0))
    received, _ = get(Fault(kind, size=100_000))
    assert (received.raw.partition(b"Date:")[0], received.closed) != (usual.raw.partition(b"Date:")[0], usual.closed)


@pytest.mark.parametrize(
    ("kind", "header", "decode"),
    [
        ("false_gzip", "gzip", bytes),
        ("x_gzip", "x-gzip", gzip.decompress),
        ("deflate", "deflate", zlib.decompress),
        ("double_gzip", "gzip, gzip", lambda body: gzip.decompress(gzip.decompress(body))),
        ("unknown_encoding", "x-unknown", lambda body: gzip.decompress(body[1:])),
    ],
)
def test_an_encoding_is_named_and_used_or_not(kind: str, header: str, decode: Any) -> None:
    received, true = get(Fault(kind))
    assert f"Content-Encoding: {header}" in received.head
    assert decode(received.body) == true


def test_a_truncated_gzip_ends_early_though_its_length_is_right() -> None:
    received, true = get(Fault("truncated_gzip"))
    assert f"Content-Length: {len(received.body)}" in received.head
    with pytest.raises(EOFError):
        gzip.decompress(received.body)
    partial = zlib.decompressobj(31).decompress(received.body)
    assert true.startswith(partial)


@pytest.mark.parametrize(
    ("kind", "charset", "codec"),
    [
        ("latin_1", "ISO-8859-1", "iso-8859-1"),
        ("utf_16", "utf-16", "utf-16"),
        ("byte_order_mark", "utf-8", "utf-8-sig"),
        ("unknown_charset", "x-unknown", "utf-8"),
        ("false_charset", "utf-8", "iso-8859-1"),
    ],
)
def test_a_charset_is_named_and_used_or_not(kind: str, charset: str, codec: str) -> None:
    received, true = get(Fault(kind))
    assert f"charset={charset}" in received.head
    value = json.loads(received.body.decode(codec))
    assert value.pop("note") == "é"
    assert value == json.loads(true)
    if kind == "false_charset":
        with pytest.raises(UnicodeDecodeError):
            received.body.decode(charset)


@pytest.mark.parametrize("kind", ["large_header", "many_headers"])
def test_headers_are_as_large_as_asked_for(kind: str) -> None:
    received, true = get(Fault(kind, size=50_000))
    assert 49_000 < len(received.head) < 52_000
    assert received.body == true


def test_the_next_page_is_on_another_host() -> None:
    received, _ = get(Fault("next_elsewhere", location="http://elsewhere.invalid/x"))
    assert json.loads(received.body)["paging"]["next"] == "http://elsewhere.invalid/x?page=1&page_size=2"


def test_a_cookie_is_set() -> None:
    received, true = get(Fault("cookie"))
    assert "Set-Cookie: session=" in received.head
    assert received.body == true


@pytest.mark.parametrize(("kind", "at"), [("unsolicited", 0), ("unsolicited_later", 3)])
def test_a_second_complete_reply_comes_unasked(kind: str, at: float) -> None:
    received, true = get(Fault(kind, seconds=3))
    first, second = received.body[: len(true)], received.body[len(true) :]
    assert first == true
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(second.partition(b"\r\n\r\n")[2])["data"][0]["id"] == "poisoned"
    assert received.seconds >= at


def test_trailing_bytes_are_no_reply() -> None:
    received, true = get(Fault("trailing_bytes"))
    assert received.body.startswith(true + b"\x00\x01")


def test_informational_replies_come_first_or_for_ever() -> None:
    received, true = get(Fault("informational"))
    assert received.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n")
    assert received.raw.endswith(true)
    received, _ = get(Fault("endless_informational"))
    assert received.raw.count(b"HTTP/1.1 102 Processing\r\n\r\n") >= PATIENCE - 1
    received, _ = get(Fault("switching_protocols"))
    assert received.raw.startswith(b"HTTP/1.1 101 ")


def test_lengths_contradict_each_other() -> None:
    received, true = get(Fault("te_and_length"))
    assert "Content-Length: 5" in received.head
    assert "Transfer-Encoding: chunked" in received.head
    assert true in received.body
    received, true = get(Fault("two_lengths"))
    assert f"Content-Length: {len(true)}" in received.head
    assert "Content-Length: 5" in received.head
    received, true = get(Fault("bad_chunks"))
    assert received.body == b"not a size\r\n" + true


@pytest.mark.parametrize(("kind", "version"), [("no_length", "1.1"), ("http_1_0", "1.0"), ("closes", "1.1")])
def test_a_reply_is_whole_and_ended_by_closing(kind: str, version: str) -> None:
    received, true = get(Fault(kind))
    assert received.raw.startswith(f"HTTP/{version} 200 OK\r\n".encode())
    assert ("Content-Length" in received.head) == (kind == "closes")
    assert (received.body, received.closed) == (true, True)


@pytest.mark.parametrize(
    ("kind", "closed"), [("reset_in_body", True), ("cut", True), ("hang_in_body", False), ("slow_bytes", False)]
)
def test_a_reply_is_not_whole(kind: str, *, closed: bool) -> None:
    received, true = get(Fault(kind, seconds=1))
    assert received.closed == closed
    length = int(received.head.partition("Content-Length: ")[2].partition("\r\n")[0])
    assert len(received.body) < length
    assert true.startswith(received.body)
    if kind == "slow_bytes":
        assert PATIENCE - 2 <= len(received.raw) <= PATIENCE


@pytest.mark.parametrize(("kind", "window"), [("gzip_bomb", 31), ("deflate_bomb", 15)])
def test_a_bomb_is_small_until_it_is_unpacked(kind: str, window: int) -> None:
    received, _ = get(Fault(kind, size=5_000_000))
    assert len(received.raw) < 20_000
    assert len(zlib.decompress(received.body, window)) > 5_000_000


@pytest.mark.parametrize("kind", ["disconnect", "reset", "hang"])
def test_nothing_comes(kind: str) -> None:
    received, _ = get(Fault(kind))
    assert (received.raw, received.closed) == (b"", kind != "hang")


def test_it_is_not_http() -> None:
    received, _ = get(Fault("not_http"))
    assert received.raw == b"SSH-2.0-OpenSSH_9.6\r\n"
