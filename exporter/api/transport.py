"""How do bytes get to the API and back?

The only I/O of the client. It has two methods, and so the exporter, whose credentials could change things
in the hub, cannot: `get` sends GET, `post_token` sends the token request, and there is no third.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp

from exporter import __version__
from exporter.api.errors import BadResponseError, NetworkError, RequestTimeoutError
from exporter.api.resolver import DaemonResolver
from exporter.api.wire import TOKEN_PATH, Reply

USER_AGENT = f"kimono-exporter/{__version__}"


class Transport(Protocol):
    """Sends one request and gives the whole reply, whatever its status.

    Raises `NetworkError`, `RequestTimeoutError`, or `BadResponseError` for a reply that is too large.
    """

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""


class HttpTransport:
    """Over HTTP(S), with the limits of the settings, which may change while it runs."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, timeout: float, max_bytes: int) -> None:
        """`timeout` in seconds for a whole request, `max_bytes` for a reply's body as it unpacks."""
        self._session = session
        self.base_url = base_url
        self.timeout = timeout
        self.max_bytes = max_bytes

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""
        return await self._send("GET", path, {"Authorization": authorization}, query=query)

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""
        return await self._send("POST", TOKEN_PATH, {}, form=form)

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._session.request(
                    method,
                    self.base_url + path,
                    params=query,
                    data=form,
                    headers=headers,
                    allow_redirects=False,
                    middlewares=(_once,),
                ) as response,
            ):
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, names, await self._read(response))
        except TimeoutError:
            raise RequestTimeoutError(f"no whole reply within {self.timeout:g} s") from None
        except aiohttp.ClientResponseError:
            raise BadResponseError("the reply is not HTTP, or its headers are too large") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, given up as soon as it is too large. Leaving early closes the connection."""
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self.max_bytes:
                response.close()
                raise BadResponseError(f"the reply is larger than {self.max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Left alone, aiohttp sends a GET again when its connection breaks: unpaid, and uncounted."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _broken(error) from None


def _broken(error: Exception) -> NetworkError:
    return NetworkError(f"the connection failed: {_cause(error)}")


def _cause(error: Exception) -> str:
    """Why, in words of ours or the system's; a library's own text may name what should not be named."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "the server's certificate, or its TLS, was not accepted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name could not be resolved"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the server closed it before its reply was whole"
    return type(error).__name__


@asynccontextmanager
async def open_transport(base_url: str, timeout: float, max_bytes: int) -> AsyncIterator[HttpTransport]:  # noqa: ASYNC109 - the limit of each request, not of this call
    """A transport with a connection pool of its own. It keeps no cookies and follows no proxy settings."""
    session = aiohttp.ClientSession(
        # The client bounds the requests in flight; a second bound here could only hide behind it.
        connector=aiohttp.TCPConnector(limit=0, resolver=DaemonResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )
    async with session:
        yield HttpTransport(session, base_url, timeout, max_bytes)
