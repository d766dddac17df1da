"""Runs rule tests: what Prometheus sees of a tenant, minute by minute, and the alerts that it should raise.

A page is a dict from a series, written as in PromQL without `job`, `instance` and `tenant_id`, to its value as a
function of the minute. Stories are a healthy page with a few other values, and the alerts expected at some minutes.
promtool, which has Prometheus's own engine, tells whether it is so. Minute 0 is midnight UTC.

Rules have no memory, so each minute is a test of its own that begins a short `history` before it. Times on the page are
moved back with it, because promtool's time begins at 0.

What is evaluated: a test that says what it is `about` evaluates the rules that these alerts, and the expected ones,
need (`tests.support.rules.closure`), and claims that no other of *these* fires. A test that does not say so evaluates
all rules and claims that nothing else fires at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.processes import needed
from tests.support.rules import FLAGS, NAMES, closure, rules

# promtool has enough memory: collecting garbage less often saves a sixth of its time.
LESS_GARBAGE_COLLECTION = {"GOGC": "400"}

Value = Callable[[int], float | None]
Page = Mapping[str, Value]
Alert = frozenset[tuple[str, str]]  # its labels, with alertname and severity
Expected = Mapping[int, Collection[Alert]]

HOUR = 60
DAY = 24 * HOUR
# Minutes between scrapes, and between evaluations, where a story does not say otherwise.
TICK = 6
# Minutes of history before a minute that is judged: more than `keep_firing_for`.
HISTORY = 5 * TICK
DUE = 6 * HOUR  # the minute of the day at which the healthy tenant's schedule is due
LONG_AGO = -30 * DAY
COLLECTORS = ("state", "ingestions", "schedules", "rollovers", "application")

_S1 = '{schedule_id="s1",schedule_type="collection"}'
LAST_DUE = f"kimono_schedule_last_due_timestamp_seconds{_S1}"
NEXT_DUE = f"kimono_schedule_next_due_timestamp_seconds{_S1}"
LAST_EXECUTED = f"kimono_schedule_last_executed_timestamp_seconds{_S1}"
MISSED_SINCE = f"kimono_schedule_missed_since_timestamp_seconds{_S1}"
ACTIVE_SINCE = f"kimono_schedule_active_since_timestamp_seconds{_S1}"
DUE_SINCE = f"kimono_schedule_due_since_timestamp_seconds{_S1}"
CHANGED = f"kimono_schedule_changed_timestamp_seconds{_S1}"
ENABLED = f"kimono_schedule_enabled{_S1}"
SCHEDULE = 'kimono_schedule_info{schedule_id="s1",schedule_type="collection",hour="6",days="daily"}'
LAST_SUCCESS = 'kimono_ingestion_last_started_timestamp_seconds{ingestion_type="collection",state="success"}'
LAST_FAILURE = 'kimono_ingestion_last_started_timestamp_seconds{ingestion_type="collection",state="failed"}'
LAST_RUN = "kimono_tenant_last_run_timestamp_seconds"
LAST_PAUSED = "kimono_tenant_last_paused_timestamp_seconds"
LAST_LONG_PAUSE = "kimono_tenant_last_long_pause_timestamp_seconds"
NAME = (
    'kimono_tenant_info{tenant_name="Maple LMS",account_id="a",account_name="Maple Ridge",cloud_id="c",'
    'cloud_name="us-1",integration="canopy-lms",integration_version="1"}'
)
AUTH_CONFIRMED = 'kimono_application_auth_state{auth_type="oauth2",state="confirmed"}'
AUTH_CONFIRMED_SINCE = 'kimono_application_auth_state_since_timestamp_seconds{state="confirmed"}'
_OF_EXPORTER = ("kimono_exporter_", "kimono_up", "kimono_tenants", "process_", "up", "kimono_ingestion_duration_")


def always(value: float) -> Value:
    return lambda _: value


def never(_: int) -> float | None:
    return None


def now(minute: int) -> float:
    return minute * 60


def steps(*changes: tuple[int, float | None]) -> Value:
    """The value from each minute on; none before the first."""
    return lambda minute: next((value for start, value in reversed(changes) if minute >= start), None)


def since(begin: int, end: int = 100 * DAY) -> Value:
    """The begin, in Unix seconds, while it is so."""
    return lambda minute: begin * 60 if begin <= minute < end else None


def flag(name: str) -> str:
    return f'kimono_tenant_state{{flag="{name}"}}'


def flag_since(name: str) -> str:
    return f'kimono_tenant_state_since_timestamp_seconds{{flag="{name}"}}'


def polled(collector: str) -> str:
    return f'kimono_collector_last_success_timestamp_seconds{{collector="{collector}"}}'


def failing(collector: str, reason: str) -> str:
    return f'kimono_tenant_failure_info{{collector="{collector}",reason="{reason}"}}'


def failing_since(collector: str, reason: str) -> str:
    return f'kimono_tenant_failure_since_timestamp_seconds{{collector="{collector}",reason="{reason}"}}'


def due(minute: int) -> float:
    """The newest moment at which the daily schedule was due, in Unix seconds."""
    return float(((minute - DUE) // DAY * DAY + DUE) * 60)


def healthy() -> dict[str, Value]:
    """A tenant that collects each day at six and has no trouble."""
    return {
        NAME: always(1),
        "kimono_tenant_up": always(1),
        **{polled(collector): now for collector in COLLECTORS},
        **{flag(name): always(0) for name in FLAGS},
        SCHEDULE: always(1),
        ENABLED: always(1),
        ACTIVE_SINCE: always(LONG_AGO * 60),
        LAST_DUE: due,
        NEXT_DUE: lambda minute: due(minute) + DAY * 60,
        LAST_EXECUTED: lambda minute: due(minute) + 60,
        LAST_SUCCESS: lambda minute: due(minute - 30) + 60,
        LAST_RUN: lambda minute: due(minute) + 60,
        'kimono_ingestions{ingestion_type="collection",state="success"}': always(3),
        AUTH_CONFIRMED: always(1),
        AUTH_CONFIRMED_SINCE: always(LONG_AGO * 60),
    }


def exporter(tenants: int = 10) -> dict[str, Value]:
    """What an exporter without trouble says of itself."""
    return {
        "up": always(1),
        "process_start_time_seconds": always(LONG_AGO * 60),
        'kimono_exporter_build_info{version="1"}': always(1),
        "kimono_up": always(1),
        "kimono_tenants": always(tenants),
        **{f'kimono_exporter_poll_lag_seconds{{collector="{name}"}}': always(0) for name in COLLECTORS},
        'kimono_exporter_api_requests_total{endpoint="/tenant/state",code="200"}': lambda minute: minute * 100,
    }


def alert(name: str, severity: str, **labels: str) -> Alert:
    """A firing alert about the tenant t1, or about what the labels say."""
    about = labels or {"tenant_id": "t1", **NAMES}
    return frozenset({"alertname": name, "severity": severity, "job": "kimono", **about}.items())


def without(page: Page, gaps: Collection[range]) -> dict[str, Value]:
    """The page of an exporter that can't be scraped in these minutes."""
    return {
        series: lambda minute, value=value: None if any(minute in gap for gap in gaps) else value(minute)
        for series, value in page.items()
    }


def replica(page: Page, instance: str = "one", tenant_id: str = "t1", job: str = "kimono") -> dict[str, Value]:
    """A page as one exporter gives it: its series with all their labels."""
    whole = {}
    for series, value in page.items():
        name, _, labels = series.partition("{")
        own = [f'job="{job}"', f'instance="{instance}"']
        if not name.startswith(_OF_EXPORTER):
            own.append(f'tenant_id="{tenant_id}"')
        whole[f"{name}{{{','.join([*own, *([labels.rstrip('}')] if labels else [])])}}}"] = value
    return whole


def check(
    page: Page, expected: Expected, step: int = TICK, about: Collection[str] = (), history: int = HISTORY
) -> None:
    """The alerts that fire at the given minutes are the expected ones: of all, or of those that the test is `about`."""
    scraped(replica({**exporter(), **page}), expected, step, about, history)


def scraped(
    series: Page, expected: Expected, step: int = TICK, about: Collection[str] = (), history: int = HISTORY
) -> None:
    """The same for series with all their labels. `step` is the minutes between scrapes and evaluations."""
    names = {*about, *(dict(one)["alertname"] for alerts in expected.values() for one in alerts)} if about else ()
    firing = {
        minute: {'ALERTS{alertstate="firing"}': [(_firing(one), 1.0) for one in alerts]}
        for minute, alerts in expected.items()
    }
    _promtool(series, step, history, closure(names), {minute: _queries(each) for minute, each in firing.items()})


def queried(
    series: Page,
    minute: int,
    results: Mapping[str, Collection[tuple[str, float]]],
    about: Collection[str] = (),
    *,
    step: int = TICK,
    history: int = HISTORY,
) -> None:
    """At this minute each query has these results: series as in PromQL, and their values.

    Values that are times are Unix seconds. With `about`, only what these alerts need is evaluated.
    """
    _promtool(series, step, history, closure(about), {minute: _queries(results)})


def worded(series: Page, minute: int, said: Mapping[Alert, str], step: int = TICK, history: int = HISTORY) -> None:
    """At this minute these alerts fire, alone of their name, with these descriptions, and are as the rules say."""
    (name,) = {dict(one)["alertname"] for one in said}
    fired = []
    for one, description in said.items():
        labels = {label: value for label, value in one if label != "alertname"}
        annotations = {
            key: text.replace("{{ $labels.tenant_id }}", labels.get("tenant_id", ""))
            for key, text in _rule(name, labels["severity"])["annotations"].items()
        }
        fired.append({"exp_labels": labels, "exp_annotations": {**annotations, "description": description}})
    tested = {"alert_rule_test": [{"alertname": name, "exp_alerts": fired}]}
    _promtool(series, step, history, closure([name]), {minute: tested})


def _queries(results: Mapping[str, Collection[tuple[str, float]]]) -> dict[str, Any]:
    return {
        "promql_expr_test": [
            {"expr": query, "exp_samples": [{"labels": labels, "value": value} for labels, value in samples]}
            for query, samples in results.items()
        ]
    }


def _rule(name: str, severity: str) -> dict[str, Any]:
    return next(rule for rule in rules() if rule.get("alert") == name and rule["labels"]["severity"] == severity)


def _firing(one: Alert) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in one if value)
    return f'ALERTS{{alertstate="firing",{labels}}}'


def _inputs(series: Page, minutes: range) -> list[dict[str, str]]:
    """What promtool scrapes in these minutes, with times counted from the first of them."""
    inputs = []
    for name, value in series.items():
        moved = minutes.start * 60 if name.partition("{")[0].endswith(("_timestamp_seconds", "_time_seconds")) else 0
        samples = [value(minute) for minute in minutes]
        values = " ".join(_compact([None if one is None else one - moved for one in samples]))
        inputs.append({"series": name, "values": values})
    return inputs


def _compact(samples: list[float | None]) -> Iterator[str]:
    """In promtool's notation: `_xN` for N gaps, `a+bxN` for a value and N more. The end of a series is `stale`."""
    at = 0
    while at < len(samples):
        first = samples[at]
        more = 0
        if first is None:
            if at:
                yield "stale"
                at += 1
            while at + more < len(samples) and samples[at + more] is None:
                more += 1
            if more:
                yield f"_x{more}"
            at += more
            continue
        second = samples[at + 1] if at + 1 < len(samples) else None
        slope = 0.0 if second is None else second - first
        while at + more + 1 < len(samples) and samples[at + more + 1] == first + slope * (more + 1):
            more += 1
        yield f"{first:.15g}{slope:+.15g}x{more}"
        at += more + 1


def _promtool(
    series: Page, step: int, history: int, evaluated: list[dict[str, Any]], tested: Mapping[int, Mapping[str, Any]]
) -> None:
    tests = []
    for minute, each in tested.items():
        minutes = range(minute - history // step * step, minute + 1, step)
        whole = _at(minute - minutes.start, each)
        tests.append({"name": f"minute {minute}", "input_series": _inputs(series, minutes), **whole})
    _run(step, evaluated, tests)


def over_time(series: Page, expected: Expected, step: int, about: Collection[str]) -> None:
    """As `scraped`, but in one history from minute 0: for rules that look back for hours."""
    minutes = range(0, max(expected) + 1, step)
    queries = [
        query
        for minute, alerts in expected.items()
        for query in _at(minute, _queries({'ALERTS{alertstate="firing"}': [(_firing(one), 1.0) for one in alerts]}))[
            "promql_expr_test"
        ]
    ]
    _run(step, closure(about), [{"input_series": _inputs(series, minutes), "promql_expr_test": queries}])


def _at(minute: int, tested: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: [{**one, "eval_time": f"{minute}m"} for one in several] for kind, several in tested.items()}


def _run(step: int, evaluated: list[dict[str, Any]], tests: list[dict[str, Any]]) -> None:
    tests = [{"interval": f"{step}m", **test} for test in tests]
    with tempfile.TemporaryDirectory() as folder:
        rule_file, test_file = Path(folder, "rules.yaml"), Path(folder, "test.yaml")
        rule_file.write_text(json.dumps({"groups": evaluated}), encoding="utf-8")
        content = {
            "rule_files": [str(rule_file)],
            "evaluation_interval": f"{step}m",
            "group_eval_order": [group["name"] for group in evaluated],
            "tests": tests,
        }
        # JSON is YAML, and quicker to write.
        test_file.write_text(json.dumps(content), encoding="utf-8")
        result = subprocess.run(
            [needed("promtool"), "test", "rules", str(test_file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, **LESS_GARBAGE_COLLECTION},
        )
    assert result.returncode == 0, result.stdout + result.stderr
