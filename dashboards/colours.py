"""Defines the colour and the text of each state, the same on all dashboards.

Red is critical, orange a warning, yellow worth a look, blue expected, green good, grey unknown or unused. Grafana's
automatic colours would paint "failed" green. The names are Grafana's, and suit the dark and the light theme.
"""

from __future__ import annotations

from dataclasses import dataclass

BAD, WARN, NOTE, EXPECTED, GOOD, UNKNOWN = "red", "orange", "yellow", "blue", "green", "#8e8e8e"
# Known and unremarkable; a gap means that nothing is known.
FAINT = "rgba(142, 142, 142, 0.2)"


@dataclass(frozen=True)
class Problem:
    """A problem of a tenant, by its name in `exporter.assets.rules.problems`. `alert` is the alert that fires."""

    name: str
    text: str
    colour: str
    alert: str


# Worst first.
PROBLEMS = (
    Problem("stalled", "Ingestion stalled", "dark-red", "KimonoIngestionStalled"),
    Problem("overdue", "Sync overdue", "red", "KimonoSyncOverdue"),
    Problem("failing", "Ingestions failing", "semi-dark-orange", "KimonoIngestionsFailing"),
    Problem("mass_change", "Mass change pending", "orange", "KimonoMassChangePending"),
    Problem("unreachable", "Unreachable", "purple", "KimonoTenantUnreachable"),
    Problem("credentials_rejected", "Credentials rejected", "dark-purple", "KimonoTenantCredentialsRejected"),
    Problem("application_auth", "Application authentication failing", "light-purple", "KimonoApplicationAuthFailing"),
    Problem("stale", "Sync stale", "light-orange", "KimonoSyncStale"),
    Problem("suspended", "Sync suspended", "dark-yellow", "KimonoSyncSuspended"),
    Problem("rollover_stuck", "Rollover stuck", "dark-orange", "KimonoRolloverStuck"),
    Problem("rollover_not_started", "Rollover not started", "yellow", "KimonoRolloverNotStarted"),
    Problem("rollover_failing", "Rollover failing", "light-red", "KimonoRolloverFailing"),
    Problem("setup", "Setup mode lingering", "light-blue", "KimonoSetupModeLingering"),
)

# Severities of alerts, worst first.
SEVERITIES = {"critical": BAD, "warning": WARN, "info": EXPECTED}
# Values of the label `rank`, which sorts problems and alerts by severity.
RANK_TEXTS = {str(rank): (severity, SEVERITIES[severity]) for rank, severity in enumerate(SEVERITIES, 1)}

# Shown by a table without a problem.
NO_PROBLEM = "No problem"
# Shown where no data is available, or where too many tenants are unreachable.
UNKNOWN_TEXT = "Unknown"
# Value of `problem` while many tenants are unreachable: a problem of the fleet, not of a tenant.
MANY_UNREACHABLE = "many_unreachable"
MANY_UNREACHABLE_TEXT = ("Many tenants unreachable", "semi-dark-purple")
# Texts of problems, with those for none.
PROBLEM_TEXTS = {problem.name: (problem.text, problem.colour) for problem in PROBLEMS} | {
    NO_PROBLEM: (NO_PROBLEM, GOOD),
    UNKNOWN_TEXT: (UNKNOWN_TEXT, UNKNOWN),
    MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT,
}
# Texts and colours of a tenant's alerts: those of their problems.
ALERT_TEXTS = {problem.alert: (problem.text, problem.colour) for problem in PROBLEMS}

# Modes that pause a tenant: flags of its state.
MODES = {
    "mass_change_pending": ("Mass change pending", WARN),
    "synchronization_suspended": ("Sync suspended", NOTE),
    "rollover_mode_enabled": ("Rollover mode", EXPECTED),
    "setup_mode_enabled": ("Setup mode", "light-blue"),
}

# States of finished ingestions, and of unfinished ones.
OUTCOMES = {"success": GOOD, "failed": BAD, "timeout": "dark-red", "cancelled": NOTE}
UNFINISHED = {"executing": EXPECTED, "scheduled": "light-blue", "preparing": "super-light-blue", "unspecified": UNKNOWN}

# Types of ingestions: colours without a judgement.
TYPES = {
    "collection": "blue",
    "bulk_load": "purple",
    "mirror": "light-blue",
    "event_bundle": "light-purple",
    "bulk_attr_change": "super-light-blue",
    "unspecified": UNKNOWN,
}

# Why a poll of a tenant fails: values of `reason` in kimono_tenant_failure_info.
REASONS = {
    "auth": "dark-purple",
    "forbidden": "purple",
    "not_found": "light-purple",
    "throttled": NOTE,
    "timeout": WARN,
    "network": "dark-orange",
    "server": BAD,
    "bad_response": "dark-red",
    "bug": "dark-red",
}

# The hub's access to the product behind an integration: kimono_application_auth_state.
AUTH_STATES = {
    "error": ("error", WARN),
    "updating": ("updating", EXPECTED),
    "unspecified": ("unspecified", UNKNOWN),
    "confirmed": ("confirmed", GOOD),
}
