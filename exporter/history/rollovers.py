"""Knows since when rollovers have been failing to change their status."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from exporter.api.models import Rollover
from exporter.history.bounds import kept
from exporter.history.moments import moved
from exporter.history.sharing import SharesEmpty
from exporter.metrics import Sample, polled
from exporter.thresholds import ROLLOVER_OVER, threshold

FAILING_SINCE = polled(
    "kimono_rollover_failing_since_timestamp_seconds",
    "Since when a rollover has been failing to change its status, in Unix seconds; only while it fails.",
    *("tenant_id", "rollover_id"),
)
FAMILIES = (FAILING_SINCE,)


@dataclass(frozen=True, slots=True)
class RolloverHistory:
    """A rollover's last known status and failures, and since when it has been failing, in Unix seconds.

    `overcome` are the failures and the reason that the last change of status left behind: they count no more.
    `over_since` is when polls saw the status change to one that means over; None for any other, and if the first poll
    saw it over.
    """

    status: str | None
    failures: int
    reason: str | None
    overcome: tuple[int, str | None] = (0, None)
    failing_since: float | None = None
    over_since: float | None = None


@dataclass(frozen=True, slots=True)
class RolloversHistory(SharesEmpty):
    """The listed rollovers by their key. `listed` is the last list, which the state file does not have.

    `removed_at` is when polls last saw, in Unix seconds, that a rollover was removed while its window explained a mode.
    """

    by_key: Mapping[str, RolloverHistory] = field(default_factory=dict)
    removed_at: float | None = None
    listed: Annotated[Mapping[str, Rollover], Field(exclude=True)] = field(default_factory=dict)


def has_status(rollover: Rollover, words: Collection[str]) -> bool:
    """Whether its status is one of these words, in any case."""
    return _is_one_of(rollover.status, words)


def _is_one_of(status: str | None, words: Collection[str]) -> bool:
    return status is not None and status.lower() in {word.lower() for word in words}


def advance(before: RolloversHistory, rollovers: Mapping[str, Rollover], at: float) -> RolloversHistory:
    """The history after a poll at Unix seconds `at` that saw these rollovers; the first 1,000 by key count."""
    rollovers = kept(rollovers)
    by_key = {key: _advance(before.by_key.get(key), each, at) for key, each in rollovers.items()}
    removed = [
        each for key, each in before.listed.items() if key not in rollovers and not has_status(each, ROLLOVER_OVER)
    ]
    explained = any(is_near(each, threshold("sync_suspended"), threshold("rollover"), at) for each in removed)
    return RolloversHistory(by_key, at if explained else before.removed_at, rollovers)


def is_near(rollover: Rollover, before: float, after: float, now: float) -> bool:
    """Whether its window, with so many seconds before and after it, holds `now`, or may: a time may be unknown."""
    open_already = rollover.has_unknown_start if rollover.start is None else rollover.start - before < now
    open_still = rollover.has_unknown_end if rollover.end is None else now < rollover.end + after
    return open_already and open_still


def _advance(before: RolloverHistory | None, rollover: Rollover, at: float) -> RolloverHistory:
    before = before or RolloverHistory(rollover.status, 0, None)
    status, failures, reason = rollover.status, rollover.status_change_failures, rollover.failure_reason
    # Without a reason there is none. A status or a count that is null is unknown, and has not changed.
    status = before.status if status is None else status
    failures = before.failures if failures is None else failures
    overcome, since = before.overcome, before.failing_since
    if before.status not in (None, status):
        overcome, since = (min(before.failures, failures), before.reason), None
    elif not failures and not reason:
        overcome = (0, None)
    failing = failures > overcome[0] or reason not in (None, overcome[1])
    since = min(at if since is None else since, at) if failing else None
    return RolloverHistory(status, failures, reason, overcome, since, _over_since(before, status, at))


def after_clock_change(before: RolloversHistory, seconds: float) -> RolloversHistory:
    """The history after the clock was set, so many seconds forward, or back if negative."""
    by_key = {
        key: replace(each, failing_since=moved(each.failing_since, seconds), over_since=moved(each.over_since, seconds))
        for key, each in before.by_key.items()
    }
    return replace(before, by_key=by_key, removed_at=moved(before.removed_at, seconds))


def _over_since(before: RolloverHistory, status: str | None, at: float) -> float | None:
    if not _is_one_of(status, ROLLOVER_OVER):
        return None
    if _is_one_of(before.status, ROLLOVER_OVER):
        return None if before.over_since is None else min(before.over_since, at)
    return at


def samples(history: RolloversHistory, tenant_id: str) -> Iterator[Sample]:
    """The samples of the failing ones."""
    for key, each in history.by_key.items():
        if each.failing_since is not None:
            yield FAILING_SINCE(each.failing_since, tenant_id=tenant_id, rollover_id=key)
