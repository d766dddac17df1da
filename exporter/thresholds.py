"""Defines when a fact becomes a problem: the one table that the alert rules, the dashboards and the status share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

Unit = Literal["seconds", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number that someone may want to change: its value, its unit, and why it is what it is."""

    value: float
    unit: Unit
    reason: str


THRESHOLDS: Mapping[str, Threshold] = {
    "data_age": Threshold(
        30 * MINUTE, "seconds", "Older facts of a failing tenant raise no alert. Above the longest poll interval."
    ),
    "data_age_always": Threshold(
        2 * HOUR, "seconds", "Facts older than this raise no alert, even if nothing fails: polling is far behind."
    ),
    "replica_behind": Threshold(
        3 * MINUTE, "seconds", "A replica whose collector succeeded so much earlier than another's does not count."
    ),
    "tenant_unreachable": Threshold(
        40 * MINUTE, "seconds", "A collector has failed for so long. Two polls of the slowest collector may fail."
    ),
    "tenants_unreachable": Threshold(0.2, "ratio", "From this share of the tenants on, single tenants don't alert."),
    "tenants_unreachable_after": Threshold(
        10 * MINUTE, "seconds", "A tenant that has failed for so long counts for the share: before it alerts itself."
    ),
    "polling_behind": Threshold(15 * MINUTE, "seconds", "How far the most overdue poll may be behind its interval."),
    "api_throttled": Threshold(0.05, "ratio", "Share of requests answered with 429. The exporter copes with less."),
    "exporter_restarts": Threshold(4, "count", "Restarts within an hour. An upgrade or two cause fewer."),
    "exporter_up": Threshold(0.8, "ratio", "Share of an hour's scrapes that must succeed."),
    "ingestion_stalled": Threshold(
        6 * HOUR, "seconds", "An ingestion takes minutes, a large one hours. Counts anew after a pause."
    ),
    "bulk_ingestion_stalled": Threshold(DAY, "seconds", "Bulk loads and mirrors may take a day."),
    "ingestions_failing": Threshold(30 * MINUTE, "seconds", "Hubs try again within minutes."),
    "ingestions_failing_critical": Threshold(
        26 * HOUR, "seconds", "The next nightly run, and its grace of two hours, did not help."
    ),
    "ingestions_objective": Threshold(0.95, "ratio", "Share of the fleet's ingestions that should succeed."),
    "fleet_tenants": Threshold(5, "count", "Fewer tenants with a problem are not the fleet: each has its own alert."),
    "fleet_share": Threshold(0.3, "ratio", "From this share of comparable tenants on, the fleet alerts instead."),
    "sync_overdue": Threshold(2 * HOUR, "seconds", "Hubs start late when they are busy."),
    "sync_stale": Threshold(5 * DAY, "seconds", "Longer than a long weekend."),
    "long_pause": Threshold(12 * HOUR, "seconds", "A pause so long delays KimonoSyncStale; a nightly one does not."),
    "after_pause": Threshold(2 * HOUR, "seconds", "After a pause, the hub needs time to catch up."),
    "sync_suspended": Threshold(
        DAY, "seconds", "Maintenance takes a working day. A rollover window so near explains a suspension."
    ),
    "mass_change_pending": Threshold(HOUR, "seconds", "The person who made the change is still at work."),
    "mass_change_pending_critical": Threshold(DAY, "seconds", "A night's data have not arrived."),
    "setup_mode": Threshold(3 * DAY, "seconds", "Setting up takes days."),
    "rollover": Threshold(HOUR, "seconds", "How late the hub may open and close a rollover window."),
    "rollover_failing": Threshold(30 * MINUTE, "seconds", "What prevents the change of status may be over soon."),
    "application_auth": Threshold(30 * MINUTE, "seconds", "A change of credentials takes a few polls."),
}


# The values alone, each in its unit.
DEFAULTS: Mapping[str, float] = {name: one.value for name, one in THRESHOLDS.items()}
_in_use: dict[str, float] = dict(DEFAULTS)


def threshold(name: str) -> float:
    """The value of a threshold that this process compares with, in its unit: the default unless another is set."""
    return _in_use[name]


def use_thresholds(values: Mapping[str, float] = DEFAULTS) -> None:
    """Let this process compare with these values from now on, each in its unit; those not named have their default.

    For the demo alone: rules and dashboards elsewhere compare with values of their own. Raises KeyError for an unknown
    name, and changes nothing then.
    """
    if unknown := values.keys() - DEFAULTS.keys():
        raise KeyError(*sorted(unknown))
    _in_use.update({**DEFAULTS, **values})


def threshold_text(name: str, value: float) -> str:
    """A value of a threshold, as options take it: `2h`, `0.3`."""
    if THRESHOLDS[name].unit != "seconds":
        return f"{value:g}"
    unit, sign = next(
        (unit, sign) for unit, sign in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")) if not value % unit
    )
    return f"{value / unit:g}{sign}"


# The API's words are open-ended, and their case differs. These groups are compared without regard to case.
ROLLOVER_UPCOMING = ("upcoming", "scheduled", "planned", "pending", "not_started", "not started", "notStarted")
ROLLOVER_BEGUN = (
    *("ongoing", "active", "in_progress", "in progress", "in-progress", "inProgress", "started", "running"),
    *("begun", "open", "opened", "executing", "processing"),
)
ROLLOVER_OVER = (
    *("completed", "complete", "cancelled", "canceled", "failed", "failure", "error", "aborted", "ended", "closed"),
    *("done", "finished", "success", "succeeded", "expired", "skipped", "deleted", "archived", "rejected"),
)
AUTH_FAILED = (
    *("error", "errored", "failed", "failure", "invalid", "rejected", "denied", "unauthorized", "unauthorised"),
    *("forbidden", "expired", "revoked", "refused"),
)
