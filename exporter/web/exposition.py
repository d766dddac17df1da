"""How does a page of 60 MB reach a scraper whole, without holding up anything else?

The page is complete in memory before its first byte is sent, so a source that fails gives a 500 and never a
short page that looks whole. Every step gives the event loop back: one piece is joined, or compressed in a
thread, or one slice is sent, and then others have their turn.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque

import structlog
from aiohttp import web

from exporter.web.negotiation import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics
from exporter.web.source import Source

SLICE_BYTES = 256 * 1024
# A piece this small is compressed sooner than it is handed to a thread.
INLINE_BYTES = 64 * 1024
# Each scrape holds its page until it is sent, and at 10,000 tenants a plain page is some 60 MB: two Prometheus
# replicas and two curious people fit, and a crowd waits its turn instead of exhausting the memory.
SCRAPES_AT_ONCE = 8
# A scraper that reads more slowly than this would keep its place from others. Prometheus gives up sooner.
SEND_SECONDS = 15.0
# 330 MB/s on a page of ours, where level 6 does 140 MB/s to make it an eighth smaller.
GZIP_LEVEL = 1
GZIP_WBITS = 31  # zlib's way to say "gzip"

log = structlog.get_logger(__name__)


class Exposition:
    """Serves `/metrics` from a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._places = asyncio.Semaphore(SCRAPES_AT_ONCE)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer one scrape, in the format and encoding that it asks for."""
        openmetrics = wants_openmetrics(_header(request, "Accept"))
        gzip = wants_gzip(_header(request, "Accept-Encoding"))
        response = web.StreamResponse()
        response.headers["Content-Type"] = OPENMETRICS if openmetrics else TEXT
        response.headers["Vary"] = "Accept, Accept-Encoding"
        response.headers["Cache-Control"] = "no-store"
        if gzip:
            response.headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            return response
        make = self._compressed if gzip else self._plain
        async with self._places:
            try:
                body = await make(openmetrics=openmetrics)
            except Exception:
                log.exception("the page could not be made")
                return web.Response(status=500, text="the page could not be made\n")
            await _send(request, response, body)
        return response

    async def _plain(self, *, openmetrics: bool) -> deque[bytes]:
        body: deque[bytes] = deque()
        for piece in self._source.page(openmetrics=openmetrics):
            body.append(piece)
            await asyncio.sleep(0)
        return body

    async def _compressed(self, *, openmetrics: bool) -> deque[bytes]:
        gzip = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WBITS)
        body: deque[bytes] = deque()
        for piece in self._source.page(openmetrics=openmetrics):
            small = len(piece) <= INLINE_BYTES
            body.append(gzip.compress(piece) if small else await asyncio.to_thread(gzip.compress, piece))
            await asyncio.sleep(0)
        body.append(gzip.flush())
        return body


def _header(request: web.Request, name: str) -> str:
    """Give a header that may be sent in several lines as one."""
    return ",".join(request.headers.getall(name, []))


async def _send(request: web.Request, response: web.StreamResponse, body: deque[bytes]) -> None:
    """Send the body, letting go of what is sent; one who leaves is let go, and one who dawdles is cut off."""
    response.content_length = sum(map(len, body))
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await response.prepare(request)
            while body:
                await _send_piece(response, body.popleft())
    except ConnectionError:
        log.debug("a scraper went away before its page was sent")
    except TimeoutError:
        log.warning("a scraper was cut off because it read too slowly", seconds=SEND_SECONDS)
        if request.transport is not None:
            request.transport.abort()


async def _send_piece(response: web.StreamResponse, piece: bytes) -> None:
    view = memoryview(piece)
    for start in range(0, len(piece), SLICE_BYTES):
        await response.write(view[start : start + SLICE_BYTES])
        await asyncio.sleep(0)  # a fast reader leaves nothing to drain, and the write returns without a pause
