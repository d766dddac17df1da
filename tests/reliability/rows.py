"""Lists every fault of the matrix, and what has to come of it in each kind of place. Written by hand.

A row of the table below has, after the name and the fault, the expected outcome in each column of `COLUMNS`, the HTTP
status or transport reason that is counted, and how many requests one poll sends at most. An outcome is a reason of
`kimono_tenant_failure_info`, or one of `OUTCOMES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exporter.simulator import Fault

# One object; a list; an object and a list that some tenants don't have; an ingestion that has left the list; a token.
COLUMNS = ("object", "list", "optional", "optional_list", "by_id", "token")
OUTCOMES = {
    "ok": "the fault makes no difference",
    "absent": "the tenant has no such resource: success without samples",
    "kept": "the poll succeeds, and the next one asks for this ingestion again",
    "lost": "the poll succeeds, and `kimono_exporter_ingestions_lost_total` counts the ingestion",
}

# Above the longest wait that the exporter accepts from `Retry-After`, in seconds.
LONGEST_WAIT = 900.0
MOST_BYTES = 2**20


@dataclass(frozen=True)
class Row:
    """One fault, and what has to come of it.

    `held` is how long the API asks to wait, in seconds. `simulator` has arguments of `Simulator`.
    """

    name: str
    fault: Fault
    expected: dict[str, str]
    code: str
    requests: int
    held: float = 0.0
    simulator: dict[str, Any] | None = None


def _row(name: str, fault: Fault, outcomes: str, code: str, requests: int, **more: Any) -> Row:
    expected = outcomes.split()
    return Row(name, fault, dict(zip(COLUMNS, expected, strict=True)), code, requests, **more)


_F = Fault
_OK = "ok ok ok ok ok ok"
_BAD = "bad_response bad_response bad_response bad_response kept bad_response"
_NETWORK = "network network network network network network"
_TIMEOUT = "timeout timeout timeout timeout timeout timeout"
_SERVER = "server server server server server server"
_THROTTLED = "throttled throttled throttled throttled throttled throttled"
_AUTH = "auth auth auth auth auth auth"
_DAY = 86_400.0
_SMALL_PAGES: dict[str, Any] = {"page_size_max": 1, "nulls": False}

# fmt: off
ROWS = (
    # Slow
    _row("answers after 5 s", _F("latency"), _OK, "200", 1),
    _row("never answers", _F("hang"), _TIMEOUT, "timeout", 1),
    _row("stops within the body", _F("hang_in_body"), _TIMEOUT, "timeout", 1),
    _row("sends one byte a second", _F("slow_bytes", seconds=1), _TIMEOUT, "timeout", 1),
    _row("sends 1xx replies for ever", _F("endless_informational"), _TIMEOUT, "timeout", 1),
    # Broken connections
    _row("resets the connection", _F("reset"), _NETWORK, "network", 3),
    _row("closes the connection without a reply", _F("disconnect"), _NETWORK, "network", 3),
    _row("resets the connection within the body", _F("reset_in_body"), _NETWORK, "network", 3),
    _row("closes the connection before the end of the body", _F("cut"), _NETWORK, "network", 3),
    _row("closes the connection after each reply, unannounced", _F("closes"), _OK, "200", 1),
    # More than was asked for
    _row("sends a second reply unasked", _F("unsolicited"), _OK, "200", 1),
    _row("sends a second reply unasked, 3 s later", _F("unsolicited_later", seconds=3), _OK, "200", 1),
    _row("sends a second reply unasked, in a write of its own", _F("unsolicited_later", seconds=0), _OK, "200", 1),
    _row("sends bytes after the reply", _F("trailing_bytes"), _BAD, "bad_response", 1),
    _row("sends 1xx replies first", _F("informational"), _OK, "200", 1),
    # Framing
    _row("body without a length, ended by closing", _F("no_length"), _OK, "200", 1),
    _row("HTTP/1.0", _F("http_1_0"), _OK, "200", 1),
    _row("`Transfer-Encoding` and `Content-Length`", _F("te_and_length"), _BAD, "bad_response", 1),
    _row("two different `Content-Length`", _F("two_lengths"), _BAD, "bad_response", 1),
    _row("invalid chunks", _F("bad_chunks"), _BAD, "bad_response", 1),
    _row("not HTTP", _F("not_http"), _BAD, "bad_response", 1),
    _row("HTTP 101", _F("switching_protocols"), _BAD, "101 bad_response", 1),
    # Headers
    _row("one header of 9,000 bytes", _F("large_header", size=9_000), _OK, "200", 1),
    _row("one header of 60,000 bytes", _F("large_header", size=60_000), _OK, "200", 1),
    _row("one header of 100,000 bytes", _F("large_header", size=100_000), _BAD, "bad_response", 1),
    _row("headers of 1 MB", _F("many_headers", size=1_000_000), _BAD, "bad_response", 1),
    _row("a cookie", _F("cookie"), _OK, "200", 1),
    # Encodings
    _row("`Content-Encoding: gzip` on plain bytes", _F("false_gzip"), _BAD, "200 bad_response", 1),
    _row("`Content-Encoding: x-gzip`", _F("x_gzip"), _OK, "200", 1),
    _row("`Content-Encoding: deflate`", _F("deflate"), _OK, "200", 1),
    _row("`Content-Encoding: gzip, gzip`", _F("double_gzip"), _BAD, "200 bad_response", 1),
    _row("gzip that is cut off", _F("truncated_gzip"), _BAD, "200 bad_response", 1),
    _row("an unknown `Content-Encoding`", _F("unknown_encoding"), _BAD, "200 bad_response", 1),
    _row("gzip that unpacks to 64 MiB", _F("gzip_bomb"), _BAD, "bad_response", 1),
    _row("deflate that unpacks to 64 MiB", _F("deflate_bomb"), _BAD, "bad_response", 1),
    _row("64 MiB", _F("huge"), _BAD, "bad_response", 1),
    _row("`charset=ISO-8859-1`", _F("latin_1"), _OK, "200", 1),
    _row("`charset=utf-16`", _F("utf_16"), _OK, "200", 1),
    _row("a byte order mark", _F("byte_order_mark"), _OK, "200", 1),
    _row("an unknown charset, but UTF-8", _F("unknown_charset"), _OK, "200", 1),
    _row("`charset=utf-8`, but ISO-8859-1", _F("false_charset"), _BAD, "200 bad_response", 1),
    # Bodies
    _row("HTTP 200 with HTML", _F("html", status=200), _BAD, "200", 1),
    _row("HTTP 200 with an empty body", _F("empty"), _BAD, "200", 1),
    _row("HTTP 204", _F("empty", status=204), _BAD, "204", 1),
    _row("JSON that is cut off", _F("not_json"), _BAD, "200", 1),
    _row("JSON of another shape", _F("wrong_json"), _BAD, "200", 1),
    _row("300,000 empty objects in 900 kB", _F("many_items", size=900_000), _BAD, "200 bad_response", 1),
    _row("a list that repeats itself for ever", _F("endless"), _BAD, "200", 3),
    _row("HTTP 200 with an OAuth2 error", _F("token_error"),
         "bad_response bad_response bad_response bad_response kept auth", "200", 1),
    # Redirects
    _row("HTTP 302 to another host", _F("redirect"), _BAD, "302", 1),
    _row("HTTP 307 to another host", _F("redirect", status=307), _BAD, "307", 1),
    _row("`paging.next` on another host", _F("next_elsewhere"), _OK, "200", 1, simulator=_SMALL_PAGES),
    # Pages
    _row("HTTP 500 for the third page", _F("server_error", page=2),
         "ok server ok server ok ok", "500", 5, simulator=_SMALL_PAGES),
    _row("HTTP 403 for the third page", _F("forbidden", page=2),
         "ok bad_response ok bad_response ok ok", "403", 3, simulator=_SMALL_PAGES),
    _row("HTTP 404 for the third page", _F("not_found", page=2),
         "ok bad_response ok bad_response ok ok", "404", 3, simulator=_SMALL_PAGES),
    # Credentials
    _row("HTTP 401 for ever, though tokens are issued", _F("unauthorized"), _AUTH, "401", 4),
    _row("HTTP 401, and the client is unknown", _F("revoked_secret"), _AUTH, "401", 4),
    _row("all tokens expire at once", _F("expired_token", times=1), _OK, "401", 2),
    _row("HTTP 403", _F("forbidden"), "forbidden forbidden absent absent kept auth", "403", 1),
    _row("HTTP 403 with `Retry-After: 5`", _F("forbidden", retry_after=5), _THROTTLED, "403", 3, held=5),
    _row("HTTP 403 with `Retry-After: 86400`", _F("forbidden", retry_after=_DAY), _THROTTLED, "403", 1,
         held=LONGEST_WAIT),
    # Other statuses
    _row("HTTP 400", _F("status", status=400),
         "bad_response bad_response bad_response bad_response kept auth", "400", 1),
    _row("HTTP 404", _F("not_found"), "not_found not_found absent absent lost bad_response", "404", 1),
    _row("HTTP 410", _F("status", status=410), "not_found not_found absent absent lost bad_response", "410", 1),
    _row("HTTP 304", _F("status", status=304), _BAD, "304", 1),
    _row("HTTP 451", _F("status", status=451), _BAD, "451", 1),
    _row("HTTP 403 with HTML", _F("html", status=403), "forbidden forbidden forbidden forbidden kept auth", "403", 1),
    _row("HTTP 404 with HTML", _F("html", status=404), "not_found not_found not_found not_found kept bad_response",
         "404", 1),
    # Too many requests
    _row("HTTP 429", _F("throttle"), _THROTTLED, "429", 3),
    _row("HTTP 429 with `Retry-After: 5`", _F("throttle", retry_after=5), _THROTTLED, "429", 3, held=5),
    _row("HTTP 429 with `Retry-After` as a date", _F("throttle", retry_after="date"), _THROTTLED, "429", 3, held=5),
    _row("HTTP 429 with `Retry-After: soon`", _F("throttle", retry_after="soon"), _THROTTLED, "429", 3),
    _row("HTTP 429 with `Retry-After: -5`", _F("throttle", retry_after=-5), _THROTTLED, "429", 3),
    _row("HTTP 429 with `Retry-After: 86400`", _F("throttle", retry_after=_DAY), _THROTTLED, "429", 1,
         held=LONGEST_WAIT),
    _row("HTTP 503 with `Retry-After: 5`", _F("unavailable", retry_after=5), _SERVER, "503", 3, held=5),
    _row("HTTP 503 with `Retry-After: 86400`", _F("unavailable", retry_after=_DAY), _SERVER, "503", 1,
         held=LONGEST_WAIT),
    # Server errors
    _row("HTTP 500", _F("server_error"), _SERVER, "500", 3),
    _row("HTTP 502 with HTML", _F("html"), _SERVER, "502", 3),
    _row("HTTP 503", _F("unavailable"), _SERVER, "503", 3),
    _row("HTTP 599", _F("status", status=599), _SERVER, "599", 3),
)
# fmt: on
