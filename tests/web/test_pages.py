"""Tests that a page is shared only when too many are held, and that slow readers hold only so many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from exporter.blocks import Block, Section
from exporter.web import limits, turns
from exporter.web.notices import Notices
from exporter.web.pages import Pages, Variant
from tests.support.virtual_time import run_virtual
from tests.web.serving import FakeSource

TEXT, GZIPPED, OPENMETRICS = Variant(False, False), Variant(False, True), Variant(True, False)  # noqa: FBT003 - short


class FakeTransport:
    """A connection. `aborted` says whether the server has closed it."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class NumberedPages:
    """A page that says how many were made before it. Making takes `steps` steps."""

    def __init__(self, steps: int = 1) -> None:
        self.made = 0
        self.steps = steps

    def __iter__(self) -> Iterator[bytes]:
        self.made += 1
        yield from [str(self.made).encode()] * self.steps


class Reader:
    """A scraper that reads nothing until `leave`."""

    def __init__(self, pages: Pages, variant: Variant = TEXT) -> None:
        self.transport = FakeTransport()
        self.page: Any = "none yet"
        self._leaving = asyncio.Event()
        self.task = asyncio.create_task(self._read(pages, variant))

    async def _read(self, pages: Pages, variant: Variant) -> None:
        async with pages.open(variant, cast(asyncio.Transport, self.transport)) as body:
            self.page = body and body[0]
            await self._leaving.wait()

    async def leave(self) -> None:
        self._leaving.set()
        await asyncio.wait({self.task})


async def settled() -> None:
    await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(pieces=NumberedPages())


def test_each_scrape_gets_a_page_of_its_own_while_few_are_held(source: FakeSource) -> None:
    async def scenario() -> None:
        pages = Pages(source, Notices())
        readers = [Reader(pages) for _ in range(limits.PAGES_AT_ONCE)]
        await settled()
        assert [each.page for each in readers] == [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"]
        for each in readers:
            await each.leave()
        assert pages._held == []

    run_virtual(scenario())


def test_more_scrapes_share_the_newest_page_of_their_kind(source: FakeSource) -> None:
    async def scenario() -> None:
        pages = Pages(source, Notices())
        first = [Reader(pages, OPENMETRICS), *(Reader(pages) for _ in range(limits.PAGES_AT_ONCE - 1))]
        more = [Reader(pages), Reader(pages), Reader(pages, OPENMETRICS)]
        await settled()
        assert [each.page for each in more] == [b"8", b"8", b"1"]
        assert not any(each.transport.aborted for each in first)
        await more[0].leave()
        await first[-1].leave()
        assert len(pages._held) == 8, "one of its readers is left"
        await more[1].leave()
        assert len(pages._held) == 7

    run_virtual(scenario())


@pytest.mark.parametrize("variant", [TEXT, GZIPPED, OPENMETRICS])
def test_no_page_is_shared_that_is_old_or_of_another_kind_and_the_oldest_gives_way(
    source: FakeSource, variant: Variant
) -> None:
    async def scenario() -> None:
        pages = Pages(source, Notices())
        readers = [Reader(pages) for _ in range(limits.PAGES_AT_ONCE)]
        await asyncio.sleep(limits.SHARED_PAGE_SECONDS + 0.1 if variant is TEXT else 0.1)
        new = Reader(pages, variant)
        await settled()
        assert [each.transport.aborted for each in readers] == [True] + [False] * 7
        assert len(pages._held) == limits.PAGES_AT_ONCE
        assert new.page not in {each.page for each in readers}

    run_virtual(scenario())


def test_no_more_pages_are_held_than_allowed_however_long_readers_stay(source: FakeSource) -> None:
    async def scenario() -> None:
        pages = Pages(source, Notices())
        for _ in range(100):
            reader = Reader(pages)
            await asyncio.sleep(1)
            assert reader.page != "none yet"
            assert len(pages._held) <= limits.PAGES_AT_ONCE

    run_virtual(scenario())


def test_a_page_that_is_being_built_gives_way_last() -> None:
    async def scenario() -> None:
        source = FakeSource(pieces=NumberedPages(steps=10_000))
        pages = Pages(source, Notices())
        building = Reader(pages)
        for _ in range(5):
            await asyncio.sleep(0)
        source.pieces = NumberedPages()
        others = [Reader(pages, GZIPPED) for _ in range(limits.PAGES_AT_ONCE - 1)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert building.page == "none yet"
        new = Reader(pages, OPENMETRICS)
        await settled()
        assert not building.transport.aborted
        assert building.page == b"1"
        assert others[0].transport.aborted
        assert new.page == b"8"

    run_virtual(scenario())


def test_a_scraper_that_goes_away_does_not_end_the_page_that_it_shares() -> None:
    async def scenario() -> None:
        pages = Pages(FakeSource(pieces=NumberedPages(steps=10_000)), Notices())
        readers = [Reader(pages) for _ in range(limits.PAGES_AT_ONCE + 1)]
        await asyncio.sleep(0)
        readers[limits.PAGES_AT_ONCE - 1].task.cancel()
        await settled()
        assert readers[-1].page == b"8"
        for each in readers:
            await each.leave()
        assert pages._held == []

    run_virtual(scenario())


def test_compressed_blocks_are_dropped_when_no_scrape_has_asked_for_gzip_for_long() -> None:
    section = Section([Block(b"kimono_up 1\n"), Block(b"kimono_tenants 2\n")])

    class Kept(FakeSource):
        def sections(self, *, openmetrics: bool) -> list[Section]:  # noqa: ARG002 - as the protocol has it
            return [section]

    async def scenario() -> None:
        pages = Pages(Kept(), Notices())

        async def scrape(variant: Variant) -> None:
            reader = Reader(pages, variant)
            await settled()
            await reader.leave()

        await scrape(GZIPPED)
        await asyncio.sleep(limits.COMPRESSED_SECONDS - 1)
        await scrape(GZIPPED)
        await asyncio.sleep(limits.COMPRESSED_SECONDS - 1)
        await scrape(TEXT)
        assert section.undeflated() == []
        await asyncio.sleep(2)
        assert section.undeflated() == list(section.blocks)
        await scrape(GZIPPED)
        assert section.undeflated() == []

    run_virtual(scenario())
