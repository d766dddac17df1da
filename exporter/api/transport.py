"""Sends HTTP requests: GET, and POST to the token endpoint alone.

This is the client's only I/O. The credentials would allow changes in the hub; because there are no other methods,
the exporter can't make any.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from typing import Any, Protocol

import aiohttp

from exporter import __version__
from exporter.api.connections import MAX_HEADER_BYTES, MAX_HEADERS, Connections, PooledRequest
from exporter.api.egress import Egress
from exporter.api.encodings import ACCEPTED, PIECE, Decoder, to_utf8, too_large
from exporter.api.errors import BadResponseError, NetworkError, RequestTimeoutError
from exporter.api.wire import TOKEN_PATH, Reply

USER_AGENT = f"kimono-exporter/{__version__}"


class Transport(Protocol):
    """Sends one request and returns the whole reply, whatever its status.

    Raises `NetworkError`, `RequestTimeoutError`, or `BadResponseError` for a reply that is too large.
    """

    base_url: str

    def apart(self) -> Transport:
        """The same transport for another caller, who shares no connection with any other."""

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""


@dataclass
class Options:
    """How requests are sent. It is shared by all callers, and may change while they send.

    `timeout` is in seconds, for a whole request; `max_bytes` limits a reply's body: packed, unpacked, and in UTF-8.
    """

    timeout: float
    max_bytes: int
    egress: Egress = field(default_factory=Egress)


# Callers are numbered.
_callers = count(1)


class HttpTransport:
    """Sends requests over HTTP(S) to one base URL, for one caller."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, options: Options) -> None:
        self._session = session
        self.base_url = base_url
        self.options = options
        self._caller = next(_callers)

    def to(self, base_url: str) -> HttpTransport:
        """A transport to another base URL."""
        return HttpTransport(self._session, base_url, self.options)

    def apart(self) -> HttpTransport:
        """A transport to the same base URL for another caller, who shares no connection with this one."""
        return self.to(self.base_url)

    async def get(self, path: str, query: Mapping[str, str], authorization: str) -> Reply:
        """GET `path` with these query parameters."""
        return await self._send("GET", path, params=query, headers={"Authorization": authorization})

    async def post_token(self, form: Mapping[str, str]) -> Reply:
        """POST the form to the token endpoint."""
        return await self._send("POST", TOKEN_PATH, data=form)

    async def _send(self, method: str, path: str, **content: Any) -> Reply:  # noqa: ANN401 - aiohttp's own arguments
        options = self.options
        content |= {"proxy": options.egress.proxy, "ssl": options.egress.tls, "middlewares": (self._once,)}
        try:
            async with (
                asyncio.timeout(options.timeout),
                self._session.request(method, self.base_url + path, allow_redirects=False, **content) as response,
            ):
                return Reply(response.status, response.headers, await self._get_body(response))
        except TimeoutError:
            raise RequestTimeoutError(f"no complete reply within {options.timeout:g} s") from None
        except aiohttp.ClientHttpProxyError as error:
            raise NetworkError(f"the proxy refused the connection with HTTP {error.status}") from None
        except aiohttp.ClientResponseError:
            raise BadResponseError("the reply is not valid HTTP, or its headers are too large") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from None

    async def _get_body(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body. Closes the connection as soon as the body is too large, or not what its headers say."""
        try:
            body = await self._unpack(response)
            return await to_utf8(body, response.headers.get("Content-Type", ""), self.options.max_bytes)
        except BadResponseError:
            response.close()
            # The body of a refusal does not matter.
            if response.ok:
                raise
            return b""

    async def _unpack(self, response: aiohttp.ClientResponse) -> bytes:
        decoder = Decoder(",".join(response.headers.getall("Content-Encoding", ())))
        # It gives its bytes without copying them: to copy 16 MiB, many times in one turn of the loop, takes too long.
        packed, body = 0, BytesIO()
        async for chunk in response.content.iter_any():
            packed += len(chunk)
            for piece in decoder.decode(chunk):
                body.write(piece)
                if max(packed, body.tell()) > self.options.max_bytes:
                    raise too_large(self.options.max_bytes)
                if body.tell() > PIECE:
                    await asyncio.sleep(0)
        decoder.finish()
        return body.getvalue()

    async def _once(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Send a request over the caller's connections, and once.

        aiohttp would repeat a GET whose connection broke: that would bypass the rate limit and the counters.
        """
        assert isinstance(request, PooledRequest)  # noqa: S101 - the session makes no others
        request.caller = self._caller
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _broken(error) from None


def _broken(error: Exception) -> NetworkError:
    # aiohttp names the same error differently if the proxy is not reached.
    to_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
    return NetworkError(f"the connection{' to the proxy' if to_proxy else ''} failed: {_cause(error)}")


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
async def open_transport(base_url: str, options: Options) -> AsyncIterator[HttpTransport]:
    """Open a transport with its own connection pool. It keeps no cookies and ignores proxy settings of the system."""
    session = aiohttp.ClientSession(
        connector=Connections(),
        request_class=PooledRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": ACCEPTED},
        auto_decompress=False,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )
    async with session:
        yield HttpTransport(session, base_url, options)
