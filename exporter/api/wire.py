"""Parses replies and builds paths and headers: the protocol as pure functions.

No sockets, no clock, no state. The rules come from the published reference and from the vendor's client kits;
docs/architecture.md says which.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from exporter.api import errors, pieces

PREFIX = "/v2/interop"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, not a secret

Json = Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply; `headers` finds a name in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and its lifetime in seconds from the moment of the reply."""

    value: str = field(repr=False)
    lifetime: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its objects, or what they were turned into, and what the server says about the next page.

    `more` is None if the reply has no paging. `number` is the number of the next page, if the server gives one.
    """

    items: list[Any] = field(repr=False)
    more: bool | None
    number: int | None = None


def path(template: str, ident: str | None = None) -> str:
    """The path of an endpoint; `ident` replaces `{id}`."""
    return PREFIX + (template if ident is None else template.replace("{id}", quote(ident, safe="")))


def basic(user: str, password: str) -> str:
    """The value of an Authorization header for HTTP Basic (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")
_NOT_ALLOWED = "has characters that are not allowed in an HTTP header"


def bearer(token: str) -> str:
    """The value of an Authorization header for a bearer token (RFC 6750)."""
    if not _HEADER_TEXT.fullmatch(token):
        raise errors.AuthError(f"the bearer token {_NOT_ALLOWED}")
    return "Bearer " + token


def check(reply: Reply, now: float) -> Reply:
    """Return the reply if its status is 2xx. Raises the `ApiError` for any other status.

    `now` is in Unix seconds; with it, a `Retry-After` with a date becomes seconds.
    """
    if 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return reply
    raise _error(reply, retry_after(reply.headers, now))


_REFUSALS: Mapping[int, tuple[type[errors.RefusedError], str]] = {
    403: (errors.ForbiddenError, "these credentials have no access"),
    404: (errors.NotFoundError, "not found"),
    410: (errors.NotFoundError, "no longer available"),
}


def _error(reply: Reply, wait: float | None) -> errors.ApiError:
    status, returned = reply.status, f"the API returned HTTP {reply.status}"
    # Some gateways limit the rate with 403, which would otherwise mean that something is absent.
    if status == 429 or (status == 403 and "retry-after" in reply.headers):  # noqa: PLR2004 - HTTP's own numbers
        return errors.ThrottledError(f"{returned}: too many requests", wait)
    if status == 401:  # noqa: PLR2004 - HTTP's own numbers
        return errors.AuthError(f"{returned}: it refused the credentials")
    if status in _REFUSALS:
        error, text = _REFUSALS[status]
        other = "HTML: a gateway's page" if _is_html(reply) else "Retry-After" if "retry-after" in reply.headers else ""
        return error(f"{returned} with {other}" if other else f"{returned}: {text}", by_api=not other)
    if status >= 500:  # noqa: PLR2004 - HTTP's own numbers
        return errors.ServerError(f"{returned}: server error", wait)
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own numbers
        text = "a redirect, which is not followed because requests carry credentials"
        return errors.BadResponseError(f"{returned}: {text}")
    return errors.BadResponseError(f"{returned}: unexpected status")


def _is_html(reply: Reply) -> bool:
    return reply.body.lstrip()[:1] == b"<" or "html" in reply.headers.get("content-type", "").lower()


# Seconds: longer waits are not told apart.
_LONGEST_WAIT = 1e9


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from a `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

    None if it is missing, invalid or in the past: then the server has not said how long.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        # A number of a hundred digits is a long time, not an invalid one.
        return min(float(text[:100]), _LONGEST_WAIT) or None
    try:
        date = parsedate_to_datetime(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if seconds > 0 else None


# Up to so many bytes and values (see `pieces.count_values`), a body is parsed in 20 ms.
_SMALL_BYTES, _SMALL_VALUES = 262_144, 5_000
# A page with more objects is refused.
MAX_PAGE_ITEMS = 50_000


def is_small(body: bytes) -> bool:
    """Whether parsing the body takes so little time that other work can wait for it."""
    if len(body) < _SMALL_VALUES:  # nearly always, and each value takes a byte
        return True
    return len(body) <= _SMALL_BYTES and pieces.count_values(body) <= _SMALL_VALUES


def parse_json(body: bytes, on_list: pieces.OnList = list) -> Json:
    """The JSON value of a body; `on_list` as in `pieces.parse`.

    Raises `BadResponseError` for anything else: `NaN`, too deep nesting, too many or too large values.
    """
    try:
        return pieces.parse(body, on_list)
    except (pieces.NotJsonError, RecursionError):  # `on_list` may not bear as deep nesting as the parser
        what = "HTML, " if body[:1000].lstrip()[:1] == b"<" else ""
        raise errors.BadResponseError(f"the reply is {what}not JSON") from None


def parse_object(body: bytes) -> dict[str, Json]:
    """The object in `{"data": {…}}`. Raises `BadResponseError`, like all functions that parse a body."""
    data = _data(parse_json(body))
    if not isinstance(data, dict):
        raise errors.BadResponseError("the reply's data is not an object")
    return data


def parse_page(body: bytes, read: Callable[[dict[str, Json]], Any] = dict) -> Page:
    """One page of a list: `{"data": […], "paging": {"next": …}}`, with or without `paging`.

    Each object is given to `read` as soon as it is parsed, and its result kept. Null elements, as in the published
    examples, are skipped. A null list is empty.
    """

    def items(elements: Iterator[Json]) -> list[Any]:
        found: list[Any] = []
        for element in elements:
            if isinstance(element, dict) and len(found) < MAX_PAGE_ITEMS:
                found.append(read(element))
            elif element is not None:
                raise errors.BadResponseError(_TOO_MANY if isinstance(element, dict) else _NO_LIST)
        return found

    envelope = parse_json(body, items)
    data = _data(envelope)
    if not isinstance(data, list | None):
        raise errors.BadResponseError(_NO_LIST)
    paging = envelope.get("paging")
    if not isinstance(paging, dict):
        return Page(data or [], None)
    following = paging.get("next")
    return Page(data or [], following not in (None, False, ""), _number(following))


_NO_LIST = "the reply's data is not a list of objects"
_TOO_MANY = f"a page of the list has more than {MAX_PAGE_ITEMS} objects"


def _data(envelope: Json) -> Json:
    if not isinstance(envelope, dict) or "data" not in envelope:
        raise errors.BadResponseError("the reply has no data")
    return envelope["data"]


# No list has more pages, and a much longer number can't be sent.
_HIGHEST_PAGE = 1_000_000_000
# Characters of a `next`. Servers that count no pages may give a longer one; the number is not looked for in it.
_LONGEST_NEXT = 8_192


def _number(following: Json) -> int | None:
    """The page number in a `next`, which may be a number or a URL. The URL itself is never followed."""
    if isinstance(following, bool) or (isinstance(following, str) and len(following) > _LONGEST_NEXT):
        return None
    try:
        number = parse_qs(urlsplit(following).query)["page"][-1] if isinstance(following, str) else following
        return int(number) if 0 <= int(number) <= _HIGHEST_PAGE else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


# Seconds: the lifetime of a token if the reply does not give one, and the longest that is trusted.
_DEFAULT_LIFETIME = 300.0
_LONGEST_LIFETIME = 86_400.0


# What the token endpoint says (RFC 6749, 4.1.2.1 and 5.2) other than that it refuses the client.
_TRANSIENT: Mapping[str, type[errors.TransientError]] = {
    "temporarily_unavailable": errors.ServerError,
    "server_error": errors.ServerError,
    "slow_down": errors.ThrottledError,  # RFC 8628, 3.5
}


def check_token(reply: Reply, now: float) -> Reply:
    """Like `check`, for the token endpoint.

    It refuses with 400 as well (RFC 6749, 5.2). Some refuse with 200: what counts is the error that the body names.
    """
    status, wait, code = reply.status, retry_after(reply.headers, now), _oauth_error(reply.body)
    returned = f"the token endpoint returned HTTP {status}"
    # A 5xx, 429 or 403 with `Retry-After` is not about the client, whatever the body says.
    if status == 403 and "retry-after" in reply.headers:  # noqa: PLR2004 - HTTP's own numbers
        return check(reply, now)
    if status < 500 and status != 429 and code in _TRANSIENT:  # noqa: PLR2004 - HTTP's own numbers
        raise _TRANSIENT[code](f"{returned}: {code}", wait)
    if status in (400, 401, 403) or (200 <= status < 300 and code):  # noqa: PLR2004 - HTTP's own numbers
        raise errors.AuthError(f"{returned}: it refused the client ID and secret")
    if status in (404, 410):
        # Not `NotFoundError`: that would mean that the object of the call does not exist.
        raise errors.BadResponseError(f"{returned}: there is no such endpoint")
    return check(reply, now)


def _oauth_error(body: bytes) -> str:
    """The error code in a token endpoint's body; empty if it has none, or a token.

    Only for comparisons: it may hold a secret. The API's own envelope, `{"error": {"status": 503}}`, counts as well.
    """
    if not is_small(body):
        return ""  # nor does anyone read it as a token
    try:
        fields = parse_json(body)
    except errors.BadResponseError:
        return ""
    error = fields.get("error") if isinstance(fields, dict) and not fields.get("access_token") else None
    if not error:
        return ""
    if isinstance(error, dict):
        status = error.get("status")
        if isinstance(status, int) and status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            return "server_error"
        return "slow_down" if status == 429 else str(error.get("code") or "refused")  # noqa: PLR2004 - likewise
    return error if isinstance(error, str) else "refused"


def parse_token(body: bytes) -> Token:
    """The token in a successful reply of the token endpoint (RFC 6749, 5.1), which must be small."""
    if not is_small(body):
        raise errors.BadResponseError("the token endpoint's reply is too large")
    fields = parse_json(body)
    value = fields.get("access_token") if isinstance(fields, dict) else None
    if not isinstance(value, str) or not value:
        raise errors.BadResponseError("the token endpoint's reply has no access_token")
    if not _HEADER_TEXT.fullmatch(value):
        raise errors.BadResponseError(f"the token endpoint's access_token {_NOT_ALLOWED}")
    return Token(value, _lifetime(fields.get("expires_in")))


def _lifetime(value: Json) -> float:
    if isinstance(value, bool):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    return min(seconds, _LONGEST_LIFETIME) if math.isfinite(seconds) and seconds > 0 else _DEFAULT_LIFETIME
