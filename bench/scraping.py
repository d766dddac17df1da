"""How long does a scrape take, seen from the scraper?

Over a loopback connection that stays open, from the request to the last byte, which is dropped as it comes.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

BUFFER_BYTES = 1024 * 1024
TIMEOUT = 120.0


class Scraper:
    """One connection to one page."""

    def __init__(self, connection: http.client.HTTPConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def scrape(self, encoding: str) -> float:
        """Seconds that one scrape takes; `encoding` is `identity` or `gzip`."""
        begun = time.perf_counter()
        response = self._ask(encoding)
        while response.readinto(self._buffer):
            pass
        return time.perf_counter() - begun

    def page(self) -> bytes:
        """The plain page."""
        return self._ask("identity").read()

    def _ask(self, encoding: str) -> http.client.HTTPResponse:
        self._connection.request("GET", self._path, headers={"Accept-Encoding": encoding})
        response = self._connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"the scrape of {self._path} was answered with {response.status}")
        return response


@contextmanager
def scraper(url: str) -> Iterator[Scraper]:
    """A connection to the page at a URL."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        yield Scraper(connection, parts.path)
    finally:
        connection.close()
