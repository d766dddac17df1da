"""Serves `/metrics`: sends a whole page, without blocking the event loop.

The page is complete before its first byte is sent: a source that fails gives a 500, never a part of a page. Between
steps it may give way to other work: a block is joined or compressed, or a slice is sent.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import structlog
from aiohttp import web

from exporter.web.limits import SEND_SECONDS
from exporter.web.negotiation import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics
from exporter.web.notices import Notices
from exporter.web.pages import Pages, Variant
from exporter.web.source import Source
from exporter.web.turns import Turns

SLICE_BYTES = 256 * 1024

log = structlog.get_logger(__name__)


class Exposition:
    """Serves `/metrics` from a source."""

    def __init__(self, source: Source, notices: Notices) -> None:
        self._pages = Pages(source, notices)
        self._notices = notices

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer one scrape, in the format and encoding that it asks for."""
        variant = Variant(
            openmetrics=wants_openmetrics(_header(request, "Accept")),
            gzip=wants_gzip(_header(request, "Accept-Encoding")),
        )
        response = web.StreamResponse(headers={"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"})
        response.headers["Content-Type"] = OPENMETRICS if variant.openmetrics else TEXT
        if variant.gzip:
            response.headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD" or request.transport is None:
            return response
        async with self._pages.open(variant, request.transport) as body:
            if body is None:
                return web.Response(status=500, text="can't build the metrics page\n")
            await self._send(request, response, body)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, body: Sequence[bytes]) -> None:
        """Send the body. A slow scraper is disconnected after `SEND_SECONDS`."""
        response.content_length = sum(map(len, body))
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await response.prepare(request)
                turns = Turns()
                for each in _slices(body):
                    await response.write(each)
                    await turns.give_way()  # to a fast reader, `write` returns without yielding
        except ConnectionError:
            log.debug("scraper disconnected before the page was sent")
        except TimeoutError:
            self._notices.warn("closed connections of scrapers that read too slowly")
            if request.transport is not None:
                request.transport.abort()


def _header(request: web.Request, name: str) -> str:
    """Join a header that may be sent in several lines."""
    return ",".join(request.headers.getall(name, []))


def _slices(body: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """Join pieces that are small, and split those that are large: each write costs as much as some 50 kB."""
    ends = list(accumulate(map(len, body)))
    first = start = 0
    while first < len(body):
        # As many pieces as fit, which takes few steps: there are thousands of them.
        end = bisect_right(ends, start + SLICE_BYTES, first)
        if end > first:
            yield b"".join(body[first:end])
        else:
            end, view = first + 1, memoryview(body[first])
            yield from (view[at : at + SLICE_BYTES] for at in range(0, len(view), SLICE_BYTES))
        first, start = end, ends[end - 1]
