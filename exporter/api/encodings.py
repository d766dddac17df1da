"""Decodes the body of a reply: its content encoding, and its character set. No I/O."""

from __future__ import annotations

import asyncio
import codecs
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from io import BytesIO

from exporter.api.errors import BadResponseError

# The `Accept-Encoding` of requests. Other encodings are refused.
ACCEPTED = "gzip, deflate"
# Bytes that are unpacked or converted at a time: this takes a fraction of a millisecond.
PIECE = 2**18
# Bytes that are given to zlib at a time: it copies those that it does not use.
_INPUT = 2**14
# Members of a gzip file. Servers send one. An empty one has 20 bytes, and would take as long as a large one.
MAX_MEMBERS = 1_000
# Characters of a `Content-Type`. Python's parser takes quadratic time.
MAX_CONTENT_TYPE = 256
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
# Character sets other than UTF-8 that a reply may have, as Python's codecs call them: ISO 8859, Windows 1250 to 1258,
# KOI8 and UTF-16. Some of Python's codecs, such as `idna`, are slow or mean something else.
_CHARSETS = re.compile(r"iso8859-\d+|cp125\d|koi8-[ru]|ascii|utf-16(?:-[bl]e)?")


class Decoder:
    """Unpacks a body as it arrives."""

    def __init__(self, content_encoding: str) -> None:
        """`content_encoding` is the header's value. Raises `BadResponseError` for one that is not in `ACCEPTED`."""
        codings = [each.strip() for each in content_encoding.lower().split(",")]
        codings = [each for each in codings if each not in ("", "identity")]
        if codings not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            raise BadResponseError("the reply has a content encoding that was not asked for")
        self._coding = codings[0] if codings else ""
        self._begun = b""
        self._members = 0
        self._stream: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The unpacked data, in pieces of at most `PIECE` bytes. Raises `BadResponseError` if it can't be unpacked."""
        if not self._coding:
            yield data
            return
        if self._stream is None:
            self._begun += data
            if len(self._begun) < 2:  # noqa: PLR2004 - the length of zlib's header
                return
            self._stream, data = self._next_member(), self._begun
        try:
            for at in range(0, len(data), _INPUT):
                yield from self._unpack(self._stream, data[at : at + _INPUT])
        except zlib.error:
            raise BadResponseError("the reply is not encoded as its header says") from None

    def _unpack(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        while True:
            if stream.eof:
                # A gzip file may have several members, and zeros at its end.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._stream = stream = self._next_member()
            piece = stream.decompress(data, PIECE)
            if piece:
                yield piece
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            if not data and len(piece) < PIECE:
                return

    def _next_member(self) -> zlib._Decompress:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise BadResponseError(f"the reply's encoded content has more than {MAX_MEMBERS} members")
        return zlib.decompressobj(self._window_bits())

    def _window_bits(self) -> int:
        """`deflate` means zlib's format (RFC 9110, 8.4.1.2), but some servers send the raw one."""
        if self._coding != "deflate":
            return _GZIP
        first, second = self._begun[:2]
        return _ZLIB if first & 0x0F == zlib.DEFLATED and (first * 256 + second) % 31 == 0 else _RAW

    def finish(self) -> None:
        """Raises `BadResponseError` if the body has ended too early. An empty body is whole."""
        if self._begun and not (self._stream and self._stream.eof):
            raise BadResponseError("the reply ends before its encoded content does")


def too_large(max_bytes: int) -> BadResponseError:
    """The error for a body with more bytes than that: as it arrives, unpacked, or in UTF-8."""
    return BadResponseError(f"the reply is larger than {max_bytes} bytes")


async def to_utf8(body: bytes, content_type: str, max_bytes: int) -> bytes:
    """The body in UTF-8, if it is in another character set that its `Content-Type` names.

    Raises `BadResponseError` as soon as it has more than `max_bytes`: UTF-8 may take three times as many.
    JSON is UTF-8 (RFC 8259, 8.1). So a body that is valid UTF-8 stays as it is, whatever the header says. One that is
    in neither stays as it is as well. A thread would not help: Python's codecs let no other thread run.
    """
    if body.isascii():  # nearly always
        return body
    charset = _charset(content_type)
    for each in ("utf-8", charset) if charset else ():
        with suppress(ValueError):
            return await _reencoded(body, each, max_bytes)
    return body


def _charset(content_type: str) -> str | None:
    """The character set that is named, as Python's codecs call it; None if there is none that a reply may have."""
    if len(content_type) > MAX_CONTENT_TYPE:
        return None
    header = Message()
    header["content-type"] = content_type
    try:
        name = codecs.lookup(header.get_content_charset("")).name
    except (LookupError, ValueError):
        return None
    return name if _CHARSETS.fullmatch(name) else None


async def _reencoded(body: bytes, charset: str, max_bytes: int) -> bytes:
    """The body in UTF-8, converted in pieces between which the event loop goes on. Raises ValueError."""
    decoder, found = codecs.getincrementaldecoder(charset)(), BytesIO()
    for at in range(0, len(body), PIECE):
        found.write(decoder.decode(body[at : at + PIECE]).encode())
        if found.tell() > max_bytes:
            raise too_large(max_bytes)
        await asyncio.sleep(0)
    found.write(decoder.decode(b"", final=True).encode())
    return found.getvalue()
