"""Keeps the samples of one family, joined in blocks of many owners.

One `bytes` object for each owner and family would take twice as much memory, and each scrape would have to join them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import partial

from exporter.blocks import Block, Section

# Owners of a block. With fewer, compressed pages are larger; with more, each change costs more.
OWNERS = 64
# Samples that are larger are a block of their own: a tenant with many does not make each change of others dearer.
LARGE_BYTES = 16 * 1024
_EMPTY = Block(b"")

# Numbers of blocks, and the places of owners in each of them.
Places = Mapping[int, list[int]]


def by_block(places: Iterable[int]) -> Places:
    """Group the places of owners by their blocks."""
    grouped: dict[int, list[int]] = {}
    for place in places:
        number, index = divmod(place, OWNERS)
        grouped.setdefault(number, []).append(index)
    return grouped


class Table:
    """The samples of one family by the places of their owners: numbers from 0, without large gaps."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        # How many bytes of a block each of its owners has.
        self._lengths: list[array[int]] = []
        self._large: dict[int, Block] = {}
        # None after a change.
        self._section: Section | None = None

    def put(self, place: int, samples: bytes) -> None:
        """Replace what the owner at this place has, also by nothing. Equal samples are no change."""
        large = len(samples) > LARGE_BYTES
        if large or place in self._large:
            self._put_large(place, samples if large else b"")
        self._put_small(place, b"" if large else samples)

    def remove(self, places: Places) -> None:
        """Remove the samples at these places. The blocks are joined anew when a page needs them: these may be many."""
        for number, indexes in places.items():
            if number >= len(self._blocks):
                continue
            before = self._lengths[number]
            present = [index for index in indexes if before[index]]
            if present:
                lengths = self._lengths[number] = before[:]
                for index in present:
                    lengths[index] = 0
                block = self._blocks[number]
                _ = block.plain  # so that blocks that were never read don't keep all that came before them
                self._blocks[number] = Block(partial(_without, block, before, lengths)) if any(lengths) else _EMPTY
                self._section = None
        if self._large:
            for place in [number * OWNERS + index for number, indexes in places.items() for index in indexes]:
                self._put_large(place, b"")
        self._drop_last()

    def move(self, place: int, to: int) -> None:
        """Move the samples of an owner to another place, which is free."""
        samples = self._get(place)
        if samples:
            self.put(place, b"")
            self.put(to, samples)
            self._drop_last()

    def section(self) -> Section | None:
        """The samples as they are now; None if there are none."""
        if self._section is None:
            blocks = [block for block in self._blocks if block is not _EMPTY]
            self._section = Section([*blocks, *self._large.values()])
        return self._section if self._section.blocks else None

    def _put_small(self, place: int, samples: bytes) -> None:
        number, index = divmod(place, OWNERS)
        while number >= len(self._blocks):
            if not samples:
                return
            self._blocks.append(_EMPTY)
            self._lengths.append(array("I", [0] * OWNERS))
        lengths, plain = self._lengths[number], self._blocks[number].plain
        before = lengths[index]
        start = sum(lengths[:index])
        if before == len(samples) and plain.startswith(samples, start):
            return
        view = memoryview(plain)
        joined = b"".join((view[:start], samples, view[start + before :]))
        self._blocks[number] = Block(joined) if joined else _EMPTY
        # A copy, because a thread may be joining the block that was there, by its lengths.
        self._lengths[number] = lengths = lengths[:]
        lengths[index] = len(samples)
        self._section = None

    def _put_large(self, place: int, samples: bytes) -> None:
        before = self._large.get(place)
        if (before.plain if before else b"") == samples:
            return
        if samples:
            self._large[place] = Block(samples)
        else:
            del self._large[place]
        self._section = None

    def _get(self, place: int) -> bytes:
        if place in self._large:
            return self._large[place].plain
        number, index = divmod(place, OWNERS)
        if number >= len(self._blocks):
            return b""
        lengths = self._lengths[number]
        start = sum(lengths[:index])
        return self._blocks[number].plain[start : start + lengths[index]]

    def _drop_last(self) -> None:
        while self._blocks and self._blocks[-1] is _EMPTY:
            self._blocks.pop()
            self._lengths.pop()


def _without(block: Block, before: array[int], after: array[int]) -> bytes:
    """Join what is left of a block after some owners' lengths have become 0."""
    view, start, kept = memoryview(block.plain), 0, []
    for length, left in zip(before, after, strict=True):
        if left:
            kept.append(view[start : start + length])
        start += length
    return b"".join(kept)
