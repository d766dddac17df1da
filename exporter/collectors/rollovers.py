"""Collects the planned windows for the change of the school year: `GET /tenant/rollovers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from exporter.api.client import Api
from exporter.api.models import Rollover
from exporter.collectors.collector import Collector, Poll
from exporter.history import History, rollovers
from exporter.history.bounds import in_order
from exporter.metrics import Family, Sample, known, polled

_LABELS = ("tenant_id", "rollover_id")
INFO = polled("kimono_rollover_info", "A planned rollover.", *_LABELS, "rollover_name", "rollover_type")
STATUS = polled("kimono_rollover_status", "A rollover's status now: one series, always 1.", *_LABELS, "status")
START = polled("kimono_rollover_start_timestamp_seconds", "When a rollover's window opens, in Unix seconds.", *_LABELS)
END = polled("kimono_rollover_end_timestamp_seconds", "When a rollover's window closes, in Unix seconds.", *_LABELS)
UNKNOWN_START = polled(
    "kimono_rollover_start_unknown",
    "1 if a rollover has a start that can't be parsed, so that its window may be open; otherwise no sample.",
    *_LABELS,
)
UNKNOWN_END = polled(
    "kimono_rollover_end_unknown",
    "1 if a rollover has an end that can't be parsed, so that its window may be open; otherwise no sample.",
    *_LABELS,
)
FAILURES = polled(
    "kimono_rollover_status_change_failures", "How often a rollover has failed to change its status.", *_LABELS
)
FAILURE = polled(
    "kimono_rollover_failure_info", "Why a rollover last failed; only while there is a reason.", *_LABELS, "reason"
)


class RolloversCollector(Collector[list[Rollover]]):
    """The tenant's rollovers."""

    name = "rollovers"
    description = "Planned rollovers, their windows and status"
    default_interval = 900.0
    families = (INFO, STATUS, START, UNKNOWN_START, END, UNKNOWN_END, FAILURES, FAILURE, *rollovers.FAMILIES)

    async def fetch(self, api: Api, _: History, /) -> list[Rollover]:
        """Get all rollovers."""
        return await api.get_list("/tenant/rollovers", Rollover.parse)

    def advance(self, history: History, facts: list[Rollover], at: float, /) -> History:
        """Note since when rollovers are failing."""
        return replace(history, rollovers=rollovers.advance(history.rollovers, _by_key(facts), at))

    def size(self, facts: list[Rollover], /) -> int:
        """How many rollovers there are."""
        return len(facts)

    def samples(self, poll: Poll[list[Rollover]], /) -> Iterator[Sample]:
        """The samples of each rollover."""
        for key, rollover in _by_key(poll.facts).items():
            labels = {"tenant_id": poll.tenant_id, "rollover_id": key}
            yield INFO(1, **labels, rollover_name=rollover.name or "", rollover_type=rollover.type or "")
            if rollover.status is not None:
                yield STATUS(1, **labels, status=rollover.status)
            if rollover.failure_reason is not None:
                yield FAILURE(1, **labels, reason=rollover.failure_reason)
            if rollover.has_unknown_start:
                yield UNKNOWN_START(1, **labels)
            if rollover.has_unknown_end:
                yield UNKNOWN_END(1, **labels)
            yield from known(
                (START, rollover.start), (END, rollover.end), (FAILURES, rollover.status_change_failures), **labels
            )
        yield from rollovers.samples(poll.history.rollovers, poll.tenant_id)

    def omitted(self, poll: Poll[list[Rollover]], /) -> Mapping[Family, int]:
        """Rollovers that have failed, and of which the history does not know since when."""
        known = poll.history.rollovers.by_key
        if len(poll.facts) <= len(known):
            return {}
        more = [each for key, each in _by_key(poll.facts).items() if key not in known]
        failed = [each for each in more if each.status_change_failures or each.failure_reason]
        return {rollovers.FAILING_SINCE: len(failed)}


def _by_key(listed: list[Rollover]) -> Mapping[str, Rollover]:
    """The rollovers in the order of their keys; one listed twice counts once."""
    return in_order({_key(rollover): rollover for rollover in listed})


def _key(rollover: Rollover) -> str:
    """Its id, or else its name and start: never its place in the list."""
    if rollover.id:
        return rollover.id
    start = "" if rollover.start is None else datetime.fromtimestamp(rollover.start, UTC).isoformat(timespec="seconds")
    return f"{rollover.name or rollover.type or ''}@{start}"
