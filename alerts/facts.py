"""Takes facts from the exporter's metrics: those that are up to date, of replicas that are up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.promql import ago, block, lines, seconds, selector
from exporter.thresholds import DAY, THRESHOLDS

TENANT = "on (job, tenant_id)"
REPLICA = "on (job, instance, tenant_id)"
COLLECTOR = "on (job, tenant_id, collector)"
SUCCESS = "kimono_collector_last_success_timestamp_seconds"


STATE = 'collector="state"'


@dataclass(frozen=True)
class Source:
    """Where expressions take the facts from.

    `matchers` narrow every selector, such as `job=~"$job"`. With `recorded`, the recorded series of kimono.rules.yaml
    are read where they save time. `thresholds` are in the units of `exporter.thresholds`. `one_replica`: the matchers
    select one replica, so that expressions need not compare them.
    """

    matchers: str = ""
    recorded: bool = False
    one_replica: bool = False
    thresholds: Mapping[str, float] = field(
        default_factory=lambda: {name: threshold.value for name, threshold in THRESHOLDS.items()}
    )

    def __call__(self, name: str, *matchers: str) -> str:
        """A metric of the exporter, or a recorded series."""
        return selector(name, self.matchers, *matchers)

    def limit(self, threshold: str) -> float:
        """The value of a threshold."""
        return self.thresholds[threshold]


def behind(of: Source, *collectors: str) -> str:
    """Replicas whose collector is behind, by (job, instance, tenant_id, collector); of all collectors for none."""
    which = _collectors(collectors)
    if of.recorded:
        return of("kimono:replica_behind:info", which)
    success, tolerance = of(SUCCESS, which), of.limit("replica_behind")
    return block(
        lines(
            # With one exporter, both sides are empty: the factor is 0. Nothing is behind that succeeded just now.
            f"{success} < ({ago(tolerance)}) * {several_exporters(of)} < {COLLECTOR} group_left ()",
            f"  (max by (job, tenant_id, collector) ({success} > {ago_if_several(of, DAY)}) - {seconds(tolerance)})",
        )
    )


def several_exporters(of: Source) -> str:
    """The number 1 if there are several exporters, or if that is unknown, otherwise 0: cheaper than a join."""
    return f"scalar((count({of('kimono_exporter_build_info')}) or vector(2)) > bool 1)"


def not_behind(of: Source, collector: str) -> str:
    """The line that removes facts of replicas that are behind; empty if there is one replica."""
    return "" if of.one_replica else f"unless {REPLICA} {behind(of, collector)}"


def ago_if_several(of: Source, within: float) -> str:
    """So many seconds ago; with one exporter now, so that no time is newer: what replicas differ in is skipped."""
    return f"time() - {seconds(within)} * {several_exporters(of)}"


def counted(of: Source, expression: str, collector: str) -> str:
    """The facts of a collector (labels job, instance and tenant_id at least) without replicas that are behind."""
    return lines(expression, not_behind(of, collector))


def failing_collectors(of: Source) -> str:
    """Since when no replica can poll a tenant with a collector, if that is not new, by (job, tenant_id, collector)."""
    if of.recorded:
        return of("kimono:collector_failing:timestamp_seconds")
    since = of("kimono_tenant_failure_since_timestamp_seconds")
    if of.one_replica:
        return f"({since} < {ago(of.limit('tenants_unreachable_after'))})"
    since = f"max by (job, tenant_id, collector) ({since})"
    return block(
        lines(
            f"{since} < {ago(of.limit('tenants_unreachable_after'))}",
            # Another replica has succeeded since.
            f"unless {COLLECTOR} ({of(SUCCESS)} > {ago_if_several(of, DAY)}) > {COLLECTOR} group_left () {since}",
        )
    )


def late(of: Source, *collectors: str) -> str:
    """When collectors last succeeded that have not done so lately, by (job, tenant_id, collector)."""
    which = _collectors(collectors)
    return (
        of("kimono:collector_late:timestamp_seconds", which) if of.recorded else lately_without_success(of, *collectors)
    )


def lately_without_success(of: Source, *collectors: str) -> str:
    """The same without the recorded series of that name."""
    success = f"{of(SUCCESS, _collectors(collectors))} < {ago(of.limit('data_age'))}"
    return block(
        lines(success, f"unless on (job, instance, tenant_id, collector) {behind(of, *collectors)}"),
        "max by (job, tenant_id, collector)",
    )


def _collectors(names: Sequence[str]) -> str:
    """The matcher of these collectors; none for all."""
    if len(names) == 1:
        return f'collector="{names[0]}"'
    return f'collector=~"{"|".join(names)}"' if names else ""


def old(of: Source, *collectors: str) -> str:
    """Collectors whose facts of a tenant are old, by (job, tenant_id, collector)."""
    which = _collectors(collectors)
    if of.one_replica:
        # A collector begins to fail an interval after its last success. See `polled` for those that don't fail.
        failing = f"{of('kimono_tenant_failure_since_timestamp_seconds', which)} < {ago(of.limit('data_age'))}"
        return block(lines(failing, *_without_flags(of, collectors)))
    return of("kimono:facts_old:info", which) if of.recorded else aged(of, *collectors)


def aged(of: Source, *collectors: str) -> str:
    """The same without the recorded series of that name."""
    which = _collectors(collectors)
    failing = of("kimono_tenant_failure_since_timestamp_seconds", which)
    return block(
        lines(
            f"{late(of, *collectors)} < {ago(of.limit('data_age_always'))}",
            f"or {late(of, *collectors)} and {COLLECTOR} {failing}",
            *_without_success(of, collectors),
            *_without_flags(of, collectors),
        )
    )


# What explains a mode or a long time without a run. Each collector polls all tenants before the next one begins.
_POLLED_LATER = ("schedules", "rollovers")


def _without_success(of: Source, collectors: Sequence[str]) -> Iterator[str]:
    """The lines for collectors that have not succeeded since the exporter started: what they explain is unknown."""
    failing = of("kimono_tenant_failure_since_timestamp_seconds", _collectors(collectors))
    success = of(SUCCESS, _collectors(collectors))
    yield f"or group by (job, tenant_id, collector) ({failing}) unless {COLLECTOR} {success}"
    for name in _POLLED_LATER:
        if name in collectors or not collectors:
            waits = f"group by (job, tenant_id) ({of(SUCCESS, STATE)}) unless {TENANT} {of('kimono_tenant_up')}"
            waits = f"{waits} unless {TENANT} {of(SUCCESS, f'collector={chr(34)}{name}{chr(34)}')}"
            yield f'or label_replace({waits}, "collector", "{name}", "", "")'


def _without_flags(of: Source, collectors: Sequence[str]) -> list[str]:
    """The line for tenants whose flags have expired: no facts say any more whether they are paused."""
    if collectors and "state" not in collectors:
        return []
    failing = of("kimono_tenant_failure_since_timestamp_seconds", 'collector="state"')
    flags = of("kimono_tenant_state", 'flag="rollover_mode_enabled"')
    return [f"or group by (job, tenant_id, collector) ({failing}) unless {TENANT} {flags}"]


def fresh(of: Source, expression: str, *collectors: str) -> str:
    """An expression by (job, tenant_id) without tenants of which these collectors' facts are old."""
    return lines(expression, f"unless {TENANT} {old(of, *collectors)}")


def polled(of: Source, expression: str) -> str:
    """An expression by (job, tenant_id) without tenants that have not been polled for long, though nothing fails.

    With `one_replica`, to be applied once: it is the costly part of `old`.
    """
    late = f"{of(SUCCESS, STATE)} < {ago(of.limit('data_age_always'))}"
    failing = of("kimono_tenant_failure_since_timestamp_seconds", STATE)
    return f"({expression}) unless {TENANT} ({late} unless {TENANT} {failing})"


def paused(of: Source, within: float) -> str:
    """Tenants that were paused within so many seconds, by (job, tenant_id)."""
    last = of("kimono:tenant_paused:timestamp_seconds") if of.recorded else last_paused(of)
    return block(f"{last} > {ago(within)}")


def last_paused(of: Source) -> str:
    """When tenants were last paused, of those that are or were of late, by (job, tenant_id)."""
    paused = of("kimono_tenant_last_paused_timestamp_seconds")
    if of.one_replica:
        return paused
    lately = f"{paused} > {ago(max(of.limit('ingestion_stalled'), of.limit('after_pause')))}"
    return block(counted(of, lately, "state"), "max by (job, tenant_id)")


def mode(of: Source, flag: str) -> str:
    """Since when a flag of tenants has been on, by (job, tenant_id, flag)."""
    which = f'flag="{flag}"'
    return of("kimono:tenant_mode:timestamp_seconds", which) if of.recorded else modes(of, which)


def modes(of: Source, *which: str) -> str:
    """The same of all flags."""
    since = of("kimono_tenant_state_since_timestamp_seconds", *which)
    return since if of.one_replica else block(counted(of, since, "state"), "min by (job, tenant_id, flag)")


def runs(of: Source, *types: str) -> str:
    """Since when unfinished ingestions have been seen, by (job, tenant_id, ingestion_type)."""
    return of("kimono:tenant_run:timestamp_seconds", *types) if of.recorded else unfinished(of, *types)


def unfinished(of: Source, *types: str) -> str:
    """The same without the recorded series."""
    seen = of("kimono_ingestion_oldest_unfinished_seen_timestamp_seconds", *types)
    return seen if of.one_replica else block(counted(of, seen, "ingestions"), "min by (job, tenant_id, ingestion_type)")
