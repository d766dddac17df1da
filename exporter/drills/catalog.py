"""Lists the drills: what happens, which alert fires and when, what to look at, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from exporter.drills import causes
from exporter.drills.causes import Cause

Whose = Literal["tenant", "fleet", "exporter"]

LASTS = 15 * 60.0
# Of the names that an error suggests: how many, and how long the part must be that they contain.
_NEAR, _SHORTEST_PART = 3, 3
_TENANT_BOARD, _FLEET_BOARD = "Kimono / Tenant", "Kimono / Fleet"
_ROLLOVERS_BOARD, _EXPORTER_BOARD = "Kimono / Rollovers", "Kimono / Exporter"
_FLAG_SINCE = "kimono_tenant_state_since_timestamp_seconds"
_UNFINISHED = "kimono_ingestion_oldest_unfinished_started_timestamp_seconds"
_UNFINISHED_SEEN = "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds"
_MISSED = "kimono_schedule_missed_since_timestamp_seconds"
_FAILURE = "kimono_tenant_failure_since_timestamp_seconds"


@dataclass(frozen=True)
class Drill:
    """One drill.

    Args:
        name: what a person types.
        happens: what is wrong, as a sentence.
        cause: causes it.
        alert: the alert that fires; empty if none may fire.
        severity: of the alert, as it fires first.
        after: seconds after which it fires, about.
        metric: the metric that shows it first.
        board: the dashboard that shows it.
        ends: what ends it, as a sentence.
        problem: the kind of problem on the status page, a key of `exporter.status.PROBLEMS`; empty if it is none.
        whose: one tenant's, that of many tenants, or the exporter's own.
        share: of the tenants that have it, if it is of the fleet.
        shortened: the thresholds that are shorter than by default, without which it would take hours.
        later: the severity that follows, and after how many seconds.
        lasts: seconds after which it ends by itself.
    """

    name: str
    happens: str
    cause: Cause
    alert: str
    severity: str
    after: float
    metric: str
    board: str
    ends: str
    problem: str = ""
    whose: Whose = "tenant"
    share: float = 1.0
    shortened: tuple[str, ...] = ()
    later: tuple[str, float] | None = None
    lasts: float = LASTS


_DRILLS = (
    # Ingestions
    Drill(
        "stalled",
        "An ingestion that started 7 hours ago does not end.",
        causes.stalled,
        *("KimonoIngestionStalled", "critical", 15, _UNFINISHED, _TENANT_BOARD),
        "The ingestion succeeds.",
        "stalled",
    ),
    Drill(
        "stalled_without_start",
        "An ingestion has no start time, and does not end.",
        causes.story("stalled_without_start"),
        *("KimonoIngestionStalled", "critical", 105, _UNFINISHED_SEEN, _TENANT_BOARD),
        "The ingestion succeeds.",
        "stalled",
        shortened=("ingestion_stalled",),
    ),
    Drill(
        "stalled_in_unknown_state",
        "An ingestion waits for a task for 7 hours, in a state that the API reference does not list.",
        causes.story("stalled_in_unknown_state", 7 * causes.HOUR),
        *("KimonoIngestionStalled", "critical", 15, _UNFINISHED, _TENANT_BOARD),
        "The ingestion succeeds.",
        "stalled",
    ),
    Drill(
        "failing",
        "An ingestion fails, and no success follows.",
        causes.failing("collection"),
        *("KimonoIngestionsFailing", "warning", 60, "kimono_ingestion_failing_since_timestamp_seconds", _TENANT_BOARD),
        "The next ingestion succeeds.",
        "failing",
        shortened=("ingestions_failing", "ingestions_failing_critical"),
        later=("critical", 180),
    ),
    # Schedules
    Drill(
        "overdue",
        "A schedule was due more than 3 hours ago, and did not run.",
        causes.overdue,
        *("KimonoSyncOverdue", "critical", 20, _MISSED, _TENANT_BOARD),
        "The schedule runs.",
        "overdue",
    ),
    Drill(
        "overdue_while_others_run",
        "A schedule did not run. A run of another type succeeds, which does not bring the same data.",
        causes.overdue_while_others_run,
        *("KimonoSyncOverdue", "critical", 20, _MISSED, _TENANT_BOARD),
        "The schedule runs.",
        "overdue",
    ),
    Drill(
        "overdue_beside_unstarted",
        "A schedule did not run. There is always an unfinished event bundle without a start time.",
        causes.overdue_beside_unstarted,
        *("KimonoSyncOverdue", "critical", 20, _MISSED, _TENANT_BOARD),
        "The schedule runs.",
        "overdue",
    ),
    Drill(
        "dormant",
        "A schedule is disabled by mistake. Nothing has run for 6 days.",
        causes.dormant,
        *("KimonoSyncStale", "warning", 20, "kimono_tenant_last_run_timestamp_seconds", _TENANT_BOARD),
        "The schedule is enabled again.",
        "stale",
    ),
    # Flags
    Drill(
        "suspended",
        "Syncing is suspended, and no rollover explains it.",
        causes.story("suspended"),
        *("KimonoSyncSuspended", "warning", 75, _FLAG_SINCE, _TENANT_BOARD),
        "Syncing resumes.",
        "suspended",
        shortened=("sync_suspended",),
    ),
    Drill(
        "suspended_after_rollover",
        "A rollover was completed long before its window ends, and syncing stays suspended.",
        causes.story("suspended_after_rollover"),
        *("KimonoSyncSuspended", "warning", 75, _FLAG_SINCE, _TENANT_BOARD),
        "Syncing resumes.",
        "suspended",
        shortened=("sync_suspended",),
    ),
    Drill(
        "setup",
        "Setup mode stays on.",
        causes.story("setup"),
        *("KimonoSetupModeLingering", "info", 75, _FLAG_SINCE, _TENANT_BOARD),
        "Setup mode is off.",
        "setup",
        shortened=("setup_mode",),
    ),
    Drill(
        "mass_change",
        "A mass change waits for a person's approval.",
        causes.mass_change,
        *("KimonoMassChangePending", "warning", 45, _FLAG_SINCE, _TENANT_BOARD),
        "The mass change is approved.",
        "mass_change",
        shortened=("mass_change_pending", "mass_change_pending_critical"),
        later=("critical", 165),
    ),
    # Rollovers
    Drill(
        "rollover_stuck",
        "The window of a rollover ended 3 hours ago, and rollover mode is still on.",
        causes.story("rollover_stuck", 3 * causes.HOUR),
        *("KimonoRolloverStuck", "warning", 20, "kimono_rollover_end_timestamp_seconds", _ROLLOVERS_BOARD),
        "The rollover is completed.",
        "rollover_stuck",
    ),
    Drill(
        "rollover_stuck_in_progress",
        "The same, and the status of the rollover is a word that the API reference does not list.",
        causes.story("rollover_stuck_in_progress", 3 * causes.HOUR),
        *("KimonoRolloverStuck", "warning", 20, "kimono_rollover_end_timestamp_seconds", _ROLLOVERS_BOARD),
        "The rollover is completed.",
        "rollover_stuck",
    ),
    Drill(
        "rollover_stuck_called_off",
        "A rollover is called off in the middle of its window, and rollover mode stays on.",
        causes.story("rollover_stuck_called_off"),
        *("KimonoRolloverStuck", "warning", 75, "kimono_rollover_status", _ROLLOVERS_BOARD),
        "The rollover is completed.",
        "rollover_stuck",
        shortened=("rollover", "sync_suspended"),
    ),
    Drill(
        "rollover_not_started",
        "The window of a rollover opened 3 hours ago, and nothing has happened.",
        causes.story("rollover_not_started", 3 * causes.HOUR),
        *("KimonoRolloverNotStarted", "warning", 20, "kimono_rollover_start_timestamp_seconds", _ROLLOVERS_BOARD),
        "The rollover starts.",
        "rollover_not_started",
    ),
    Drill(
        "rollover_failing",
        "The hub tries to start a rollover, and fails.",
        causes.story("rollover_failing"),
        *("KimonoRolloverFailing", "warning", 50, "kimono_rollover_failing_since_timestamp_seconds", _ROLLOVERS_BOARD),
        "The rollover starts.",
        "rollover_failing",
        shortened=("rollover_failing",),
    ),
    # Polls of one tenant, and its application
    Drill(
        "application_auth",
        "The application rejects the hub's credentials.",
        causes.story("application_auth"),
        *("KimonoApplicationAuthFailing", "warning", 50),
        *("kimono_application_auth_state_since_timestamp_seconds", _TENANT_BOARD),
        "The application accepts them again.",
        "application_auth",
        shortened=("application_auth",),
    ),
    Drill(
        "unreachable",
        "The API answers every request of a tenant with status 500.",
        causes.fault("server_error"),
        *("KimonoTenantUnreachable", "warning", 80, _FAILURE, _EXPORTER_BOARD),
        "The API answers as usual.",
        "unreachable",
        shortened=("tenant_unreachable",),
    ),
    Drill(
        "credentials_rejected",
        "The API rejects the credentials of a tenant, and the tenant list has no newer ones.",
        causes.fault("revoked_secret"),
        *("KimonoTenantCredentialsRejected", "warning", 80, _FAILURE, _EXPORTER_BOARD),
        "The API accepts them again.",
        "credentials_rejected",
        shortened=("tenant_unreachable",),
    ),
    # Nothing may fire
    Drill(
        "hiccup",
        "An ingestion fails, and the next one succeeds at once: no alert fires.",
        causes.hiccup,
        *("", "", 0, "kimono_ingestions_finished_total", _TENANT_BOARD),
        "It ends by itself, after 30 seconds.",
        lasts=120,
    ),
    Drill(
        "cancelled",
        "A person cancels an ingestion: no alert fires.",
        causes.cancelled,
        *("", "", 0, "kimono_ingestions_finished_total", _TENANT_BOARD),
        "It ends by itself, after 15 seconds.",
        lasts=120,
    ),
    Drill(
        "stalled_in_rollover",
        "An ingestion does not end, in a rollover that explains it: no alert fires.",
        causes.stalled_in_rollover,
        *("", "", 0, _UNFINISHED, _ROLLOVERS_BOARD),
        "The ingestion succeeds, and the rollover is removed.",
        lasts=240,
    ),
    # Many tenants
    Drill(
        "fleet_stalled",
        "An ingestion of every tenant does not end: the hub's workers are down.",
        causes.stalled,
        *("KimonoFleetIngestionsStalled", "critical", 20, _UNFINISHED, _FLEET_BOARD),
        "All of them succeed.",
        "stalled",
        "fleet",
    ),
    Drill(
        "fleet_failing",
        "An ingestion of every tenant fails.",
        causes.failing("event_bundle"),
        *("KimonoFleetIngestionsFailing", "critical", 60),
        *("kimono_ingestions_finished_total", _FLEET_BOARD),
        "The next ingestion of every tenant succeeds.",
        "failing",
        "fleet",
        shortened=("ingestions_failing",),
    ),
    Drill(
        "fleet_overdue",
        "No schedule has run, for any tenant: the hub's scheduler is down.",
        causes.overdue,
        *("KimonoFleetSyncsOverdue", "critical", 20, _MISSED, _FLEET_BOARD),
        "All schedules run.",
        "overdue",
        "fleet",
    ),
    Drill(
        "many_unreachable",
        "The API answers every request of two fifths of the tenants with status 500.",
        causes.fault("server_error"),
        *("KimonoManyTenantsUnreachable", "critical", 50, "kimono_tenant_up", _FLEET_BOARD),
        "The API answers as usual.",
        "unreachable",
        "fleet",
        share=0.4,
        shortened=("tenants_unreachable_after",),
    ),
    # The exporter
    Drill(
        "discovery_failing",
        "The API answers every request for the tenant list with status 500.",
        causes.fault("server_error", endpoint="/tenants"),
        *("KimonoDiscoveryFailing", "critical", 45, "kimono_up", _EXPORTER_BOARD),
        "The API answers as usual.",
        whose="exporter",
    ),
    Drill(
        "throttled",
        "The API answers every fourth request with status 429.",
        causes.fault("throttle", every=4),
        *("KimonoApiThrottled", "warning", 60, "kimono_exporter_api_requests_total", _EXPORTER_BOARD),
        "The API answers as usual.",
        whose="exporter",
    ),
    Drill(
        "polling_behind",
        "Every reply of the API takes 20 seconds.",
        causes.fault("latency", seconds=20),
        *("KimonoPollingBehind", "warning", 120, "kimono_exporter_poll_lag_seconds", _EXPORTER_BOARD),
        "The API answers at once.",
        whose="exporter",
        shortened=("polling_behind",),
    ),
)
DRILLS: Mapping[str, Drill] = {drill.name: drill for drill in _DRILLS}

# Alerts that no drill can fire, and kinds of incidents of the backtest without a drill of their own, with the reason.
NOT_POSSIBLE: Mapping[str, str] = {
    "KimonoExporterDown": "the demo is the exporter: if it were down, no drill could end. Stop the exporter instead",
    "KimonoExporterRestarting": "it takes four restarts of the exporter within an hour",
    "KimonoShardMissing": "the demo has one exporter, and so no shards",
    "fails_once": "to the exporter, it is the drill `failing` until the next run succeeds",
    "dormant_and_suspended": "it takes five days of nightly suspensions; see `dormant`",
    "suspended_when_due": "it takes five days of nightly suspensions; see `dormant`",
}


class UnknownDrillError(Exception):
    """There is no such drill; `str()` names those with a similar name."""


def find(name: str) -> Drill:
    """The drill of this name, with hyphens or underscores; raises UnknownDrillError."""
    known = name.replace("-", "_")
    if known in DRILLS:
        return DRILLS[known]
    if name in NOT_POSSIBLE:
        raise UnknownDrillError(f"there is no drill for {name}: {NOT_POSSIBLE[name]}")
    near = _near(known)
    hint = f"did you mean {' or '.join(near)}?" if near else "'kimono-exporter drill --list' lists all"
    raise UnknownDrillError(f"there is no such drill; {hint}")


def _near(name: str) -> list[str]:
    """Names like this one: those of alerts, parts of names, and misspelt names."""
    of_alert = [each.name for each in DRILLS.values() if each.alert == name]
    parts = [each for each in DRILLS if len(name) > _SHORTEST_PART and name in each]
    return (of_alert or parts or get_close_matches(name.lower(), list(DRILLS), n=_NEAR))[:_NEAR]
