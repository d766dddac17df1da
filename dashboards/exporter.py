"""Defines the dashboard Kimono / Exporter: whether the data are up to date, and if not, why.

The only dashboard that shows replicas side by side. Data about tenants, and poll lag, are those of the best replica;
requests and polls are summed, because each replica sends its own.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.colours import ALERT_TEXTS, BAD, EXPECTED, GOOD, NOTE, UNKNOWN, WARN
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
    LAG,
    OUTCOMES,
    RATE_LIMIT_USE,
    REASON_TEXTS,
    best_replica,
    of_exporters,
    rate_limited_share,
    uptime_query,
    with_own_names,
)
from dashboards.exporter_process import cpu, event_loop, memory, open_files, scrape_duration, uptime
from dashboards.frame import RUNBOOK_LINK, TENANT_LINK, Row, alert_annotations, annotation, dashboard, instances
from dashboards.panels import (
    SECONDS,
    TIMESTAMP,
    Column,
    Panel,
    query,
    stat_panel,
    state_timeline_panel,
    table_panel,
    time_series_panel,
)
from dashboards.queries import ANY_JOB, JOB, alerts, or_placeholder, with_names, with_rank

UID = "kimono-exporter"
LAST_SUCCESS = f"max by (job, tenant_id, collector) (kimono_collector_last_success_timestamp_seconds{{{CHOSEN}}})"
FAILURES = f"kimono_tenant_failure_info{{{CHOSEN}}}"
FAILING = f"group by (job, tenant_id, collector) ({FAILURES})"
EXPORTER_ALERTS = (
    "KimonoExporterDown|KimonoDiscoveryFailing|KimonoPollingBehind|KimonoApiThrottled|KimonoManyTenantsUnreachable"
)
EXPORTER_ALERT_MATCHERS = f'{ANY_JOB},alertname=~"{EXPORTER_ALERTS}"'
# Shown in a table that would be empty.
NOT_SCRAPED = "No exporter is scraped"
# The age of data that were never polled: above all real ages.
NEVER_POLLED = 10**10
DISCOVERY = {"1": ("works", GOOD), "0": ("fails", BAD)}


def build() -> Dashboard:
    """Build the dashboard."""
    return dashboard(
        UID,
        "Exporter",
        "Can I believe what I see? Green above: yes. Below it: who watches, how old the picture is, and why.",
        [
            Row(3, monitoring_health()),
            Row(3, polling_health()),
            Row(8, [(10, firing_alerts()), (14, data_age())]),
            Row(8, [(12, poll_lag()), (12, polls())]),
            Row(10, [(24, unreachable_tenants())]),
            Row(6, [(17, exporters()), (7, discovery())]),
            Row(8, [(12, requests_by_code()), (12, requests_by_endpoint())], "What is asked of the API"),
            Row(8, [(12, latency()), (12, latency_by_endpoint())]),
            Row(8, [(8, rate_limit_use()), (8, waiting_requests()), (8, rate_limited())]),
            Row(8, [(6, retries()), (6, tokens()), (6, invalid_fields()), (6, lost_data())]),
            Row(8, [(8, memory()), (8, cpu()), (8, event_loop())], "The processes, each by itself"),
            Row(8, [(8, open_files()), (8, uptime()), (8, scrape_duration())]),
        ],
        variables=[instances()],
        annotations=[
            *alert_annotations(EXPORTER_ALERT_MATCHERS),
            annotation(
                "Restarts", f"group by (job, instance) ({uptime_query()} < 120)", EXPECTED, "{{instance}} has started"
            ),
        ],
    )


def monitoring_health() -> list[tuple[int, Panel]]:
    """Whether exporters run, and how old the data are."""
    return [(6, _exporters_up()), (6, _discovery()), (6, _data_age()), (6, _oldest_data())]


def polling_health() -> list[tuple[int, Panel]]:
    """Unreachable tenants, and the causes of late polls."""
    return [(6, _unreachable_share()), (6, _poll_lag()), (6, _rate_limited_now()), (6, _rate_limit_used())]


def _exporters_up() -> Panel:
    return stat_panel(
        "Exporters",
        "Exporters that are scraped. If there is none, nobody watches: start one, or mend the scraping.",
        f"count({BUILD}) or vector(0)",
        steps=[(None, BAD), (1, GOOD)],
    )


def _discovery() -> Panel:
    return stat_panel(
        "Discovery",
        "Whether the list of tenants can be read. If not, new ones are not watched: check the account's credentials.",
        f"min(max by (job) (kimono_up{{{CHOSEN}}}))",
        steps=[(None, BAD), (1, GOOD)],
        texts=DISCOVERY,
        no_value="No data",
    )


def _unreachable_share() -> Panel:
    failing = f"count(max by (job, tenant_id) (kimono_tenant_up{{{CHOSEN}}}) == 0)"
    tenants = f"sum(max by (job) (kimono_tenants{{{CHOSEN}}}))"
    share = f"({failing} or 0 * {tenants}) / ({tenants} > 0)"
    return stat_panel(
        "Unreadable",
        "Share of the tenants that can't be read now, at least in part. "
        "From a fifth on it is the hub, the network or our credentials; below, see the table for single ones.",
        share,
        unit="percentunit",
        steps=[(None, GOOD), (0.0001, WARN), (0.2, BAD)],
        decimals=1,
        no_value="No data",
    )


def _data_age() -> Panel:
    last_success = f'kimono_collector_last_success_timestamp_seconds{{{CHOSEN},collector="state"}}'
    return stat_panel(
        "Picture age",
        "The state of 9 of 10 tenants was read at most so long ago. If it is more than minutes, do not trust the "
        "other dashboards; look right for what holds it back.",
        f"quantile(0.9, time() - max by (job, tenant_id) ({last_success}))",
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (1800, BAD)],
        decimals=0,
        no_value="No data",
    )


def _oldest_data() -> Panel:
    return stat_panel(
        "Oldest",
        "The longest time since anything was last read of a tenant. The table of tenants below says of which, and why.",
        f"max(time() - {LAST_SUCCESS})",
        unit=SECONDS,
        steps=[(None, GOOD), (2400, WARN)],
        no_value="No data",
    )


def _poll_lag() -> Panel:
    return stat_panel(
        "Poll lag",
        "How much longer than its interval some tenant has waited, with the replica that does best. If it stays: "
        "requests that wait mean that the budget is too small, slow ones that the API is.",
        f"max({best_replica(LAG)})",
        unit=SECONDS,
        steps=[(None, GOOD), (300, NOTE), (900, WARN)],
        no_value="No data",
    )


def _rate_limited_now() -> Panel:
    # Of the last 20 minutes; `and` hides it when no exporter runs any more.
    panel = stat_panel(
        "Refused",
        "Share of requests that the API has lately refused with 429. If it stays, lower api.rate_limit, or ask the "
        "vendor for more.",
        f"{rate_limited_share()} and on () {BUILD}",
        unit="percentunit",
        steps=[(None, GOOD), (0.01, NOTE), (0.05, WARN)],
        decimals=1,
        no_value="No data",
    )
    return panel.interval("20m")


def _rate_limit_used() -> Panel:
    panel = stat_panel(
        "Budget used",
        "Share of api.rate_limit that was lately sent, by the exporter where it is most. All of it is bad only if the "
        "poll lag grows: then raise api.rate_limit if the vendor allows it, or lengthen intervals.",
        f"max({RATE_LIMIT_USE})",
        unit="percentunit",
        steps=[(None, GOOD), (0.9, NOTE)],
        decimals=0,
        no_value="No data",
    )
    return panel.interval("20m")


def firing_alerts() -> Panel:
    """The firing alerts about the exporter and the API."""
    since = f"ALERTS_FOR_STATE{{{EXPORTER_ALERT_MATCHERS}}} and ignoring (alertstate) {alerts(EXPORTER_ALERT_MATCHERS)}"
    return table_panel(
        "Alerts about the exporter and the API",
        "While one of these fires, be slow to believe the others. Click a name for its runbook.",
        [f"1000 * min by (alertname, rank) ({with_rank(since)})"],
        [
            Column("rank", "Severity", width=105, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", link=RUNBOOK_LINK),
            Column("Value #A", "Since", unit=TIMESTAMP, width=155),
        ],
        sort=[("Severity", False), ("Since", False)],
        no_value="No such alert is firing",
    )


def exporters() -> Panel:
    """Each exporter by itself."""
    return table_panel(
        "Exporters, side by side",
        "Replicas should differ in little but their age. One that is behind alone lacks processor time or network.",
        [
            or_placeholder(f"group by (job, instance, version) ({BUILD})", "instance", NOT_SCRAPED),
            f"1000 * {of_exporters(f'process_start_time_seconds{{{CHOSEN}}}')}",
            f"max by (job, instance) (kimono_up{{{CHOSEN}}})",
            f"max by (job, instance) (kimono_tenants{{{CHOSEN}}})",
            f"max by (job, instance) ({LAG})",
            f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
            of_exporters(f"process_resident_memory_bytes{{{CHOSEN}}}"),
        ],
        [
            Column("instance", "Instance"),
            Column("version", "Version", width=70),
            Column("Value #B", "Runs since", unit=TIMESTAMP, width=150),
            Column("Value #C", "Discovery", width=90, texts=DISCOVERY, coloured=True),
            Column("Value #D", "Tenants", width=70),
            Column("Value #E", "Poll lag", unit=SECONDS, width=75),
            Column("Value #F", "Loop lag", unit=SECONDS, width=75),
            Column("Value #G", "Memory", unit="bytes", width=80),
        ],
        dropped=["job", "Value #A"],
        sort=[("Instance", False)],
    )


def data_age() -> Panel:
    """The age of the data by collector."""
    ages = f"time() - {LAST_SUCCESS}"
    lag = f"max by (collector) ({best_replica(LAG, 'job, collector')})"
    old = [(None, "transparent"), (1800, WARN)]
    return table_panel(
        "Time since the last good poll",
        "Half and 95 % of the tenants were read at most so long ago: no more than the collector's interval if all is "
        "well. If only the oldest is old, it is single tenants: they stand below. If all are: the API or us.",
        [
            or_placeholder(f"quantile by (collector) (0.5, {ages})", "collector", NOT_SCRAPED),
            f"quantile by (collector) (0.95, {ages})",
            f"max by (collector) ({ages})",
            lag,
            f"count by (collector) ({FAILING}) or 0 * {lag}",
        ],
        [
            Column("collector", "Collector"),
            Column("Value #A", "Half", unit=SECONDS, width=80, steps=old, coloured=True),
            Column("Value #B", "95 %", unit=SECONDS, width=85, steps=old, coloured=True),
            Column(
                "Value #C", "Oldest", unit=SECONDS, width=85, steps=[(None, "transparent"), (2400, WARN)], coloured=True
            ),
            Column(
                "Value #D", "Lag", unit=SECONDS, width=80, steps=[(None, "transparent"), (900, WARN)], coloured=True
            ),
            Column("Value #E", "Failing", width=75),
        ],
        sort=[("95 %", True)],
    )


def unreachable_tenants() -> Panel:
    """Tenants whose polls fail, longest first; those never polled successfully come before all."""
    reasons = f"max by (job, tenant_id, collector, reason) ({FAILURES})"
    ages = f"(time() - {LAST_SUCCESS} or {NEVER_POLLED} * {FAILING})"
    oldest = f"max by (job, tenant_id, reason) ({reasons} * on (job, tenant_id, collector) group_left () {ages})"
    worst = f"topk by (reason) (15, {oldest})"
    return table_panel(
        "Tenants that can't be read now, the longest first",
        "The first 15 of each reason. Many with one: it is not them. auth: the vendor's tenant list has to bring new "
        "credentials. bug: a mistake of the exporter; its log has the line. Others pass, or the hub has to say why.",
        [
            with_names(worst, JOB),
            f"count by (job, tenant_id, reason) ({reasons}) and on (job, tenant_id, reason) {worst}",
        ],
        [
            Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
            Column("account_name", "Account", width=280),
            Column("reason", "Reason", width=130, texts=REASON_TEXTS, coloured=True),
            Column("Value #B", "Collectors", width=110),
            Column("Value #A", "Last success", unit=SECONDS, width=130, texts={str(NEVER_POLLED): ("never", UNKNOWN)}),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration"],
        sort=[("Last success", True)],
        no_value="No exporter tells of any",
    )


def poll_lag() -> Panel:
    """The lag of polls by collector."""
    return time_series_panel(
        "Poll lag, by collector",
        "Of the replica that does best. All rise: too small a budget or a slow API, see below. One: its interval is "
        "too short. A peak after a restart passes by itself.",
        [query(f"max by (collector) ({best_replica(LAG, 'job, collector')})", "{{collector}}")],
        unit=SECONDS,
        colours=with_own_names(COLLECTORS),
    )


def polls() -> Panel:
    """Polls by outcome."""
    polls = f"rate(kimono_exporter_polls_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Polls a minute, by outcome",
        "Of all exporters together. A thin edge that is not green is single tenants; a broad one is the hub, the "
        "network or our credentials.",
        [query(f"60 * sum by (outcome) ({polls})", "{{outcome}}")],
        stacked=True,
        colours=OUTCOMES,
        no_value="No poll has ended",
    )


def discovery() -> Panel:
    """Whether each exporter could list the tenants; blank where it was not scraped."""
    return state_timeline_panel(
        "Discovery, by exporter",
        "Red: the list of tenants could not be read. Nothing: the exporter was not scraped.",
        [query(or_placeholder(f"max by (instance) (kimono_up{{{CHOSEN}}})", "instance", value="-1"), "{{instance}}")],
        DISCOVERY,
        no_value="No exporter was scraped",
    )
