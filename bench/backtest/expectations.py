"""Which alert should find which kind of incident, how soon, and which others may keep it company?

The one table that the backtest judges by. A kind that is not in it is harmless: any alert about it is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class Expectation:
    """What should come of a kind of incident.

    `alerts`: any of them finds it. `within`: the rules' threshold in seconds, from the first wrong fact to the
    alert, polls aside; an incident that ends sooner need not be found. `company`: alerts that are neither asked for
    nor false, each with the reason.
    """

    alerts: tuple[str, ...]
    within: float
    company: Mapping[str, str] = field(default_factory=dict)


_SAME_OUTAGE = "it is the same outage, seen from another side; Alertmanager inhibits what is about single tenants"
_OUTAGE = {
    name: _SAME_OUTAGE
    for name in (
        *("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable", "KimonoApiThrottled", "KimonoPollingBehind"),
        *("KimonoTenantUnreachable", "KimonoTenantCredentialsRejected"),
    )
}

EXPECTED: dict[str, Expectation] = {
    # Of one tenant
    "stalled": Expectation(("KimonoIngestionStalled",), 4 * HOUR),
    "failing": Expectation(("KimonoIngestionsFailing",), 30 * MINUTE),
    "overdue": Expectation(
        ("KimonoSyncOverdue",),
        2 * HOUR,
        {"KimonoSyncStale": "when it lasts for days, nothing has run for days: a warning below a critical"},
    ),
    "dormant": Expectation(("KimonoSyncStale",), 4 * DAY),
    "suspended": Expectation(("KimonoSyncSuspended",), 2 * DAY),
    "setup": Expectation(("KimonoSetupModeLingering",), 7 * DAY),
    "mass_change": Expectation(("KimonoMassChangePending",), HOUR),
    "rollover_stuck": Expectation(("KimonoRolloverStuck",), 2 * HOUR),
    "rollover_not_started": Expectation(("KimonoRolloverNotStarted",), 2 * HOUR),
    "rollover_failing": Expectation(
        ("KimonoRolloverFailing",),
        HOUR,
        {"KimonoRolloverNotStarted": "its window has opened, and the failures are why it has not begun"},
    ),
    "application_auth": Expectation(("KimonoApplicationAuthFailing",), HOUR),
    "unreachable": Expectation(("KimonoTenantUnreachable",), 30 * MINUTE),
    "credentials_rejected": Expectation(("KimonoTenantCredentialsRejected",), 30 * MINUTE),
    # Of the API and of the exporter
    "api_outage": Expectation(("KimonoDiscoveryFailing", "KimonoManyTenantsUnreachable"), 15 * MINUTE, _OUTAGE),
    "part_outage": Expectation(("KimonoManyTenantsUnreachable",), 15 * MINUTE, _OUTAGE),
    "discovery_failing": Expectation(("KimonoDiscoveryFailing",), 20 * MINUTE),
    "throttled": Expectation(("KimonoApiThrottled",), 30 * MINUTE, _OUTAGE),
    "slow_api": Expectation(("KimonoPollingBehind",), 30 * MINUTE, _OUTAGE),
    "exporter_down": Expectation(
        ("KimonoExporterDown",), 5 * MINUTE, {"KimonoPollingBehind": "after the start everyone waits for a first visit"}
    ),
}
