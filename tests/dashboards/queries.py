"""Holds the rules for every query of a dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

import promql_parser as promql

from tests.dashboards.parts import RANGE, RATE_INTERVAL, Asked, Board, columns
from tests.dashboards.results import METRICS, RATES, RECORDED, Follower, Result, labels_of

Node = TypeVar("Node", bound=promql.Expr)

CHOSEN_JOB = ("job", promql.MatchOp.Re, "$job")
# Of the replicas one: its series are there once.
ONE_REPLICA = ("instance", promql.MatchOp.Re, "$replica")
# An alert that there is no exporter has no job.
ANY_JOB = ("job", promql.MatchOp.Re, "$job|")
CHOSEN_TENANT = ("tenant_id", promql.MatchOp.Equal, "$tenant")
NO_RULES = "or no rules are loaded"
PICKING = {"topk", "bottomk"}
MOST_ROWS, MOST_LINES = 50, 20
# Variables that what is chosen is chosen from.
CHOICES = {"$job", "$replica", "$account", "$integration"}
CHOSEN = {"account_name": "$account", "integration": "$integration"}
# Panels about all tenants, whatever is chosen.
WHOLE_FLEET = {"Data age, A"}
# Series of tenants that are there only while something is up.
SPARSE = {"ALERTS", "ALERTS_FOR_STATE", "kimono_tenant_state_since_timestamp_seconds"}


def each_query_can_be_read(board: Board) -> Iterator[str]:
    for one in board.asked:
        if one.error:
            yield f"{one.where}: {one.error}"
            continue
        try:
            one.expr  # noqa: B018 - parses
        except ValueError as error:
            yield f"{one.where}: {error}"


def each_series_and_label_exists(board: Board) -> Iterator[str]:
    for one in board.asked:
        follower, result = followed(one)
        yield from (f"{one.where}: {what}" for what in follower.unknown)
        for name in named(one.called) - result.labels:
            yield f"{one.where}: {one.called} names {name}, which the result does not have"


def each_selector_has_the_chosen_job(board: Board) -> Iterator[str]:
    """But for the variable that offers the jobs."""
    for one in board.asked:
        for selector in nodes(one, promql.VectorSelector):
            if one.where == "$job":
                continue
            allowed = [CHOSEN_JOB, ANY_JOB] if (selector.name or "").startswith("ALERTS") else [CHOSEN_JOB]
            if not any(each in allowed for each in matchers(selector)):
                yield f'{one.where}: {selector.name} has no job=~"$job"'


def nothing_is_counted_twice(board: Board) -> Iterator[str]:
    """With two replicas, too. Rows may have an instance if they show it; a variable offers each value once anyway."""
    for one in (one for one in board.asked if not one.where.startswith("$")):
        yield from (f"{one.where}: {what}" for what in followed(one)[0].counted_twice)
    rows = [(one, columns(panel).keys()) for panel in board.panels for one in board.of(panel)]
    for one, shown in (*rows, *((each, set()) for each in board.of_annotations)):
        if "instance" in followed(one)[1].labels - named(one.called) - shown:
            yield f"{one.where}: a row for each instance, and nothing that says so"


def counters_are_asked_for_rates_alone(board: Board) -> Iterator[str]:
    for one in board.asked:
        yield from (f"{one.where}: {what}" for what in followed(one)[0].misused)


def rates_are_over_what_one_step_shows(board: Board) -> Iterator[str]:
    """Or, where one number stands for all that is shown, over all of it: the time range."""
    for one in board.asked:
        allowed = {RATE_INTERVAL, RANGE} if one.instant else {RATE_INTERVAL}
        for call in nodes(one, promql.Call):
            if call.func.name in RATES:
                yield from (f"{one.where}: {arg}" for arg in call.args if arg.range not in allowed)


def nothing_is_plotted_for_all_tenants(board: Board) -> Iterator[str]:
    """At 10,000 that is slow. One tenant's series may be, and those that are few; and what is asked `@` one moment."""
    for one in board.asked:
        for selector in () if one.instant else nodes(one, promql.VectorSelector):
            many = "tenant_id" in labels_of(selector) and selector.name not in SPARSE
            if many and not selector.at and CHOSEN_TENANT not in matchers(selector):
                yield f"{one.where}: {selector.name}"


def few_are_shown_at_once(board: Board) -> Iterator[str]:
    """A table has room for 50, or so many of each kind, and a plot for 20; tenants are never all shown."""
    for one in board.asked:
        picks = [call for call in nodes(one, promql.AggregateExpr) if str(call.op) in PICKING]
        for call in picks:
            if not call.param.val <= (MOST_ROWS if one.instant else MOST_LINES):
                yield f"{one.where}: {call.op} of {call.param.val:g}"
        of_one = any(CHOSEN_TENANT in matchers(each) for each in nodes(one, promql.VectorSelector))
        if "tenant_id" in followed(one)[1].labels and not picks and not of_one and not one.where.startswith("$"):
            yield f"{one.where}: all tenants"


def no_rule_is_needed(board: Board) -> Iterator[str]:
    """But by what counts alerts: the dashboards read the exporter's facts."""
    for one in board.asked:
        for selector in nodes(one, promql.VectorSelector):
            if selector.name in RECORDED:
                yield f"{one.where}: {selector.name} is recorded by a rule"


def what_counts_alerts_says_so(board: Board) -> Iterator[str]:
    """Without rules it is empty, and its text for that says why; another panel has no such text."""
    for panel in board.panels:
        alerts = any(_of_alerts(one) for one in board.of(panel))
        if alerts != panel["fieldConfig"]["defaults"].get("noValue", "").endswith(NO_RULES):
            yield panel["title"]


def _of_alerts(one: Asked) -> bool:
    return any((each.name or "").startswith("ALERTS") for each in nodes(one, promql.VectorSelector))


def what_is_now_is_of_one_replica(board: Board) -> Iterator[str]:
    """Where the dashboard has the variable: one that is behind neither shows nor hides anything."""
    if "replica" not in board.names:
        return
    for one in board.asked:
        for selector in nodes(one, promql.VectorSelector) if one.instant and not one.where.startswith("$") else ():
            if "instance" in labels_of(selector) and ONE_REPLICA not in matchers(selector):
                yield f"{one.where}: {selector.name} of every replica"


def what_is_chosen_counts(board: Board) -> Iterator[str]:
    """Where account and integration can be chosen, what is told of tenants is of those, or of the one tenant."""
    if not {"account", "integration"} <= board.names:
        return
    for one in board.asked:
        if one.where in CHOICES:
            continue
        selectors = nodes(one, promql.VectorSelector)
        for selector in selectors:
            if "account_name" in labels_of(selector) and "tenant_id" not in _names(selector):
                missing = [name for name in CHOSEN if not _chosen(selector, name)]
                yield from (f"{one.where}: {selector.name} of any {name}" for name in missing)
        of_tenants = any("tenant_id" in labels_of(each) for each in selectors)
        if of_tenants and one.instant and one.where not in WHOLE_FLEET and not any(map(_narrowed, selectors)):
            yield f"{one.where}: tenants of any account"


def _narrowed(selector: promql.VectorSelector) -> bool:
    """Whether a selector is of one tenant, or of those that are chosen."""
    return bool({"tenant_id", "account_name"} & _names(selector))


def _chosen(selector: promql.VectorSelector, name: str) -> bool:
    asked = {name: value for name, how, value in matchers(selector) if how == promql.MatchOp.Re}
    return asked.get(name, "").rstrip("|") == CHOSEN[name]


def _names(selector: promql.VectorSelector) -> set[str]:
    return {name for name, _, _ in matchers(selector)}


@cache
def followed(one: Asked) -> tuple[Follower, Result]:
    follower = Follower(METRICS)
    return follower, follower.result(one.expr)


def nodes(one: Asked, kind: type[Node]) -> list[Node]:
    """All parts of a query that are of this kind."""
    found: list[Any] = []
    promql.walk(one.expr, lambda node: found.append(node) or True)
    return [node for node in found if isinstance(node, kind)]


def matchers(selector: promql.VectorSelector) -> list[tuple[str, promql.MatchOp, str]]:
    return [(one.name, one.op, one.value) for one in selector.matchers.matchers]


def named(text: str) -> set[str]:
    """The labels that a legend or title names: {{label}}."""
    return set(re.findall(r"{{\s*(\w+)\s*}}", text))


QUERY_RULES: tuple[Callable[[Board], Iterator[str]], ...] = (
    each_query_can_be_read,
    each_series_and_label_exists,
    each_selector_has_the_chosen_job,
    nothing_is_counted_twice,
    counters_are_asked_for_rates_alone,
    rates_are_over_what_one_step_shows,
    nothing_is_plotted_for_all_tenants,
    few_are_shown_at_once,
    no_rule_is_needed,
    what_counts_alerts_says_so,
    what_is_now_is_of_one_replica,
    what_is_chosen_counts,
)
