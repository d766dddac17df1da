"""Works out which labels a query's result has, and whether each replica adds a sample to it.

Follows PromQL's own rules through the tree of a query: what aggregations keep, joins bring, and functions add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import LabelModifierType, VectorMatchCardinality

from exporter import families, telemetry
from exporter.metrics import Family
from tests.dashboards.parts import parsed
from tests.support.rules import rules

Labels = frozenset[str]

OF_TARGET = frozenset({"job", "instance"})
# A matcher for one of the replicas (and of each shard): nothing is there twice.
ONE_REPLICA = ("instance", "$replica")
# Of several that say the same, these take one.
ALIKE = {"max", "min", "group"}
PICKING = {"topk", "bottomk", "limitk", "limit_ratio"}
SETS = {"and", "or", "unless"}
SCALARS = {"time", "scalar", "pi"}
# Of counters. What others take over a range is of gauges.
RATES = {"rate", "irate", "increase"}
SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Metric:
    """What can be asked for. `of_the_hub`: a fact about the hub or a tenant, which every replica tells alike."""

    labels: Labels
    counter: bool = False
    of_the_hub: bool = False


@dataclass(frozen=True)
class Result:
    """The labels that series may have; `twice`: metrics of the hub in it that are there once for each replica."""

    labels: Labels = frozenset()
    twice: Labels = frozenset()
    scalar: bool = False


@dataclass
class Follower:
    """Follows a query to its result, and notes what is wrong on the way."""

    metrics: Mapping[str, Metric]
    unknown: list[str] = field(default_factory=list)
    counted_twice: list[str] = field(default_factory=list)
    misused: list[str] = field(default_factory=list)

    def result(self, expr: promql.Expr, *, rated: bool = False) -> Result:  # noqa: PLR0911 - one for each kind of node
        """`rated`: it is what a rate is taken of."""
        match expr:
            case promql.NumberLiteral() | promql.StringLiteral():
                return Result(scalar=True)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self.result(expr.expr)
            case promql.MatrixSelector():
                return self._selected(expr.vector_selector, rated=rated)
            case promql.VectorSelector():
                return self._selected(expr, rated=rated)
            case promql.Call():
                return self._called(expr)
            case promql.AggregateExpr():
                return self._aggregated(expr)
            case promql.BinaryExpr():
                return self._joined(expr)
        raise TypeError(f"a new kind of node: {expr}")

    def _selected(self, selector: promql.VectorSelector, *, rated: bool) -> Result:
        names = selected(selector)
        for name in names - self.metrics.keys():
            self.unknown.append(f"there is no metric {name}")
        metrics = {name: self.metrics[name] for name in names & self.metrics.keys()}
        labels = frozenset[str]().union(*(one.labels for one in metrics.values()))
        if len(names) > 1:
            labels |= {"__name__"}
        if metrics:
            self._known((one.name for one in selector.matchers.matchers), labels, "/".join(sorted(metrics)))
        for name, metric in metrics.items():
            if metric.counter != rated:
                self.misused.append(
                    f"{name} is a counter without a rate" if metric.counter else f"a rate of {name}, a gauge"
                )
        once = any((one.name, one.value) == ONE_REPLICA for one in selector.matchers.matchers)
        twice = frozenset(name for name, one in metrics.items() if one.of_the_hub and not once)
        return Result(labels, twice)

    def _called(self, call: promql.Call) -> Result:
        name = call.func.name
        results = [self.result(one, rated=name in RATES) for one in call.args]
        if name in SCALARS:
            return Result(scalar=True)
        vector = next((one for one in results if not one.scalar), Result())
        texts = [one.val for one in call.args if isinstance(one, promql.StringLiteral)]
        match name:
            case "label_replace":
                self._known(filter(None, [texts[2]]), vector.labels, name)
                return replace(vector, labels=vector.labels | {texts[0]})
            case "label_join":
                self._known(texts[2:], vector.labels, name)
                return replace(vector, labels=vector.labels | {texts[0]})
            case "histogram_quantile":
                self._known(["le"], vector.labels, name)
                return replace(vector, labels=vector.labels - {"le"})
            case "absent" | "absent_over_time":
                return Result()
        return vector

    def _aggregated(self, one: promql.AggregateExpr) -> Result:
        inner, name = self.result(one.expr), str(one.op)
        labels = self._kept(one, inner)
        if name in PICKING and one.param.val == 1 and one.modifier and "instance" not in labels:
            return replace(inner, twice=frozenset())  # the series of one replica
        if inner.twice and name not in ALIKE and "instance" not in labels:
            self.counted_twice.append(f"{name} over what every replica tells: {', '.join(sorted(inner.twice))}")
        if name in PICKING:
            return inner
        if name == "count_values":
            labels |= {one.param.val}
        return Result(labels, inner.twice if "instance" in labels else frozenset())

    def _kept(self, one: promql.AggregateExpr, inner: Result) -> Labels:
        if one.modifier is None:
            return frozenset()
        named = frozenset(one.modifier.labels)
        self._known(named, inner.labels, str(one.op))
        return inner.labels - named if one.modifier.type == promql.AggModifierType.Without else named

    def _joined(self, one: promql.BinaryExpr) -> Result:
        left, right = self.result(one.lhs), self.result(one.rhs)
        if left.scalar or right.scalar:
            return right if left.scalar else left
        name = str(one.op)
        matched = self._matched(one, left, right)
        if name in SETS:
            both = name == "or"
            return Result(left.labels | right.labels, left.twice | right.twice) if both else left
        brought = frozenset((one.modifier and one.modifier.group_labels) or ())
        match one.modifier.card if one.modifier else VectorMatchCardinality.OneToOne:
            case VectorMatchCardinality.ManyToOne:
                many, single = left, right
            case VectorMatchCardinality.OneToMany:
                many, single = right, left
            case _:
                self._single(matched, left, right)
                return Result(matched, left.twice | right.twice)
        self._single(matched, single)
        self._known(brought, single.labels, "group_left")
        return Result(many.labels | brought, many.twice)

    def _matched(self, one: promql.BinaryExpr, left: Result, right: Result) -> Labels:
        """The labels that must be alike on both sides."""
        name = str(one.op)
        how = one.modifier.matching if one.modifier else None
        named = frozenset(how.labels) if how else frozenset()
        if how and how.type == LabelModifierType.Include:
            for side in (left, right):
                self._known(named, side.labels, f"{name} on")
            return named
        self._known(named, left.labels | right.labels, f"{name} ignoring")
        if name != "or" and left.labels - named != right.labels - named:
            alone = (left.labels ^ right.labels) - named
            self.unknown.append(f"{name} between series of which only one side has {', '.join(sorted(alone))}")
        return (left.labels | right.labels) - named

    def _single(self, matched: Labels, *sides: Result) -> None:
        """Where each series may have one partner at most, two replicas are an error of Prometheus."""
        if "instance" not in matched:
            twice = sorted(set().union(*(side.twice for side in sides)))
            self.counted_twice += [f"a match with {name}, which every replica tells" for name in twice]

    def _known(self, named: Iterable[str], labels: Labels, where: str) -> None:
        for name in sorted(set(named) - labels):
            self.unknown.append(f"{where} has no label {name}")


def selected(selector: promql.VectorSelector) -> set[str]:
    """The metrics that a selector names, one or several."""
    if selector.name:
        return {selector.name}
    return {name for one in selector.matchers.matchers if one.name == "__name__" for name in one.value.split("|")}


def labels_of(selector: promql.VectorSelector) -> Labels:
    """The labels that its series may have."""
    return frozenset[str]().union(*(METRICS[name].labels for name in selected(selector) if name in METRICS))


def _of(family: Family, *, of_the_hub: bool) -> dict[str, Metric]:
    labels = frozenset(family.labels) | OF_TARGET
    if family.kind != "histogram":
        return {family.name: Metric(labels, family.kind == "counter", of_the_hub)}
    made = {f"{family.name}{suffix}": Metric(labels, counter=True, of_the_hub=of_the_hub) for suffix in SUFFIXES}
    made[f"{family.name}_bucket"] = replace(made[f"{family.name}_bucket"], labels=labels | {"le"})
    return made


def _of_the_process() -> dict[str, Metric]:
    """What prometheus-client tells about the process and about Python."""
    page = telemetry.Telemetry().page({}, 0.0, 0.0, openmetrics=False).decode()
    return {
        sample.name: Metric(frozenset(sample.labels) | OF_TARGET, family.type == "counter")
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith(("process_", "python_"))
    }


def _scraped() -> dict[str, Metric]:
    metrics = {name: Metric(OF_TARGET) for name in ("up", "scrape_duration_seconds")} | _of_the_process()
    # Of the contract. Exporters without shards don't have it.
    metrics["kimono_exporter_shard_info"] = Metric(OF_TARGET | {"shard", "shards"})
    for family in families.FAMILIES:
        metrics |= _of(family, of_the_hub=True)
    for family in telemetry.FAMILIES:
        metrics |= _of(family, of_the_hub=False)
    return metrics


def _recorded(scraped: Mapping[str, Metric]) -> dict[str, Metric]:
    """What the rules record. Some name themselves: once round more, until nothing new comes."""
    labels: dict[str, Labels] = {rule["record"]: frozenset() for rule in rules() if "record" in rule}
    before: dict[str, Labels] = {}
    while labels != before:
        before = dict(labels)
        known = {**scraped, **{name: Metric(each) for name, each in labels.items()}}
        for rule in rules():
            if "record" in rule:
                found = Follower(known).result(parsed(rule["expr"])).labels
                labels[rule["record"]] |= found | rule.get("labels", {}).keys()
    return {name: Metric(each) for name, each in labels.items()}


def _alerts(known: Mapping[str, Metric]) -> dict[str, Metric]:
    labels = frozenset({"alertname"})
    for rule in rules():
        if "alert" in rule:
            labels |= Follower(known).result(parsed(rule["expr"])).labels | rule["labels"].keys()
    return {"ALERTS_FOR_STATE": Metric(labels), "ALERTS": Metric(labels | {"alertstate"})}


SCRAPED = _scraped()
RECORDED = _recorded(SCRAPED)
METRICS = {**SCRAPED, **RECORDED, **_alerts({**SCRAPED, **RECORDED})}
