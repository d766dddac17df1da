"""Defines the dashboard Kimono / Exporter: whether the data are up to date, and if not, why.

The only dashboard that shows replicas side by side. Data about tenants, and poll lag, are those of the best replica;
requests and polls are summed, because each replica sends its own.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.colours import EXPECTED, RANK_TEXTS, WARN
from dashboards.exporter_api import (
    invalid_fields,
    latency,
    latency_by_endpoint,
    lost_data,
    rate_limit_use,
    rate_limited,
    requests_by_code,
    requests_by_endpoint,
    retries,
    tokens,
    waiting_requests,
)
from dashboards.exporter_common import (
    BUILD,
    CHOSEN,
    COLLECTORS,
    DISCOVERY,
    LAG,
    LAST_SUCCESS,
    OUTCOMES,
    REASON_TEXTS,
    best_lag,
    of_exporters,
    uptime_query,
    with_own_names,
)
from dashboards.exporter_health import monitoring_health, polling_health
from dashboards.exporter_process import cpu, event_loop, memory, open_files, scrape_duration, uptime
from dashboards.frame import ALERT_LINK, TENANT_LINK, Row, alert_annotations, annotation, dashboard, instances
from dashboards.panels import FROM_NOW, SECONDS, TIMESTAMP, Panel, query, state_timeline_panel, time_series_panel
from dashboards.queries import (
    ANY_JOB,
    JOB,
    NO_ALERT,
    NO_INSTANCE,
    alerts,
    by_shard,
    placeholder,
    ranked,
    with_names,
)
from dashboards.tables import Column, table_panel
from exporter.thresholds import threshold

UID = "kimono-exporter"
_FAILURES = f"kimono_tenant_failure_since_timestamp_seconds{{{CHOSEN}}}"
# Without failures that began before the last success of another replica.
FAILING_SINCE = f"({_FAILURES} unless {_FAILURES} < on (job, tenant_id, collector) group_left () {LAST_SUCCESS})"
EXPORTER_ALERTS = (
    "KimonoExporter.+|KimonoShardMissing|KimonoDiscoveryFailing|KimonoPollingBehind|KimonoApiThrottled|"
    "KimonoManyTenantsUnreachable"
)
EXPORTER_ALERT_MATCHERS = f'{ANY_JOB},alertname=~"{EXPORTER_ALERTS}"'


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Exporter",
        "Are the data up to date? If every number at the top is green, they are. The panels below show what is wrong.",
        [
            Row(3, monitoring_health()),
            Row(3, polling_health()),
            Row(8, [(10, firing_alerts()), (14, data_age())]),
            Row(8, [(12, poll_lag()), (12, polls())]),
            Row(10, [(24, unreachable_tenants())]),
            Row(6, [(17, exporters()), (7, discovery())]),
            Row(8, [(12, requests_by_code()), (12, requests_by_endpoint())], "Requests to the API"),
            Row(8, [(12, latency()), (12, latency_by_endpoint())]),
            Row(8, [(8, rate_limit_use()), (8, waiting_requests()), (8, rate_limited())]),
            Row(8, [(6, retries()), (6, tokens()), (6, invalid_fields()), (6, lost_data())]),
            Row(8, [(8, memory()), (8, cpu()), (8, event_loop())], "Processes"),
            Row(8, [(8, open_files()), (8, uptime()), (8, scrape_duration())]),
        ],
        variables=[instances()],
        annotations=[
            *alert_annotations(EXPORTER_ALERT_MATCHERS),
            annotation(
                "Restarts", f"group by (job, instance) ({uptime_query()} < 120)", EXPECTED, "{{instance}} started"
            ),
        ],
    )


def firing_alerts() -> Panel:
    """The firing alerts about the exporter and the API."""
    since = f"ALERTS_FOR_STATE{{{EXPORTER_ALERT_MATCHERS}}} and ignoring (alertstate) {alerts(EXPORTER_ALERT_MATCHERS)}"
    return table_panel(
        "Firing alerts about the exporter and the API",
        "While one of these fires, other data may be out of date: handle it first. Click a name for details.",
        [f"1000 * min by (alertname, rank) ({ranked(since)})"],
        [
            Column("rank", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("alertname", "Alert", link=ALERT_LINK),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155),
        ],
        sort=[("Severity", False), ("Since", False)],
        no_value=NO_ALERT,
    )


def exporters() -> Panel:
    """Each exporter by itself."""
    shown = f"group by (job, instance, version, shard) ({by_shard(BUILD, CHOSEN)})"
    return table_panel(
        "Exporters by instance",
        "Replicas of a shard should have similar numbers. If only one has a high lag, give it more CPU, or check its "
        "network.",
        [
            placeholder(shown, "instance", NO_INSTANCE),
            f"1000 * {of_exporters('process_start_time_seconds')}",
            f"max by (job, instance) (kimono_up{{{CHOSEN}}})",
            f"max by (job, instance) (kimono_tenants{{{CHOSEN}}})",
            f"max by (job, instance) ({LAG})",
            f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
            of_exporters("process_resident_memory_bytes"),
            f"1000 * max by (job, instance) (kimono_exporter_state_saved_timestamp_seconds{{{CHOSEN}}})",
        ],
        [
            Column("instance", "Instance"),
            Column("shard", "Shard", width=60),
            Column("version", "Version", width=70),
            Column("Value #B", "Running since", unit=TIMESTAMP, width=150),
            Column("Value #C", "Discovery", width=90, texts=DISCOVERY, coloured=True),
            Column("Value #D", "Tenants", width=70),
            Column("Value #E", "Poll lag", unit=SECONDS, width=75),
            Column("Value #F", "Loop lag", unit=SECONDS, width=75),
            Column("Value #G", "Memory", unit="bytes", width=80),
            Column("Value #H", "State saved", unit=FROM_NOW, width=125, no_value="no state.file"),
        ],
        dropped=["job", "Value #A"],
        sort=[("Instance", False)],
        no_value=NO_INSTANCE,
    )


def data_age() -> Panel:
    """The age of the data by collector."""
    ages = f"time() - {LAST_SUCCESS}"
    lag = f"max by (collector) ({best_lag('collector')})"
    failing = f"count by (collector) (group by (job, tenant_id, collector) ({FAILING_SINCE}))"
    old = [(None, "transparent"), (threshold("data_age"), WARN)]
    oldest = [(None, "transparent"), (threshold("tenant_unreachable"), WARN)]
    late = [(None, "transparent"), (threshold("polling_behind"), WARN)]
    return table_panel(
        "Data age by collector",
        "The data of 50 % and 95 % of the tenants are at most so old. If only the oldest is old, see the table of "
        "unreachable tenants. If all are old, check the requests to the API below.",
        [
            placeholder(f"quantile by (collector) (0.5, {ages})", "collector", NO_INSTANCE),
            f"quantile by (collector) (0.95, {ages})",
            f"max by (collector) ({ages})",
            lag,
            failing,
        ],
        [
            Column("collector", "Collector"),
            Column("Value #A", "50 %", unit=SECONDS, width=80, steps=old, coloured=True),
            Column("Value #B", "95 %", unit=SECONDS, width=85, steps=old, coloured=True),
            Column("Value #C", "Oldest", unit=SECONDS, width=85, steps=oldest, coloured=True),
            Column("Value #D", "Poll lag", unit=SECONDS, width=80, steps=late, coloured=True),
            Column("Value #E", "Failing", width=75),
        ],
        sort=[("95 %", True)],
        no_value=NO_INSTANCE,
    )


def unreachable_tenants() -> Panel:
    """Tenants with a failing collector, longest first."""
    first = f"min by (job, tenant_id, reason) ({FAILING_SINCE})"
    info = f"kimono_tenant_info{{{JOB}}}"
    return table_panel(
        "Unreachable tenants, longest first",
        "The first 15 of each reason. Many with one reason: check the hub or the network, not the tenants. auth: "
        "update the credentials in the tenant list. bug: report the log message. Others: wait, or ask the hub's "
        "support.",
        [
            f"1000 * {with_names(f'bottomk by (reason) (15, {first})', info)}",
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", width=280),
            Column("reason", "Reason", width=130, texts=REASON_TEXTS, coloured=True),
            Column("Value #A", "Failing since", unit=TIMESTAMP, width=155, also="Ago"),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration"],
        sort=[("Failing since", False)],
        no_value="No tenant is failing, or no exporter is scraped",
    )


def poll_lag() -> Panel:
    """The lag of polls by collector."""
    return time_series_panel(
        "Poll lag by collector",
        "For the best replica. If all rise, the rate limit is too low or the API is slow: see below. If one rises, "
        "lengthen its interval. A peak after a restart needs no action.",
        [query(f"max by (collector) ({best_lag('collector')})", "{{collector}}")],
        unit=SECONDS,
        colours=with_own_names(COLLECTORS),
    )


def polls() -> Panel:
    """Polls by outcome."""
    polls = f"rate(kimono_exporter_polls_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Polls per minute by outcome",
        "Sum of all exporters. If a few polls fail, see the table of unreachable tenants. If many fail, check the hub, "
        "the network and the exporter's credentials.",
        [query(f"60 * sum by (outcome) ({polls})", "{{outcome}}")],
        stacked=True,
        colours=OUTCOMES,
        no_value="No poll has finished",
    )


def discovery() -> Panel:
    """Whether each exporter could list the tenants; blank where it was not scraped."""
    return state_timeline_panel(
        "Discovery by exporter",
        "Red: discovery failed; check the account's credentials. Gap: the exporter was not scraped; check whether it "
        "runs.",
        [query(f"max by (instance) (kimono_up{{{CHOSEN}}})", "{{instance}}")],
        DISCOVERY,
        no_value=NO_INSTANCE,
    )
