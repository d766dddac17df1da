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
    """A problem of a tenant: the value of `problem` in kimono:tenant_problem:timestamp_seconds.

    `alert` is the alert that fires for it.
    """

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
    Problem("unreachable", "Can't be read", "purple", "KimonoTenantUnreachable"),
    Problem("credentials_rejected", "Credentials rejected", "dark-purple", "KimonoTenantCredentialsRejected"),
    Problem("application_auth", "Application rejects the hub", "light-purple", "KimonoApplicationAuthFailing"),
    Problem("stale", "Nothing has run for days", "light-orange", "KimonoSyncStale"),
    Problem("suspended", "Suspended, unexplained", "dark-yellow", "KimonoSyncSuspended"),
    Problem("rollover_stuck", "Rollover stuck", "dark-orange", "KimonoRolloverStuck"),
    Problem("rollover_not_started", "Rollover not started", "yellow", "KimonoRolloverNotStarted"),
    Problem("rollover_failing", "Rollover failing", "light-red", "KimonoRolloverFailing"),
    Problem("setup", "Setup mode lingers", "light-blue", "KimonoSetupModeLingering"),
)

# Values of kimono:tenant_problem:rank: the severity of the alert and its colour.
RANKS = {3: ("critical", BAD), 2: ("warning", WARN), 1: ("info", EXPECTED)}

# Shown by a table or timeline without a problem.
NO_PROBLEM = "Nothing is wrong"
# Shown where no data is available, or where too many tenants are unreachable.
NOT_KNOWN = "Not known"
# Value of `problem` while many tenants are unreachable: a problem of the fleet, not of a tenant.
MANY_UNREACHABLE = "many_unreachable"
MANY_UNREACHABLE_TEXT = ("Many can't be read", "semi-dark-purple")
# Texts of problems and ranks, with those for none.
PROBLEM_TEXTS = {problem.name: (problem.text, problem.colour) for problem in PROBLEMS} | {
    NO_PROBLEM: (NO_PROBLEM, GOOD),
    NOT_KNOWN: (NOT_KNOWN, UNKNOWN),
    MANY_UNREACHABLE: MANY_UNREACHABLE_TEXT,
}
RANK_TEXTS = {str(rank): RANKS[rank] for rank in sorted(RANKS, reverse=True)} | {"0": ("nothing", GOOD)}

# The label `rank` of alerts, as `queries.with_rank` adds it.
ALERT_TEXTS = {"1": ("critical", BAD), "2": ("warning", WARN), "3": ("info", EXPECTED)}

# Modes that pause a tenant: flags of its state.
MODES = {
    "mass_change_pending": ("Mass change pending", WARN),
    "synchronization_suspended": ("Suspended", NOTE),
    "rollover_mode_enabled": ("In rollover", EXPECTED),
    "setup_mode_enabled": ("In setup", "light-blue"),
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
