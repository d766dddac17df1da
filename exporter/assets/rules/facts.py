"""Takes facts from the exporter's metrics: those that are up to date, of replicas that are up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.assets.rules.promql import ago, block, lines, selector
from exporter.thresholds import DEFAULTS

TENANT = "on (job, tenant_id)"
REPLICA = "on (job, instance, tenant_id)"
COLLECTOR = "on (job, tenant_id, collector)"
SUCCESS = "kimono_collector_last_success_timestamp_seconds"
FAILING = "kimono_tenant_failure_since_timestamp_seconds"
UNFINISHED = "kimono_ingestion_oldest_unfinished_seen_timestamp_seconds"
STATE = 'collector="state"'
# Labels of `kimono_tenant_info`: those of what may be at fault when many tenants have a problem, and the others.
SCOPES = "integration, cloud_name"
IDENTITY = "tenant_name, account_id, account_name, cloud_id, integration_version"
# What `exporter.assets.rules.recorded` records of tenants in trouble.
POLLED = "kimono:collector_success:timestamp_seconds"
BEHIND = "kimono:replica_behind:info"
OLD = "kimono:facts_old:info"
COLLECTOR_FAILING = "kimono:collector_failing:timestamp_seconds"
MODE = "kimono:tenant_mode:timestamp_seconds"
PAUSED = "kimono:tenant_paused:timestamp_seconds"
RUN = "kimono:tenant_run:timestamp_seconds"
IDLE = "kimono:tenant_idle:timestamp_seconds"


@dataclass(frozen=True)
class Source:
    """Where expressions take the facts from.

    With `recorded`, of all replicas, through the series that the rules record. Otherwise no rule is needed, and the
    matchers select one replica. `matchers` narrow every selector, such as `job=~"$job"`. `thresholds` are in the units
    of `exporter.thresholds`.
    """

    matchers: str = ""
    recorded: bool = False
    thresholds: Mapping[str, float] = field(default_factory=lambda: DEFAULTS)

    def __call__(self, name: str, *matchers: str) -> str:
        """A metric of the exporter, or a recorded series."""
        return selector(name, self.matchers, *matchers)

    def limit(self, threshold: str) -> float:
        """The value of a threshold."""
        return self.thresholds[threshold]


def collectors(*names: str) -> str:
    """The matcher of these collectors."""
    return f'collector="{names[0]}"' if len(names) == 1 else f'collector=~"{"|".join(names)}"'


def polled_by(of: Source, collector: str) -> str:
    """When a collector last polled a tenant."""
    return of(POLLED if of.recorded else SUCCESS, collectors(collector))


def counted(of: Source, expression: str, collector: str) -> str:
    """The facts of a collector (labels job, instance and tenant_id at least) without replicas that are behind."""
    return lines(expression, f"unless {REPLICA} {BEHIND}{{{collectors(collector)}}}") if of.recorded else expression


def failing_collectors(of: Source) -> str:
    """Since when no replica can poll a tenant with a collector, if that is not new, by (job, tenant_id, collector)."""
    if of.recorded:
        return COLLECTOR_FAILING
    return f"({of(FAILING)} < {ago(of.limit('tenants_unreachable_after'))})"


def fresh(of: Source, expression: str, *names: str) -> str:
    """An expression by (job, tenant_id) without tenants of which these collectors' facts are old."""
    return lines(expression, f"unless {TENANT} {_old(of, *names)}")


def _old(of: Source, *names: str) -> str:
    which = collectors(*names)
    if of.recorded:
        return f"{OLD}{{{which}}}"
    # A collector begins to fail an interval after its last success. See `polled` for those that don't fail.
    failing = f"{of(FAILING, which)} < {ago(of.limit('data_age'))}"
    return block(lines(failing, f"or {without_flags(of)}" if "state" in names else ""))


def without_flags(of: Source) -> str:
    """Tenants whose flags have expired: no facts say any more whether they are paused."""
    flags = of("kimono_tenant_state", 'flag="rollover_mode_enabled"')
    return f"group by (job, tenant_id, collector) ({of(FAILING, STATE)}) unless {TENANT} {flags}"


def polled(of: Source, expression: str) -> str:
    """An expression by (job, tenant_id) without tenants that have not been polled for long, though nothing fails.

    Without the recorded series, to be applied once: it is the costly part of what `fresh` does with them.
    """
    return f"({expression}) unless {TENANT} ({late(of)} unless {TENANT} {of(FAILING, STATE)})"


def late(of: Source) -> str:
    """When tenants were polled last that have not been polled for long."""
    return f"{of(SUCCESS, STATE)} < {ago(of.limit('data_age_always'))}"


def paused(of: Source, within: float) -> str:
    """Tenants that were paused within so many seconds, by (job, tenant_id)."""
    last = PAUSED if of.recorded else of("kimono_tenant_last_paused_timestamp_seconds")
    return block(f"{last} > {ago(within)}")


def mode(of: Source, flag: str) -> str:
    """Since when a flag of tenants has been on, by (job, tenant_id, flag)."""
    since = MODE if of.recorded else "kimono_tenant_state_since_timestamp_seconds"
    return of(since, f'flag="{flag}"')


def runs(of: Source, *types: str) -> str:
    """Since when unfinished ingestions have been seen, by (job, tenant_id, ingestion_type)."""
    return of(RUN if of.recorded else UNFINISHED, *types)
