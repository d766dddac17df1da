"""Makes bad inputs from good ones: a value with a few parts changed, its text damaged, or bytes from nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

# In inputs, whatever is secret contains this, so that a leak can be seen.
SECRET = "S3CR3T"

_TIMES = (
    *("2026-11-26T02:18:23z", "2026-11-26", "20261126T021823Z", "2026-W48-4", "2026-11-26T24:00:00Z", "26.11.2026"),
    *(
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+23:59",
        "1969-12-31T23:59:59Z",
        "2026-11-26T02:18:23.123456789Z",
    ),
    *("2026-11-26T02:18:60Z", "2026-11-26T02:18:23+99:99", "2026-11-26T02:18:23 Europe/Paris", "1795659503"),
)
_TEXTS = (
    *(
        "",
        " ",
        "\t\n",
        "\x00",
        "\x7f",
        "\ud800",
        "\udfff\ud800",
        "\u2028",
        "\u202e",
        "\ufeff",
        'a"b\\c\nd',
        "É",
        "É",
        "😀",
    ),
    *(
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "NaN",
        "None",
        "x" * 1024,
        "x" * 1025,
        "x" * 5000,
        "../..",
        "{id}",
        "%00",
        "a/b?c",
    ),
    *("someone@example.org", "success", "executing", "upcoming", "127", "MTWRF", "* * * * *", "[[[", '{"a":', "*/5"),
)
_NUMBERS = (
    *(0, -0.0, -1, 1, 7.0, 7.5, 23, 24, 2**31, 2**53, 2**53 + 1, 2**64, 10**18, 10**308, 10**400, -(10**400)),
    *(1e308, 1e-308, 1e16, float("inf"), float("nan"), 653247040368672768),
)
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], [{}], {"": None}, {"id": {}}, [1, "a", None])
ODD = (*_TIMES, *_TEXTS, *_NUMBERS, *_OTHERS)
# Names of members that mean something in some reply.
_KEYS = (
    *("id", "name", "data", "paging", "next", "page", "error", "type", "state", "status", "auth", "client_id"),
    *("client_secret", "metadata", "created", "days", "hour", "enabled", "started_at", "last_executed_at", "account"),
    *("read-only", "2fa_required", "", " ", "a.b", "é", "x" * 300, "\ud800"),
)

Path = tuple[Any, ...]


def odd_values() -> st.SearchStrategy[Any]:
    """One value that few programs expect."""
    leaves = st.sampled_from(ODD) | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=12)
    keys = st.sampled_from(_KEYS) | st.text(max_size=6)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
    )


@st.composite
def changed(draw: st.DrawFn, good: Any, *, most: int = 4) -> Any:
    """A value with one to `most` of its parts replaced, removed, repeated, renamed, wrapped or exchanged."""
    value = deepcopy(good)
    for _ in range(draw(st.integers(1, most))):
        value = _change(draw, value)
    return value


def replaced(good: Any, odd: Sequence[Any] = ODD) -> Iterator[Any]:
    """The value with each of its parts in turn replaced by each of these values."""
    for path in list(_paths(good)):
        for each in odd:
            yield _with(deepcopy(good), path, each)


def _change(draw: st.DrawFn, value: Any) -> Any:
    paths = list(_paths(value))
    path = draw(st.sampled_from(paths))
    how = draw(st.sampled_from(_WAYS))
    return how(draw, value, path, paths)


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _paths(part, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _with(value: Any, path: Path, part: Any) -> Any:
    if not path:
        return part
    _at(value, path[:-1])[path[-1]] = part
    return value


def _replace(draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    return _with(value, path, draw(odd_values()))


def _remove(_draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    if path:
        del _at(value, path[:-1])[path[-1]]
    return value


def _repeat(draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    part = _at(value, path)
    if isinstance(part, list):
        return _with(value, path, [deepcopy(each) for _ in range(draw(st.integers(2, 3))) for each in part])
    return _with(value, path, [part, deepcopy(part)])


def _add(draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    part, new = _at(value, path), draw(odd_values())
    if isinstance(part, dict):
        part[draw(st.sampled_from(_KEYS) | st.text(max_size=6))] = new
    elif isinstance(part, list):
        part.insert(draw(st.integers(0, len(part))), new)
    return value


def _rename(draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    if path and isinstance(path[-1], str):
        parent = _at(value, path[:-1])
        parent[draw(st.sampled_from(_KEYS))] = parent.pop(path[-1])
    return value


def _wrap(draw: st.DrawFn, value: Any, path: Path, _: Sequence[Path]) -> Any:
    part = _at(value, path)
    return _with(value, path, draw(st.sampled_from([[part], {"data": part}, {"id": part}, [[part]]])))


def _exchange(draw: st.DrawFn, value: Any, path: Path, paths: Sequence[Path]) -> Any:
    return _with(value, path, deepcopy(_at(value, draw(st.sampled_from(list(paths))))))


_WAYS: tuple[Callable[..., Any], ...] = (_replace, _replace, _remove, _repeat, _add, _rename, _wrap, _exchange)


# Text


def json_bytes(value: Any) -> bytes:
    """The JSON of a value, with halves of surrogate pairs, `NaN` and `Infinity` as Python writes them."""
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """The bytes of a text with a few of them cut out, repeated or replaced, or in another encoding."""
    raw = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 40)))
        new = draw(st.sampled_from(_PIECES) | st.binary(max_size=4))
        raw[start:end] = draw(st.sampled_from([b"", bytes(raw[start:end]) * 2, new]))
    return draw(st.sampled_from(_ENCODINGS))(bytes(raw))


_PIECES = (
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\n\n",
        b"#",
        b"&a ",
        b"*a",
    ),
    *(
        b"<<: *a\n",
        b"!!binary x",
        b"!!python/object:a ",
        b"\xed\xa0\x80",
        b"\xe9",
        b"1e999",
        b"-Infinity",
        b"NaN",
        b"9" * 5000,
    ),
    *(
        b"[" * 3000,
        b'{"a":' * 3000,
        b"\\ud800",
        b"'",
        b"- ",
        b"  ",
        b"\t",
        b"%",
        b"---\n",
        b"...\n",
        b"? ",
        b"!!set ",
        b"null",
    ),
)


def _same(raw: bytes) -> bytes:
    return raw


def _utf_16(raw: bytes) -> bytes:
    return raw.decode("latin-1").encode("utf-16")


def _marked(raw: bytes) -> bytes:
    return b"\xef\xbb\xbf" + raw


_ENCODINGS: tuple[Callable[[bytes], bytes], ...] = (_same, _same, _same, _same, _marked, _utf_16)


# Deeper than Python's stack.
DEEP = tuple(
    before + piece * 100_000 for before in (b"", b'{"data":', b'{"data":[') for piece in (b"[", b'{"a":', b'{"data":')
)


def documents(good: Any) -> st.SearchStrategy[bytes]:
    """Bodies made from a good value: mostly valid JSON of another shape, sometimes no JSON at all."""
    text = json_bytes(good)
    bodies = changed(good).map(json_bytes)
    return st.one_of(bodies, bodies, bodies, damaged(text), bodies.flatmap(damaged), st.binary(max_size=200))


# Of a reply; the names are in lower case.
HEADERS: st.SearchStrategy[dict[str, str]] = st.dictionaries(
    st.sampled_from(["retry-after", "content-type", "content-encoding", "content-length", "date", "link", "location"]),
    st.sampled_from(
        [
            *("0", "-1", "30", "1e9", "9" * 400, "٣", "30.5.5", "", " ", "Wed, 21 Oct 2026 07:28:00 GMT"),
            *("Wed, 21 Oct 99999 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 +9999", "1 Jan", "application/json"),
            *(
                "application/json; charset=utf-16",
                "text/html; charset=nonsense",
                "gzip",
                "x-gzip, br",
                "\x00",
                "é",
                "\ud800",
            ),
        ]
    )
    | st.text(max_size=30),
    max_size=3,
)
