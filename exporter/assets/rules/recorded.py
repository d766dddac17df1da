"""Records what alerts need to know of tenants in trouble: names, and which replicas' facts count.

Each fact of each tenant is read about once, to find the tenants in trouble. What is costly is about these alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.assets.rules import facts, problems, rollovers
from exporter.assets.rules.facts import COLLECTOR, FAILING, STATE, SUCCESS, TENANT, UNFINISHED, Source, counted
from exporter.assets.rules.names import named, names
from exporter.assets.rules.promql import ago, block, greatest, in_one_line, least, lines, seconds
from exporter.assets.rules.rule import Recording

PROBLEM = "kimono:tenant_problem:timestamp_seconds"
_IN_TROUBLE = "kimono:tenant_in_trouble:info"
_LATE = "kimono:collector_late:timestamp_seconds"
# For how long a flag may be on before it is a problem. Rollover mode is one outside of windows.
_FLAG_LIMITS = ("mass_change_pending", "mass_change_pending_critical", "sync_suspended", "setup_mode")
# They explain a mode, or a long time without a run. Each collector polls all tenants before the next one begins.
_POLLED_LATER = ("schedules", "rollovers")


def recordings(of: Source) -> tuple[Recording, ...]:
    """The rules, in this order."""
    paused = ago(greatest(of.limit("ingestion_stalled"), of.limit("after_pause")))
    return (
        Recording(
            _IN_TROUBLE,
            block("\nor ".join(_in_trouble(Source(thresholds=of.thresholds))), "group by (job, tenant_id)"),
            "Tenants that may have a problem: names and replicas matter for no others.",
        ),
        Recording(
            facts.POLLED,
            f"{SUCCESS} and {TENANT} {_IN_TROUBLE}",
        ),
        Recording(
            facts.BEHIND,
            f"{facts.POLLED} < {COLLECTOR} group_left () "
            f"(max by (job, tenant_id, collector) ({facts.POLLED}) - {seconds(of.limit('replica_behind'))})",
            "Replicas whose collector is behind for a tenant: their facts do not count.",
        ),
        Recording(
            facts.COLLECTOR_FAILING,
            _failing(of),
            "Since when no replica can poll a tenant, and which of its facts are old: they raise no alert.",
        ),
        Recording(_LATE, f"max by (job, tenant_id, collector) ({facts.POLLED}) < {ago(of.limit('data_age'))}"),
        Recording(facts.OLD, lines(*_old(of))),
        *names(_IN_TROUBLE),
        Recording(
            facts.MODE,
            _newest(of, "kimono_tenant_state_since_timestamp_seconds", "state", "min by (job, tenant_id, flag)"),
            "Since when a mode is on, the last pause, unfinished runs, and the last run, if that began days ago.",
        ),
        Recording(
            facts.PAUSED,
            _newest(of, f"kimono_tenant_last_paused_timestamp_seconds > {paused}", "state", "max by (job, tenant_id)"),
        ),
        Recording(facts.RUN, _newest(of, UNFINISHED, "ingestions", "min by (job, tenant_id, ingestion_type)")),
        Recording(facts.IDLE, problems.idle_of_all(of)),
        *(
            Recording(PROBLEM, named(build(of), "cloud_name"), why, {"problem": name})
            for name, build, why in (
                ("stalled", problems.stalled, "Who has the problems that many may have at once, since when?"),
                ("failing", problems.failing, ""),
                ("overdue", problems.overdue, ""),
            )
        ),
    )


def _newest(of: Source, metric: str, collector: str, aggregation: str) -> str:
    return block(counted(of, metric, collector), aggregation)


def _in_trouble(of: Source) -> Iterator[str]:
    """What each problem begins with, for any replica."""
    unfinished = ago(least(of.limit("ingestion_stalled"), of.limit("bulk_ingestion_stalled")))
    yield f"kimono_ingestion_oldest_unfinished_started_timestamp_seconds < {unfinished}"
    yield f"{UNFINISHED} < {unfinished}"
    yield f"kimono_ingestion_failing_since_timestamp_seconds < {ago(of.limit('ingestions_failing'))}"
    yield f"kimono_schedule_missed_since_timestamp_seconds < {ago(of.limit('sync_overdue'))}"
    yield f"kimono_tenant_last_run_timestamp_seconds < {ago(of.limit('sync_stale'))}"
    flags = of("kimono_tenant_state_since_timestamp_seconds", 'flag!="rollover_mode_enabled"')
    yield f"{flags} < {ago(least(*(of.limit(name) for name in _FLAG_LIMITS)))}"
    yield in_one_line(rollovers.outside_windows(of))
    yield in_one_line(rollovers.begun_late(of))
    yield f"kimono_rollover_failing_since_timestamp_seconds < {ago(of.limit('rollover_failing'))}"
    yield problems.application_rejects(of)
    yield f"{FAILING} < {ago(of.limit('tenants_unreachable_after'))}"


def _failing(of: Source) -> str:
    since = f"max by (job, tenant_id, collector) ({FAILING})"
    return lines(
        f"{since} < {ago(of.limit('tenants_unreachable_after'))}",
        # Another replica has succeeded since.
        f"unless {COLLECTOR} ({facts.POLLED} > {COLLECTOR} group_left () {since})",
    )


def _old(of: Source) -> Iterator[str]:
    each = "group by (job, tenant_id, collector)"
    yield f"{_LATE} < {ago(of.limit('data_age_always'))}"
    yield f"or {_LATE} and {COLLECTOR} {FAILING}"
    # What these collectors explain is unknown: they have not succeeded since the exporter started.
    yield f"or {each} ({FAILING}) unless {COLLECTOR} {facts.POLLED}"
    for name in _POLLED_LATER:
        which = facts.collectors(name)
        enabled = f"{facts.POLLED}{{{STATE}}} and on (job, instance) kimono_exporter_poll_lag_seconds{{{which}}}"
        waits = f"group by (job, tenant_id) ({enabled}) unless {TENANT} {facts.POLLED}{{{which}}}"
        yield f'or label_replace({waits}, "collector", "{name}", "", "")'
    yield f"or {facts.without_flags(of)}"
