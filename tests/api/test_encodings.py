"""Tests that a body is unpacked as its headers say, in bounded pieces, or refused once."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from exporter.api import encodings
from exporter.api.credentials import BearerToken
from exporter.api.encodings import MAX_CONTENT_TYPE, MAX_MEMBERS, PIECE, Decoder, to_utf8
from exporter.api.errors import ApiError, BadResponseError
from exporter.api.transport import HttpTransport, Options
from tests.api.test_connections import http, name_of, serving
from tests.support.virtual_time import run_virtual

BODY = json.dumps({"data": {"name": "é"}}, ensure_ascii=False).encode()


def packed_by_gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def decoded(coding: str, *chunks: bytes) -> bytes:
    decoder = Decoder(coding)
    body = b"".join(piece for chunk in chunks for piece in decoder.decode(chunk))
    decoder.finish()
    return body


GOOD = [
    ("", BODY),
    ("identity", BODY),
    ("gzip", packed_by_gzip(BODY)),
    ("GZIP", packed_by_gzip(BODY)),
    (" gzip , identity", packed_by_gzip(BODY)),
    ("x-gzip", packed_by_gzip(BODY)),
    ("X-GZip", packed_by_gzip(BODY)),
    ("gzip", packed_by_gzip(BODY[:5]) + packed_by_gzip(BODY[5:])),
    ("gzip", packed_by_gzip(BODY) + b"\0" * 100),
    ("deflate", zlib.compress(BODY)),
    ("deflate", zlib.compress(BODY, 0)),
    ("deflate", raw_deflate(BODY)),
]
BAD = [
    ("gzip", BODY),
    ("x-gzip", BODY),
    ("deflate", BODY),
    ("gzip", zlib.compress(BODY)),
    ("gzip", packed_by_gzip(BODY)[:-1]),
    ("gzip", packed_by_gzip(BODY)[:1]),
    ("gzip", packed_by_gzip(BODY)[:-8] + b"12345678"),
    ("gzip", packed_by_gzip(BODY) + b"more"),
    ("deflate", raw_deflate(BODY)[:-1]),
    ("br", BODY),
    ("zstd", BODY),
    ("compress", BODY),
    ("gzip, gzip", packed_by_gzip(packed_by_gzip(BODY))),
    ("odd", BODY),
    ("gzip;q=1", packed_by_gzip(BODY)),
]


@pytest.mark.parametrize(("coding", "packed"), GOOD)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_is_unpacked_however_it_is_cut(coding: str, packed: bytes, size: int) -> None:
    assert decoded(coding, *(packed[at : at + size] for at in range(0, len(packed), size))) == BODY


@pytest.mark.parametrize(("coding", "packed"), BAD)
def test_a_body_that_is_not_what_its_header_says_is_a_bad_response(coding: str, packed: bytes) -> None:
    with pytest.raises(BadResponseError):
        decoded(coding, packed)
    with pytest.raises(BadResponseError):
        decoded(coding, *(packed[at : at + 1] for at in range(len(packed))))


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
def test_an_empty_body_is_empty(coding: str) -> None:
    assert decoded(coding) == decoded(coding, b"") == b""


def pieces(coding: str, packed: bytes) -> Iterator[int]:
    return map(len, Decoder(coding).decode(packed))


@pytest.mark.parametrize(
    "packed", [packed_by_gzip(b"x" * 20 * PIECE), packed_by_gzip(b"") * (MAX_MEMBERS - 1) + packed_by_gzip(BODY)]
)
def test_a_body_is_unpacked_in_pieces(packed: bytes) -> None:
    sizes = list(pieces("gzip", packed))
    assert max(sizes) <= PIECE
    assert sum(sizes) in (20 * PIECE, len(BODY))


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", packed_by_gzip(b"") * MAX_MEMBERS + packed_by_gzip(BODY)),
        ("gzip", packed_by_gzip(b"x") * 700_000),
        ("gzip", (packed_by_gzip(b"") + b"\0" * 50) * (MAX_MEMBERS + 1)),
        ("deflate", zlib.compress(b"") * (MAX_MEMBERS + 1)),
        ("deflate", raw_deflate(b"") * (MAX_MEMBERS + 1)),
    ],
)
def test_a_body_of_too_many_members_is_a_bad_response(coding: str, packed: bytes) -> None:
    with pytest.raises(BadResponseError, match="members"):
        decoded(coding, packed)
    with pytest.raises(BadResponseError, match="members"):
        decoded(coding, *(packed[at : at + 100] for at in range(0, len(packed), 100)))


@pytest.mark.parametrize(
    "packed", [packed_by_gzip(b"") * MAX_MEMBERS + b"\0" * 14_000_000, packed_by_gzip(b"x" * 10**7)]
)
def test_what_a_member_leaves_unused_is_copied_in_small_pieces(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """zlib copies what it is given and does not use: each time, so all of it would be quadratic."""
    given: list[int] = []

    class Counting:
        def __init__(self, window_bits: int) -> None:
            self._one = decompressobj(window_bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            given.append(len(data))
            return self._one.decompress(data, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._one, name)

    decompressobj = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    decoded("gzip", packed)
    assert sum(given) < 20_000_000


@given(st.sampled_from(["", "gzip", "x-gzip", "deflate", "br", "\x00"]) | st.text(max_size=20), st.binary(max_size=300))
def test_any_bytes_give_a_body_or_a_bad_response(coding: str, data: bytes) -> None:
    for packed in (data, packed_by_gzip(data), packed_by_gzip(data)[:-3] + data):
        try:
            decoded(coding, packed)
        except ApiError as error:
            assert error.reason == "bad_response"  # noqa: PT017 - that it is raised is not required


LATIN = BODY.decode().encode("latin-1")
LATIN_JSON = "application/json; charset=latin1"


def converted(body: bytes, content_type: str, max_bytes: int = 2**24) -> tuple[bytes, int]:
    """The body in UTF-8, and how often the event loop went on meanwhile."""
    converting, turns = to_utf8(body, content_type, max_bytes), 0
    while True:
        try:
            converting.send(None)
        except StopIteration as end:
            return end.value, turns
        turns += 1


@pytest.mark.parametrize("charset", ["cp1252", "ISO-8859-1", "iso-8859-15", "koi8-r", "utf-16-le"])
@pytest.mark.parametrize("unit", [b"\xe9\x00", "é".encode()])
def test_the_event_loop_goes_on_while_a_large_body_is_converted(charset: str, unit: bytes) -> None:
    body = unit * (5 * PIECE)
    _, turns = converted(body, f"text/plain; charset={charset}")
    assert turns >= len(body) // PIECE


# Characters that take more bytes in UTF-8, and how many there are: several pieces, or one.
GROWING = [("cp1252", "€", 3 * PIECE), ("latin-1", "é", 3 * PIECE), ("utf-16-le", "鿿", 3 * PIECE), ("utf-16", "学", 7)]


@pytest.mark.parametrize(("charset", "character", "count"), GROWING)
def test_a_body_that_grows_in_utf_8_beyond_the_limit_is_refused(charset: str, character: str, count: int) -> None:
    text, header = character * count, f"text/plain; charset={charset}"
    body, size = text.encode(charset), len(text.encode())
    assert len(body) < size
    assert converted(body, header, size)[0] == text.encode()
    for limit in (size - 1, len(body)):
        with pytest.raises(BadResponseError, match=f"larger than {limit} bytes"):
            converted(body, header, limit)


def test_no_more_is_held_of_a_body_that_grows_than_the_limit() -> None:
    size = 8 * 2**20
    body = "€".encode("cp1252") * size
    tracemalloc.start()
    try:
        with pytest.raises(BadResponseError):
            converted(body, "text/plain; charset=cp1252", size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * size


@pytest.mark.parametrize(("status", "expected"), [("200 OK", "bad_response"), ("503 No", "server")])
def test_a_reply_that_grows_beyond_the_limit_is_a_bad_response_unless_it_is_a_refusal(
    status: str, expected: str
) -> None:
    async def scenario() -> None:
        async def answer(_: str, writer: Any) -> None:
            writer.write(http(b"\x80" * 100_000, status, "Content-Type: text/plain; charset=cp1252"))

        async with serving(answer, max_bytes=200_000) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == expected
            assert len(one.observer.requests) == (1 if expected == "bad_response" else 3)

    run_virtual(scenario())


@pytest.mark.parametrize("cut", [PIECE - 1, PIECE, PIECE + 1])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-be"])
def test_a_character_may_lie_between_two_pieces(charset: str, cut: int) -> None:
    text = "é" + "a" * ((cut - 5) // (1 if charset == "utf-8" else 2)) + "é€𝄞" * 5
    header = f"text/plain; charset={'latin1' if charset == 'utf-8' else charset}"
    assert converted(text.encode(charset), header)[0].decode() == text


@pytest.mark.parametrize("more", [";" * 64_000, '; x="' + ";" * 64_000, "; x*0*=''%41" * 5_000, "(" * 64_000])
def test_a_long_content_type_is_not_parsed(more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse() -> None:
        raise AssertionError("this takes quadratic time")

    monkeypatch.setattr(encodings, "Message", parse)
    assert converted(LATIN, LATIN_JSON + more) == (LATIN, 0)


def test_a_content_type_of_usual_length_is_parsed() -> None:
    assert converted(LATIN, LATIN_JSON.ljust(MAX_CONTENT_TYPE - 1) + ";")[0] == BODY
    assert converted(LATIN, LATIN_JSON.ljust(MAX_CONTENT_TYPE) + ";")[0] == LATIN


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json; charset=ISO-8859-1", LATIN, BODY),
        ("application/json;charset=latin1", LATIN, BODY),
        ('application/json; CHARSET="iso-8859-15"', LATIN, BODY),
        ("text/plain; charset=windows-1252", LATIN, BODY),
        ("text/plain; charset=windows-1250", BODY.decode().encode("cp1250"), BODY),
        ("text/plain; charset=ISO-8859-2", BODY.decode().encode("iso8859-2"), BODY),
        ("text/plain; charset=latin9", BODY.decode().encode("iso8859-15"), BODY),
        ("text/plain; charset=windows-1251", '{"имя": true}'.encode("cp1251"), '{"имя": true}'.encode()),
        ("text/plain; charset=KOI8-R", '{"имя": true}'.encode("koi8-r"), '{"имя": true}'.encode()),
        ("text/plain; charset=iso-8859-7", '{"όνομα": true}'.encode("iso8859-7"), '{"όνομα": true}'.encode()),
        ("application/json; charset=utf-16", BODY.decode().encode("utf-16"), BODY),
        # A header that is wrong about a body in UTF-8.
        ("application/json; charset=ISO-8859-1", BODY, BODY),
        ("application/json; charset=us-ascii", BODY, BODY),
        # What can't be read stays, and is no JSON.
        ("application/json", LATIN, LATIN),
        ("application/json; charset=utf-8", LATIN, LATIN),
        ("application/json; charset=us-ascii", LATIN, LATIN),
        ("application/json; charset=unknown", LATIN, LATIN),
        ("application/json; charset=idna", LATIN, LATIN),
        ("application/json; charset=hex", LATIN, LATIN),
        ("application/json; charset=\0", LATIN, LATIN),
        ("application/json; charset*=utf-8''%00", LATIN, LATIN),
        ("", LATIN, LATIN),
        (";;;=", LATIN, LATIN),
    ],
)
def test_a_body_is_read_in_the_character_set_of_its_header(content_type: str, body: bytes, expected: bytes) -> None:
    assert converted(body, content_type)[0] == expected


@given(st.text(max_size=40), st.binary(max_size=100))
def test_any_content_type_gives_a_body(content_type: str, body: bytes) -> None:
    for header in (content_type, f"a/b; charset={content_type}"):
        assert isinstance(converted(body, header)[0], bytes)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (packed_by_gzip(BODY), ["Content-Encoding: gzip"], "é"),
        (packed_by_gzip(BODY), ["Content-Encoding: x-gzip"], "é"),
        (packed_by_gzip(BODY), ["Content-Encoding: gzip", "Content-Encoding: identity"], "é"),
        (LATIN, ["Content-Type: application/json; charset=ISO-8859-1"], "é"),
        (packed_by_gzip(LATIN), ["Content-Type: text/json; charset=latin1", "Content-Encoding: gzip"], "é"),
        (BODY, ["Content-Encoding: gzip"], "bad_response"),
        (BODY, ["Content-Encoding: br"], "bad_response"),
        (b"", ["Content-Encoding: gzip"], "bad_response"),
        (packed_by_gzip(BODY)[:-4], ["Content-Encoding: gzip"], "bad_response"),
        (LATIN, ["Content-Type: application/json"], "bad_response"),
    ],
)
def test_replies_over_the_wire(body: bytes, headers: list[str], expected: str) -> None:
    async def scenario() -> None:
        async def answer(_: str, writer: Any) -> None:
            writer.write(http(body, "200 OK", *headers))

        async with serving(answer) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == expected
            assert len(one.observer.requests) == 1, "a body that is wrong is wrong the next time as well"

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("503 No", "server"),
        ("429 No", "throttled"),
        ("401 No", "auth"),
        ("404 No", "not_found"),
        ("302 No", "bad_response"),
    ],
)
@pytest.mark.parametrize("size", [10, 300_000])
def test_the_body_of_a_refusal_does_not_matter(status: str, expected: str, size: int) -> None:
    async def scenario() -> None:
        async def answer(_: str, writer: Any) -> None:
            writer.write(http(b"x" * size, status, "Content-Encoding: gzip"))

        async with serving(answer) as (_, one, _):
            assert await name_of(one.api(BearerToken("a"))) == expected

    run_virtual(scenario())


def test_requests_ask_for_what_can_be_unpacked() -> None:
    for coding in encodings.ACCEPTED.split(","):
        Decoder(coding)


class OneReply:
    """The part of aiohttp's response that has its body, in chunks."""

    def __init__(self, body: bytes, coding: str) -> None:
        self.headers = CIMultiDict({"Content-Encoding": coding} if coding else {})
        self.content = self
        self._body = body

    async def iter_any(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), 65_536):
            yield self._body[start : start + 65_536]


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_the_body_of_a_reply_is_not_copied_when_it_is_complete(coding: str) -> None:
    """A copy of 16 MiB takes 10 ms, and many replies may end in one turn of the loop."""
    size = 8 * 2**20
    body = b"x" * size
    reply = OneReply(gzip.compress(body) if coding else body, coding)
    transport = HttpTransport(None, "https://api.example", Options(1.0, size))  # type: ignore[arg-type]  # sends nothing

    async def scenario() -> int:
        tracemalloc.start()
        try:
            unpacked = await transport._unpack(reply)  # type: ignore[arg-type]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert unpacked == body
        return peak

    assert asyncio.run(scenario()) < 1.5 * size
