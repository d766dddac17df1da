"""Tests that blocks make a gzip page of one member, each compressed once, and that their order does not matter."""

from __future__ import annotations

import gzip
import zlib
from functools import partial
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from exporter.blocks import Block, Section, deflate, gzip_page, plain_page
from exporter.table import Table, by_block

# Blocks that repeat each other: compressed together, they would refer to each other.
contents = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda text, times: text * times, st.sampled_from([b"kimono_up 1\n", b"ab", b"\x00"]), st.integers(0, 20_000)
    ),
)
pages = st.lists(st.lists(contents, max_size=4), max_size=5)


def sections_of(page: list[list[bytes]]) -> list[Section]:
    return [Section(map(Block, blocks)) for blocks in page]


@given(page=pages)
def test_a_gzip_page_is_one_member_that_unpacks_to_the_plain_page(page: list[list[bytes]]) -> None:
    sections = sections_of(page)
    decompressor = zlib.decompressobj(wbits=31)
    unpacked = decompressor.decompress(b"".join(gzip_page(sections)))
    assert unpacked == b"".join(plain_page(sections)) == b"".join(chain.from_iterable(page))
    assert decompressor.eof
    assert decompressor.unused_data == b""


@given(page=pages, order=st.randoms(use_true_random=False))
def test_compressed_blocks_can_be_joined_in_any_order_and_any_number_of_times(
    page: list[list[bytes]], order: object
) -> None:
    sections = sections_of(page)
    assert b"".join(gzip_page(sections))
    blocks = [block for section in sections for block in section.blocks] * 2
    order.shuffle(blocks)  # type: ignore[attr-defined]  # a random.Random
    assert gzip.decompress(b"".join(gzip_page([Section(blocks)]))) == b"".join(block.plain for block in blocks)


def test_a_block_is_compressed_once_and_only_for_a_gzip_page() -> None:
    blocks = [Block(b"kimono_up 1\n" * 50), Block(b"kimono_up 2\n" * 50)]
    section = Section(blocks)
    assert b"".join(plain_page([section]))
    assert section.undeflated() == blocks
    deflate(blocks[:1])
    before = blocks[0].deflated
    assert section.undeflated() == blocks[1:]
    assert b"".join(gzip_page([section]))
    assert section.undeflated() == []
    assert blocks[0].deflated is before
    again = Section([*blocks, Block(b"new")])
    assert len(again.undeflated()) == 1
    assert b"".join(gzip_page([again]))
    assert blocks[0].deflated is before


def test_bytes_are_made_once_when_they_are_first_asked_for() -> None:
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return name.encode()

    section = Section([Block(partial(make, "a")), Block(b"b")])
    assert [block.joined for block in section.unjoined()] == [False]
    assert made == []
    assert list(plain_page([section])) == [b"a", b"b"]
    assert gzip.decompress(b"".join(gzip_page([section]))) == b"ab"
    assert section.unjoined() == []
    assert made == ["a"]


def test_a_block_that_a_thread_joins_does_not_follow_what_changes_meanwhile() -> None:
    table = Table()
    for place in range(4):
        table.put(place, b"a%d 1.0\n" % place)
    table.remove(by_block([3]))
    section = table.section()
    assert section
    join = section.blocks[0]._plain  # as a thread does later
    assert callable(join)
    table.put(3, b"new 1.0\n")
    table.put(1, b"")
    assert join() == b"a0 1.0\na1 1.0\na2 1.0\n"
