"""Tests that a page is, to the byte, what prometheus-client would write, and that its parsers read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import chain

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.families import FAMILIES
from exporter.metrics import Family, Sample, render
from exporter.store import Store
from exporter.telemetry import FAMILIES as OWN_FAMILIES
from exporter.telemetry import Telemetry
from exporter.totals import Totals

EOF = b"# EOF\n"
# A series as a parser gives it: name, labels, value. NaN, which is unlike itself, goes by its text.
Series = tuple[str, tuple[tuple[str, str], ...], str]

# All that UTF-8 can hold, with what needs escaping or looks like syntax more often than chance would have it.
texts = st.text(
    st.one_of(
        st.sampled_from('\\"\n{}=,# \t\r\x00\u2028\x85n'), st.characters(exclude_categories=["Cs"], codec="utf-8")
    ),
    max_size=12,
)
names = st.from_regex(r"kimono_[a-z]{1,8}", fullmatch=True)
label_names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(lambda name: name != "le")
numbers = st.one_of(
    st.floats(),
    st.sampled_from([math.inf, -math.inf, math.nan, 0, -0.0, 1, True, False, 1e21, 10**300, 1_788_220_800.125]),
)
counts = st.floats(0, allow_nan=False, allow_infinity=False)


@st.composite
def plain_families(draw: st.DrawFn) -> list[tuple[Family, list[Sample]]]:
    """Gauges and counters with some samples each; the same series may come twice."""
    found = []
    for name in draw(st.lists(names, max_size=4, unique=True)):
        counter = draw(st.booleans())
        labels = draw(st.lists(label_names, max_size=3, unique=True))
        family = Family(name + "_total" * counter, "counter" if counter else "gauge", draw(texts), tuple(labels))
        values = st.fixed_dictionaries(dict.fromkeys(labels, texts))
        rows = draw(st.lists(st.tuples(values, counts if counter else numbers), min_size=1, max_size=5))
        found.append((family, [family(value, **given_labels) for given_labels, value in rows]))
    return found


def theirs(family: Family, samples: Iterable[Sample]) -> Metric:
    """The same family as prometheus-client has it. Of two samples of one series the later one counts."""
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = make(family.name, family.help, labels=family.labels)
    for values, value in {sample.values: sample.value for sample in samples}.items():
        metric.add_metric(values, value)
    return metric


class _Collected:
    """What prometheus-client calls a registry: something to collect from."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def pages(metrics: Iterable[Metric]) -> tuple[bytes, bytes]:
    """As text and as OpenMetrics."""
    source = _Collected(metrics)
    return generate_latest(source), generate_openmetrics(source)


def ours(families: Iterable[tuple[Family, list[Sample]]], *, openmetrics: bool) -> bytes:
    rendered = [(family, render(samples)) for family, samples in families]
    return b"".join(family.header(openmetrics=openmetrics) + lines[family.name] for family, lines in rendered)


def series(metrics: Iterable[Metric]) -> list[Series]:
    return [
        (sample.name, tuple(sorted(sample.labels.items())), repr(float(sample.value)))
        for metric in metrics
        for sample in metric.samples
    ]


@given(families=plain_families())
def test_gauges_and_counters_are_to_the_byte_those_of_prometheus_client(
    families: list[tuple[Family, list[Sample]]],
) -> None:
    text, openmetrics = pages(theirs(*each) for each in families)
    assert ours(families, openmetrics=False) == text
    assert ours(families, openmetrics=True) + EOF == openmetrics


@given(families=plain_families())
def test_both_parsers_read_back_what_was_written(families: list[tuple[Family, list[Sample]]]) -> None:
    meant = series(theirs(*each) for each in families)
    assert series(parse_text(ours(families, openmetrics=False).decode())) == meant
    assert series(parse_openmetrics((ours(families, openmetrics=True) + EOF).decode())) == meant


BOUNDS = (0.5, 1.0, 60.0, 86_400.0)
LATENCY = Family("kimono_latency_seconds", "histogram", 'How "long"?\nA \\ while.', ("state", "kind", "zone"), BOUNDS)
Observations = list[tuple[float, dict[str, str]]]
observations = st.lists(
    st.tuples(st.one_of(counts, st.sampled_from(BOUNDS)), st.fixed_dictionaries(dict.fromkeys(LATENCY.labels, texts))),
    min_size=1,
    max_size=10,
)


@given(observed=observations)
def test_histograms_are_to_the_byte_those_of_prometheus_client_and_read_back(observed: Observations) -> None:
    registry = CollectorRegistry()
    totals = Totals()
    reference = prometheus_client.Histogram(
        LATENCY.name, LATENCY.help, LATENCY.labels, buckets=BOUNDS, registry=registry
    )
    for value, labels in observed:
        totals.apply([LATENCY], [], [LATENCY(value, **labels)])
        reference.labels(**labels).observe(value)
    # Prometheus-client notes when a series was created, which our pages do not say.
    metrics = list(registry.collect())
    for metric in metrics:
        metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
    text, openmetrics = pages(metrics)
    written = [(LATENCY, list(totals.samples([LATENCY])))]
    assert ours(written, openmetrics=False) == text
    assert ours(written, openmetrics=True) + EOF == openmetrics
    assert series(parse_text(text.decode())) == series(metrics)
    assert series(parse_openmetrics(openmetrics.decode())) == series(metrics)


@st.composite
def rows_of_tenants(draw: st.DrawFn) -> list[tuple[Family, list[Sample]]]:
    """Samples of the exporter's own families, from several tenants."""
    found = []
    for family in FAMILIES:
        if family.kind == "histogram":
            continue
        values = st.fixed_dictionaries(dict.fromkeys(family.labels, texts))
        value = counts if family.kind == "counter" else numbers
        rows = draw(st.lists(st.tuples(values, value), max_size=2))
        if rows:
            found.append((family, [family(number, **labels) for labels, number in rows]))
    return found


@given(families=rows_of_tenants())
def test_the_whole_page_is_that_of_prometheus_client_and_read_back(families: list[tuple[Family, list[Sample]]]) -> None:
    store, telemetry = Store(FAMILIES), Telemetry()
    telemetry.request("/ingestions/{id}", "200", 0.2)
    store.put("owner", FAMILIES, chain.from_iterable(samples for _, samples in families))
    own = list(telemetry.registry.collect())
    text, openmetrics = pages([*(theirs(*each) for each in families), *own])
    assert _page(store, telemetry, openmetrics=False) == text
    assert _page(store, telemetry, openmetrics=True) == openmetrics
    meant = series([*(theirs(*each) for each in families), *own])
    assert series(parse_text(text.decode())) == meant
    assert series(parse_openmetrics(openmetrics.decode())) == meant


def _page(store: Store, telemetry: Telemetry, *, openmetrics: bool) -> bytes:
    polled = b"".join(store.page(0.0, openmetrics=openmetrics))
    own = telemetry.page({}, 0.0, 0.0, openmetrics=openmetrics, process=False)
    return polled + own + (EOF if openmetrics else b"")


GAUGE = Family("kimono_gauge", "gauge", "A gauge.", ("b", "a"))


def test_labels_are_sorted_so_that_pages_stay_the_same() -> None:
    assert GAUGE.labels == ("a", "b")
    assert render([GAUGE(2.5, b="y", a="x")]) == {"kimono_gauge": b'kimono_gauge{a="x",b="y"} 2.5\n'}


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [({"a": ""}, "needs the label 'b'"), ({"a": "", "b": "", "c": ""}, r"has no label \['c'\]"), ({}, "needs")],
)
def test_a_sample_has_every_declared_label_and_no_other(labels: dict[str, str], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        GAUGE(1, **labels)


@pytest.mark.parametrize(("name", "kind"), [("kimono_ends", "counter"), ("kimono_ends_total", "gauge")])
def test_counters_and_nothing_else_end_in_total(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match="_total"):
        Family(name, kind, "")  # type: ignore[arg-type]  # a mistake is the point


def test_of_two_samples_of_one_series_the_later_one_stays() -> None:
    assert render([GAUGE(1, a="", b=""), GAUGE(2, a="", b="")]) == {"kimono_gauge": b'kimono_gauge{a="",b=""} 2.0\n'}


def test_totals_of_undeclared_families_are_refused_and_change_nothing() -> None:
    totals = Totals()
    with pytest.raises(ValueError, match="kimono_latency_seconds"):
        totals.apply([GAUGE], [], [LATENCY(1.0, state="", kind="", zone="")])
    assert list(totals.samples([LATENCY])) == []


@pytest.mark.parametrize("parse", [parse_text, parse_openmetrics])
def test_no_two_families_share_a_name(parse: Callable[[str], Iterable[Metric]]) -> None:
    page = b"".join(family.header(openmetrics=parse is parse_openmetrics) for family in (*FAMILIES, *OWN_FAMILIES))
    parsed = [metric.name for metric in parse((page + EOF).decode())]
    assert len(set(parsed)) == len(FAMILIES) + len(OWN_FAMILIES)
