"""Logs once that a tenant gets a problem, and once that it is over; many tenants at once in one message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.clock import Clock
from exporter.polling.tenant import TenantState
from exporter.status import Problem
from exporter.thresholds import threshold

log = structlog.get_logger("exporter.polling.problem_log")

# Messages about the same kind of problem wait for so many seconds, to become one if there are many.
_WAIT = 60.0
_EXAMPLES = 3


@dataclass
class _Message:
    state: TenantState
    problem: Problem
    more: Mapping[str, int]


@dataclass
class _Waiting:
    """Messages that wait since `since`, in monotonic seconds."""

    since: float
    messages: list[_Message] = field(default_factory=list)


class ProblemLog:
    """The messages about problems of tenants, a minute late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By kind of problem, and whether it begins.
        self._waiting: dict[tuple[str, bool], _Waiting] = {}

    def begun(self, state: TenantState, problem: Problem) -> None:
        """Log soon that a tenant has got a problem."""
        self._add(state, problem, begins=True)

    def over(self, state: TenantState, problem: Problem, last_at: float) -> None:
        """Log soon that a problem is over, which was there until Unix seconds `last_at`."""
        self._add(state, problem, begins=False, after_seconds=round(last_at - problem.since))

    def _add(self, state: TenantState, problem: Problem, *, begins: bool, **more: int) -> None:
        now = self._clock.monotonic()
        self._waiting.setdefault((problem.kind, begins), _Waiting(now)).messages.append(_Message(state, problem, more))

    def flush_due(self) -> None:
        """Log the messages that have waited for long enough."""
        if self._waiting:
            self.flush(self._clock.monotonic() - _WAIT)

    def flush(self, until: float = float("inf")) -> None:
        """Log the messages that have waited since `until` (monotonic seconds), or all of them."""
        for (kind, begins), waiting in list(self._waiting.items()):
            if waiting.since <= until:
                del self._waiting[kind, begins]
                if len({each.state.id for each in waiting.messages}) > threshold("fleet_tenants"):
                    _log_many(kind, waiting.messages, begins=begins)
                else:
                    for each in waiting.messages:
                        _log_one(each.state, each.problem, each.more, begins=begins)


def _log_one(state: TenantState, problem: Problem, more: Mapping[str, int], *, begins: bool) -> None:
    write = log.warning if begins and problem.severity == "critical" else log.info
    write(
        "tenant has a problem" if begins else "problem of tenant is over",
        kind=problem.kind,
        severity=problem.severity,
        since=_written(problem.since),
        tenant=state.name,
        tenant_id=state.id,
        **more,
    )


def _log_many(kind: str, messages: Sequence[_Message], *, begins: bool) -> None:
    names = {each.state.id: each.state.name for each in messages}
    write = log.warning if begins and any(each.problem.severity == "critical" for each in messages) else log.info
    write(
        "many tenants have the same problem" if begins else "problem of many tenants is over",
        kind=kind,
        since=_written(min(each.problem.since for each in messages)),
        tenants=len(names),
        examples=", ".join([*names.values()][:_EXAMPLES]),
    )


def _written(unix_seconds: float) -> str:
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
