"""Measures scrapes as a scraper sees them, over a connection that stays open."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

BUFFER_BYTES = 1024 * 1024
TIMEOUT = 120.0


class Scraper:
    """A connection to one metrics page."""

    def __init__(self, connection: http.client.HTTPConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def scrape(self, encoding: str) -> float:
        """Return the seconds from the request to the last byte, which is dropped. `encoding`: `identity` or `gzip`."""
        started = time.perf_counter()
        response = self._get(encoding)
        while response.readinto(self._buffer):
            pass
        return time.perf_counter() - started

    def page(self, encoding: str = "identity") -> bytes:
        """Return the page as it is sent."""
        return self._get(encoding).read()

    def _get(self, encoding: str) -> http.client.HTTPResponse:
        self._connection.request("GET", self._path, headers={"Accept-Encoding": encoding})
        response = self._connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"the scrape of {self._path} returned {response.status}")
        return response


@contextmanager
def scraper(url: str) -> Iterator[Scraper]:
    """Connect to the page at a URL."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        yield Scraper(connection, parts.path)
    finally:
        connection.close()
