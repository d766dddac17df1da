"""Runs rule tests: what Prometheus sees of a tenant, minute by minute, and the alerts that it should raise.

A page is a dict from a series, written as in PromQL without `job`, `instance` and `tenant_id`, to its value as a
function of the minute. Stories are a healthy page with a few other values, and the alerts expected at some minutes.
promtool, which has Prometheus's own engine, tells whether it is so. Minute 0 is midnight UTC.

What is evaluated: a test that says what it is `about` evaluates the rules that these alerts, and the expected ones,
need (`tests.support.rules.closure`), and claims that no other of *these* fires. A test that does not say so evaluates
all rules and claims that nothing else fires at all. Each problem has such a history in test_problems.py, beside a
healthy tenant: it finds an alert that fires beside another one.
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
from tests.support.rules import FLAGS, NAMES, closure, groups, rules

# promtool has enough memory: collecting garbage less often saves a sixth of its time.
LESS_GARBAGE_COLLECTION = {"GOGC": "400"}

Value = Callable[[int], float | None]
Page = Mapping[str, Value]
Alert = frozenset[tuple[str, str]]  # its labels, with alertname and severity

HOUR = 60
DAY = 24 * HOUR
# Minutes between scrapes, and between evaluations, where a story does not say otherwise. More than the five minutes
# for which Prometheus would show what is gone (promtool's input has no stale markers), and quick. Longer steps would
# leave nothing for rules that look 15 minutes back.
TICK = 6
DUE = 6 * HOUR  # the minute of the day at which the healthy tenant's schedule is due
COLLECTORS = ("state", "ingestions", "schedules", "rollovers", "application")

LAST_DUE = 'kimono_schedule_last_due_timestamp_seconds{schedule_id="s1",schedule_type="collection"}'
LAST_EXECUTED = 'kimono_schedule_last_executed_timestamp_seconds{schedule_id="s1",schedule_type="collection"}'
ENABLED = 'kimono_schedule_enabled{schedule_id="s1",schedule_type="collection"}'
SCHEDULE = 'kimono_schedule_info{schedule_id="s1",schedule_type="collection",hour="6",days="daily"}'
LAST_SUCCESS = 'kimono_ingestion_last_started_timestamp_seconds{ingestion_type="collection",state="success"}'
LAST_FAILURE = 'kimono_ingestion_last_started_timestamp_seconds{ingestion_type="collection",state="failed"}'
NAME = (
    'kimono_tenant_info{tenant_name="Maple LMS",account_id="a",account_name="Maple Ridge",'
    'integration="canopy-lms",integration_version="1"}'
)


def always(value: float) -> Value:
    return lambda _: value


def never(_: int) -> float | None:
    return None


def now(minute: int) -> float:
    return minute * 60


def steps(*changes: tuple[int, float | None]) -> Value:
    """The value from each minute on; none before the first."""
    return lambda minute: next((value for start, value in reversed(changes) if minute >= start), None)


def flag(name: str) -> str:
    return f'kimono_tenant_state{{flag="{name}"}}'


def polled(collector: str) -> str:
    return f'kimono_collector_last_success_timestamp_seconds{{collector="{collector}"}}'


def failing(collector: str, reason: str) -> str:
    return f'kimono_tenant_failure_info{{collector="{collector}",reason="{reason}"}}'


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
        LAST_DUE: due,
        LAST_EXECUTED: lambda minute: due(minute) + 60,
        LAST_SUCCESS: lambda minute: due(minute - 30) + 60,
        'kimono_ingestions{ingestion_type="collection",state="success"}': always(3),
        'kimono_application_auth_state{auth_type="oauth2",state="confirmed"}': always(1),
    }


def exporter(tenants: int = 10) -> dict[str, Value]:
    """What an exporter without trouble says of itself."""
    return {
        'kimono_exporter_build_info{version="1"}': always(1),
        "kimono_up": always(1),
        "kimono_tenants": always(tenants),
        'kimono_exporter_poll_lag_seconds{collector="state"}': always(0),
        'kimono_exporter_api_requests_total{endpoint="/tenant/state",code="200"}': lambda minute: minute * 100,
    }


def alert(name: str, severity: str, **labels: str) -> Alert:
    """A firing alert about the tenant t1, or about what the labels say."""
    about = labels or {"tenant_id": "t1", **NAMES}
    return frozenset({"alertname": name, "severity": severity, "job": "kimono", **about}.items())


Expected = Mapping[int, Collection[Alert]]


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
        if not name.startswith(("kimono_exporter_", "kimono_up", "kimono_tenants")):
            own.append(f'tenant_id="{tenant_id}"')
        whole[f"{name}{{{','.join([*own, *([labels.rstrip('}')] if labels else [])])}}}"] = value
    return whole


def check(page: Page, expected: Expected, step: int = TICK, about: Collection[str] = ()) -> None:
    """The alerts that fire at the given minutes are the expected ones: of all, or of those that the test is `about`."""
    scraped(replica({**exporter(), **page}), expected, step, about)


def scraped(series: Page, expected: Expected, step: int = TICK, about: Collection[str] = ()) -> None:
    """The same for series with all their labels. `step` is the minutes between scrapes and evaluations."""
    minutes = range(0, max(expected) + 1, step)
    assert all(minute % step == 0 for minute in expected)
    names = {*about, *(dict(one)["alertname"] for alerts in expected.values() for one in alerts)} if about else ()
    _promtool(series, minutes, closure(names), {"promql_expr_test": _fired(expected)})


def history(
    series: Page, expected: Expected, recorded: str, samples: Mapping[int, Mapping[str, float]], absent: str
) -> None:
    """With all rules evaluated, the alerts that fire are the expected ones, and so are the samples of a record.

    `absent`: a query that gives nothing at any of these minutes.
    """
    minutes = range(0, max(*expected, *samples) + 1, TICK)
    nothing = _records(absent, {minute: {} for minute in expected})
    tested = [*_fired(expected), *_records(recorded, samples), *nothing]
    _promtool(series, minutes, groups(), {"promql_expr_test": tested})


def worded(series: Page, minute: int, said: Mapping[Alert, str], step: int = TICK) -> None:
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
    tested = {"alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": fired}]}
    _promtool(series, range(0, minute + 1, step), closure([name]), tested)


def recorded(
    series: Page, name: str, expected: Mapping[int, Mapping[str, float]], step: int = TICK, problem: str = ""
) -> None:
    """At these minutes the recorded series `name` has these samples, and no other: labels but `job`, and the value.

    `problem`: the only problem of tenants that is evaluated.
    """
    minutes = range(0, max(expected) + 1, step)
    _promtool(series, minutes, closure([name], problem), {"promql_expr_test": _records(name, expected)})


def _fired(expected: Expected) -> list[dict[str, Any]]:
    return [
        {
            "expr": 'ALERTS{alertstate="firing"}',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": _firing(one), "value": 1} for one in alerts],
        }
        for minute, alerts in expected.items()
    ]


def _records(name: str, expected: Mapping[int, Mapping[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "expr": name,
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": f'{name}{{job="kimono",{labels}}}', "value": value} for labels, value in samples.items()
            ],
        }
        for minute, samples in expected.items()
    ]


def _rule(name: str, severity: str) -> dict[str, Any]:
    return next(rule for rule in rules() if rule.get("alert") == name and rule["labels"]["severity"] == severity)


def _inputs(series: Page, minutes: range) -> list[dict[str, str]]:
    return [
        {"series": name, "values": " ".join(_compact([value(minute) for minute in minutes]))}
        for name, value in series.items()
    ]


def _compact(samples: list[float | None]) -> Iterator[str]:
    """In promtool's notation: `_xN` for N gaps, `a+bxN` for a value and N more."""
    at = 0
    while at < len(samples):
        first = samples[at]
        more = 0
        if first is None:
            while at + more < len(samples) and samples[at + more] is None:
                more += 1
            yield f"_x{more}"
            at += more
            continue
        second = samples[at + 1] if at + 1 < len(samples) else None
        slope = 0.0 if second is None else second - first
        while at + more + 1 < len(samples) and samples[at + more + 1] == first + slope * (more + 1):
            more += 1
        yield f"{first:.15g}{slope:+.15g}x{more}"
        at += more + 1


def _firing(one: Alert) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in one if value)
    return f'ALERTS{{alertstate="firing",{labels}}}'


def _promtool(series: Page, minutes: range, evaluated: list[dict[str, Any]], tested: Mapping[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rule_file, test_file = Path(folder, "rules.yaml"), Path(folder, "test.yaml")
        rule_file.write_text(json.dumps({"groups": evaluated}), encoding="utf-8")
        content = {
            "rule_files": [str(rule_file)],
            "evaluation_interval": f"{minutes.step}m",
            "group_eval_order": [group["name"] for group in evaluated],
            "tests": [{"interval": f"{minutes.step}m", "input_series": _inputs(series, minutes), **tested}],
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
