"""Does every query of every dashboard give data on a real Prometheus? On the small fleet; bench/ has the large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.backtest import engine
from bench.dashboards import prometheus
from bench.dashboards.asking import Answer, ask
from bench.dashboards.filling import SMALL, fill
from bench.dashboards.prometheus import Prometheus
from bench.dashboards.questions import DAY, Dashboard, Question, Variable, read, rounded
from bench.dashboards.report import bad
from dashboards.colours import MODES, OUTCOMES, PROBLEMS
from tests.contract.served import needed

BOARDS = {path.stem: read(path) for path in sorted((Path(__file__).parents[2] / "dashboards").glob("*.json"))}
FLEET = Question("kimono-fleet", "Made up", "A", "", instant=True, span=DAY)

# The database is filled once, by one worker.
pytestmark = pytest.mark.xdist_group("live dashboards")


@dataclass(frozen=True)
class Live:
    prometheus: Prometheus

    def labels(self, expr: str, label: str) -> set[str]:
        found = self.prometheus.instant(expr, self.prometheus.end)
        return {one["metric"].get(label, "") for one in found}

    def ask(self, board: Dashboard) -> list[Answer]:
        return list(ask(self.prometheus, board, SMALL.scrape))

    def asked(self, question: Question) -> Answer:
        """The answer to one more question on the Fleet's dashboard."""
        return self.ask(replace(BOARDS["kimono-fleet"], questions=(question,)))[-1]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    needed("prometheus")
    needed("go")
    folder = tmp_path_factory.mktemp("database")
    assert not fill(SMALL, folder).errors
    with prometheus.started(folder) as running:
        yield Live(running)


def test_there_are_four_dashboards() -> None:
    assert BOARDS.keys() == {"kimono-exporter", "kimono-fleet", "kimono-rollovers", "kimono-tenant"}


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_gives_data(live: Live, uid: str) -> None:
    answers = live.ask(BOARDS[uid])
    found = [f"{one.panel}, {one.ref}: {one.error or 'no data'}\n    {one.expr}" for one in bad(answers)]
    assert not found, "\n".join(found)
    assert len(answers) == len(BOARDS[uid].variables) + len(BOARDS[uid].questions)


# Else an empty panel would prove nothing.


def test_the_fleet_has_every_problem(live: Live) -> None:
    problems = live.labels("kimono:tenant_problem:timestamp_seconds", "problem")
    assert problems == {one.name for one in PROBLEMS}


def test_the_fleet_has_every_mode(live: Live) -> None:
    assert live.labels("kimono:tenant_mode:timestamp_seconds", "flag") == MODES.keys()


def test_ingestions_have_ended_in_every_way_within_a_day(live: Live) -> None:
    ended = "sum by (state) (increase(kimono_ingestions_finished_total[1d])) > 0"
    assert live.labels(ended, "state") == OUTCOMES.keys()


def test_rollovers_are_of_all_kinds(live: Live) -> None:
    assert live.labels("kimono_rollover_status", "status") == {"upcoming", "ongoing", "completed"}
    assert live.labels("kimono_rollover_failure_info", "reason")
    soon = "kimono_rollover_start_timestamp_seconds - time() < 86400 > 0"
    assert live.labels(soon, "tenant_id")


def test_most_tenants_are_well(live: Live) -> None:
    wrong = live.labels("kimono:tenant_problem:timestamp_seconds", "tenant_id")
    assert 2 * len(wrong) < SMALL.tenants


# A wrong query is noticed.


@pytest.mark.parametrize(
    ("expr", "error"),
    [
        ('kimono_tenant_info{job=~"$job",tenant="x"}', ""),
        ('count(kimono_tenant_info{job=~"$job",tenant="x"}) or vector(0)', ""),
        ('sum(rate(kimono_tenant_info{job=~"$job"}))', "expected type range vector"),
        ('kimono_tenant_info{job=~"$jobs"}', "there is no variable jobs"),
        ("kimono_schedule_info * on (tenant_id) kimono_schedule_info", "many-to-many matching not allowed"),
    ],
    ids=["a wrong label", "a wrong label hidden by a zero", "no range", "no variable", "not one to one"],
)
def test_a_query_that_gives_nothing_or_fails_is_bad(live: Live, expr: str, error: str) -> None:
    answer = live.asked(replace(FLEET, expr=expr))
    assert answer.empty
    assert error in answer.error
    assert bool(answer.error) == bool(error)
    assert bad([answer]) == [answer]


def test_a_variable_without_values_is_bad(live: Live) -> None:
    wrong = Variable("kimono-fleet", "job", "label_values(kimono_exporter_info, job)", "", ".+", DAY)
    answers = live.ask(replace(BOARDS["kimono-fleet"], variables=(wrong,), questions=()))
    assert bad(answers) == answers != []


def test_a_tenant_is_found_that_has_what_is_asked_for(live: Live) -> None:
    board = BOARDS["kimono-tenant"]
    failing = replace(FLEET, expr='kimono_rollover_failure_info{job=~"$job",tenant_id="$tenant"}')
    assert not bad(live.ask(replace(board, questions=(failing,))))


def test_an_instant_query_may_have_its_data_earlier_in_the_day(live: Live) -> None:
    throttled = 'ALERTS{alertname="KimonoApiThrottled",alertstate="firing"}'
    assert not live.labels(throttled, "alertname")
    assert not live.asked(replace(FLEET, expr=throttled)).empty


def test_a_slow_query_is_bad() -> None:
    answer = Answer("kimono-fleet", "Made up", "A", "vector(1)", seconds=2.1, series=1, telling=True)
    assert bad([answer]) == [answer]
    assert not bad([replace(answer, seconds=1.9)])


# A large fleet is a small one several times.


def test_a_tenant_stands_for_as_many_as_are_asked_for(tmp_path: Path) -> None:
    needed("prometheus")
    needed("go")
    rules, data = tmp_path / "rules.yaml", tmp_path / "data"
    rules.write_text("groups: []")
    page = {
        "kimono_tenants": 2,
        'kimono_tenant_info{tenant_id="a",tenant_name="A",account_id="",account_name="Oak"}': 1,
        'kimono_tenant_state{tenant_id="b",flag="setup_mode_enabled"}': 0,
        "kimono_up": 1,
    }
    with engine.started(engine.build(tmp_path), rules, "60s", data, copies=3) as running:
        for number, (series, value) in enumerate(page.items()):
            running.input.write(f"S {number} {series}\nV {number} {value}\n")
        running.input.write("T 1792054740\nT 1792054800\n")
        assert running.finish().figures["series"] == 8
    with prometheus.started(data) as started:
        assert started.end == 1792054800
        one = Live(started)
        assert one.labels("kimono_tenants == 6", "job") == {"kimono"}
        assert one.labels("kimono_tenant_info", "tenant_id") == {"a", "a-2", "a-3"}
        assert one.labels("kimono_tenant_info", "tenant_name") == {"A", "A 2", "A 3"}
        assert one.labels("kimono_tenant_info", "account_name") == {"Oak", "Oak 2", "Oak 3"}
        assert one.labels("kimono_tenant_info", "account_id") == {""}
        assert one.labels("kimono_tenant_state == 0", "tenant_id") == {"b", "b-2", "b-3"}
        assert len(started.instant("kimono_up == 1", started.end)) == 1


# Intervals are Grafana's.


@pytest.mark.parametrize(
    ("span", "interval", "scrape", "step", "rate"),
    [
        (DAY, 0, 60, 60, 240),
        (DAY, 0, 15, 60, 75),
        (DAY, 900, 60, 900, 960),
        (7 * DAY, 0, 60, 600, 660),
        (30 * DAY, 0, 60, 1800, 1860),
        (7 * DAY, DAY, 60, DAY, DAY + 60),
    ],
)
def test_steps_and_rate_intervals_are_those_of_grafana(
    span: int, interval: int, scrape: int, step: int, rate: int
) -> None:
    question = replace(FLEET, expr="$__interval ${__rate_interval} $__range_s", span=span, interval=interval)
    assert question.steps(scrape) == step
    assert question.written({}, scrape) == f"{step}s {rate}s {span}"


@pytest.mark.parametrize(("exact", "shown"), [(86.4, 60), (90.1, 120), (604.8, 600), (2592, 1800), (90_000, DAY)])
def test_an_interval_is_rounded_as_grafana_does(exact: float, shown: int) -> None:
    assert rounded(exact) == shown


def test_a_variables_regular_expression_picks_text_and_value() -> None:
    pattern = '/(?=.*called="(?<text>[^"]*)")(?=.*tenant_id="(?<value>[^"]*)")/'
    variable = Variable("kimono-tenant", "tenant", "", pattern, None, DAY)
    assert variable.picked(['{called="Oak · Elm",tenant_id="t1"} 1 0', '{called="Fir"} 1 0']) == ["t1"]
