"""Tests that the alerts' expressions find the same problems as Python, since the same time, in each history of
`test_problems`: each is a tenant of its own on one page, which promtool evaluates."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import yaml

from exporter.api.models import Application
from exporter.assets.rules.facts import Source
from exporter.assets.rules.problems import PROBLEMS
from exporter.collectors.application import ApplicationCollector
from exporter.collectors.collector import Poll
from exporter.collectors.rollovers import STATUS, RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.history import SHARED, History, flags, ingestions
from exporter.history.problems import find
from exporter.history.unfinished import OLDEST_SEEN
from exporter.metrics import Sample
from exporter.polling.tenant import LAST_SUCCESS, TENANT_UP
from tests.history import test_problems
from tests.history.test_problems import BEGINS, COLLECTORS, NOW, health
from tests.support.processes import needed

# promtool's time begins at 0. It evaluates after so many minutes, when `NOW` is this many seconds.
MINUTES = 240
THEN = MINUTES * 60.0


def histories() -> Iterator[History]:
    """Each history of the tables of `test_problems`, and each problem before and after its threshold."""
    for build, limit, _ in BEGINS.values():
        for age in (limit - 3600, limit + 3600, limit + 7200):
            if age > 0:
                yield build(age)
    for test in vars(test_problems).values():
        for mark in getattr(test, "pytestmark", ()):
            rows = mark.args[1] if mark.name == "parametrize" else ()
            yield from (row[0] for row in rows if isinstance(row, tuple) and isinstance(row[0], History))


CASES = {f"case {number}": history for number, history in enumerate(histories())}


def series(sample: Sample, minutes: tuple[int, int] = (0, MINUTES)) -> tuple[str, str]:
    """A series that has this sample at each of these minutes; times are moved to promtool's."""
    labels = dict(zip(sample.family.labels, sample.values, strict=True)) | {"job": "kimono", "instance": "a"}
    written = ",".join(f'{name}="{value}"' for name, value in labels.items())
    is_time = sample.family.name.endswith("_timestamp_seconds")
    value = sample.value - NOW + THEN if is_time else sample.value
    first, last = minutes
    values = " ".join([*(["_"] * first), *([f"{value:.3f}"] * (last - first + 1))])
    return f"{sample.family.name}{{{written}}}", values


def page(ident: str, history: History) -> Iterable[tuple[str, str]]:
    """What the exporter exposes of a tenant with this history, and has exposed of runs and rollovers before."""
    schedules, rollovers, state = history.schedules, history.rollovers, history.application.given
    polled = [name for name in COLLECTORS if name != "schedules" or schedules.polled_at]
    now: list[Sample] = [LAST_SUCCESS(NOW, tenant_id=ident, collector=name) for name in polled]
    now.append(TENANT_UP(1, tenant_id=ident))
    now += flags.samples(history.state, ident)
    # The next poll removes the runs that ended too long ago to have blocked a schedule.
    lately = {key: run for key, run in history.ingestions.full_runs.items() if NOW - run.unfinished_at < 2 * 3600}
    now += ingestions.samples(replace(history.ingestions, full_runs=lately), ident)
    now += SchedulesCollector().samples(Poll(ident, [*schedules.listed.values()], NOW, history))
    # The keys of the tables are not those that the collector gives: it is asked for the rollovers one by one.
    for key, listed in rollovers.listed.items():
        for sample in RolloversCollector().samples(Poll(ident, [listed], NOW, History())):
            labels = dict(zip(sample.family.labels, sample.values, strict=True)) | {"rollover_id": key}
            now.append(sample.family(sample.value, **labels))
    now += test_problems.rollovers.samples(rollovers, ident)
    now += ApplicationCollector().samples(Poll(ident, Application(None, state, None, None), NOW, history))
    for shared in SHARED:
        now += shared.samples(history, ident, NOW)
    yield from map(series, now)
    yield from earlier(ident, history)


def earlier(ident: str, history: History) -> Iterable[tuple[str, str]]:
    """The series of runs that have ended, and of what the status of rollovers was."""

    def minute(moment: float) -> int:
        return max(0, int((moment - NOW + THEN) // 60))

    running = {run.key for run in history.ingestions.running}
    for key, run in history.ingestions.full_runs.items():
        if key not in running:
            sample = OLDEST_SEEN(run.seen, tenant_id=ident, ingestion_type="collection", state="executing")
            yield series(sample, (minute(run.seen), minute(run.unfinished_at)))
    for key, known in history.rollovers.by_key.items():
        if known.over_since is not None:
            yield series(STATUS(1, tenant_id=ident, rollover_id=key, status="ongoing"), (0, minute(known.over_since)))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Since when (Unix seconds) each case has each problem, as the expressions say: by kind and case."""
    promtool, folder = needed("promtool"), tmp_path_factory.mktemp("rules")
    inputs = [
        {"series": name, "values": values} for ident, history in CASES.items() for name, values in page(ident, history)
    ]
    asked = [
        {"expr": expression(Source()), "eval_time": f"{MINUTES}m", "exp_samples": []}
        for expression in PROBLEMS.values()
    ]
    (folder / "rules.yaml").write_text("groups: []\n")
    (folder / "test.yaml").write_text(
        yaml.safe_dump(
            {
                "rule_files": ["rules.yaml"],
                "evaluation_interval": "1m",
                "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": asked}],
            }
        )
    )
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    return answers(done.stdout + done.stderr)


def answers(text: str) -> dict[str, dict[str, float]]:
    """The samples that promtool prints, because none were expected: its only way to say what it found."""
    found: dict[str, dict[str, float]] = {kind: {} for kind in PROBLEMS}
    kinds = {" ".join(expression(Source()).split()): kind for kind, expression in PROBLEMS.items()}
    for block in re.split(r"\n\s*expr: ", text)[1:]:
        expression, _, rest = block.partition(", time: ")
        kind = kinds[" ".join(expression.strip().strip('"').replace("\\n", " ").replace('\\"', '"').split())]
        got = rest.partition("got:")[2]
        for ident, value in re.findall(r'tenant_id="(case \d+)"\} ([-+.\deE]+)', got.replace('\\"', '"')):
            found[kind][ident] = float(value) - THEN + NOW
    return found


def test_there_are_more_than_a_hundred_cases() -> None:
    assert len(CASES) > 80


@pytest.mark.parametrize("kind", [*BEGINS])
def test_the_expression_of_a_problem_finds_the_same_tenants_since_the_same_time(
    kind: str, evaluated: dict[str, dict[str, float]]
) -> None:
    told = {
        ident: problem.since
        for ident, history in CASES.items()
        for problem in find(history, health(), NOW).problems
        if problem.kind == kind
    }
    assert told
    assert evaluated[kind] == pytest.approx(told, abs=1.0)
