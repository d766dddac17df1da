"""Sends HTTP requests: GET, and POST to the token endpoint alone.

This is the client's only I/O. The credentials would allow changes in the hub; because there are no other methods,
the exporter can't make any.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp

from exporter import __version__
from exporter.api.errors import BadResponseError, NetworkError, RequestTimeoutError
from exporter.api.resolver import DaemonResolver
from exporter.api.wire import TOKEN_PATH, Reply

USER_AGENT = f"kimono-exporter/{__version__}"


class Transport(Protocol):
    """Sends one request and returns the whole reply, whatever its status.

    Raises `NetworkError`, `RequestTimeoutError`, or `BadResponseError` for a reply that is too large.
    """

    base_url: str

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""


class HttpTransport:
    """Sends requests over HTTP(S), to one base URL. The limits may change while it runs."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, timeout: float, max_bytes: int) -> None:
        """`timeout` is in seconds, for a whole request; `max_bytes` limits the decompressed body of a reply."""
        self._session = session
        self.base_url = base_url
        self.timeout = timeout
        self.max_bytes = max_bytes

    def to(self, base_url: str) -> HttpTransport:
        """A transport to another base URL, over the same connection pool."""
        return HttpTransport(self._session, base_url, self.timeout, self.max_bytes)

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""
        return await self._send("GET", path, params=query, headers={"Authorization": authorization})

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""
        return await self._send("POST", TOKEN_PATH, data=form)

    async def _send(self, method: str, path: str, **content: Any) -> Reply:  # noqa: ANN401 - aiohttp's own arguments
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._session.request(method, self.base_url + path, allow_redirects=False, **content) as response,
            ):
                return Reply(response.status, response.headers, await self._get_body(response))
        except TimeoutError:
            raise RequestTimeoutError(f"no complete reply within {self.timeout:g} s") from None
        except aiohttp.ClientResponseError:
            raise BadResponseError("the reply is not valid HTTP, or its headers are too large") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from None

    async def _get_body(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body. Closes the connection as soon as the body is too large."""
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self.max_bytes:
                response.close()
                raise BadResponseError(f"the reply is larger than {self.max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET whose connection broke: that would bypass the rate limit and the counters."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _broken(error) from None


def _broken(error: Exception) -> NetworkError:
    return NetworkError(f"the connection failed: {_cause(error)}")


def _cause(error: Exception) -> str:
    """The cause, in the words of this module or of the system: a library's text may hold a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "the server's TLS certificate or protocol was not accepted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name could not be resolved"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the server closed it before the reply was complete"
    return type(error).__name__


@asynccontextmanager
async def open_transport(base_url: str, timeout: float, max_bytes: int) -> AsyncIterator[HttpTransport]:  # noqa: ASYNC109 - it limits each request, not this call
    """Open a transport with its own connection pool. It keeps no cookies and ignores proxy settings."""
    session = aiohttp.ClientSession(
        # The client limits the requests in flight, so the pool needs no limit of its own.
        connector=aiohttp.TCPConnector(limit=0, resolver=DaemonResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        middlewares=(_once,),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )
    async with session:
        yield HttpTransport(session, base_url, timeout, max_bytes)
