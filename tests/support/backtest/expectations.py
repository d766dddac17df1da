"""Says which alert should find which kind of incident, how soon, and which others may fire beside it.

The one table that the backtest judges by. A kind that is not in the table is harmless: any alert about it is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.thresholds import threshold

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
# How often the backtest's exporter polls: most collectors, and that of rollovers.
POLL, ROLLOVER_POLL = 5 * MINUTE, 15 * MINUTE


@dataclass(frozen=True)
class Expectation:
    """The alerts that an incident of a kind should cause.

    `alerts`: any of them finds it. `within`: the rules' threshold in seconds, from the first wrong fact to the
    alert, polls aside; an incident that ends sooner need not be found. `company`: alerts that are neither asked for
    nor false, each with the reason. `poll`: seconds between the polls that show it. `severities`: how loud an alert
    that finds it, or keeps it company, may be. `silent`: seconds of each day in which its alert may be silent, because
    the tenant is paused.
    """

    alerts: tuple[str, ...]
    within: float
    company: Mapping[str, str] = field(default_factory=dict)
    poll: float = POLL
    severities: tuple[str, ...] = ("critical", "warning", "info")
    silent: float = 0.0

    @property
    def promised(self) -> float:
        """Seconds from the first wrong fact after which it should be known: the threshold, two polls, and a pause."""
        return self.within + 2 * self.poll + self.silent


_SAME_OUTAGE = "it is the same outage, seen from another side; Alertmanager inhibits what is about single tenants"
_OUTAGE = dict.fromkeys(
    (
        *("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable", "KimonoApiThrottled", "KimonoPollingBehind"),
        *("KimonoTenantUnreachable", "KimonoTenantCredentialsRejected"),
    ),
    _SAME_OUTAGE,
)
_MANY = "the failing tenants may be as many as make a fleet"
_REPLICA = "it is so of this replica, and no tenant is worse off for it"
# What needs no alert, and the alerts that may fire all the same, with the reason. `schedules_off` is so from the start.
STANDING: dict[str, Mapping[str, str]] = {
    "schedules_off": {
        "KimonoSyncStale": "nothing runs but by hand, which is worth a warning whatever the schedules say"
    },
    "replica_crash_loop": {"KimonoExporterRestarting": _REPLICA},
    "replica_lags": {"KimonoPollingBehind": _REPLICA},
    # Whether they are as many as a fleet depends on the group; each tenant is found either way: see `spoilt`.
    "integration_failing": {"KimonoFleetIngestionsFailing": _MANY},
    "cloud_failing": {"KimonoFleetIngestionsFailing": _MANY},
    "account_failing": {"KimonoFleetIngestionsFailing": _MANY},
}
# While one of these lasts, no alert can show a problem of a single tenant.
# (Of a single tenant: OWN_BLINDING.)
OWN_BLINDING = ("unreachable", "credentials_rejected")
BLINDING = (
    *("api_outage", "part_outage", "throttled", "slow_api"),
    *("exporter_down", "shard_down", "crash_loop", "prometheus_down"),
)
# What the exporters see after these may be as before; Prometheus misses nothing that an exporter has seen.
UNSEEING = tuple(kind for kind in BLINDING if kind != "prometheus_down")
# After these an exporter without a state file knows no earlier "since".
RESTARTS = ("exporter_down", "shard_down", "exporter_restart", "crash_loop", "restarting")
# What these are known by happens once a night. Without a state file, a restart forgets it until the next time.
ONCE_A_NIGHT = (
    *("failing", "fails_once", "spoilt"),
    *("overdue", "overdue_while_others_run", "overdue_beside_unstarted", "overdue_by_hub"),
)
# After these, what was found before is found again at once.
GAPS = ("exporter_down", "shard_down", "exporter_restart", "prometheus_down", "missed_scrape")

_STALE = threshold("sync_stale")
# A nightly suspension takes three hours, and the threshold `after_pause` two.
_NIGHTLY = 5 * HOUR
_OVERDUE_COMPANY = {"KimonoSyncStale": "when it lasts for days, nothing has run for days: a warning below a critical"}
_RESTARTING_COMPANY = {
    "KimonoExporterDown": "most scrapes fail",
    "KimonoPollingBehind": "after each start all tenants wait for their first poll",
    "KimonoDiscoveryFailing": "after each start the first discovery has yet to succeed",
}

EXPECTED: dict[str, Expectation] = {
    # Of one tenant
    "stalled": Expectation(("KimonoIngestionStalled",), threshold("ingestion_stalled")),
    "failing": Expectation(("KimonoIngestionsFailing",), threshold("ingestions_failing")),
    "stalled_without_start": Expectation(("KimonoIngestionStalled",), threshold("ingestion_stalled")),
    "stalled_in_unknown_state": Expectation(("KimonoIngestionStalled",), threshold("ingestion_stalled")),
    "fails_once": Expectation(
        ("KimonoIngestionsFailing",), threshold("ingestions_failing"), severities=("warning", "info")
    ),
    "overdue": Expectation(("KimonoSyncOverdue",), threshold("sync_overdue"), _OVERDUE_COMPANY),
    # The grace begins at the end of a run that may have blocked the schedule: here of one that begins an hour later.
    "overdue_while_others_run": Expectation(("KimonoSyncOverdue",), threshold("sync_overdue") + 3 * HOUR),
    "overdue_beside_unstarted": Expectation(("KimonoSyncOverdue",), threshold("sync_overdue"), _OVERDUE_COMPANY),
    "dormant": Expectation(("KimonoSyncStale",), _STALE + HOUR),
    "dormant_and_suspended": Expectation(("KimonoSyncStale",), _STALE + HOUR, silent=_NIGHTLY),
    "suspended_when_due": Expectation(("KimonoSyncStale",), _STALE + HOUR, silent=_NIGHTLY),
    "suspended": Expectation(("KimonoSyncSuspended",), threshold("sync_suspended") + 15 * MINUTE),
    "suspended_after_rollover": Expectation(
        ("KimonoSyncSuspended",), threshold("sync_suspended") + 15 * MINUTE, poll=ROLLOVER_POLL
    ),
    "setup": Expectation(("KimonoSetupModeLingering",), threshold("setup_mode")),
    "mass_change": Expectation(("KimonoMassChangePending",), threshold("mass_change_pending")),
    "rollover_stuck": Expectation(("KimonoRolloverStuck",), threshold("rollover") + 15 * MINUTE, poll=ROLLOVER_POLL),
    "rollover_stuck_in_progress": Expectation(
        ("KimonoRolloverStuck",), threshold("rollover") + 15 * MINUTE, poll=ROLLOVER_POLL
    ),
    # Its window is still open: what is wrong shows in the mode, after a day.
    "rollover_stuck_called_off": Expectation(("KimonoRolloverStuck",), DAY + 15 * MINUTE, poll=ROLLOVER_POLL),
    "rollover_not_started": Expectation(("KimonoRolloverNotStarted",), threshold("rollover"), poll=ROLLOVER_POLL),
    "rollover_failing": Expectation(
        ("KimonoRolloverFailing",),
        threshold("rollover_failing"),
        {"KimonoRolloverNotStarted": "its window has opened, and the failures are why it has not begun"},
        poll=ROLLOVER_POLL,
    ),
    "application_auth": Expectation(("KimonoApplicationAuthFailing",), threshold("application_auth")),
    "unreachable": Expectation(("KimonoTenantUnreachable",), threshold("tenant_unreachable")),
    "credentials_rejected": Expectation(("KimonoTenantCredentialsRejected",), threshold("tenant_unreachable")),
    # One tenant's share in a storm: its own alert finds it, or the fleet's.
    "spoilt": Expectation(("KimonoIngestionsFailing", "KimonoFleetIngestionsFailing"), threshold("ingestions_failing")),
    "overdue_by_hub": Expectation(
        ("KimonoSyncOverdue", "KimonoFleetSyncsOverdue"), threshold("sync_overdue"), _OVERDUE_COMPANY
    ),
    "stalled_by_hub": Expectation(
        ("KimonoIngestionStalled", "KimonoFleetIngestionsStalled"),
        threshold("ingestion_stalled"),
        {"KimonoIngestionsFailing": "a run failed the night before, and the next one, which hangs, does not end that"},
    ),
    # Of the API and of the exporter
    "api_outage": Expectation(("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable"), 15 * MINUTE, _OUTAGE),
    "part_outage": Expectation(("KimonoManyTenantsUnreachable",), 15 * MINUTE, _OUTAGE),
    # Six hours is the rule's longer window; it also takes until five tenants and a twentieth of the fleet have run.
    "fleet_failing": Expectation(("KimonoFleetIngestionsFailing",), 6 * HOUR),
    # The thresholds, and the time until enough tenants were due.
    "scheduler_down": Expectation(("KimonoFleetSyncsOverdue",), threshold("sync_overdue") + 5 * HOUR),
    "workers_down": Expectation(("KimonoFleetIngestionsStalled",), threshold("ingestion_stalled") + 5 * HOUR),
    "discovery_failing": Expectation(("KimonoDiscoveryFailing",), 15 * MINUTE),
    "throttled": Expectation(("KimonoApiThrottled",), 30 * MINUTE, _OUTAGE),
    "slow_api": Expectation(("KimonoPollingBehind",), 30 * MINUTE, _OUTAGE),
    "exporter_down": Expectation(
        ("KimonoExporterDown",),
        5 * MINUTE,
        {"KimonoPollingBehind": "after the start all tenants wait for their first poll"},
    ),
    "shard_down": Expectation(
        ("KimonoShardMissing",),
        10 * MINUTE,
        {"KimonoPollingBehind": "after the start the shard's tenants wait for their first poll"},
    ),
    "crash_loop": Expectation(("KimonoExporterRestarting",), HOUR, _RESTARTING_COMPANY),
    "restarting": Expectation(("KimonoExporterRestarting",), HOUR, _RESTARTING_COMPANY),
}
