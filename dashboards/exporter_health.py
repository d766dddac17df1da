"""Defines the numbers at the top of Kimono / Exporter: whether exporters run, and whether their data are up to date."""

from __future__ import annotations

from dashboards.colours import BAD, GOOD, NOTE, WARN
from dashboards.exporter_common import (
    BUILD,
    CHOSEN,
    DISCOVERY,
    LAST_SUCCESS,
    RATE_LIMIT_USE,
    best_lag,
    rate_limited_share,
)
from dashboards.panels import SECONDS, Panel, stat_panel
from dashboards.queries import NO_INSTANCE, best_replica
from exporter.thresholds import threshold


def monitoring_health() -> list[tuple[int, Panel]]:
    """Whether exporters run, and how old the data are."""
    return [(6, _exporters_up()), (6, _discovery()), (6, _data_age()), (6, _oldest_data())]


def polling_health() -> list[tuple[int, Panel]]:
    """Unreachable tenants, and the causes of late polls."""
    return [(6, _unreachable_share()), (6, _poll_lag()), (6, _rate_limited_now()), (6, _rate_limit_used())]


def _exporters_up() -> Panel:
    return stat_panel(
        "Exporters",
        "Exporters that Prometheus scrapes now. If this is 0, tenants are not monitored: start an exporter, or fix the "
        "scrape configuration.",
        f"count({BUILD}) or vector(0)",
        steps=[(None, BAD), (1, GOOD)],
    )


def _discovery() -> Panel:
    up = f"max by (job, instance) (kimono_up{{{CHOSEN}}})"
    return stat_panel(
        "Discovery",
        "Whether the last discovery of tenants succeeded. If it fails, new tenants are not polled: check the account's "
        "credentials.",
        f"min({best_replica('max', up, where=CHOSEN)})",
        steps=[(None, BAD), (1, GOOD)],
        texts=DISCOVERY,
        no_value=NO_INSTANCE,
    )


def _unreachable_share() -> Panel:
    return stat_panel(
        "Unreachable",
        "Share of tenants with a failing collector. From 20 % on, check the hub, the network and the exporter's "
        "credentials. Below that, see the table of unreachable tenants.",
        f"1 - avg(max by (job, tenant_id) (kimono_tenant_up{{{CHOSEN}}}))",
        unit="percentunit",
        steps=[(None, GOOD), (0.0001, WARN), (threshold("tenants_unreachable"), BAD)],
        decimals=1,
        no_value=NO_INSTANCE,
    )


def _data_age() -> Panel:
    last_success = f'kimono_collector_last_success_timestamp_seconds{{{CHOSEN},collector="state"}}'
    return stat_panel(
        "Data age",
        "The state of 90 % of the tenants is at most so old. If it is older than 15 minutes, the other dashboards are "
        "out of date: check the numbers on the right.",
        f"quantile(0.9, time() - max by (job, tenant_id) ({last_success}))",
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (threshold("data_age"), BAD)],
        decimals=0,
        no_value=NO_INSTANCE,
    )


def _oldest_data() -> Panel:
    return stat_panel(
        "Oldest data",
        "The longest time since a collector last succeeded for a tenant. If it is orange, find the tenant in the table "
        "of unreachable tenants.",
        f"max(time() - {LAST_SUCCESS})",
        unit=SECONDS,
        steps=[(None, GOOD), (threshold("tenant_unreachable"), WARN)],
        no_value=NO_INSTANCE,
    )


def _poll_lag() -> Panel:
    return stat_panel(
        "Poll lag",
        "How far the most overdue poll is behind its interval, for the best replica. If it stays high: raise "
        "api.rate_limit if requests wait for it, or api.concurrency if requests are slow.",
        f"max({best_lag()})",
        unit=SECONDS,
        steps=[(None, GOOD), (300, NOTE), (threshold("polling_behind"), WARN)],
        no_value=NO_INSTANCE,
    )


def _rate_limited_now() -> Panel:
    # `and` hides the share of the last 20 minutes when no exporter runs any more.
    panel = stat_panel(
        "Rate-limited",
        "Share of requests in the last 20 minutes that the API answered with 429. If it stays high, lower "
        "api.rate_limit, or ask the vendor for a higher limit.",
        f"{rate_limited_share()} and on () {BUILD}",
        unit="percentunit",
        steps=[(None, GOOD), (0.01, NOTE), (threshold("api_throttled"), WARN)],
        decimals=1,
        no_value=NO_INSTANCE,
    )
    return panel.interval("20m")


def _rate_limit_used() -> Panel:
    panel = stat_panel(
        "Rate limit used",
        "Share of its rate limit that the busiest exporter used in the last 20 minutes. 100 % is a problem only if the "
        "poll lag grows: then raise api.rate_limit if the vendor allows it, or lengthen intervals.",
        f"max({RATE_LIMIT_USE})",
        unit="percentunit",
        steps=[(None, GOOD), (0.9, NOTE)],
        decimals=0,
        no_value=NO_INSTANCE,
    )
    return panel.interval("20m")
