"""Builds the PromQL of problems with modes that rollovers explain, and with rollovers; see `problems`."""

from __future__ import annotations

from exporter.assets.rules.facts import REPLICA, TENANT, Source, counted, fresh, mode
from exporter.assets.rules.promql import ago, ahead, block, lines, number
from exporter.thresholds import DAY, ROLLOVER_BEGUN, ROLLOVER_OVER, ROLLOVER_UPCOMING

ROLLOVER = "on (job, instance, tenant_id, rollover_id)"
# Beyond these ages a window that ended does not explain rollover mode, and one that never began does not matter.
WINDOW_ENDED, WINDOW_MISSED = 60 * DAY, 7 * DAY


def in_mode(of: Source, flag: str, after: float) -> str:
    """Since when tenants have had a flag on that has been so for so many seconds, by (job, tenant_id)."""
    return f"min by (job, tenant_id) ({mode(of, flag)} < {ago(after)})"


def windows(of: Source, before: float, after: float, unless: str, removed: float = 0) -> str:
    """Rollover windows from so long before to so long after, by replica and rollover, without some.

    Those of rollovers that were removed in the last `removed` seconds count. So do windows that may be open, because a
    time is unknown.
    """

    def lately(which: str) -> str:
        series = of(f"kimono_rollover_{which}")
        return f"last_over_time({series}[{number(removed)}s])" if removed else series

    near = lines(
        f"({lately('start_timestamp_seconds')} < {ahead(before)} or {lately('start_unknown')})",
        f"and ({lately('end_timestamp_seconds')} > {ago(after)} or {lately('end_unknown')})",
        f"unless {ROLLOVER} {unless}",
    )
    return counted(of, near, "rollovers")


def status(words: tuple[str, ...]) -> str:
    """The matcher of a status that is one of these words, in any case."""
    return f'status=~"(?i:{"|".join(words)})"'


def suspended(of: Source) -> str:
    """Suspended for long, and no rollover explains it."""
    limit = of.limit("sync_suspended")
    over = of("kimono_rollover_status", status(ROLLOVER_OVER))
    return fresh(
        of,
        lines(
            in_mode(of, "synchronization_suspended", limit),
            f"unless {TENANT} {mode(of, 'rollover_mode_enabled')}",
            f"unless {TENANT} {block(windows(of, limit, limit, over))}",
        ),
        *("rollovers", "state"),
    )


def outside_windows(of: Source) -> str:
    """Since when tenants have been in rollover mode outside of windows that are not over, of one or more replicas."""
    mode_since = of("kimono_tenant_state_since_timestamp_seconds", 'flag="rollover_mode_enabled"')
    over = of("kimono_rollover_status", status(ROLLOVER_OVER))
    near = windows(of, of.limit("sync_suspended"), of.limit("rollover"), over)
    return f"{mode_since} unless {REPLICA} {block(near)}"


def rollover_stuck(of: Source) -> str:
    """Rollover mode outlives its window, or no window explains it."""
    grace, limit = of.limit("rollover"), of.limit("sync_suspended")
    end = of("kimono_rollover_end_timestamp_seconds")
    ended = block(
        counted(of, f"({end} < time() and {end} > {ago(WINDOW_ENDED)})", "rollovers"), "max by (job, tenant_id)"
    )
    over, not_over = status(ROLLOVER_OVER), status(ROLLOVER_OVER).replace("=~", "!~")
    lately, before = (
        f"last_over_time({of('kimono_rollover_status', words)}[{number(grace)}s])" for words in (over, not_over)
    )
    # The hub gets as long for leaving rollover mode after a rollover that completed early.
    long_over = block(f"{lately} unless {ROLLOVER} {before}")
    return fresh(
        of,
        lines(
            block(lines(f"{ended} < {ago(grace)}", f"or {TENANT}", in_mode(of, "rollover_mode_enabled", limit))),
            f"and {TENANT} {mode(of, 'rollover_mode_enabled')}",
            # The flag may have gone with the rollover: it is polled at another moment.
            f"unless {TENANT} {block(windows(of, limit, grace, long_over, removed=grace))}",
        ),
        *("rollovers", "state"),
    )


def begun_late(of: Source) -> str:
    """When the windows of rollovers opened that are late, by replica and rollover."""
    start, end = of("kimono_rollover_start_timestamp_seconds"), of("kimono_rollover_end_timestamp_seconds")
    unknown_end = of("kimono_rollover_end_unknown")
    return lines(
        f"{start} < {ago(of.limit('rollover'))}",
        f"and {ROLLOVER} {of('kimono_rollover_status', status(ROLLOVER_UPCOMING))}",
        f"unless {ROLLOVER} {of('kimono_rollover_status_change_failures')} > 0",
        f"unless {ROLLOVER} {of('kimono_rollover_failure_info')}",
        f"unless ({end} < {ago(WINDOW_MISSED)} or {unknown_end} and {start} < {ago(WINDOW_MISSED)})",
    )


def rollover_not_started(of: Source) -> str:
    """A rollover's window has opened, and nothing has happened."""
    late = block(counted(of, begun_late(of), "rollovers"), "min by (job, tenant_id)")
    return fresh(of, lines(late, f"unless {TENANT} {mode(of, 'rollover_mode_enabled')}"), *("rollovers", "state"))


def rollover_failing(of: Source) -> str:
    """A rollover fails to change its status, and has neither begun nor ended."""
    since = of("kimono_rollover_failing_since_timestamp_seconds")
    return fresh(
        of,
        block(
            lines(
                counted(of, f"{since} < {ago(of.limit('rollover_failing'))}", "rollovers"),
                f"unless {ROLLOVER} {of('kimono_rollover_status', status(ROLLOVER_BEGUN + ROLLOVER_OVER))}",
            ),
            "min by (job, tenant_id)",
        ),
        "rollovers",
    )
