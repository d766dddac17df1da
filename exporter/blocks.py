"""Keeps parts of a page joined and compressed, so that a scrape makes again only what has changed.

A page consists of sections, and a section of blocks. The bytes of a block never change: a change makes another block.
So pages share blocks, and each block is compressed at most once. Nothing here awaits, and nothing knows tenants.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from isal import isal_zlib

# Level 1 of ISA-L is 3 times faster than level 1 of zlib, and makes this exposition a tenth smaller.
_LEVEL = 1
# zlib's number for deflate without a header and an end (RFC 1951).
_RAW = -15
# RFC 1952: magic, deflate, no flags, no time, fastest, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
# A last block of deflate without any bytes.
_LAST = b"\x03\x00"
_TRAILER = struct.Struct("<II")


class Deflated(NamedTuple):
    """Compressed bytes that can be joined with others: raw deflate that refers to nothing before it.

    `crc` and `size` are those of the plain bytes.
    """

    parts: tuple[bytes, ...]
    crc: int
    size: int


class Block:
    """Bytes that never change, and their compressed form once a page has asked for it. Threads may share it."""

    __slots__ = ("_plain", "deflated")

    def __init__(self, plain: bytes | Callable[[], bytes]) -> None:
        """`plain` may be a function that makes the bytes when they are first asked for."""
        self._plain = plain
        self.deflated: Deflated | None = None

    @property
    def plain(self) -> bytes:
        """The bytes."""
        made = self._plain
        if not isinstance(made, bytes):
            made = self._plain = made()
        return made

    @property
    def joined(self) -> bool:
        """Whether the bytes have been made."""
        return isinstance(self._plain, bytes)


class Section:
    """Consecutive blocks of a page. What pages have made of them is kept."""

    __slots__ = ("_deflated", "_plain", "blocks")

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.blocks = tuple(blocks)
        self._plain: tuple[bytes, ...] | None = None
        self._deflated: Deflated | None = None

    def unjoined(self) -> list[Block]:
        """The blocks whose bytes have not been made yet."""
        return [] if self._plain else [block for block in self.blocks if not block.joined]

    def undeflated(self) -> list[Block]:
        """The blocks that have not been compressed yet."""
        return [] if self._deflated else [block for block in self.blocks if not block.deflated]

    @property
    def plain(self) -> tuple[bytes, ...]:
        """The bytes of all blocks."""
        if self._plain is None:
            self._plain = tuple([block.plain for block in self.blocks])
        return self._plain

    @property
    def deflated(self) -> Deflated:
        """The compressed bytes of all blocks. Those that have not been compressed are now."""
        if self._deflated is None:
            deflate(self.undeflated())
            self._deflated = _joined(block.deflated for block in self.blocks if block.deflated)
        return self._deflated

    def drop_deflated(self) -> None:
        """Drop the compressed bytes, also those of the blocks."""
        self._deflated = None
        for block in self.blocks:
            block.deflated = None


def deflate(blocks: Iterable[Block]) -> None:
    """Compress blocks, which may be done in a thread: other threads go on meanwhile."""
    # Not one for all times: after 4 GiB, its counters would begin again.
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
    for block in blocks:
        plain = block.plain
        # A full flush ends at a byte, and lets nothing after it refer to what is before.
        packed = compressor.compress(plain) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
        block.deflated = Deflated((packed,), isal_zlib.crc32(plain), len(plain))


def plain_page(sections: Iterable[Section]) -> list[bytes]:
    """The page without compression, in pieces."""
    # Pieces are thousands: lists that grow by tuples take a tenth of the time that generators take.
    pieces: list[bytes] = []
    for section in sections:
        pieces += section.plain
    return pieces


def gzip_page(sections: Iterable[Section]) -> list[bytes]:
    """The page compressed with gzip, in pieces: a single member, because some clients read only the first."""
    pieces = [_HEADER]
    crc = size = 0
    for section in sections:
        deflated = section.deflated
        pieces += deflated.parts
        crc = isal_zlib.crc32_combine(crc, deflated.crc, deflated.size)
        size += deflated.size
    pieces.append(_LAST + _TRAILER.pack(crc, size & 0xFFFF_FFFF))
    return pieces


def _joined(blocks: Iterable[Deflated]) -> Deflated:
    parts: list[bytes] = []
    crc = size = 0
    for block in blocks:
        parts += block.parts
        crc = isal_zlib.crc32_combine(crc, block.crc, block.size)
        size += block.size
    return Deflated(tuple(parts), crc, size)
