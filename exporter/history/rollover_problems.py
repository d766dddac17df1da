"""Says since when a tenant's rollovers, and modes that rollovers explain, are a problem: part of `problems`.

Each function gives since when (Unix seconds) a tenant has a problem at `now`, or None.
"""

from __future__ import annotations

from collections.abc import Callable

from exporter.api.models import Rollover
from exporter.history.history import History
from exporter.history.rollovers import has_status, is_near
from exporter.thresholds import DAY, ROLLOVER_BEGUN, ROLLOVER_OVER, ROLLOVER_UPCOMING, threshold

# Beyond these ages a window that ended does not explain rollover mode, and one that never began does not matter.
_WINDOW_ENDED, _WINDOW_MISSED = 60 * DAY, 7 * DAY


def on_for_longer_than(flag: str, limit: str) -> Callable[[History, float], float | None]:
    """The function for a flag that is a problem if it has been on for longer than a threshold."""

    def on_since(history: History, now: float) -> float | None:
        since = history.state.since(flag)
        return since if since is not None and since < now - threshold(limit) else None

    return on_since


_suspended_for_long = on_for_longer_than("synchronization_suspended", "sync_suspended")
_in_mode_for_long = on_for_longer_than("rollover_mode_enabled", "sync_suspended")


def suspended(history: History, now: float) -> float | None:
    """Suspended for long, and no rollover explains it."""
    since, limit = _suspended_for_long(history, now), threshold("sync_suspended")
    if since is None or _in_rollover_mode(history):
        return None
    windows = [each for each in history.rollovers.listed.values() if not has_status(each, ROLLOVER_OVER)]
    return None if any(is_near(each, limit, limit, now) for each in windows) else since


def stuck(history: History, now: float) -> float | None:
    """Rollover mode outlives its window, or no window explains it."""
    if not _in_rollover_mode(history):
        return None
    grace, known = threshold("rollover"), history.rollovers
    explained = (
        is_near(each, threshold("sync_suspended"), grace, now) and not _is_long_over(history, key, now)
        for key, each in known.listed.items()
    )
    # The flag may have gone with the rollover: it is polled at another moment.
    just_removed = known.removed_at is not None and known.removed_at > now - grace
    if just_removed or any(explained):
        return None
    ends = [each.end for each in known.listed.values() if each.end is not None and now - _WINDOW_ENDED < each.end < now]
    newest = max(ends, default=None)
    return newest if newest is not None and newest < now - grace else _in_mode_for_long(history, now)


def not_started(history: History, now: float) -> float | None:
    """A rollover's window has opened, and nothing has happened."""
    if _in_rollover_mode(history):
        return None
    starts = [
        each.start
        for each in history.rollovers.listed.values()
        if each.start is not None
        and each.start < now - threshold("rollover")
        and has_status(each, ROLLOVER_UPCOMING)
        and not each.status_change_failures
        and each.failure_reason is None
        and not _is_long_past(each, now)
    ]
    return min(starts, default=None)


def _is_long_past(rollover: Rollover, now: float) -> bool:
    """Whether its window ended so long ago that it does not matter any more, or may have: its end may be unknown."""
    last = rollover.start if rollover.has_unknown_end else rollover.end
    return last is not None and last < now - _WINDOW_MISSED


def failing(history: History, now: float) -> float | None:
    """A rollover fails to change its status, and has neither begun nor ended."""
    begins = [
        known.failing_since
        for key, known in history.rollovers.by_key.items()
        if known.failing_since is not None
        and known.failing_since < now - threshold("rollover_failing")
        and not has_status(history.rollovers.listed[key], ROLLOVER_BEGUN + ROLLOVER_OVER)
    ]
    return min(begins, default=None)


def _in_rollover_mode(history: History) -> bool:
    return history.state.since("rollover_mode_enabled") is not None


def _is_long_over(history: History, key: str, now: float) -> bool:
    """Whether its status says that it is over. The hub gets a while for leaving rollover mode after that."""
    over_since = history.rollovers.by_key[key].over_since
    is_over = has_status(history.rollovers.listed[key], ROLLOVER_OVER)
    return is_over and (over_since is None or over_since < now - threshold("rollover"))
