"""Holds the metrics about the exporter itself.

They are ordinary prometheus-client instruments in a registry of their own, none with a tenant label. `Telemetry` is
also the client's `Observer`, so that the API package knows nothing of Prometheus.
"""

from __future__ import annotations

import asyncio
import platform
from collections import deque
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__
from exporter.clock import Clock
from exporter.metrics import Family
from exporter.shards import Shard

_EOF = b"# EOF\n"


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
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
RETRIES = Family("kimono_exporter_api_retries_total", "counter", "Requests sent again, by the reason.", ("reason",))
TOKENS = Family("kimono_exporter_token_requests_total", "counter", "Token requests, by outcome.", ("outcome",))
WAITED = Family(
    "kimono_exporter_rate_limit_wait_seconds_total", "counter", "Time that requests waited for the rate limit."
)
RATE_LIMIT = Family(
    "kimono_exporter_rate_limit_requests_per_second",
    "gauge",
    "The rate limit of this exporter, in requests a second: api.rate_limit divided by shard.total.",
)
ALLOWED = Family(
    "kimono_exporter_rate_limit_allowed_requests_per_second",
    "gauge",
    "The rate limit now: lower than configured after a 429, 0 while the API has asked to wait.",
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
    "How far the most overdue poll is behind its interval, in seconds.",
    ("collector",),
)
INVALID = Family(
    "kimono_exporter_invalid_fields_total", "counter", "Fields of replies that are not valid.", ("endpoint", "field")
)
TRUNCATED = Family(
    "kimono_exporter_lists_truncated_total",
    "counter",
    "Lists that failed because the server never ended them.",
    ("endpoint",),
)
DROPPED = Family(
    "kimono_exporter_samples_dropped_total",
    "counter",
    "Samples dropped because a tenant has more than 1,000 of one family, by family.",
    ("family",),
)
LOOP_LAG = Family(
    "kimono_exporter_event_loop_lag_seconds", "gauge", "The longest delay of the event loop within the last minute."
)
SHARD = Family(
    "kimono_exporter_shard_info",
    "gauge",
    "Which shard this exporter is, from 0, and how many there are; always 1.",
    ("shard", "shards"),
)
BUILD = Family(
    "kimono_exporter_build_info", "gauge", "The exporter's own version; always 1.", ("version", "python_version")
)
STATE_SAVED = Family(
    "kimono_exporter_state_saved_timestamp_seconds",
    "gauge",
    "When state.file was last saved, in Unix seconds; absent without state.file.",
)
FAMILIES = (
    *(BUILD, SHARD, REQUESTS, DURATIONS, RETRIES, TOKENS, WAITED, RATE_LIMIT, ALLOWED),
    *(POLLS, LAG, INVALID, TRUNCATED, DROPPED, LOOP_LAG, STATE_SAVED),
)


class Telemetry:
    """All `kimono_exporter_*`, `process_*` and `python_*` metrics."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client gives it no types
        self.registry = registry = CollectorRegistry()
        self._counters = {
            family: Counter(family.name, family.help, family.labels, registry=registry)
            for family in FAMILIES
            if family.kind == "counter"
        }
        self._gauges = {
            family: Gauge(family.name, family.help, family.labels, registry=registry)
            for family in FAMILIES
            if family.kind == "gauge" and family is not STATE_SAVED
        }
        self._durations = Histogram(
            DURATIONS.name, DURATIONS.help, DURATIONS.labels, buckets=DURATIONS.buckets, registry=registry
        )
        # By label values. prometheus-client takes long to find an instrument by its labels, and requests are many.
        self._requests: dict[tuple[str, str], Counter] = {}
        self._seconds: dict[str, Histogram] = {}
        self._polls: dict[tuple[str, str], Counter] = {}
        build = {"version": __version__, "python_version": platform.python_version()}
        self._gauges[BUILD].labels(**build).set(1)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def page(
        self, lags: Mapping[str, float], limit: float, allowed: float, *, openmetrics: bool, process: bool = True
    ) -> bytes:
        """The exporter's own part of the page, without the last line of OpenMetrics.

        `lags` are seconds by collector; `limit` and `allowed` are the rate limit as configured and as it is now, in
        requests a second. They are given at each scrape: lags that polls set would not grow when polling stops.
        Without `process`, the page has no `process_*` and `python_*`: node_exporter has its own.
        """
        self._gauges[LAG].clear()
        for collector, seconds in lags.items():
            self._gauges[LAG].labels(collector=collector).set(seconds)
        self._gauges[RATE_LIMIT].set(limit)
        self._gauges[ALLOWED].set(allowed)
        registries = [self.registry, self._process] if process else [self.registry]
        return b"".join(map(_openmetrics if openmetrics else generate_latest, registries))

    def shard(self, shard: Shard) -> None:
        """The exporter is this shard from now on."""
        self._gauges[SHARD].clear()
        self._gauges[SHARD].labels(shard=str(shard.index), shards=str(shard.total)).set(1)

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """A request ended."""
        counter = self._requests.get((endpoint, code))
        if counter is None:
            counter = self._requests[endpoint, code] = self._counters[REQUESTS].labels(endpoint=endpoint, code=code)
            self._seconds[endpoint] = self._durations.labels(endpoint=endpoint)
        counter.inc()
        self._seconds[endpoint].observe(seconds)

    def retry(self, reason: str) -> None:
        """A request is sent again."""
        self._counters[RETRIES].labels(reason=reason).inc()

    def token(self, outcome: str) -> None:
        """A token request ended."""
        self._counters[TOKENS].labels(outcome=outcome).inc()

    def waited(self, seconds: float) -> None:
        """A request waited for the rate limit."""
        self._counters[WAITED].inc(seconds)

    def truncated(self, endpoint: str) -> None:
        """A list did not end."""
        self._counters[TRUNCATED].labels(endpoint=endpoint).inc()

    def invalid(self, endpoint: str, field: str, times: int) -> None:
        """A field of so many objects is not valid."""
        self._counters[INVALID].labels(endpoint=endpoint, field=field).inc(times)

    def dropped(self, family: str, samples: int) -> None:
        """So many samples of a family were dropped."""
        self._counters[DROPPED].labels(family=family).inc(samples)

    def polled(self, collector: str, outcome: str) -> None:
        """A poll ended: `success` or a reason."""
        counter = self._polls.get((collector, outcome))
        if counter is None:
            labels = {"collector": collector, "outcome": outcome}
            counter = self._polls[collector, outcome] = self._counters[POLLS].labels(**labels)
        counter.inc()

    def state_saved(self, at: float) -> None:
        """The state file was saved; `at` in Unix seconds."""
        if STATE_SAVED not in self._gauges:
            self._gauges[STATE_SAVED] = Gauge(STATE_SAVED.name, STATE_SAVED.help, registry=self.registry)
        self._gauges[STATE_SAVED].set(at)

    async def watch_loop(self, clock: Clock, every: float = 0.5, window: float = 60.0) -> None:
        """Measure the delay of the event loop until cancelled; `every` and `window` in seconds."""
        late: deque[float] = deque(maxlen=int(window / every))
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await clock.sleep(every)
            late.append(max(0.0, loop.time() - begun - every))
            self._gauges[LOOP_LAG].set(max(late))


def _openmetrics(registry: CollectorRegistry) -> bytes:
    page: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # prometheus-client gives it no types
    return page.removesuffix(_EOF)
