"""What do the bytes of a reply mean?

The protocol as pure functions: no sockets, no clock, no state. Facts come from the published reference and
from the vendor's client kits; docs/architecture.md tells which.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote, urlsplit

from exporter.api.errors import (
    ApiError,
    AuthError,
    BadResponseError,
    ForbiddenError,
    NotFoundError,
    ServerError,
    ThrottledError,
)

PREFIX = "/v2/interop"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, not a secret

Json = Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and its life in seconds from the moment of the reply."""

    value: str = field(repr=False)
    lifetime: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its objects, and whether, and where, the server says that there is more.

    `more` is None where the server does not speak of pages at all; `number` is the next page's if it is named.
    """

    items: list[dict[str, Json]] = field(repr=False)
    more: bool | None
    number: int | None = None


def path(template: str, ident: str | None = None) -> str:
    """The path of an endpoint; `ident` stands in for `{id}`."""
    return PREFIX + (template if ident is None else template.replace("{id}", quote(ident, safe="")))


def basic(user: str, password: str) -> str:
    """The value of an Authorization header for HTTP Basic (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bearer(token: str) -> str:
    """The value of an Authorization header for a bearer token (RFC 6750)."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise AuthError("the bearer token has characters that no header can carry")
    return "Bearer " + token


def check(reply: Reply, now: float) -> Reply:
    """The reply itself if its status is 2xx, else the `ApiError` that its status stands for.

    `now` in Unix seconds turns a `Retry-After` that is a date into seconds.
    """
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return reply
    raise _error(status, retry_after(reply.headers, now))


_REFUSALS: Mapping[int, tuple[type[ApiError], str]] = {
    401: (AuthError, "the credentials were refused (HTTP 401)"),
    403: (ForbiddenError, "these credentials may not read this (HTTP 403)"),
    404: (NotFoundError, "the API knows no such thing (HTTP 404)"),
    410: (NotFoundError, "the API knows no such thing any more (HTTP 410)"),
}


def _error(status: int, wait: float | None) -> ApiError:
    if status in _REFUSALS:
        error, text = _REFUSALS[status]
        return error(text)
    if status == 429:  # noqa: PLR2004
        return ThrottledError("too many requests (HTTP 429)", wait)
    if status >= 500:  # noqa: PLR2004
        return ServerError(f"the server failed (HTTP {status})", wait)
    if 300 <= status < 400:  # noqa: PLR2004
        return BadResponseError(f"a redirect (HTTP {status}), which is not followed with credentials")
    return BadResponseError(f"an unexpected status (HTTP {status})")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to hold back, from a `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

    None if it is missing, unreadable or over already: then the server has not said how long.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return float(text) or None
    try:
        date = parsedate_to_datetime(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if seconds > 0 else None


def decode(body: bytes) -> Json:
    """The JSON value of a body. Anything else, `NaN` and bottomless nesting included, is a `BadResponseError`."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        what = "HTML" if body.lstrip()[:1] == b"<" else "not JSON"
        raise BadResponseError(f"the reply is {what}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def one(body: bytes) -> dict[str, Json]:
    """The object in `{"data": {…}}`."""
    data = _data(decode(body))
    if not isinstance(data, dict):
        raise BadResponseError("the reply's data is not an object")
    return data


def page(body: bytes) -> Page:
    """One page of a list: `{"data": […], "paging": {"next": …}}`, with or without `paging`.

    Null elements, which the published examples show, are skipped. A null list is an empty one.
    """
    envelope = decode(body)
    data = _data(envelope)
    items = [item for item in data or [] if item is not None] if isinstance(data, list | None) else None
    if items is None or not all(isinstance(item, dict) for item in items):
        raise BadResponseError("the reply's data is not a list of objects")
    paging = envelope.get("paging")
    if not isinstance(paging, dict):
        return Page(items, None)
    following = paging.get("next")
    return Page(items, following not in (None, False, ""), _number(following))


def _data(envelope: Json) -> Json:
    if not isinstance(envelope, dict) or "data" not in envelope:
        raise BadResponseError("the reply has no data")
    return envelope["data"]


# No list has as many pages; a longer number could not even be sent.
_HIGHEST_PAGE = 1_000_000_000


def _number(following: Json) -> int | None:
    """The page number in a `next`, which may be a number or an address. The address itself is never followed."""
    if isinstance(following, bool):
        return None
    try:
        number = parse_qs(urlsplit(following).query)["page"][-1] if isinstance(following, str) else following
        return int(number) if 0 <= int(number) <= _HIGHEST_PAGE else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


# A reply that does not say how long its token lives is believed for this long.
_LIFETIME_UNSAID = 300.0
_LIFETIME_MOST = 86_400.0


def check_token(reply: Reply, now: float) -> Reply:
    """Like `check`, for the token endpoint, which refuses with 400 as well (RFC 6749, 5.2)."""
    if reply.status in (400, 401, 403):
        raise AuthError(f"the token endpoint refused the client id and secret (HTTP {reply.status})")
    if reply.status == 404:  # noqa: PLR2004
        # Not `NotFoundError`: that would say of the thing asked for, not of the way to it, that it does not exist.
        raise BadResponseError("there is no token endpoint (HTTP 404)")
    return check(reply, now)


def token(body: bytes) -> Token:
    """The token in a good reply of the token endpoint (RFC 6749, 5.1)."""
    fields = decode(body)
    value = fields.get("access_token") if isinstance(fields, dict) else None
    if not isinstance(value, str) or not value:
        raise BadResponseError("the token endpoint's reply has no access_token")
    return Token(value, _lifetime(fields.get("expires_in")))


def _lifetime(value: Json) -> float:
    if isinstance(value, bool):
        return _LIFETIME_UNSAID
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return _LIFETIME_UNSAID
    return min(seconds, _LIFETIME_MOST) if math.isfinite(seconds) and seconds > 0 else _LIFETIME_UNSAID
