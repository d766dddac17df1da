"""Defines the panels of Kimono / Exporter about requests to the API."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import GraphDrawStyle
from grafana_foundation_sdk.models.dashboard import FieldColorModeId

from dashboards.colours import BAD, EXPECTED, GOOD, NOTE, REASONS, UNKNOWN
from dashboards.exporter_common import (
    CHOSEN,
    COLLECTORS,
    OUTCOMES,
    RATE_LIMIT,
    RATE_LIMIT_USE,
    REASON_TEXTS,
    REQUESTS,
    panel_per_exporter,
    rate_limited_share,
    with_own_names,
)
from dashboards.panels import SECONDS, Panel, Property, fixed_colour, query, time_series_panel
from dashboards.queries import best_replica

# Seconds waited a second: the average number of waiting requests.
WAITING_REQUESTS = f"rate(kimono_exporter_rate_limit_wait_seconds_total{{{CHOSEN}}}[$__rate_interval])"
ALLOWED_RATE = f"kimono_exporter_rate_limit_allowed_requests_per_second{{{CHOSEN}}}"
BUCKETS = f"rate(kimono_exporter_api_request_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval])"
ENDPOINTS = {
    "/tenant/state": COLLECTORS["state"],
    "/ingestions": COLLECTORS["ingestions"],
    "/ingestions/{id}": "#DEB6F2",
    "/tenant/schedules": COLLECTORS["schedules"],
    "/tenant/rollovers": COLLECTORS["rollovers"],
    "/tenant/application": COLLECTORS["application"],
    "/oauth/token": "#CCCCDC",
    "/tenants": "#7C7C8A",
}
# By pattern: the last match applies. 403 and 404 are usual for tenants without an application.
CODES = {
    "/^2/": GOOD,
    "/^3/": NOTE,
    "/^4/": "light-purple",
    "/^401$/": "dark-purple",
    "/^403$/": "purple",
    "/^429$/": BAD,
    "/^5/": "dark-red",
    "/^cancelled$/": UNKNOWN,
} | {f"/^{reason}$/": colour for reason, colour in REASONS.items()}


def requests_by_code() -> Panel:
    """Requests by status code."""
    panel = time_series_panel(
        "Requests per second by status",
        "HTTP status, or the reason why there is none. Many 429: lower api.rate_limit. Many 5xx: ask the hub's "
        "support. 403 and 404 are normal for tenants without an application.",
        [query(f"sum by (code) ({REQUESTS})", "{{code}}")],
        unit="reqps",
        stacked=True,
        no_value="No requests",
    )
    for pattern, colour in CODES.items():
        panel.override_by_regexp(pattern, [fixed_colour(colour)])
    return panel


def requests_by_endpoint() -> Panel:
    """Requests by endpoint."""
    panel = time_series_panel(
        "Requests per second by endpoint",
        "What uses the rate limit. If it is too low, lengthen the interval of the collector that sends most requests.",
        [query(f"sum by (endpoint) ({REQUESTS})", "{{endpoint}}")],
        unit="reqps",
        stacked=True,
        colours=with_own_names(ENDPOINTS),
        no_value="No requests",
    )
    return _shades_of(panel, UNKNOWN)


def latency() -> Panel:
    """The duration of requests."""
    shares = {"50": "super-light-blue", "95": EXPECTED, "99": "dark-blue"}
    return time_series_panel(
        "Request duration",
        "50 %, 95 % and 99 % of the requests took at most so long. If the duration and the poll lag grow, the API is "
        "slow: raise api.concurrency.",
        [
            query(f"histogram_quantile(0.{share}, sum by (le) ({BUCKETS}))", f"{share} %", ref)
            for ref, share in zip("ABC", shares, strict=True)
        ],
        unit=SECONDS,
        colours={f"{share} %": (f"{share} %", colour) for share, colour in shares.items()},
        no_value="No requests",
    )


def latency_by_endpoint() -> Panel:
    """The duration of requests by endpoint."""
    panel = time_series_panel(
        "Request duration by endpoint (95 %)",
        "If one endpoint is slow, ask the hub's support. If all are slow, check the network first.",
        [query(f"histogram_quantile(0.95, sum by (endpoint, le) ({BUCKETS}))", "{{endpoint}}")],
        unit=SECONDS,
        colours=with_own_names(ENDPOINTS),
        no_value="No requests",
    )
    return _shades_of(panel, UNKNOWN)


def rate_limited() -> Panel:
    """The share of requests that the API rejected with 429."""
    panel = time_series_panel(
        "Requests answered with 429",
        "Share of all requests. The exporter slows down automatically. If it stays high, lower api.rate_limit, or find "
        "other clients that use the same limit.",
        [query(rate_limited_share(), "429")],
        unit="percentunit",
        colours={"429": ("answered with 429", BAD)},
        no_value="No requests",
    )
    return panel.axis_soft_max(0.1)


def rate_limit_use() -> Panel:
    """How much of the rate limit is used, and how much may be used now."""
    # An average, because it is 0 for some seconds whenever the API asks to wait.
    allowed = f"min(avg_over_time({ALLOWED_RATE}[$__rate_interval]) / {RATE_LIMIT})"
    panel = time_series_panel(
        "Rate limit used",
        "Share of its rate limit that each exporter uses. The yellow line is the share allowed now: it drops after a "
        "429, is 0 while the API has asked to wait, and recovers automatically. If it stays low, lower api.rate_limit.",
        [query(RATE_LIMIT_USE, "{{instance}}"), query(allowed, "allowed", "B")],
        unit="percentunit",
        no_value="No requests",
        decimals=0,
    )
    panel.override_by_name("allowed", [fixed_colour(NOTE), Property("custom.fillOpacity", 0)])
    return panel.axis_soft_max(1)


def waiting_requests() -> Panel:
    """Requests that wait for the rate limit."""
    return panel_per_exporter(
        "Requests waiting for the rate limit",
        "Average number. If it is near api.concurrency, the rate limit is fully used, or the API has asked to wait: "
        "raise api.rate_limit if the vendor allows it, or lengthen intervals.",
        f"max by (job, instance) ({WAITING_REQUESTS})",
    )


def retries() -> Panel:
    """Retries by reason."""
    calls = f"rate(kimono_exporter_api_retries_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Retries per hour",
        "By reason. A few are normal. If there are many, check the requests by status above.",
        [query(f"3600 * sum by (reason) ({calls})", "{{reason}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=REASON_TEXTS,
        no_value="None",
    )


def tokens() -> Panel:
    """Token requests by outcome."""
    requests = f"rate(kimono_exporter_token_requests_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Token requests per hour",
        "By outcome. auth: credentials are rejected; the table of unreachable tenants shows whose.",
        [query(f"3600 * sum by (outcome) ({requests})", "{{outcome}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=OUTCOMES,
        no_value="None",
    )


def invalid_fields() -> Panel:
    """Fields of replies that could not be parsed."""
    fields = f"rate(kimono_exporter_invalid_fields_total{{{CHOSEN}}}[$__rate_interval])"
    panel = time_series_panel(
        "Invalid fields per hour",
        "The metrics of an invalid field are missing. If a new field appears, the API has changed: report it.",
        [
            query(
                f"3600 * sum by (endpoint, field) ({best_replica('max', fields, 'endpoint', 'field', where=CHOSEN)})",
                "{{endpoint}} {{field}}",
            )
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        no_value="None",
    )
    return _shades_of(panel, NOTE)


def lost_data() -> Panel:
    """Truncated lists, and ingestions whose end was not seen."""
    lists = f"rate(kimono_exporter_lists_truncated_total{{{CHOSEN}}}[$__rate_interval])"
    lost = f"rate(kimono_exporter_ingestions_lost_total{{{CHOSEN}}}[$__rate_interval])"
    panel = time_series_panel(
        "Lost data per hour",
        "Endless lists: the poll fails; ask the hub's support. Ingestions whose end was not seen: their outcome is not "
        "counted; if there are many, shorten the interval of the ingestions collector.",
        [
            query(f"3600 * sum({best_replica('max', lists, 'endpoint', where=CHOSEN)})", "lists"),
            query(f"3600 * sum({best_replica('max', lost, where=CHOSEN)})", "ingestions", "B"),
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={"lists": ("endless lists", BAD), "ingestions": ("ingestions whose end was not seen", NOTE)},
        no_value="None",
    )
    return panel.axis_soft_max(1)


def _shades_of(panel: timeseries.Panel, colour: str) -> timeseries.Panel:
    """Shades of a colour for series without a colour of their own: Grafana's automatic colours begin with green."""
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.SHADES).fixed_color(colour))
