"""Moves times that polls saw, if the wall clock has been set: a time and the present keep their distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")
M = TypeVar("M", float, float | None)

# Before it, there are no times; 0 means that a begin was not seen.
_FIRST = 1.0


def moved(moment: M, seconds: float) -> M:
    """A moment in Unix seconds, so many seconds later, or earlier if negative. None and 0, which are unknown, stay.

    A moment that would be before 1970 stays, too. It is to come then, and the next poll takes the present instead.
    """
    return moment + seconds if moment and moment + seconds >= _FIRST else moment


def all_moved(moments: Mapping[K, float], seconds: float) -> Mapping[K, float]:
    """The moments, by the same keys."""
    return {key: moved(moment, seconds) for key, moment in moments.items()}
