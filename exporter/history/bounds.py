"""Bounds what is kept of one tenant's lists, always in the same way.

Sorting 100,000 objects would hold Python's lock, and so the event loop, for too long. The functions of `heapq` don't.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, TypeVar

K = TypeVar("K", bound=Any)  # strings, or pairs of them
T = TypeVar("T")

# Of all that grows with a tenant's lists, history keeps so many: as many as a page has samples of one family.
MOST_KEPT = 1000


def in_order(objects: Mapping[K, T]) -> dict[K, T]:
    """The objects in the order of their keys as far as they are kept, then the others in any order."""
    if len(objects) <= MOST_KEPT:
        return dict(sorted(objects.items()))
    return kept(objects) | dict(objects)


def kept(objects: Mapping[K, T]) -> dict[K, T]:
    """The first 1,000 objects in the order of their keys."""
    return {key: objects[key] for key in heapq.nsmallest(MOST_KEPT, objects)}
