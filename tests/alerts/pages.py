"""Builds the pages of the alert tests: tenants in trouble, rollovers, an exporter that can't reach them."""

from __future__ import annotations

from tests.alerts.stories import (
    COLLECTORS,
    DAY,
    DUE,
    HOUR,
    LAST_DUE,
    LAST_EXECUTED,
    LAST_FAILURE,
    LAST_SUCCESS,
    NAME,
    Value,
    alert,
    always,
    due,
    exporter,
    failing,
    flag,
    healthy,
    never,
    polled,
    replica,
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
DISCOVERY = alert("KimonoDiscoveryFailing", "critical", job="kimono")
BEHIND = alert("KimonoPollingBehind", "warning", job="kimono")
THROTTLED = alert("KimonoApiThrottled", "warning", job="kimono")
MANY = alert("KimonoManyTenantsUnreachable", "critical", job="kimono")
BLIND = alert("KimonoTenantUnreachable", "warning")
REFUSED = alert("KimonoTenantCredentialsRejected", "warning")

# Series.
OTHER_NAME = NAME.replace("Maple LMS", "Maple Canvas")
RUNNING = 'kimono_ingestions{ingestion_type="collection",state="executing"}'
STARTED = 'kimono_ingestion_oldest_unfinished_started_timestamp_seconds{ingestion_type="collection",state="executing"}'
BULK = 'kimono_ingestion_oldest_unfinished_started_timestamp_seconds{ingestion_type="bulk_load",state="executing"}'
FAILURES = 'kimono_rollover_status_change_failures{rollover_id="r"}'
REASON = 'kimono_rollover_failure_info{rollover_id="r",reason="ingestionInProgress"}'
AUTH_CONFIRMED = 'kimono_application_auth_state{auth_type="oauth2",state="confirmed"}'
AUTH_ERROR = 'kimono_application_auth_state{auth_type="oauth2",state="error"}'
LAG = 'kimono_exporter_poll_lag_seconds{collector="state"}'
REFUSALS = 'kimono_exporter_api_requests_total{endpoint="/tenant/state",code="429"}'
MODE = "kimono:tenant_mode:timestamp_seconds"

HOLDS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled")
MISSED = DUE + 2 * HOUR  # the minute at which a run that was missed on the first day is overdue
STALE_FROM = DUE + 5 * DAY + HOUR
# A mode that begins in the second hour, and the minute from which on it has lasted for too long.
BEGUN = HOUR
LONG_SUSPENDED = BEGUN + DAY + 15
LONG_SETUP = BEGUN + 3 * DAY
RENAMED = NAMES | {"tenant_name": "Maple Canvas"}


def missed() -> dict[str, Value]:
    """The schedule's first run does not come, nor any after it."""
    return healthy() | {LAST_EXECUTED: always(due(0) + 60), LAST_SUCCESS: always(due(0) + 60)}


def unreachable(since: int, collector: str) -> dict[str, Value]:
    """One collector fails from a minute on; its last rows stay, as those of a slow collector do."""
    return {
        "kimono_tenant_up": steps((0, 1), (since, 0)),
        polled(collector): lambda minute: min(minute, since) * 60,
        failing(collector, "timeout"): steps((since, 1)),
    }


def failed(at: int) -> dict[str, Value]:
    """The run that started at a minute has failed half an hour later, and no other follows."""
    return healthy() | {LAST_SUCCESS: always(due(0) + 60), LAST_FAILURE: steps((at + 30, at * 60.0))}


def silent(**more: Value) -> dict[str, Value]:
    """Nothing has started since the first day, and no schedule says that it should have."""
    return healthy() | {
        LAST_SUCCESS: always(DUE * 60),
        LAST_EXECUTED: always(DUE * 60),
        LAST_DUE: never,
        **more,
    }


def mode(name: str, end: int = 100 * DAY) -> dict[str, Value]:
    return healthy() | {flag(name): steps((0, 0), (BEGUN, 1), (end, 0))}


def window(start: int, end: int, status: str = "upcoming") -> dict[str, Value]:
    """A rollover's window, in minutes."""
    return {
        'kimono_rollover_info{rollover_id="r",rollover_name="Summer",rollover_type="new_year"}': always(1),
        f'kimono_rollover_status{{rollover_id="r",status="{status}"}}': always(1),
        'kimono_rollover_start_timestamp_seconds{rollover_id="r"}': always(start * 60),
        'kimono_rollover_end_timestamp_seconds{rollover_id="r"}': always(end * 60),
        FAILURES: always(0),
    }


def old(collector: str, since: int) -> dict[str, Value]:
    """The picture that one collector gave stays, and gets old."""
    return {
        polled(collector): lambda minute: min(minute, since) * 60,
        failing(collector, "timeout"): steps((since, 1)),
    }


def dark(since: int, until: int = 100 * DAY, reason: str = "timeout") -> dict[str, Value]:
    """Nothing of the tenant can be read for a while."""
    page = healthy() | {"kimono_tenant_up": steps((0, 1), (since, 0), (until, 1))}
    for name in COLLECTORS:
        page[polled(name)] = lambda minute: since * 60 if since <= minute < until else minute * 60
        page[failing(name, reason)] = steps((since, 1), (until, None))
    return page


def fleet(bad: int, good: int, since: int = HOUR, until: int = 100 * DAY) -> dict[str, Value]:
    """Several tenants of one exporter, some of them dark for a while."""
    series = replica(exporter(bad + good))
    for number in range(bad + good):
        page = dark(since, until) if number < bad else healthy()
        series |= replica(page, tenant_id=f"t{number}")
    return series


def row(value: float, names: dict[str, str] = NAMES, tenant_id: str = "t1", **labels: str) -> dict[str, float]:
    """A row of a tenant."""
    said = {"tenant_id": tenant_id, **names, **labels}
    return {",".join(f'{label}="{text}"' for label, text in said.items()): value}
