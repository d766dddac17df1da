"""Turns the objects of one reply into models; needs no event loop, so that a thread can do it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Generic, TypeVar

from exporter.api import wire
from exporter.api.fields import Fields, plain

T = TypeVar("T")


class Reader(Generic[T]):
    """Makes what `parse` makes of the objects of one reply. `invalid` counts their invalid members by name."""

    def __init__(self, parse: Callable[[Fields], T]) -> None:
        self.invalid: Counter[str] = Counter()
        self._parse = parse
        self._equal: Counter[str] = Counter()

    def object(self, body: bytes) -> T:
        """The object of a reply."""
        return self._made_of(wire.parse_object(body))

    def page(self, body: bytes) -> wire.Page:
        """A page of a list, each object with its key."""
        return wire.parse_page(body, lambda item: (self._key(item), self._made_of(item)))

    def _made_of(self, item: dict[str, Any]) -> T:
        return self._parse(Fields(item, self._count))

    def _count(self, name: str) -> None:
        self.invalid[name] += 1

    def _key(self, item: dict[str, Any]) -> str:
        """Its id. One without an id goes by its content, and by how many equal ones precede it on the page."""
        ident = item.get("id")
        if ident not in (None, ""):
            return repr(plain(ident) or ident)
        content = sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
        self._equal[content] += 1
        return f"{content} {self._equal[content]}"
