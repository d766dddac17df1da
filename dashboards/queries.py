"""Builds the PromQL that several dashboards share.

- Each query filters on `$job`, so that the dashboards work with any job name.
- Queries read the exporter's facts. Only queries of `ALERTS` need the rules of alerts/.
- Instant queries read one replica, `$replica`, so that no number is counted twice. Queries over time merge replicas by
  `max by` or the like, because instances may have had other names.
- No query returns all tenants: there may be 10,000. Only instant queries evaluate problems.
"""

from __future__ import annotations

from dashboards.colours import MANY_UNREACHABLE, NO_PROBLEM, SEVERITIES
from exporter.assets import boards
from exporter.assets.rules.facts import Source
from exporter.thresholds import threshold

NAMES = "tenant_name, account_name, integration"
JOB = boards.JOB
# For alerts: KimonoExporterDown may have no job.
ANY_JOB = 'job=~"$job|"'
# For instant queries: one replica of each job (and shard).
REPLICA = boards.REPLICA
# The accounts and integrations that are chosen, for series with the tenants' names.
ACCOUNTS = 'account_name=~"$account",integration=~"$integration"'
# For the dashboard of one tenant: now, and over time.
TENANT = f'{REPLICA},tenant_id="$tenant"'
TENANT_HISTORY = boards.TENANT_HISTORY

NO_ALERT = "No alert is firing, or no rules are loaded"
NO_ALERT_OVER_TIME = "No alert was firing, or no rules are loaded"
NO_INSTANCE = "No exporter is scraped"


def older(name: str) -> str:
    """Those of a series in `boards.COMPARED` that are older than its threshold says."""
    return boards.older(name, Source(REPLICA))


# Whether the tenants can be polled now.
_UP = f"kimono_tenant_up{{{REPLICA}}}"
_REACHABLE = f"{1 - threshold('tenants_unreachable'):g}"
# Jobs with many unreachable tenants: problems of these tenants are unknown.
MANY_UNREACHABLE_JOBS = f"(avg by (job) ({_UP}) <= {_REACHABLE} and sum by (job) (1 - {_UP}) > 1)"
# 0 if the problems of the tenants are known; else no series.
ZERO = f"0 * group(avg by (job) ({_UP}) > {_REACHABLE} or sum by (job) (1 - {_UP}) < 2)"


def of_chosen(series: str) -> str:
    """Keep series of the tenants of the chosen accounts and integrations."""
    return f"{series} and on (job, tenant_id) kimono_tenant_info{{{REPLICA},{ACCOUNTS}}}"


def with_names(series: str, info: str = f"kimono_tenant_info{{{REPLICA},{ACCOUNTS}}}") -> str:
    """Add the tenants' names to series by (job, tenant_id, …), and keep only tenants in `info`.

    A tenant without a name goes by its id. While the number of shards changes, two of them may have a tenant.
    """
    both = f'label_join(topk by (job, tenant_id) (1, {info}), "both", "/", "tenant_name", "tenant_id")'
    named = f'label_replace({both}, "tenant_name", "$1", "both", "/(.+)")'
    return f"{series} * on (job, tenant_id) group_left ({NAMES}) {named}"


def count(series: str) -> str:
    """The number of tenants in series: 0 if there are none, no series if many tenants are unreachable."""
    return f"{tenants_in(series)} or {ZERO}"


def age_of_most(collector: str) -> str:
    """The data of 90 % of all tenants are at most so old, in seconds."""
    last = f'kimono_collector_last_success_timestamp_seconds{{{REPLICA},collector="{collector}"}}'
    return f"quantile(0.9, time() - max by (job, tenant_id) ({last}))"


def tenants_in(series: str) -> str:
    """The number of tenants in series."""
    return f"count(group by (job, tenant_id) ({series}))"


def label(series: str, name: str, value: str) -> str:
    """Add a label."""
    return f'label_replace({series}, "{name}", "{value}", "", "")'


def or_text(series: str, name: str, text: str, where: str) -> str:
    """The series; if there are none, and the exporter knows tenants that match `where`, a 0 with a text in a label."""
    return f"{series} or on () {label(f'0 * group(kimono_tenant_info{{{where}}})', name, text)}"


def placeholder(series: str, name: str, text: str) -> str:
    """The series; if there are none, one without a number: Grafana leaves a table of several queries blank."""
    return f"{series} or on () {label('vector(NaN)', name, text)}"


def or_summary(problems: str) -> str:
    """Problems; if there are none, a series says whether there really are none or many tenants are unreachable."""
    many = label(label(f"group({MANY_UNREACHABLE_JOBS})", "problem", MANY_UNREACHABLE), "rank", "1")
    none = label(label(ZERO, "problem", NO_PROBLEM), "rank", "0")
    # Not a number: they have no time.
    return f"{problems} or NaN * {many} or on () NaN * ({none})"


def alerts(where: str = ANY_JOB) -> str:
    """The firing alerts of these rules."""
    return f'ALERTS{{alertname=~"Kimono.+",alertstate="firing",{where}}}'


def uninhibited(where: str) -> str:
    """Firing alerts without those that a critical alert of the same name and tenant inhibits, as in Alertmanager."""
    critical = alerts(f'{where},severity="critical"')
    return f"({critical} or {alerts(where)} unless on (alertname, job, tenant_id) {critical})"


def ranked(series: str) -> str:
    """Add the label `rank` to alerts, which sorts by severity: 1 critical, 2 warning, 3 info."""
    for rank, severity in enumerate(SEVERITIES, 1):
        series = f'label_replace({series}, "rank", "{rank}", "severity", "{severity}")'
    return series


def ranks(where: str, at: str = "") -> str:
    """The firing alerts, with the rank as the value. `at` may be `@ end()`: at the end of the time range."""
    each = ((rank, alerts(f'{where},severity="{name}"')) for rank, name in enumerate(SEVERITIES, 1))
    return " or ".join(f"{rank} * {series} {at}".rstrip() for rank, series in each)


def by_shard(series: str, where: str = JOB) -> str:
    """Add the label `shard` to series by (job, instance, …). Exporters without a shard are one shard."""
    exporters = f"(kimono_exporter_shard_info{{{where}}} or on (job, instance) kimono_exporter_build_info{{{where}}})"
    return f"{series} * on (job, instance) group_left (shard) {exporters}"


def best_replica(best: str, series: str, *by: str, where: str = JOB) -> str:
    """The `best` (min or max) of the replicas of each shard. `series` has the labels job, instance and `by`."""
    return f"{best} by ({', '.join(('job', 'shard', *by))}) ({by_shard(series, where)})"
