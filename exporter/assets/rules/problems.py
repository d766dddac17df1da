"""Builds the PromQL of each problem of a tenant: a sample for each tenant that has it, since when (Unix seconds).

The rules and the dashboards share these expressions, which need no rule; see `Source`. Each is by (job, tenant_id),
reads no facts that are old, and takes from replicas only those that are up to date; `names.named` adds the tenant's
names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.assets.rules.facts import (
    COLLECTOR,
    FAILING,
    IDLE,
    TENANT,
    UNFINISHED,
    Source,
    counted,
    failing_collectors,
    fresh,
    paused,
    polled_by,
    runs,
)
from exporter.assets.rules.promql import ago, block, lines, number, seconds
from exporter.assets.rules.rollovers import in_mode, rollover_failing, rollover_not_started, rollover_stuck, suspended
from exporter.thresholds import AUTH_FAILED

# Their runs are what schedules start, and a good one makes good whatever failed.
FULL = 'ingestion_type=~"collection|bulk_load"'
BULK, NOT_BULK = 'ingestion_type=~"bulk_load|mirror"', 'ingestion_type!~"bulk_load|mirror"'
SCHEDULES = "schedules"
# For clocks that differ.
CLOCKS = 300.0


def stalled(of: Source) -> str:
    """An ingestion has been unfinished for too long, and no pause explains it."""
    started = "kimono_ingestion_oldest_unfinished_started_timestamp_seconds"
    limit = of.limit("ingestion_stalled")
    # Both, because an ingestion without a start is hidden behind one that has a start, and the other way round.
    each = [
        f"{of(name, types)} < {ago(after)}"
        for types, after in ((NOT_BULK, limit), (BULK, of.limit("bulk_ingestion_stalled")))
        for name in (started, UNFINISHED)
    ]
    return fresh(
        of,
        lines(
            block(counted(of, block("\nor ".join(each)), "ingestions"), "min by (job, tenant_id)"),
            f"unless {TENANT} {paused(of, limit)}",
        ),
        *("ingestions", "state"),
    )


def failing(of: Source) -> str:
    """Ingestions fail, no success has followed, and no run under way may bring one."""
    since, limit = of("kimono_ingestion_failing_since_timestamp_seconds"), of.limit("ingestions_failing")
    good = of("kimono_ingestion_last_started_timestamp_seconds", 'state="success"', FULL)
    good = counted(of, f"{good} and {TENANT} {since}", "ingestions")
    recent = f"{since} > {ago(limit + of.limit('ingestion_stalled'))}"
    return fresh(
        of,
        block(
            lines(
                counted(of, f"{since} < {ago(limit)}", "ingestions"),
                f"unless {since} < {TENANT} group_left () {block(good, 'max by (job, tenant_id)')}",
                f"unless ({recent} and {TENANT} {_under_way(of, FULL)})",
                f"unless ({recent} and on (job, tenant_id, ingestion_type) {_under_way(of)})",
            ),
            "min by (job, tenant_id)",
        ),
        "ingestions",
    )


def critical_failing(of: Source, since: str = "") -> str:
    """Those for whom the next night did not help, and no pause explains it. `since` is what `failing` gives."""
    since = since or block(failing(of))
    limit = of.limit("ingestions_failing_critical")
    return fresh(
        of,
        lines(
            f"{since} < {ago(limit)}",
            f"unless ({since} > {ago(limit + of.limit('ingestion_stalled'))} and {TENANT} {_under_way(of)})",
            f"unless {TENANT} {paused(of, of.limit('after_pause'))}",
        ),
        *("ingestions", "state"),
    )


def _under_way(of: Source, *types: str) -> str:
    """Runs that have been under way for less time than makes them count as stalled."""
    return f"{runs(of, *types)} > {ago(of.limit('ingestion_stalled'))}"


def overdue(of: Source) -> str:
    """A schedule was due, its grace has passed, and it has not run."""
    missed, grace = of("kimono_schedule_missed_since_timestamp_seconds"), of.limit("sync_overdue")
    seen = of(UNFINISHED, FULL)
    # A run that began before the grace was over blocks the schedule. The grace begins at the end of that run, even if
    # the next run has replaced it in its series, and even if Prometheus was down then.
    told = of("kimono_ingestion_blocking_seen_timestamp_seconds")
    blocking = counted(of, f"(min_over_time({seen}[{number(grace)}s]) or {told})", "ingestions")
    return fresh(
        of,
        block(
            lines(
                counted(of, f"{missed} < {ago(grace)}", "schedules"),
                f"unless {missed} + {seconds(grace)} > {TENANT} group_left () "
                f"{block(blocking, 'min by (job, tenant_id)')}",
            ),
            "min by (job, tenant_id)",
        ),
        *("schedules", "state", "ingestions"),
    )


def idle(of: Source) -> str:
    """When the last run began, if that is days ago, by (job, tenant_id)."""
    return IDLE if of.recorded else block(idle_of_all(of))


def idle_of_all(of: Source) -> str:
    """The same without the recorded series of that name."""
    last = counted(of, of("kimono_tenant_last_run_timestamp_seconds"), "ingestions")
    return f"{block(last, 'max by (job, tenant_id)')} < {ago(of.limit('sync_stale'))}"


def stale(of: Source) -> str:
    """Nothing has run for days, though something was due, or nothing is known of when it is due."""
    limit, last = of.limit("sync_stale"), idle(of)
    long_pause = f"{of('kimono_tenant_last_long_pause_timestamp_seconds')} > {ago(limit)}"
    was_due = lines(
        f"{of('kimono_schedule_last_due_timestamp_seconds')} > {TENANT} group_left () ({last} + {seconds(CLOCKS)})",
        f"unless {of('kimono_schedule_changed_timestamp_seconds')}",
        f"unless {of('kimono_schedule_due_since_timestamp_seconds')} > {ago(of.limit('sync_overdue'))}",
    )
    # Spares Prometheus the schedules of all other tenants.
    of_idle = f" and {TENANT} {last}" if of.recorded else ""
    readable = counted(of, f"{of('kimono_schedule_next_due_timestamp_seconds')}{of_idle}", SCHEDULES)
    unscheduled = f"{polled_by(of, SCHEDULES)} unless {TENANT} {of('kimono_schedule_enabled')}"
    return fresh(
        of,
        lines(
            last,
            f"unless {TENANT} {paused(of, of.limit('after_pause'))}",
            f"unless {TENANT} {block(counted(of, long_pause, 'state'))}",
            # With a readable schedule: only if something was due.
            f"unless {TENANT} {block(f'{readable} unless {TENANT} {block(counted(of, was_due, SCHEDULES))}')}",
            # No schedule at all: nothing is missing.
            f"unless {TENANT} {block(unscheduled)}",
        ),
        *("ingestions", "schedules", "state"),
    )


def mass_change(of: Source, after: str = "mass_change_pending") -> str:
    """A mass change waits for approval, for as long as the threshold `after` says."""
    return fresh(of, in_mode(of, "mass_change_pending", of.limit(after)), "state")


def setup(of: Source) -> str:
    """Setup mode has been on for days."""
    return fresh(of, in_mode(of, "setup_mode_enabled", of.limit("setup_mode")), "state")


def application_rejects(of: Source) -> str:
    """Since when applications have rejected the hub, by application."""
    since = of("kimono_application_auth_state_since_timestamp_seconds", f'state=~"(?i:{"|".join(AUTH_FAILED)})"')
    return f"{since} < {ago(of.limit('application_auth'))}"


def application_auth(of: Source) -> str:
    """The application rejects the hub."""
    rejects = counted(of, application_rejects(of), "application")
    return fresh(of, block(rejects, "min by (job, tenant_id)"), "application")


def unreachable_since(of: Source) -> str:
    """Since when tenants can't be polled, at least in part, if that is long enough, by (job, tenant_id)."""
    return f"min by (job, tenant_id) ({failing_collectors(of)} < {ago(of.limit('tenant_unreachable'))})"


def _rejected(of: Source) -> str:
    rejected = of(FAILING, 'reason="auth"')
    return block(f"{failing_collectors(of)} and {COLLECTOR} {rejected}")


def unreachable(of: Source) -> str:
    """A tenant can't be polled, at least in part, and its credentials are not the reason."""
    return lines(unreachable_since(of), f"unless {TENANT} {_rejected(of)}")


def credentials_rejected(of: Source) -> str:
    """A tenant can't be polled, because its credentials are rejected."""
    return lines(unreachable_since(of), f"and {TENANT} {_rejected(of)}")


PROBLEMS: Mapping[str, Callable[[Source], str]] = {
    "stalled": stalled,
    "failing": failing,
    "overdue": overdue,
    "stale": stale,
    "suspended": suspended,
    "mass_change": mass_change,
    "setup": setup,
    "rollover_stuck": rollover_stuck,
    "rollover_not_started": rollover_not_started,
    "rollover_failing": rollover_failing,
    "application_auth": application_auth,
    "unreachable": unreachable,
    "credentials_rejected": credentials_rejected,
}
# Problems whose alert is critical from the first moment, those with a critical alert later, and those for information.
CRITICAL = ("stalled", "overdue")
CRITICAL_LATER: Mapping[str, Callable[[Source], str]] = {
    "failing": critical_failing,
    "mass_change": lambda of: mass_change(of, "mass_change_pending_critical"),
}
INFORMATION = ("setup",)
