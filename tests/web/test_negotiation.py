"""Tests that each scraper gets the format and encoding that it asked for."""

from __future__ import annotations

import pytest

from exporter.web.negotiation import wants_gzip, wants_openmetrics

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2,
        PROMETHEUS_3,
        PROMETHEUS_3_PROTOBUF,
        "application/openmetrics-text",
        'Application/OpenMetrics-Text; Version="1.0.0"',
        "text/plain;q=0.5, application/openmetrics-text;q=0.6",
        "text/plain, application/openmetrics-text",
        "*/*;q=0.9, text/plain;q=0.2, application/openmetrics-text;q=0.5",
    ],
)
def test_openmetrics_is_given_to_those_who_ask_for_it(accept: str) -> None:
    assert wants_openmetrics(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        BROWSER,
        "application/json",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;q=0.4, text/plain;q=0.5",
        "application/openmetrics-text;q=0.4, text/*;q=0.5",
        "application/openmetrics-text;q=0.4, */*",
        "application/openmetrics-text;q=high",
        "application/openmetrics-text;q=7",
        "application/openmetrics-text;q=nan",
        ";;;,,,=;q",
    ],
)
def test_all_others_are_given_text(accept: str) -> None:
    assert not wants_openmetrics(accept)


@pytest.mark.parametrize(
    "header", ["gzip", "GZIP", "x-gzip", "*", "deflate, gzip;q=0.5", "identity;q=0.5, gzip", "br, *;q=0.1"]
)
def test_gzip_is_given_where_it_is_welcome(header: str) -> None:
    assert wants_gzip(header)


@pytest.mark.parametrize(
    "header",
    ["", "identity", "gzip;q=0", "gzip;q=0.0", "*;q=0", "gzip;q=0, *", "br", "gzip;q=0.5, identity", "gzip;q=x"],
)
def test_gzip_is_not_given_where_it_is_not(header: str) -> None:
    assert not wants_gzip(header)
