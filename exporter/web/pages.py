"""Builds metrics pages, and lets scrapes share them when many are held by clients that read slowly.

Pages share the blocks that have not changed, but much may change while a slow client reads. So only a few are held at
the same time. That must not let slow readers keep others from their page: once too many are held, a scrape shares one
that is new, or takes the place of the oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from exporter.blocks import Block, Section, deflate, gzip_page, plain_page
from exporter.web.limits import COMPRESSED_SECONDS, PAGES_AT_ONCE, SHARED_PAGE_SECONDS
from exporter.web.notices import Notices
from exporter.web.source import Source
from exporter.web.turns import Turns

# Compressing so few blocks takes less time than giving them to threads.
INLINE_BLOCKS = 8
# Threads that compress a page. Each works without Python's lock for most of the time.
THREADS = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """The format and encoding of a page."""

    openmetrics: bool
    gzip: bool


@dataclass(eq=False, slots=True)
class _Page:
    """A page that is being built, or sent to its readers. `begun` is a time of the event loop."""

    variant: Variant
    begun: float
    body: asyncio.Task[list[bytes] | None]
    readers: set[asyncio.Transport] = field(default_factory=set)


class Pages:
    """The pages that are held now, the oldest first."""

    def __init__(self, source: Source, notices: Notices) -> None:
        self._source = source
        self._notices = notices
        self._held: list[_Page] = []
        self._drop_later: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def open(self, variant: Variant, reader: asyncio.Transport) -> AsyncIterator[list[bytes] | None]:
        """Yield a whole page in pieces, None if it can't be built. A slow reader is disconnected if others wait."""
        page = self._shared(variant) or self._new(variant)
        page.readers.add(reader)
        try:
            yield await asyncio.shield(page.body)
        finally:
            page.readers.discard(reader)
            if not page.readers:
                self._release(page)

    def _shared(self, variant: Variant) -> _Page | None:
        """Return a page that may be shared, if so many are held that a new one would need another's place."""
        if len(self._held) < PAGES_AT_ONCE:
            return None
        oldest = asyncio.get_running_loop().time() - SHARED_PAGE_SECONDS
        fresh = (each for each in reversed(self._held) if each.variant == variant and each.begun >= oldest)
        return next(fresh, None)

    def _new(self, variant: Variant) -> _Page:
        while len(self._held) >= PAGES_AT_ONCE:
            self._drop_oldest()
        loop = asyncio.get_running_loop()
        if variant.gzip:
            if self._drop_later:
                self._drop_later.cancel()
            self._drop_later = loop.call_later(COMPRESSED_SECONDS, self._drop_deflated)
        page = _Page(variant, loop.time(), loop.create_task(self._build(variant)))
        self._held.append(page)
        return page

    def _drop_oldest(self) -> None:
        # One that is still being built has no slow readers yet.
        page = min(self._held, key=lambda each: (not each.body.done(), each.begun))
        self._notices.warn("too many slow scrapers: closed the connections of the oldest")
        for reader in page.readers:
            reader.abort()
        self._release(page)

    def _release(self, page: _Page) -> None:
        page.body.cancel()
        if page in self._held:
            self._held.remove(page)

    def _drop_deflated(self) -> None:
        """Drop what only scrapes with gzip need: a fifth of the page. No scrape has asked for it for long."""
        for section in self._source.sections(openmetrics=False):
            section.drop_deflated()

    async def _build(self, variant: Variant) -> list[bytes] | None:
        try:
            return await self._body(variant)
        except Exception:
            log.exception("can't build the metrics page")
            return None

    async def _body(self, variant: Variant) -> list[bytes]:
        turns = Turns()
        sections: list[Section] = []
        for section in self._source.sections(openmetrics=variant.openmetrics):
            sections.append(section)
            await turns.give_way()
        if variant.gzip:
            await _deflate([block for section in sections for block in section.undeflated()])
        for section in sections:
            for block in [] if variant.gzip else section.unjoined():
                _ = block.plain
                await turns.give_way()
            _ = section.deflated if variant.gzip else section.plain
            await turns.give_way()
        return gzip_page(sections) if variant.gzip else plain_page(sections)


async def _deflate(blocks: Sequence[Block]) -> None:
    """Compress blocks: in threads, except for a few."""
    if len(blocks) > INLINE_BLOCKS:
        await asyncio.gather(*(asyncio.to_thread(deflate, blocks[first::THREADS]) for first in range(THREADS)))
