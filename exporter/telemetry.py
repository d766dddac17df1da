"""What does the exporter say about itself?

Ordinary prometheus-client instruments in a registry of their own, none with a tenant label. `Telemetry` is
also the client's `Observer`, so that the API package need not hear of Prometheus.
"""

from __future__ import annotations

import asyncio
import platform
from collections import deque
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector as RegistryCollector

from exporter import __version__
from exporter.clock import Clock
from exporter.metrics import Family

_LATENCIES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EOF = b"# EOF\n"

Lags = Callable[[], dict[str, float]]
# Requests a second.
Rate = Callable[[], float]


REQUESTS = Family(
    "kimono_exporter_api_requests_total",
    "counter",
    "Requests sent to the Interop API, by path template and HTTP status or transport reason.",
    ("endpoint", "code"),
)
DURATIONS = Family(
    "kimono_exporter_api_request_duration_seconds",
    "histogram",
    "From sending a request to the end of its reply.",
    ("endpoint",),
)
RETRIES = Family("kimono_exporter_api_retries_total", "counter", "Calls tried again, by what went wrong.", ("reason",))
TOKENS = Family("kimono_exporter_token_requests_total", "counter", "Tokens asked for, by outcome.", ("outcome",))
WAITED = Family("kimono_exporter_rate_limit_wait_seconds_total", "counter", "Time that requests waited for the budget.")
RATE_LIMIT = Family(
    "kimono_exporter_rate_limit_requests_per_second", "gauge", "The budget as it is set: the most requests a second."
)
ALLOWED = Family(
    "kimono_exporter_rate_limit_allowed_requests_per_second",
    "gauge",
    "Requests a second that may be sent now: fewer than the budget after a 429, 0 while the API has asked to wait.",
)
POLLS = Family(
    "kimono_exporter_polls_total",
    "counter",
    "Polls by a collector, by outcome: success, or why not.",
    ("collector", "outcome"),
)
LAG = Family(
    "kimono_exporter_poll_lag_seconds",
    "gauge",
    "How much longer than its interval the tenant that has waited for longest has waited for a poll.",
    ("collector",),
)
INVALID = Family(
    "kimono_exporter_invalid_fields_total",
    "counter",
    "Members of replies that could not be read.",
    ("endpoint", "field"),
)
TRUNCATED = Family(
    "kimono_exporter_lists_truncated_total",
    "counter",
    "Lists given up because the server never ended them.",
    ("endpoint",),
)
LOOP_LAG = Family(
    "kimono_exporter_event_loop_lag_seconds",
    "gauge",
    "The longest time that the event loop was late by within the last minute.",
)
BUILD = Family(
    "kimono_exporter_build_info", "gauge", "The exporter's own version; always 1.", ("version", "python_version")
)
FAMILIES = (
    *(BUILD, REQUESTS, DURATIONS, RETRIES, TOKENS, WAITED, RATE_LIMIT, ALLOWED),
    *(POLLS, LAG, INVALID, TRUNCATED, LOOP_LAG),
)


class Telemetry:
    """All `kimono_exporter_*`, `process_*` and `python_*` metrics."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client gives it no types
        self.registry = registry = CollectorRegistry()
        self._requests = _counter(REQUESTS, registry)
        self._durations = Histogram(
            DURATIONS.name, DURATIONS.help, DURATIONS.labels, buckets=_LATENCIES, registry=registry
        )
        self._retries = _counter(RETRIES, registry)
        self._tokens = _counter(TOKENS, registry)
        self._waited = _counter(WAITED, registry)
        self._rate_limit = Gauge(RATE_LIMIT.name, RATE_LIMIT.help, registry=registry)
        self._allowed = Gauge(ALLOWED.name, ALLOWED.help, registry=registry)
        self._polls = _counter(POLLS, registry)
        self._invalid = _counter(INVALID, registry)
        self._truncated = _counter(TRUNCATED, registry)
        self._loop_lag = Gauge(LOOP_LAG.name, LOOP_LAG.help, registry=registry)
        build = Gauge(BUILD.name, BUILD.help, BUILD.labels, registry=registry)
        build.labels(version=__version__, python_version=platform.python_version()).set(1)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def report_lag(self, lags: Lags) -> None:
        """From now on, show these seconds by collector as `kimono_exporter_poll_lag_seconds`."""
        self.registry.register(_PollLag(lags))

    def report_budget(self, limit: Rate, allowed: Rate) -> None:
        """From now on, show these as the requests a second that are set, and those that may be sent now."""
        self._rate_limit.set_function(limit)
        self._allowed.set_function(allowed)

    def page(self, *, openmetrics: bool, process: bool = True) -> bytes:
        """The exporter's own part of the page, without OpenMetrics' closing line.

        Without `process` it leaves out `process_*` and `python_*`, of which others may have their own.
        """
        registries = [self.registry, self._process] if process else [self.registry]
        if openmetrics:
            return b"".join([_openmetrics(registry) for registry in registries])
        return b"".join([generate_latest(registry) for registry in registries])

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """A request ended."""
        self._requests.labels(endpoint=endpoint, code=code).inc()
        self._durations.labels(endpoint=endpoint).observe(seconds)

    def retry(self, reason: str) -> None:
        """A call is tried again."""
        self._retries.labels(reason=reason).inc()

    def token(self, outcome: str) -> None:
        """A token request ended."""
        self._tokens.labels(outcome=outcome).inc()

    def waited(self, seconds: float) -> None:
        """A request waited for the budget."""
        self._waited.inc(seconds)

    def truncated(self, endpoint: str) -> None:
        """A list did not end."""
        self._truncated.labels(endpoint=endpoint).inc()

    def invalid(self, endpoint: str, field: str) -> None:
        """A member of a reply could not be read."""
        self._invalid.labels(endpoint=endpoint, field=field).inc()

    def polled(self, collector: str, outcome: str) -> None:
        """A poll ended: `success` or a reason."""
        self._polls.labels(collector=collector, outcome=outcome).inc()

    async def watch_loop(self, clock: Clock, every: float = 0.5, window: float = 60.0) -> None:
        """Measure for ever how late the event loop wakes us; `every` and `window` in seconds."""
        late: deque[float] = deque(maxlen=int(window / every))
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await clock.sleep(every)
            late.append(max(0.0, loop.time() - begun - every))
            self._loop_lag.set(max(late))


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name.removesuffix("_total"), family.help, family.labels, registry=registry)


def _openmetrics(registry: CollectorRegistry) -> bytes:
    page: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # prometheus-client gives it no types
    return page.removesuffix(_EOF)


class _PollLag(RegistryCollector):
    """Computed when asked for: a lag that is only computed by polls would stand still with them."""

    def __init__(self, lags: Lags) -> None:
        self._lags = lags

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily(LAG.name, LAG.help, labels=LAG.labels)
        for collector, seconds in self._lags().items():
            family.add_metric([collector], seconds)
        return [family]
