"""Shares queries, colours and panels between the modules of the dashboard Kimono / Exporter."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries

from dashboards.colours import BAD, GOOD, REASONS
from dashboards.panels import query, time_series_panel
from dashboards.queries import JOB, best_replica

CHOSEN = f'{JOB},instance=~"$instance"'
BUILD = f"kimono_exporter_build_info{{{CHOSEN}}}"
LAST_SUCCESS = f"max by (job, tenant_id, collector) (kimono_collector_last_success_timestamp_seconds{{{CHOSEN}}})"
LAG = f"kimono_exporter_poll_lag_seconds{{{CHOSEN}}}"
REQUESTS = f"rate(kimono_exporter_api_requests_total{{{CHOSEN}}}[$__rate_interval])"
RATE_LIMITED = f'rate(kimono_exporter_api_requests_total{{{CHOSEN},code="429"}}[$__rate_interval])'
RATE_LIMIT = f"kimono_exporter_rate_limit_requests_per_second{{{CHOSEN}}}"
# Each exporter has its own rate limit; shards divide api.rate_limit between them.
RATE_LIMIT_USE = f"sum by (job, instance) ({REQUESTS}) / on (job, instance) {RATE_LIMIT}"
# Colours without a judgement, the same for a collector and its endpoints.
COLLECTORS = {
    "state": "#5794F2",
    "ingestions": "#B877D9",
    "schedules": "#6ED0E0",
    "rollovers": "#FF9CE6",
    "application": "#1F60C4",
    "scoping": "#A98F77",
    "account": "#8F8FBF",
}
DISCOVERY = {"1": ("succeeds", GOOD), "0": ("fails", BAD)}
REASON_TEXTS = {reason: (reason, colour) for reason, colour in REASONS.items()}
OUTCOMES = {"success": ("success", GOOD)} | REASON_TEXTS


def best_lag(*by: str) -> str:
    """The poll lag of the replica with the least: one replica may be late while another is on time."""
    lag = f"max by ({', '.join(('job', 'instance', *by))}) ({LAG})"
    return best_replica("min", lag, *by, where=CHOSEN)


def rate_limited_share() -> str:
    """The share of requests that the API rejected with 429."""
    return f"(sum({RATE_LIMITED}) or 0 * sum({REQUESTS})) / (sum({REQUESTS}) > 0)"


def of_exporters(metric: str) -> str:
    """A metric that other programs have too, for each exporter."""
    return f"max by (job, instance) ({metric}{{{CHOSEN}}} and on (job, instance) {BUILD})"


def uptime_query() -> str:
    """Seconds since each exporter started."""
    return f"time() - {of_exporters('process_start_time_seconds')}"


def panel_per_exporter(
    title: str, description: str, expr: str, *, unit: str = "short", decimals: int | None = None
) -> timeseries.Panel:
    """A line for each exporter in Grafana's automatic colours: shades of one colour are hard to distinguish."""
    return time_series_panel(title, description, [query(expr, "{{instance}}")], unit=unit, decimals=decimals)


def with_own_names(colours: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Show each name as it is, in its colour."""
    return {name: (name, colour) for name, colour in colours.items()}
