"""Knows since when things are as they are: pure functions from one poll and the history before it to the history after.

Each collector has a part of a tenant's `History`. A part is changed by that collector's successful polls, and by those
of others where facts depend on each other: a schedule is not missed while the tenant is paused. Nothing here reads a
clock or does I/O. All values are immutable, so that another thread can write them to the state file.

Times are Unix seconds: of the event where the API tells it, otherwise of the first poll that saw it. If the clock is
set back, times that polls saw are moved back with it: no time is in the future.
"""

from __future__ import annotations

from exporter.history.history import History
from exporter.history.shared import SHARED, SharedFamilies

__all__ = ["SHARED", "History", "SharedFamilies"]
