"""Builds the pages of the alert tests: tenants in trouble, rollovers, an exporter that can't reach them."""

from __future__ import annotations

from tests.alerts.stories import (
    AUTH_CONFIRMED,
    AUTH_CONFIRMED_SINCE,
    COLLECTORS,
    DAY,
    DUE,
    HOUR,
    LAST_DUE,
    LAST_EXECUTED,
    LAST_FAILURE,
    LAST_LONG_PAUSE,
    LAST_PAUSED,
    LAST_RUN,
    LAST_SUCCESS,
    MISSED_SINCE,
    NAME,
    NEXT_DUE,
    Page,
    Value,
    alert,
    always,
    due,
    exporter,
    failing,
    failing_since,
    flag,
    flag_since,
    healthy,
    never,
    polled,
    replica,
    since,
    steps,
)
from tests.support.rules import NAMES

# Alerts as they should fire.
OVERDUE = alert("KimonoSyncOverdue", "critical")
STALE = alert("KimonoSyncStale", "warning")
STALLED = alert("KimonoIngestionStalled", "critical")
FAILING = alert("KimonoIngestionsFailing", "warning")
FAILING_LONG = alert("KimonoIngestionsFailing", "critical")
SUSPENDED = alert("KimonoSyncSuspended", "warning")
PENDING = alert("KimonoMassChangePending", "warning")
PENDING_LONG = alert("KimonoMassChangePending", "critical")
SETUP = alert("KimonoSetupModeLingering", "info")
STUCK = alert("KimonoRolloverStuck", "warning")
NOT_STARTED = alert("KimonoRolloverNotStarted", "warning")
CHANGE_FAILS = alert("KimonoRolloverFailing", "warning")
REJECTED = alert("KimonoApplicationAuthFailing", "warning")
DOWN = alert("KimonoExporterDown", "critical", job="kimono")
DOWN_NAMELESS = frozenset({"alertname": "KimonoExporterDown", "severity": "critical"}.items())
SHARD_MISSING = alert("KimonoShardMissing", "critical", job="kimono")
RESTARTING = alert("KimonoExporterRestarting", "warning", job="kimono")
DISCOVERY = alert("KimonoDiscoveryFailing", "critical", job="kimono")
BEHIND = alert("KimonoPollingBehind", "warning", job="kimono")
THROTTLED = alert("KimonoApiThrottled", "warning", job="kimono")
MANY = alert("KimonoManyTenantsUnreachable", "critical", job="kimono")
BLIND = alert("KimonoTenantUnreachable", "warning")
REFUSED = alert("KimonoTenantCredentialsRejected", "warning")

# Series.
OTHER_NAME = NAME.replace("Maple LMS", "Maple Canvas")
NO_NAME = NAME.replace("Maple LMS", "")
REPORTED = (
    'kimono_tenant_reported_info{tenant_name="Maple LMS",account_name="Maple Ridge",integration="canopy-lms",'
    'cloud_name="us-1"}'
)
STARTED = 'kimono_ingestion_oldest_unfinished_started_timestamp_seconds{ingestion_type="collection",state="executing"}'
SEEN = STARTED.replace("started", "seen")
FAILING_SINCE = 'kimono_ingestion_failing_since_timestamp_seconds{ingestion_type="collection"}'
FAILURES = 'kimono_rollover_status_change_failures{rollover_id="r"}'
ROLLOVER_FAILING_SINCE = 'kimono_rollover_failing_since_timestamp_seconds{rollover_id="r"}'
REASON = 'kimono_rollover_failure_info{rollover_id="r",reason="ingestionInProgress"}'
AUTH_ERROR = 'kimono_application_auth_state{auth_type="oauth2",state="error"}'
AUTH_ERROR_SINCE = 'kimono_application_auth_state_since_timestamp_seconds{state="error"}'
LAG = 'kimono_exporter_poll_lag_seconds{collector="state"}'
REFUSALS = 'kimono_exporter_api_requests_total{endpoint="/tenant/state",code="429"}'

PAUSES = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled")
MISSED = DUE + 2 * HOUR  # the minute at which a run that was missed on the first day is overdue
STALE_FROM = DUE + 5 * DAY
# A mode that begins in the second hour.
BEGUN = HOUR
RENAMED = NAMES | {"tenant_name": "Maple Canvas"}
FOR_EVER = 100 * DAY


def missed(at: int = DUE) -> dict[str, Value]:
    """The schedule's first run does not come, nor any after it."""
    return healthy() | {
        LAST_EXECUTED: always(due(0) + 60),
        LAST_SUCCESS: always(due(0) + 60),
        LAST_RUN: always(due(0) + 60),
        MISSED_SINCE: since(at),
    }


def running(begin: int, end: int = FOR_EVER, kind: str = "collection") -> dict[str, Value]:
    """An ingestion that is unfinished in these minutes."""
    kinds = {name.replace("collection", kind): since(begin, end) for name in (STARTED, SEEN)}
    return kinds | {f'kimono_ingestions{{ingestion_type="{kind}",state="executing"}}': steps((begin, 1), (end, None))}


def stalled(end: int = FOR_EVER) -> dict[str, Value]:
    """An ingestion that begins in the second hour."""
    return healthy() | running(HOUR, end)


def failed(at: int, end: int = FOR_EVER, kind: str = "collection") -> dict[str, Value]:
    """The run that started at a minute has failed half an hour later; a later one succeeds."""
    return healthy() | {
        LAST_SUCCESS: always(due(0) + 60),
        LAST_FAILURE.replace("collection", kind): steps((at + 30, at * 60.0)),
        FAILING_SINCE.replace("collection", kind): since(at + 30, end),
    }


def silent(**more: Value) -> dict[str, Value]:
    """Nothing has started since the first day, and no schedule says that it should have."""
    return healthy() | {
        LAST_SUCCESS: always(DUE * 60),
        LAST_EXECUTED: always(DUE * 60),
        LAST_RUN: always(DUE * 60),
        LAST_DUE: never,
        NEXT_DUE: never,
        **more,
    }


def paused(begin: int, end: int = FOR_EVER) -> dict[str, Value]:
    """When the tenant was last seen paused; a pause that has lasted for twelve hours is a long one."""
    long = begin + 12 * HOUR
    return {
        LAST_PAUSED: lambda minute: min(minute, end) * 60 if minute >= begin else None,
        LAST_LONG_PAUSE: lambda minute: min(minute, end) * 60 if end > long and minute >= long else None,
    }


def mode(name: str, end: int = FOR_EVER, begin: int = BEGUN) -> dict[str, Value]:
    """A flag that is on in these minutes, and pauses the tenant."""
    flags: dict[str, Value] = {
        flag(name): steps((-FOR_EVER, 0), (begin, 1), (end, 0)),
        flag_since(name): since(begin, end),
    }
    return healthy() | flags | paused(begin, end)


def window(start: int, end: int, status: str = "upcoming") -> dict[str, Value]:
    """A rollover's window, in minutes."""
    return {
        'kimono_rollover_info{rollover_id="r",rollover_name="Summer",rollover_type="new_year"}': always(1),
        f'kimono_rollover_status{{rollover_id="r",status="{status}"}}': always(1),
        'kimono_rollover_start_timestamp_seconds{rollover_id="r"}': always(start * 60),
        'kimono_rollover_end_timestamp_seconds{rollover_id="r"}': always(end * 60),
        FAILURES: always(0),
    }


def changes_fail(begin: int, end: int = FOR_EVER) -> dict[str, Value]:
    """From a minute on a rollover can't change its status."""
    failures: dict[str, Value] = {FAILURES: steps((-FOR_EVER, 0), (begin, 2), (end, 0))}
    return failures | {ROLLOVER_FAILING_SINCE: since(begin, end)}


def rejected(begin: int, end: int = FOR_EVER, state: str = "error") -> dict[str, Value]:
    """The application rejects the hub in these minutes."""
    return healthy() | {
        AUTH_CONFIRMED: lambda minute: None if begin <= minute < end else 1,
        AUTH_CONFIRMED_SINCE: lambda minute: None if begin <= minute < end else 60,
        AUTH_ERROR.replace("error", state): steps((begin, 1), (end, None)),
        AUTH_ERROR_SINCE.replace("error", state): since(begin, end),
    }


def old(collector: str, begin: int, reason: str = "timeout", end: int = FOR_EVER) -> dict[str, Value]:
    """A collector fails, and its last samples stay: they get old."""
    return {
        "kimono_tenant_up": steps((-FOR_EVER, 1), (begin, 0), (end, 1)),
        polled(collector): lambda minute: begin * 60 if begin <= minute < end else minute * 60,
        failing(collector, reason): steps((begin, 1), (end, None)),
        failing_since(collector, reason): since(begin, end),
    }


def dark(begin: int, end: int = FOR_EVER, reason: str = "timeout") -> dict[str, Value]:
    """Nothing of the tenant can be polled for a while."""
    page = healthy()
    for name in COLLECTORS:
        page |= old(name, begin, reason, end)
    return page


def fleet(bad: int, good: int, begin: int = HOUR, end: int = FOR_EVER) -> dict[str, Value]:
    """Several tenants of one exporter, some of them dark for a while."""
    series = replica(exporter(bad + good))
    for number in range(bad + good):
        series |= replica(dark(begin, end) if number < bad else healthy(), tenant_id=f"t{number}")
    return series


def renamed(at: int, page: Page, *, reported: bool = True) -> dict[str, Value]:
    """A tenant that has another name from a minute on; in trouble, it is still reported under the old one."""
    names: dict[str, Value] = {NAME: steps((-FOR_EVER, 1), (at, None)), OTHER_NAME: steps((at, 1))}
    return {**page, **names, **({REPORTED: steps((at, 1))} if reported else {})}
