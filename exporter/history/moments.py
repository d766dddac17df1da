"""Moves times that polls saw, if the wall clock has been set: a time and the present keep their distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")
M = TypeVar("M", float, float | None)

# Before the first, there are no times; 0 means that a begin was not seen. The state file takes none after the last.
_FIRST, _LAST = 1.0, 253_402_300_800.0


def moved(moment: M, seconds: float) -> M:
    """A moment in Unix seconds, so many seconds later, or earlier if negative. None and 0, which are unknown, stay.

    A moment that would be before 1970 or after the year 9999 stays, too. If it is to come then, the next poll takes the
    present instead.
    """
    return moment + seconds if moment and _FIRST <= moment + seconds <= _LAST else moment


def all_moved(moments: Mapping[K, float], seconds: float) -> Mapping[K, float]:
    """The moments, by the same keys."""
    return {key: moved(moment, seconds) for key, moment in moments.items()}
