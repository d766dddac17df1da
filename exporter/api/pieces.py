"""Parses the JSON of a reply piece by piece, so that a small reply can't take much memory, or much time at once.

`json.loads` builds a value as a whole: from 1 MiB of `{},{},…` it makes 350,000 objects, and nothing else runs
meanwhile. Here the values are counted before any is built, and a long list is parsed element by element.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from exporter.api.errors import BadResponseError

# Beyond it, a reply is refused before anything is built. A page of 10,000 tenants has 400,000 values.
MAX_VALUES = 500_000
# The longest element of a list, or other value, in characters, and when it is known to have too many values itself:
# one of these is built at once, in 40 ms at most. A state with 100,000 flags has 1.5 to 4 million characters.
MAX_PIECE, MAX_PIECE_VALUES = 4_194_304, 100_000
# Bytes that are decoded, or looked through, at once.
_STEP = 65_536
_LONGEST_INTEGER = 100
_COUNTED = b",[{"
_SPACE = re.compile(r"[ \t\n\r]*")

Json = Any


class NotJsonError(Exception):
    """The body is not JSON, has `NaN` in it, or is nested too deeply."""


# Turns the elements of the list in `data` into what stands for it.
OnList = Callable[[Iterator[Json]], object]


def count_values(body: bytes) -> int:
    """How many values a body has, at most: commas and opening brackets in texts are counted as well."""
    steps = (body[start : start + _STEP] for start in range(0, len(body), _STEP))
    return 1 + sum(len(step) - len(step.translate(None, _COUNTED)) for step in steps)


def parse(body: bytes, on_list: OnList = list) -> Json:
    """The value of a body; if it is an object, `on_list` gets the elements of a list in its `data`, one by one.

    Raises `NotJsonError`, and `BadResponseError` for what is too large.
    """
    if len(body) <= _STEP:  # nearly always
        return _small(body, on_list)
    if count_values(body) > MAX_VALUES:
        raise BadResponseError(f"the reply has more than {MAX_VALUES} values")
    text = _Text(body)
    value = _envelope(text, on_list) if text.peek() == "{" else text.value()
    if text.peek():
        raise NotJsonError("there is more after the value")
    return value


def _small(body: bytes, on_list: OnList) -> Json:
    """The same for a small body, which takes little memory whatever is in it."""
    try:
        value = _JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise NotJsonError("it is nested too deeply") from None
    except ValueError:
        raise NotJsonError("it is not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value["data"] = on_list(iter(value["data"]))
    return value


def _envelope(text: _Text, on_list: OnList) -> dict[str, Json]:
    """The object that begins here."""
    envelope: dict[str, Json] = {}
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return envelope
    while True:
        if text.peek() != '"':
            raise NotJsonError("a name is missing")
        name = text.value()
        text.take(":")
        is_list = name == "data" and text.peek() == "["
        envelope[name] = on_list(_elements(text)) if is_list else text.value()
        if text.take(",}") == "}":
            return envelope


def _elements(text: _Text) -> Iterator[Json]:
    """The elements of the list that begins here."""
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _integer(digits: str) -> float:
    """A whole number. Python takes long to read one with thousands of digits; no member has such a number."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


_JSON = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)


class _Text:
    """The text of a body, of which only the part that is being parsed is decoded."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(body))("surrogatepass")
        self._decoded_to = 0
        self._text = ""
        self._at = 0

    @property
    def _is_whole(self) -> bool:
        return self._decoded_to >= len(self._body)

    def _decode_more(self) -> None:
        """Decode as much as is decoded and not parsed yet, so that a long value is not looked at too often."""
        start, ahead = self._decoded_to, len(self._text) - self._at
        self._decoded_to += max(_STEP, min(ahead, MAX_PIECE - ahead))
        try:
            more = self._decoder.decode(self._body[start : self._decoded_to], self._is_whole)
        except ValueError:
            raise NotJsonError("it is not Unicode") from None
        self._text, self._at = self._text[self._at :] + more, 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_whole:
                return ""
            self._decode_more()

    def take(self, expected: str) -> str:
        """The next character that is not white space, which must be one of these."""
        character = self.peek()
        if not character or character not in expected:
            raise NotJsonError(f"one of {expected} is missing")
        self._at += 1
        return character

    def value(self) -> Json:
        """The next value as a whole."""
        self.peek()
        while True:
            try:
                value, end = _JSON.raw_decode(self._text, self._at)
                # A number at the end of what is decoded may go on, also after `1.` or `1e`.
                if self._is_whole or (end < len(self._text) and self._text[end] not in ".eE"):
                    self._at = end
                    return value
            except RecursionError:
                raise NotJsonError("it is nested too deeply") from None
            except ValueError:
                if self._is_whole:
                    raise NotJsonError("a value is not JSON") from None
            values = sum(self._text.count(character, self._at) for character in _COUNTED.decode())
            if len(self._text) - self._at >= MAX_PIECE or values > MAX_PIECE_VALUES:
                raise BadResponseError("an object in the reply is too large, or not JSON")
            self._decode_more()
