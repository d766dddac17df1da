"""Lets the histories of all tenants share what many of them have, because each dictionary takes memory.

Histories are immutable, so sharing changes nothing else. An empty dictionary takes 64 bytes, and a tenant had a dozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_EMPTY: Mapping[Any, Any] = {}
# Combinations of flags that tenants share. Usual ones are some ten; names are the server's, so there may be any number.
_MOST_COMBINATIONS = 1000
# A tenant with more flags than that has its own: a thousand new ones at each poll must not fill memory.
_MOST_FLAGS = 16


class SharesEmpty:
    """A part of a history whose empty dictionaries are one and the same."""

    __slots__ = ()

    def __post_init__(self) -> None:
        names: tuple[str, ...] = self.__slots__  # those of the fields
        for name in names:
            value = getattr(self, name)
            if not value and type(value) is dict:
                object.__setattr__(self, name, _EMPTY)


def shared(flags: Mapping[str, bool]) -> Mapping[str, bool]:
    """An equal dictionary, which other tenants have as well."""
    return _shared(tuple(flags.items())) if len(flags) <= _MOST_FLAGS else flags


@lru_cache(maxsize=_MOST_COMBINATIONS)
def _shared(items: tuple[tuple[str, bool], ...]) -> Mapping[str, bool]:
    return dict(items)
