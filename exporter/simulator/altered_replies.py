"""Sends a true reply in another form: with other encodings, charsets and headers, right or wrong."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping

from exporter.simulator.faults import Fault
from exporter.simulator.http_messages import JSON, Reply

_HEADER_BYTES = 100


def altered_reply(fault: Fault, reply: Reply) -> Reply:
    """The reply as a fault of `ALTERED_KINDS` sends it; KeyError for another kind."""
    return _ALTERATIONS[fault.kind](reply, fault)


def _with(reply: Reply, more: Mapping[str, str], body: bytes | None = None) -> Reply:
    """The reply with more headers, and maybe another body."""
    return Reply(reply.status, {**reply.headers, **more}, reply.body if body is None else body)


def _accented(reply: Reply) -> str:
    """The JSON of the reply, with a member that is not ASCII."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return "\xe9"
    return json.dumps({**value, "note": "\xe9"} if isinstance(value, dict) else value, ensure_ascii=False)


def _as_charset(codec: str, charset: str) -> Callable[[Reply, Fault], Reply]:
    """Encode the reply's text with a codec, and say that it is a charset."""
    headers = {"Content-Type": f"{JSON}; charset={charset}"}
    return lambda reply, _: _with(reply, headers, _accented(reply).encode(codec))


def _encoded(encoding: str, encode: Callable[[bytes], bytes]) -> Callable[[Reply, Fault], Reply]:
    """Encode the reply's body, and say that the content encoding is this."""
    return lambda reply, _: _with(reply, {"Content-Encoding": encoding}, encode(reply.body))


def _large_header(reply: Reply, fault: Fault) -> Reply:
    return _with(reply, {"X-Large": "x" * fault.size})


def _many_headers(reply: Reply, fault: Fault) -> Reply:
    numbers = range(fault.size // _HEADER_BYTES)
    return _with(reply, {f"X-{number:06}": "x" * (_HEADER_BYTES - 12) for number in numbers})


def _next_elsewhere(reply: Reply, fault: Fault) -> Reply:
    """Let the address of the next page, where there is one, be on another host."""
    try:
        envelope = json.loads(reply.body)
        following = envelope["paging"]["next"]
    except (ValueError, KeyError, TypeError):
        return reply
    if following:
        envelope["paging"]["next"] = f"{fault.location}?{following.partition('?')[2]}"
    return _with(reply, {}, json.dumps(envelope).encode())


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


_ALTERATIONS: Mapping[str, Callable[[Reply, Fault], Reply]] = {
    "false_gzip": _encoded("gzip", bytes),
    "x_gzip": _encoded("x-gzip", _gzip),
    "deflate": _encoded("deflate", zlib.compress),
    "double_gzip": _encoded("gzip, gzip", lambda body: _gzip(_gzip(body))),
    "truncated_gzip": _encoded("gzip", lambda body: _gzip(body)[:-10]),
    "unknown_encoding": _encoded("x-unknown", lambda body: b"\x00" + _gzip(body)),
    "latin_1": _as_charset("iso-8859-1", "ISO-8859-1"),
    "utf_16": _as_charset("utf-16", "utf-16"),
    "byte_order_mark": _as_charset("utf-8-sig", "utf-8"),
    "unknown_charset": _as_charset("utf-8", "x-unknown"),
    "false_charset": _as_charset("iso-8859-1", "utf-8"),
    "large_header": _large_header,
    "many_headers": _many_headers,
    "cookie": lambda reply, _: _with(reply, {"Set-Cookie": "session=S3CR3T-session; Path=/"}),
    "next_elsewhere": _next_elsewhere,
}
