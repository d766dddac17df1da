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
        "Requests a second, by answer",
        "HTTP status, or why there was none. Red: 429 means that we ask too much, 5xx that the hub has trouble. "
        "403 and 404 are usual for tenants without an application.",
        [query(f"sum by (code) ({REQUESTS})", "{{code}}")],
        unit="reqps",
        stacked=True,
        no_value="No request",
    )
    for pattern, colour in CODES.items():
        panel.override_by_regexp(pattern, [fixed_colour(colour)])
    return panel


def requests_by_endpoint() -> Panel:
    """Requests by endpoint."""
    panel = time_series_panel(
        "Requests a second, by endpoint",
        "What uses the budget. If it is too small, lengthen the interval of the collector that asks for most.",
        [query(f"sum by (endpoint) ({REQUESTS})", "{{endpoint}}")],
        unit="reqps",
        stacked=True,
        colours=with_own_names(ENDPOINTS),
        no_value="No request",
    )
    return _shades_of(panel, UNKNOWN)


def latency() -> Panel:
    """The duration of requests."""
    shares = {"50": "super-light-blue", "95": EXPECTED, "99": "dark-blue"}
    return time_series_panel(
        "Time that requests take",
        "50, 95 and 99 of 100 requests took at most so long. If it grows, the API is slow: raise api.concurrency if "
        "the poll lag grows with it.",
        [
            query(f"histogram_quantile(0.{share}, sum by (le) ({BUCKETS}))", f"{share} of 100", ref)
            for ref, share in zip("ABC", shares, strict=True)
        ],
        unit=SECONDS,
        colours={f"{share} of 100": (f"{share} of 100", colour) for share, colour in shares.items()},
        no_value="No request",
    )


def latency_by_endpoint() -> Panel:
    """The duration of requests by endpoint."""
    panel = time_series_panel(
        "Time that 95 of 100 requests take at most, by endpoint",
        "One endpoint that is slow alone is the hub's; all of them, the hub's or the network's.",
        [query(f"histogram_quantile(0.95, sum by (endpoint, le) ({BUCKETS}))", "{{endpoint}}")],
        unit=SECONDS,
        colours=with_own_names(ENDPOINTS),
        no_value="No request",
    )
    return _shades_of(panel, UNKNOWN)


def rate_limited() -> Panel:
    """The share of requests that the API rejected with 429."""
    panel = time_series_panel(
        "Requests refused with 429",
        "Their share. The exporter slows down by itself. If it goes on, somebody else uses up the same allowance, or "
        "api.rate_limit is above it.",
        [query(rate_limited_share(), "refused")],
        unit="percentunit",
        colours={"refused": ("refused", BAD)},
        no_value="No request",
    )
    return panel.axis_soft_max(0.1)


def rate_limit_use() -> Panel:
    """How much of the rate limit is used, and how much may be used now."""
    # An average, because it is 0 for some seconds whenever the API asks to wait.
    allowed = f"min(avg_over_time({ALLOWED_RATE}[$__rate_interval]) / {RATE_LIMIT})"
    panel = time_series_panel(
        "Budget used",
        "Share of api.rate_limit that each exporter sends. The yellow line is what may be sent: it falls when the API "
        "refuses with 429, is 0 while it has asked to wait, and comes back by itself.",
        [query(RATE_LIMIT_USE, "{{instance}}"), query(allowed, "may be sent", "B")],
        unit="percentunit",
        no_value="No request",
        decimals=0,
    )
    panel.override_by_name("may be sent", [fixed_colour(NOTE), Property("custom.fillOpacity", 0)])
    return panel.axis_soft_max(1)


def waiting_requests() -> Panel:
    """Requests that wait for the rate limit."""
    return panel_per_exporter(
        "Requests that wait for the budget",
        "On average. Far below api.concurrency: there is room. About as many: all of api.rate_limit is used, or the "
        "API has asked us to wait.",
        f"max by (job, instance) ({WAITING_REQUESTS})",
    )


def retries() -> Panel:
    """Retries by reason."""
    calls = f"rate(kimono_exporter_api_retries_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Calls tried again, an hour",
        "By what went wrong. Some are usual. Many: look at the answers above for what the API says.",
        [query(f"3600 * sum by (reason) ({calls})", "{{reason}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=REASON_TEXTS,
        no_value="None yet",
    )


def tokens() -> Panel:
    """Token requests by outcome."""
    requests = f"rate(kimono_exporter_token_requests_total{{{CHOSEN}}}[$__rate_interval])"
    return time_series_panel(
        "Tokens asked for, an hour",
        "By outcome. Many of auth: credentials are rejected; the table above says whose.",
        [query(f"3600 * sum by (outcome) ({requests})", "{{outcome}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=OUTCOMES,
        no_value="None yet",
    )


def invalid_fields() -> Panel:
    """Fields of replies that could not be parsed."""
    fields = f"rate(kimono_exporter_invalid_fields_total{{{CHOSEN}}}[$__rate_interval])"
    panel = time_series_panel(
        "Unreadable fields, an hour",
        "What they would say is missing. A new one, or a step up: the API has changed, and the exporter has to follow.",
        [
            query(
                f"3600 * sum by (endpoint, field) (max by (job, endpoint, field) ({fields}))", "{{endpoint}} {{field}}"
            )
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        no_value="None yet",
    )
    return _shades_of(panel, NOTE)


def lost_data() -> Panel:
    """Truncated lists, and ingestions that ended unseen."""
    lists = f"rate(kimono_exporter_lists_truncated_total{{{CHOSEN}}}[$__rate_interval])"
    lost = f"rate(kimono_exporter_ingestions_lost_total{{{CHOSEN}}}[$__rate_interval])"
    panel = time_series_panel(
        "Given up, an hour",
        "Lists that the server never ended: their poll fails, ask the hub. Ingestions that ended unseen: their "
        "outcome is not counted; shorten the interval of ingestions if they are many.",
        [
            query(f"3600 * sum(max by (job, endpoint) ({lists}))", "lists"),
            query(f"3600 * sum(max by (job) ({lost}))", "ingestions", "B"),
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={"lists": ("lists without an end", BAD), "ingestions": ("ingestions that ended unseen", NOTE)},
        no_value="None yet",
    )
    return panel.axis_soft_max(1)


def _shades_of(panel: timeseries.Panel, colour: str) -> timeseries.Panel:
    """Shades of a colour for series without a colour of their own: Grafana's automatic colours begin with green."""
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.SHADES).fixed_color(colour))
