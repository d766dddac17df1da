"""Gathers all that is known of one tenant, for its page. Pure: reads the tenant's state and its history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from exporter.api.models import STATE_FLAGS
from exporter.clock import Clock
from exporter.history import History, schedules
from exporter.history.due_times import last_due, next_due
from exporter.history.shared import last_run
from exporter.polling.polls import ScheduledPoll
from exporter.polling.tenant import TenantState
from exporter.status import TenantStatus
from exporter.tenant_details import (
    ApplicationDetails,
    CollectorDetails,
    FailingIngestions,
    Flag,
    IngestionsDetails,
    LastIngestion,
    Listed,
    RolloverDetails,
    ScheduleDetails,
    TenantDetails,
    UnfinishedIngestion,
)


def details_of(state: TenantState, status: TenantStatus, polls: Iterable[ScheduledPoll], clock: Clock) -> TenantDetails:
    """All that is known of a tenant; `polls` are those to come."""
    tenant, history, now = state.tenant, state.history, clock.now()
    known = {name for name in state.succeeded_at if state.known_until(name) > clock.monotonic()}
    return TenantDetails(
        now=now,
        status=status,
        account_id=tenant.account_id,
        cloud_id=tenant.cloud_id,
        cloud_name=tenant.cloud_name,
        credentials_updated_at=tenant.credentials_updated_at,
        paused_by=tuple(flag for flag in STATE_FLAGS if "state" in known and history.state.flags.get(flag)),
        last_paused=history.state.last_paused,
        last_run=last_run(history),
        collectors=tuple(_collectors(state, polls, clock)),
        flags=Listed.of(_flags(history)) if "state" in known else None,
        ingestions=_ingestions(history) if "ingestions" in known else None,
        schedules=Listed.of(_schedules(history, now)) if "schedules" in known else None,
        rollovers=Listed.of(_rollovers(history)) if "rollovers" in known else None,
        application=_application(history) if "application" in known else None,
    )


def _collectors(state: TenantState, polls: Iterable[ScheduledPoll], clock: Clock) -> Iterator[CollectorDetails]:
    for poll in polls:
        name = poll.schedule.name
        yield CollectorDetails(
            name=name,
            failing=name in state.failures,
            interval_seconds=poll.schedule.interval,
            last_success=state.succeeded_at.get(name),
            next_poll=clock.now() + max(0.0, poll.due - clock.monotonic()),
        )


def _flags(history: History) -> list[Flag]:
    flags = [Flag(name, on, history.state.since(name)) for name, on in history.state.flags.items()]
    return sorted(flags, key=lambda flag: not flag.on)


def _ingestions(history: History) -> IngestionsDetails:
    ingestions = history.ingestions
    runs = sorted(ingestions.running, key=lambda run: min(run.seen, run.started_at or math.inf))
    unfinished = [UnfinishedIngestion(run.type, run.state, run.started_at, run.seen) for run in runs]
    failing = sorted(ingestions.failing.items(), key=lambda each: each[1].since)
    keys = [*ingestions.last_started, *(key for key, count in ingestions.finished.items() if count)]
    last = [
        LastIngestion(*key, ingestions.last_started.get(key), ingestions.finished.get(key, 0))
        for key in dict.fromkeys(keys)
    ]
    last.sort(key=lambda each: -(each.last_started_at or 0.0))
    return IngestionsDetails(
        unfinished=Listed.of(unfinished),
        failing=Listed.of([FailingIngestions(kind, each.since) for kind, each in failing]),
        last=Listed.of(last),
    )


def _schedules(history: History, now: float) -> list[ScheduleDetails]:
    """The schedules, those missed for longest first, then the next ones."""
    missed = schedules.missed(history.schedules, now) if history.state.paused is not None else {}
    found = [
        ScheduleDetails(
            id=key,
            type=each.type,
            enabled=each.enabled,
            hour=each.hour,
            days=each.days,
            last_executed_at=each.last_executed_at,
            last_due=last_due(each, now),
            next_due=next_due(each, now),
            active_since=history.schedules.by_key[key].active_since,
            missed_since=missed.get(key),
        )
        for key, each in history.schedules.listed.items()
    ]
    return sorted(found, key=lambda each: (each.missed_since or math.inf, each.next_due or math.inf))


def _rollovers(history: History) -> list[RolloverDetails]:
    """The rollovers, those failing for longest first, then by their start."""
    found = [
        RolloverDetails(
            id=key,
            name=each.name,
            type=each.type,
            status=each.status,
            start=each.start,
            end=each.end,
            status_change_failures=each.status_change_failures,
            failure_reason=each.failure_reason,
            failing_since=history.rollovers.by_key[key].failing_since,
        )
        for key, each in history.rollovers.listed.items()
    ]
    return sorted(found, key=lambda each: (each.failing_since or math.inf, each.start or math.inf))


def _application(history: History) -> ApplicationDetails | None:
    application = history.application
    return None if application.given is None else ApplicationDetails(application.given, application.since)
