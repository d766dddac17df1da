"""Says which problems a tenant has, and since when, from its history: the alerts' conditions, as Python.

A problem is present only while the facts that it depends on are up to date. What is old neither begins nor ends one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from exporter.history import rollover_problems, schedules
from exporter.history.due_times import first_due, next_due
from exporter.history.history import History
from exporter.history.rollover_problems import on_for_longer_than
from exporter.history.schedules import TOLERANCE
from exporter.history.shared import last_run
from exporter.history.unfinished import FULL_TYPES, oldest_seen
from exporter.status import Failure, Problem, Severity
from exporter.thresholds import AUTH_FAILED, threshold

_BULK_TYPES = ("bulk_load", "mirror")
# Python makes a new empty set each time, and nearly all tenants have one.
_NOTHING: frozenset[str] = frozenset()
# Problems with polls themselves.
UNREACHABLE = ("unreachable", "credentials_rejected")


@dataclass(frozen=True, slots=True)
class Health:
    """How the polls of a tenant go, by collector.

    `succeeded_at` has the last successes in Unix seconds. `expired` are the failing collectors whose facts are not
    exposed any more.
    """

    enabled: Collection[str]
    succeeded_at: Mapping[str, float]
    failures: Mapping[str, Failure]
    expired: Collection[str] = ()

    def is_fresh(self, collector: str, now: float) -> bool:
        """Whether its facts are up to date at Unix seconds `now`; those that no poll gives can't be old."""
        if collector not in self.enabled:
            return True
        succeeded_at = self.succeeded_at.get(collector)
        if succeeded_at is None or now - succeeded_at > threshold("data_age_always"):
            return False
        return collector not in self.failures or now - succeeded_at < threshold("data_age")


@dataclass(frozen=True, slots=True)
class Found:
    """The problems of a tenant at Unix seconds `at`; `unknown` are the kinds of which its facts say nothing now."""

    problems: tuple[Problem, ...] = ()
    unknown: frozenset[str] = _NOTHING
    at: float = 0.0


Since = Callable[[History, float], float | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of problem of which history tells since when it is there. `facts` and `also` are collectors.

    Without `facts` there is no problem; whatever is known of `also` may suppress one.
    """

    since: Since
    severity: Severity
    facts: tuple[str, ...]
    also: tuple[str, ...] = ()
    critical_since: Since | None = None


def find(history: History, health: Health, now: float, *, many_unreachable: bool = False) -> Found:
    """The problems at Unix seconds `now`; `many_unreachable` says that the exporter can't poll much of the fleet."""
    old = {name for name in health.enabled if not health.is_fresh(name, now)}
    unknown = _unknown(old, health.expired) if old or health.expired else set()
    problems = []
    for name, kind in _KINDS.items():
        since = None if name in unknown else kind.since(history, now)
        if since is not None:
            critical = kind.critical_since is not None and kind.critical_since(history, now) is not None
            problems.append(Problem(name, "critical" if critical and "state" not in old else kind.severity, since))
    # After a restart, no poll has said yet whether what failed before still fails.
    failed_before = history.failing_since.keys() - health.failures.keys()
    if many_unreachable or not failed_before.isdisjoint(health.enabled):
        unknown.update(UNREACHABLE)
    else:
        problems += _unreachable(health, now)
    return Found(tuple(problems), frozenset(unknown) if unknown else _NOTHING, now)


def _unknown(old: Collection[str], expired: Collection[str]) -> set[str]:
    """The kinds of problems of which these collectors' facts say nothing."""
    return {
        name
        for name, kind in _KINDS.items()
        if any(each in old for each in kind.facts + kind.also) or any(each in expired for each in kind.facts)
    }


def _unreachable(health: Health, now: float) -> Iterator[Problem]:
    since = _failing_since(health)
    if since is not None and since < now - threshold("tenant_unreachable"):
        rejected = any(failure.reason == "auth" for failure in health.failures.values())
        yield Problem("credentials_rejected" if rejected else "unreachable", "warning", since)


def counts_as_unreachable(health: Health, now: float) -> bool:
    """Whether a tenant counts for the share of the fleet that can't be polled: earlier than it is a problem itself."""
    since, early = _failing_since(health), now - threshold("tenants_unreachable_after")
    if since is None or since >= early:
        return False
    # A slow collector may fail for as long because it polls rarely: then others succeed.
    return since < now - threshold("tenant_unreachable") or max(health.succeeded_at.values(), default=0.0) <= early


def _failing_since(health: Health) -> float | None:
    return min((failure.since for failure in health.failures.values()), default=None)


# Each of the following gives since when (Unix seconds) a tenant has a problem, or None.


def _stalled(history: History, now: float) -> float | None:
    """An ingestion has been unfinished for too long, and no pause explains it."""
    if _paused(history, threshold("ingestion_stalled"), now):
        return None
    limits = {kind: threshold("bulk_ingestion_stalled") for kind in _BULK_TYPES}
    begins = [
        begin
        for run in history.ingestions.running
        for begin in (run.seen, run.started_at)
        if begin is not None and begin < now - limits.get(run.type, threshold("ingestion_stalled"))
    ]
    return min(begins, default=None)


def _failing(history: History, now: float, after: str = "ingestions_failing") -> float | None:
    """Ingestions have failed for as long as the threshold `after` says, and no run under way may change that."""
    ingestions, run = history.ingestions, threshold("ingestion_stalled")
    if not ingestions.failing:
        return None
    good = max((ingestions.last_started.get((kind, "success"), 0.0) for kind in FULL_TYPES), default=0.0)
    under_way = {kind for (kind, _), seen in oldest_seen(ingestions.running).items() if seen > now - run}
    begins = []
    for kind, failing in ingestions.failing.items():
        may_be_made_good = kind in under_way or not under_way.isdisjoint(FULL_TYPES)
        limit = threshold(after) + (run if may_be_made_good else 0.0)
        if good <= failing.since < now - limit:
            begins.append(failing.since)
    return min(begins, default=None)


def _failing_critically(history: History, now: float) -> float | None:
    """The next night did not help, and no pause explains it."""
    paused = _paused(history, threshold("after_pause"), now)
    return None if paused else _failing(history, now, "ingestions_failing_critical")


def _overdue(history: History, now: float) -> float | None:
    """A schedule was due, its grace has passed, and no long run has blocked it."""
    grace = threshold("sync_overdue")
    if history.state.paused is None:
        return None
    blocking = [run.seen for run in history.ingestions.full_runs.values() if run.unfinished_at > now - grace]
    first_run = min(blocking, default=now)
    missed = schedules.missed(history.schedules, now).values()
    return min((due for due in missed if due < now - grace and due + grace <= first_run), default=None)


def _stale(history: History, now: float) -> float | None:
    """Nothing has run for days, though something was due, or nothing is known of when it is due."""
    run, limit = last_run(history), threshold("sync_stale")
    if run is None or run >= now - limit or _paused(history, threshold("after_pause"), now):
        return None
    long_pause = history.state.last_long_pause
    if long_pause is not None and long_pause > now - limit:
        return None
    listed = history.schedules.listed
    if history.schedules.polled_at and all(schedule.enabled is None for schedule in listed.values()):
        return None  # no schedule: nothing is missing
    planned = any(next_due(schedule, now) is not None for schedule in listed.values())
    return None if planned and not _was_due(history, run + TOLERANCE, now) else run


def _was_due(history: History, after: float, now: float) -> bool:
    """Whether a schedule, as written now, has been due since `after`, and its grace has passed."""
    by_key = history.schedules.by_key
    dues = (first_due(each, by_key[key].changed_at, after, now) for key, each in history.schedules.listed.items())
    return any(due is not None and due < now - threshold("sync_overdue") for due in dues)


def _paused(history: History, within: float, now: float) -> bool:
    last_paused = history.state.last_paused
    return last_paused is not None and last_paused > now - within


def _application_auth(history: History, now: float) -> float | None:
    """The application rejects the hub."""
    application = history.application
    failing = application.given is not None and application.given.lower() in AUTH_FAILED
    return application.since if failing and application.since < now - threshold("application_auth") else None


_KINDS: Mapping[str, _Kind] = {
    "stalled": _Kind(_stalled, "critical", ("ingestions",), ("state",)),
    "failing": _Kind(_failing, "warning", ("ingestions",), critical_since=_failing_critically),
    "overdue": _Kind(_overdue, "critical", ("state", "schedules"), ("ingestions",)),
    "stale": _Kind(_stale, "warning", (), ("ingestions", "schedules", "state")),
    "suspended": _Kind(rollover_problems.suspended, "warning", ("state",), ("rollovers",)),
    "mass_change": _Kind(
        on_for_longer_than("mass_change_pending", "mass_change_pending"),
        "warning",
        ("state",),
        critical_since=on_for_longer_than("mass_change_pending", "mass_change_pending_critical"),
    ),
    "setup": _Kind(on_for_longer_than("setup_mode_enabled", "setup_mode"), "info", ("state",)),
    "rollover_stuck": _Kind(rollover_problems.stuck, "warning", ("state",), ("rollovers",)),
    "rollover_not_started": _Kind(rollover_problems.not_started, "warning", ("rollovers",), ("state",)),
    "rollover_failing": _Kind(rollover_problems.failing, "warning", ("rollovers",)),
    "application_auth": _Kind(_application_auth, "warning", ("application",)),
}
KINDS = (*_KINDS, *UNREACHABLE)
