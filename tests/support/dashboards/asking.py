"""Runs each query of a dashboard: whether it gives data, and how long it takes.

Asked as Grafana asks at the end of the database. What gives none is asked about other tenants, if it is about a single
one, or else at other moments of the last day: not everyone is in a rollover, and the API is not always throttled.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import isnan
from typing import Any

from tests.support.dashboards.prometheus import Prometheus, RefusedError
from tests.support.dashboards.questions import HOUR, Dashboard, Question, UnknownVariableError, Variable

TENANT = "tenant"
LIMIT = 2.0
# A slow query is repeated, and the fastest try counts: other work on the machine may have slowed it down.
TRIES = 3
# One tenant in each state: a tenant in none of them has nothing that others don't have.
TELLING = (
    'topk by (alertname) (1, ALERTS{tenant_id!=""})',
    "topk by (flag) (1, kimono_tenant_state_since_timestamp_seconds)",
    "topk by (reason) (1, kimono_tenant_failure_since_timestamp_seconds)",
    "topk by (ingestion_type) (1, kimono_ingestion_failing_since_timestamp_seconds)",
    "topk by (state) (1, kimono_ingestion_oldest_unfinished_seen_timestamp_seconds)",
    "topk by (state) (1, kimono_ingestion_last_started_timestamp_seconds)",
    "topk by (schedule_type) (1, kimono_schedule_missed_since_timestamp_seconds)",
    "topk by (schedule_type) (1, kimono_schedule_enabled == 1)",
    "topk by (status) (1, kimono_rollover_status)",
    "topk by (reason) (1, kimono_rollover_failure_info)",
    "topk by (state) (1, kimono_application_auth_state)",
)


@dataclass(frozen=True)
class Answer:
    """The result of a query: the number of series with data, whether any value is not 0, and the seconds it took.

    `error` is Prometheus' own text; empty if there was none.
    """

    dashboard: str
    panel: str
    ref: str
    expr: str
    seconds: float
    series: int = 0
    telling: bool = False
    error: str = ""

    @property
    def empty(self) -> bool:
        """Whether it has no data or only zeros, as `or vector(0)` makes of a wrong selector."""
        return not self.telling

    @property
    def slow(self) -> bool:
        """Whether it took longer than the limit."""
        return self.seconds > LIMIT


def ask(prometheus: Prometheus, dashboard: Dashboard, scrape: int) -> Iterator[Answer]:
    """All that the dashboard asks, its variables first. `scrape`: what the data source says of seconds between two."""
    chosen: dict[str, str] = dict(dashboard.fixed)
    choices: dict[str, Sequence[str]] = {}
    for variable in dashboard.variables:
        answer, values = _values(prometheus, variable, chosen)
        yield answer
        choices[variable.name] = values
        chosen[variable.name] = _choice(variable, values)
    tenants = _worth_trying(prometheus, choices[TENANT]) if TENANT in choices else [""]
    for question in dashboard.questions:
        yield _answered(prometheus, question, [{**chosen, TENANT: one} for one in tenants], scrape)


def _choice(variable: Variable, values: Sequence[str]) -> str:
    if variable.everything is None:
        return values[0] if values else ""
    return variable.everything or f"({'|'.join(re.escape(value) for value in values)})"


def _values(prometheus: Prometheus, variable: Variable, chosen: dict[str, str]) -> tuple[Answer, list[str]]:
    """The values of a variable. Labels by way of series, as Grafana does where it does not know Prometheus' version."""
    until = prometheus.end
    texts: list[str] = []

    def look() -> list[Any]:
        if labels := variable.selector(chosen):
            found = prometheus.series(labels[0], until - variable.span, until)
            texts[:] = sorted({one[labels[1]] for one in found if labels[1] in one})
        else:
            found = prometheus.instant(variable.expr(chosen) or variable.asked, until)
            texts[:] = sorted(map(_as_text, found))
        return found

    seconds, found, error = _timed(look)
    values = variable.picked(texts)
    asked = (variable.dashboard, f"${variable.name}", "variable", variable.asked, seconds)
    return Answer(*asked, len(found), bool(values), error), values


def _as_text(series: dict[str, Any]) -> str:
    """A series as Grafana writes it for a variable's regular expression."""
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(series["metric"].items()) if name != "__name__")
    return f"{series['metric'].get('__name__', '')}{{{labels}}} {series['value'][1]} {series['value'][0] * 1000:.0f}"


def _worth_trying(prometheus: Prometheus, tenants: Sequence[str]) -> list[str]:
    found = [one["metric"]["tenant_id"] for expr in TELLING for one in prometheus.instant(expr, prometheus.end)]
    known = set(tenants)
    return [*(one for one in dict.fromkeys(found) if one in known), *tenants[:3]]


def _answered(prometheus: Prometheus, question: Question, choices: Sequence[dict[str, str]], scrape: int) -> Answer:
    """The first answer that is not empty, or the last; with the time that the slowest took."""
    try:
        exprs = list(dict.fromkeys(question.written(chosen, scrape) for chosen in choices))
    except UnknownVariableError as error:
        return _answer(question, question.expr, 0.0, [], str(error))
    moments = [prometheus.end]
    if question.instant and len(exprs) == 1:
        moments += [prometheus.end - halves * HOUR / 2 for halves in range(1, 49)]
    slowest = 0.0
    for expr, end in product(exprs, moments):
        answer = _asked(prometheus, question, expr, end, scrape)
        slowest = max(slowest, answer.seconds)
        if answer.error or not answer.empty:
            break
    return replace(answer, seconds=slowest)


def _asked(prometheus: Prometheus, question: Question, expr: str, end: float, scrape: int) -> Answer:
    return _answer(question, expr, *_timed(lambda: series(prometheus, question, expr, end, scrape)))


def series(prometheus: Prometheus, question: Question, expr: str, end: float, scrape: int) -> list[Any]:
    """The series that Prometheus gives for a question written as `expr`. RefusedError if it gives none."""
    if question.instant:
        return prometheus.instant(expr, end)
    step = question.steps(scrape)
    # Grafana moves both ends of a range back to a whole step.
    since, until = ((end - ago) // step * step for ago in (question.span, 0))
    return prometheus.range(expr, since, until, step)


def _answer(question: Question, expr: str, seconds: float, found: list[Any], error: str) -> Answer:
    values = [_numbers(one) for one in found]
    asked = (question.dashboard, question.panel, question.ref, expr, seconds)
    return Answer(*asked, sum(map(bool, values)), any(any(each) for each in values), error)


def _numbers(series: dict[str, Any]) -> list[float]:
    """A series' values, without those that are no number."""
    pairs = series["values"] if "values" in series else [series["value"]]
    return [number for _, text in pairs if not isnan(number := float(text))]


def _timed(look: Callable[[], list[Any]]) -> tuple[float, list[Any], str]:
    """How many seconds it takes at best, what it gives, and what was wrong."""
    seconds, found = float("inf"), []
    for _ in range(TRIES):
        begun = time.perf_counter()
        try:
            found = look()
        except (RefusedError, UnknownVariableError) as error:
            return time.perf_counter() - begun, [], str(error)
        seconds = min(seconds, time.perf_counter() - begun)
        if seconds <= LIMIT:
            break
    return seconds, found, ""
