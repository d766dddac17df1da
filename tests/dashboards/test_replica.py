"""Tests which replica the dashboards read: of each job and shard, the one that is most up to date."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.parts import BOARDS
from tests.support.dashboards.questions import Variable
from tests.support.processes import needed

MINUTE, HOUR = 60, 3600
BUILD, SUCCESS = "kimono_exporter_build_info", "kimono_collector_last_success_timestamp_seconds"
SHARD = "kimono_exporter_shard_info"


def query(uid: str) -> str:
    """The query of the variable `replica`."""
    (one,) = (each for each in BOARDS[uid].variables if each["name"] == "replica")
    variable = Variable(uid, "replica", one["query"]["query"], one["regex"], None, 0)
    return variable.expr({"job": "kimono", "tenant": "0"}) or ""


def exporter(name: str, ages: Mapping[int, float | None], shard: str = "") -> list[dict[str, str]]:
    """The series of an exporter at one hour: how old (seconds) its data of each tenant are; None for no data."""
    job = f'job="kimono",instance="{name}"'
    series = [{"series": f'{BUILD}{{{job},version="1"}}', "values": "1x60"}]
    if shard:
        series.append({"series": f'{SHARD}{{{job},shard="{shard}",shards="2"}}', "values": "1x60"})
    for tenant, age in ages.items():
        if age is not None:
            labels = f'{job},tenant_id="{tenant}",collector="state"'
            series.append({"series": f"{SUCCESS}{{{labels}}}", "values": f"{HOUR - age:g}x60"})
    return series


def chosen(folder: Path, expr: str, series: list[dict[str, str]], expected: set[str]) -> str:
    """What promtool says against these being the chosen exporters after an hour; nothing if they are."""
    labels = [f'{{job="kimono",instance="{name.rstrip("01")}"{shard(name)}}}' for name in expected]
    samples = [{"labels": each, "value": 1} for each in labels]
    tested = {"expr": f"group by (job, instance, shard) ({expr})", "eval_time": "1h", "exp_samples": samples}
    test: dict[str, Any] = {"interval": "1m", "input_series": series, "promql_expr_test": [tested]}
    file = folder / "test.yaml"
    file.write_text(json.dumps({"rule_files": [], "tests": [test]}), encoding="utf-8")
    command = [needed("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def shard(name: str) -> str:
    """The label of an exporter whose name ends with its shard."""
    return f',shard="{name[-1]}"' if name[-1] in "01" else ""


FRESH = dict.fromkeys(range(4), 30.0)
BEHIND = dict.fromkeys(range(4), 15 * MINUTE + 30.0)


@pytest.mark.parametrize("uid", ["kimono-fleet", "kimono-rollovers", "kimono-tenant"])
@pytest.mark.parametrize(
    ("exporters", "expected"),
    [
        ([exporter("a", BEHIND), exporter("b", FRESH)], {"b"}),
        ([exporter("a", FRESH), exporter("b", dict.fromkeys(range(4)))], {"a"}),
        ([exporter("a", FRESH), exporter("b", FRESH | {0: 40.0})], {"a"}),
        ([exporter("a", {0: None})], {"a"}),
    ],
    ids=["one is behind", "one has just started", "both are up to date", "none has succeeded"],
)
def test_the_replica_that_is_up_to_date_is_read(
    tmp_path: Path, uid: str, exporters: list[list[dict[str, str]]], expected: set[str]
) -> None:
    series = [one for each in exporters for one in each]
    assert not chosen(tmp_path, query(uid), series, expected)
    other = {"a", "b"} - expected
    assert "expr" in chosen(tmp_path, query(uid), series, other)


def test_one_replica_of_each_shard_is_read(tmp_path: Path) -> None:
    first, second = dict.fromkeys((0, 1), 30.0), dict.fromkeys((2, 3), 16 * MINUTE + 0.0)
    series = [
        *exporter("a", first, "0"),
        *exporter("b", first | {1: 60.0}, "0"),
        *exporter("c", second, "1"),
        *exporter("d", second | {3: HOUR - 1.0}, "1"),
    ]
    assert not chosen(tmp_path, query("kimono-fleet"), series, {"a0", "c1"})
    assert chosen(tmp_path, query("kimono-fleet"), series, {"a0"})
