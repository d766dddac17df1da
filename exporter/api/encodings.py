"""Decodes the body of a reply: its content encoding, and its character set. Pure functions and state, no I/O."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from email.message import Message

from exporter.api.errors import BadResponseError

# What requests ask for. A server that sends anything else has not read the request.
ACCEPTED = "gzip, deflate"
# Bytes that are unpacked at a time: this takes a fraction of a millisecond.
PIECE = 2**18
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
# Character sets other than UTF-8 that a reply may have: those with a table of their own. Some of Python's codecs, such
# as `idna` and `unicode_escape`, are slow or mean something else.
_CHARSETS = frozenset({"iso8859-1", "iso8859-15", "cp1252", "ascii", "utf-16", "utf-16-le", "utf-16-be"})


class Decoder:
    """Unpacks a body as it arrives."""

    def __init__(self, content_encoding: str) -> None:
        """`content_encoding` is the header's value. Raises `BadResponseError` for one that was not asked for."""
        codings = [each.strip() for each in content_encoding.lower().split(",")]
        codings = [each for each in codings if each not in ("", "identity")]
        if codings not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            raise BadResponseError("the reply has a content encoding that was not asked for")
        self._coding = codings[0] if codings else ""
        self._begun = b""
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
            self._stream, data = zlib.decompressobj(self._window_bits()), self._begun
        try:
            yield from self._unpack(self._stream, data)
        except zlib.error:
            raise BadResponseError("the reply is not encoded as its header says") from None

    def _unpack(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        while True:
            if stream.eof:
                # A gzip file may have several members, and zeros at its end.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._stream = stream = zlib.decompressobj(self._window_bits())
            piece = stream.decompress(data, PIECE)
            if piece:
                yield piece
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            if not data and len(piece) < PIECE:
                return

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


def to_utf8(body: bytes, content_type: str) -> bytes:
    """The body in UTF-8, if it is in another character set that its `Content-Type` names.

    JSON is UTF-8 (RFC 8259, 8.1). So a body that is valid UTF-8 stays as it is, whatever the header says.
    """
    header = Message()
    header["content-type"] = content_type
    charset = header.get_content_charset()
    if charset is None:
        return body
    try:
        name = codecs.lookup(charset).name
        if name in _CHARSETS and not _is_utf8(body):
            return body.decode(name).encode()
    except (LookupError, ValueError):  # also UnicodeError
        pass
    return body


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
