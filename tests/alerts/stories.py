"""What does Prometheus see of a tenant, minute by minute, and which alerts does it raise?

A page is a dict from a series, written as in PromQL without `job`, `instance` and `tenant_id`, to its value as a
function of the minute. Stories are a healthy page with a few other values, and the alerts expected at some minutes.
promtool, which has Prometheus's own engine, tells whether it is so. Minute 0 is midnight UTC.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.contract.served import needed

RULES = Path(__file__).parents[2] / "alerts" / "kimono.rules.yaml"

# The series that the fleet's burn rate is made of, and the group that makes it.
ENDS, OF_ENDS = "kimono_ingestion_duration_seconds_count", "kimono-fleet"

Value = Callable[[int], float | None]
Page = Mapping[str, Value]
Alert = frozenset[tuple[str, str]]  # its labels, with alertname and severity

HOUR = 60
DAY = 24 * HOUR
# Minutes between scrapes, and between evaluations, where a story does not say otherwise. More than the five minutes
# for which Prometheus would show what is gone (promtool's input has no stale markers), and quick.
TICK = 6
DUE = 6 * HOUR  # the minute of the day at which the healthy tenant's schedule is due
NAMES = {"tenant_name": "Maple LMS", "account_name": "Maple Ridge", "integration": "canopy-lms"}
COLLECTORS = ("state", "ingestions", "schedules", "rollovers", "application")
FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")

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


def check(page: Page, expected: Expected, step: int = TICK) -> None:
    """The alerts that fire at the given minutes, all of them, are the expected ones."""
    scraped(replica({**exporter(), **page}), expected, step)


def scraped(series: Page, expected: Expected, step: int = TICK, about: str = "Kimono.+") -> None:
    """The same for series with all their labels. `step` is the minutes between scrapes and evaluations.

    Only alerts whose name matches `about` are looked at.
    """
    minutes = range(0, max(expected) + 1, step)
    assert all(minute % step == 0 for minute in expected)
    _promtool(
        {
            "interval": f"{step}m",
            "input_series": _inputs(series, minutes),
            "promql_expr_test": [
                {
                    "expr": f'ALERTS{{alertstate="firing",alertname=~"{about}"}}',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": _firing(one), "value": 1} for one in alerts],
                }
                for minute, alerts in expected.items()
            ],
        },
        step,
    )


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
    _promtool(
        {
            "interval": f"{step}m",
            "input_series": _inputs(series, range(0, minute + 1, step)),
            "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": fired}],
        },
        step,
    )


def recorded(series: Page, name: str, expected: Mapping[int, Mapping[str, float]], step: int = TICK) -> None:
    """At these minutes the recorded series `name` has these samples, and no other: labels but `job`, and the value."""
    _promtool(
        {
            "interval": f"{step}m",
            "input_series": _inputs(series, range(0, max(expected) + 1, step)),
            "promql_expr_test": [
                {
                    "expr": name,
                    "eval_time": f"{minute}m",
                    "exp_samples": [
                        {"labels": f'{name}{{job="kimono",{labels}}}', "value": value}
                        for labels, value in samples.items()
                    ],
                }
                for minute, samples in expected.items()
            ],
        },
        step,
    )


def _rule(name: str, severity: str) -> dict[str, Any]:
    return next(rule for rule in rules() if rule.get("alert") == name and rule["labels"]["severity"] == severity)


def rules() -> list[dict[str, Any]]:
    """All rules, in their order."""
    return [rule for group in groups() for rule in group["rules"]]


def groups() -> list[dict[str, Any]]:
    """The groups of rules, in their order."""
    content: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return content


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


def _promtool(test: dict[str, Any], step: int) -> None:
    with_ends = any(ENDS in one["series"] for one in test["input_series"])
    with tempfile.TemporaryDirectory() as folder:
        content = {
            "rule_files": [str(RULES if with_ends else _without_ends(Path(folder)))],
            "evaluation_interval": f"{step}m",
            "group_eval_order": [group["name"] for group in groups() if with_ends or group["name"] != OF_ENDS],
            "tests": [test],
        }
        path = Path(folder, "test.yaml")
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        result = subprocess.run(
            [needed("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False, timeout=300
        )
    assert result.returncode == 0, result.stdout + result.stderr


def _without_ends(folder: Path) -> Path:
    """The rules without the group that says nothing where no ingestion ends: it takes a quarter of promtool's time."""
    before, after = RULES.read_text(encoding="utf-8").split(f"  - name: {OF_ENDS}\n")
    path = folder / "rules.yaml"
    path.write_text(before + after[after.index("  - name: ") :], encoding="utf-8")
    return path
