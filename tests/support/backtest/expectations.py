"""Says which alert should find which kind of incident, how soon, and which others may fire beside it.

The one table that the backtest judges by. `within` is what stands in alerts/kimono.rules.yaml. A kind that is not
in the table is harmless: any alert about it is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
# How often the backtest's exporter polls: most collectors, and that of rollovers.
POLL, ROLLOVER_POLL = 5 * MINUTE, 15 * MINUTE


@dataclass(frozen=True)
class Expectation:
    """The alerts that an incident of a kind should cause.

    `alerts`: any of them finds it. `within`: the rules' threshold in seconds, from the first wrong fact to the
    alert, polls aside; an incident that ends sooner need not be found. `company`: alerts that are neither asked for
    nor false, each with the reason. `poll`: seconds between the polls that show it.
    """

    alerts: tuple[str, ...]
    within: float
    company: Mapping[str, str] = field(default_factory=dict)
    poll: float = POLL

    @property
    def promised(self) -> float:
        """Seconds from the first wrong fact after which it should be known: the threshold and two polls."""
        return self.within + 2 * self.poll


_SAME_OUTAGE = "it is the same outage, seen from another side; Alertmanager inhibits what is about single tenants"
_OUTAGE = dict.fromkeys(
    (
        *("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable", "KimonoApiThrottled", "KimonoPollingBehind"),
        *("KimonoTenantUnreachable", "KimonoTenantCredentialsRejected"),
    ),
    _SAME_OUTAGE,
)
# What needs no alert, and the alerts that may fire all the same, with the reason. `schedules_off` is so from the start;
# `spoilt` is one tenant's share in `fleet_failing`, from its first bad end to its next good collection.
STANDING: dict[str, Mapping[str, str]] = {
    "schedules_off": {
        "KimonoSyncStale": "nothing runs but by hand, which is worth a warning whatever the schedules say"
    },
    "spoilt": {"KimonoIngestionsFailing": "it fires if it outlasts the alert about the fleet"},
}
# While one of these lasts, no alert can show a problem of a single tenant.
# (Of a single tenant: OWN_BLINDING.)
OWN_BLINDING = ("unreachable", "credentials_rejected")
BLINDING = ("api_outage", "part_outage", "throttled", "slow_api", "exporter_down")

EXPECTED: dict[str, Expectation] = {
    # Of one tenant
    "stalled": Expectation(("KimonoIngestionStalled",), 6 * HOUR),
    "failing": Expectation(("KimonoIngestionsFailing",), 30 * MINUTE),
    "overdue": Expectation(
        ("KimonoSyncOverdue",),
        2 * HOUR,
        {"KimonoSyncStale": "when it lasts for days, nothing has run for days: a warning below a critical"},
    ),
    "dormant": Expectation(("KimonoSyncStale",), 5 * DAY + HOUR),
    "suspended": Expectation(("KimonoSyncSuspended",), DAY + 15 * MINUTE),
    "setup": Expectation(("KimonoSetupModeLingering",), 3 * DAY),
    "mass_change": Expectation(("KimonoMassChangePending",), HOUR),
    "rollover_stuck": Expectation(("KimonoRolloverStuck",), HOUR + 15 * MINUTE, poll=ROLLOVER_POLL),
    "rollover_not_started": Expectation(("KimonoRolloverNotStarted",), HOUR, poll=ROLLOVER_POLL),
    "rollover_failing": Expectation(
        ("KimonoRolloverFailing",),
        30 * MINUTE,
        {"KimonoRolloverNotStarted": "its window has opened, and the failures are why it has not begun"},
        poll=ROLLOVER_POLL,
    ),
    "application_auth": Expectation(("KimonoApplicationAuthFailing",), 30 * MINUTE),
    "unreachable": Expectation(("KimonoTenantUnreachable",), 40 * MINUTE),
    "credentials_rejected": Expectation(("KimonoTenantCredentialsRejected",), 40 * MINUTE),
    # Of the API and of the exporter
    "api_outage": Expectation(("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable"), 15 * MINUTE, _OUTAGE),
    "part_outage": Expectation(("KimonoManyTenantsUnreachable",), 15 * MINUTE, _OUTAGE),
    # Six hours is the rule's longer window; it also takes until five tenants and a twentieth of the fleet have run.
    "fleet_failing": Expectation(("KimonoFleetIngestionsFailing",), 6 * HOUR),
    "discovery_failing": Expectation(("KimonoDiscoveryFailing",), 15 * MINUTE),
    "throttled": Expectation(("KimonoApiThrottled",), 30 * MINUTE, _OUTAGE),
    "slow_api": Expectation(("KimonoPollingBehind",), 30 * MINUTE, _OUTAGE),
    "exporter_down": Expectation(
        ("KimonoExporterDown",),
        5 * MINUTE,
        {"KimonoPollingBehind": "after the start all tenants wait for their first poll"},
    ),
}
