"""What colour has each state? Fixed here for all dashboards: Grafana's own palette paints "failed" green.

Red is what wakes somebody, orange what is for working hours, yellow what is worth a look, blue what is meant to be
so, green what is well, and grey what nobody knows or nothing was expected of. The names are Grafana's: they suit dark
and light.
"""

from __future__ import annotations

from dataclasses import dataclass

BAD, WARN, NOTE, MEANT, GOOD, UNKNOWN = "red", "orange", "yellow", "blue", "green", "#8e8e8e"
# Known, and nothing to look at: to be told from a gap, in which nothing is known.
FAINT = "rgba(142, 142, 142, 0.2)"


@dataclass(frozen=True)
class Problem:
    """What can be wrong with a tenant: the value of `problem` in kimono:tenant_problem:timestamp_seconds.

    `alert` is the one that tells of it.
    """

    name: str
    text: str
    colour: str
    alert: str


# The worst first.
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

# Values of kimono:tenant_problem:rank, and how loud the alert is.
RANKS = {3: ("critical", BAD), 2: ("warning", WARN), 1: ("info", MEANT)}

# What a table or timeline says if no tenant, or not this one, has a problem.
WELL = "Nothing is wrong"
# What they, and numbers that are not even 0, say where nobody watches, or too many can't be read.
UNWATCHED = "Not known"
# The row of a table or timeline while that is so: as a problem of no single tenant.
MANY = "many_unreachable"
MANY_TEXT = ("Many can't be read", "semi-dark-purple")
# The problems and the ranks of a table, with what it says of none.
PROBLEM_TEXTS = {one.name: (one.text, one.colour) for one in PROBLEMS} | {
    WELL: (WELL, GOOD),
    UNWATCHED: (UNWATCHED, UNKNOWN),
    MANY: MANY_TEXT,
}
RANK_TEXTS = {str(rank): RANKS[rank] for rank in sorted(RANKS, reverse=True)} | {"0": ("nothing", GOOD)}

# The label `rank` of alerts, as `queries.ranked` makes it.
ALERT_TEXTS = {"1": ("critical", BAD), "2": ("warning", WARN), "3": ("info", MEANT)}

# The flags of a tenant's state that pause it.
MODES = {
    "mass_change_pending": ("Mass change pending", WARN),
    "synchronization_suspended": ("Suspended", NOTE),
    "rollover_mode_enabled": ("In rollover", MEANT),
    "setup_mode_enabled": ("In setup", "light-blue"),
}

# How ingestions end, and what they do until then.
OUTCOMES = {"success": GOOD, "failed": BAD, "timeout": "dark-red", "cancelled": NOTE}
UNFINISHED = {"executing": MEANT, "scheduled": "light-blue", "preparing": "super-light-blue", "unspecified": UNKNOWN}

# Kinds of ingestions: neither good nor bad.
TYPES = {
    "collection": "blue",
    "bulk_load": "purple",
    "mirror": "light-blue",
    "event_bundle": "light-purple",
    "bulk_attr_change": "super-light-blue",
    "unspecified": UNKNOWN,
}

# Why a tenant can't be read: the reasons of kimono_tenant_failure_info.
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

# What the hub's access to the product behind an integration is like: kimono_application_auth_state.
AUTH_STATES = {
    "error": ("error", WARN),
    "updating": ("updating", MEANT),
    "unspecified": ("unspecified", UNKNOWN),
    "confirmed": ("confirmed", GOOD),
}
