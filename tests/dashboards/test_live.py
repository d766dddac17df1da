"""Tests that every query gives data on a real Prometheus, with and without rules, and that replicas double no number.

On the small fleet; bench/ has the large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import isclose, isnan
from pathlib import Path

import pytest

from dashboards.colours import MANY_UNREACHABLE, MODES, NO_PROBLEM, OUTCOMES, PROBLEMS
from tests.support.backtest import engine
from tests.support.dashboards import prometheus
from tests.support.dashboards.asking import Answer, ask, series
from tests.support.dashboards.filling import SMALL, Filled, fill_from, write_scrapes
from tests.support.dashboards.prometheus import Prometheus
from tests.support.dashboards.questions import DAY, Dashboard, Question, Variable, read, rounded
from tests.support.dashboards.report import bad
from tests.support.processes import needed

BOARDS = {path.stem: read(path) for path in sorted((Path(__file__).parents[2] / "dashboards").glob("*.json"))}
FLEET = Question("kimono-fleet", "Made up", "A", "", instant=True, span=DAY)

# Half a day is enough for eleven of the thirteen problems.
ONE_EXPORTER = replace(SMALL, days=0.5, rules=240)
TWO_EXPORTERS = replace(ONE_EXPORTER, replicas=2)
INSTANCES = ("localhost:10120", "localhost:10120-2")
# While the number of shards changes, two of them may have a tenant, and one replica of each is chosen.
TWO_SHARDS = "|".join(INSTANCES)
# A tenant with much that is wrong, and one whose rollover is a problem: together they have nearly all there is.
TROUBLED = (
    'topk(1, count by (tenant_id) ({__name__=~"kimono_.+_since_timestamp_seconds"}))',
    "topk(1, kimono_rollover_failing_since_timestamp_seconds)",
)
# Panels of the Exporter's dashboard that add up what each replica does by itself.
ADDED_UP = {
    "Exporters",
    "Polls per minute by outcome",
    "Requests per second by status",
    "Requests per second by endpoint",
    "Retries per hour",
    "Token requests per hour",
}
# Where more is added up, the last digits come out otherwise. No more than those: moments must be the same.
NOISE = 1e-12

WORST = "Problems, worst first"

# What merges replicas over time.
MERGED = re.compile(r"\bmax(?= by)|\b(?:group|count)(?= by \((?:job, tenant_id, )?flag\))")

# Values by moment, by the series' labels.
Found = dict[frozenset[tuple[str, str]], dict[float, float]]

pytestmark = pytest.mark.slow


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
def live(simulated: Filled) -> Iterator[Live]:
    needed("prometheus")
    assert not simulated.said.errors
    with prometheus.started(simulated.folder) as running:
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
    (asked,) = (one for one in BOARDS["kimono-fleet"].questions if one.panel == WORST)
    rows = live.prometheus.instant(written(asked), live.prometheus.end)
    assert {one["metric"]["problem"] for one in rows} == {one.name for one in PROBLEMS}
    # Named, and so that the table can sort them.
    assert all(one["metric"]["tenant_name"] and one["metric"]["rank"] in "123" for one in rows)
    assert len({one["metric"]["tenant_id"] for one in rows}) * 2 < SMALL.tenants + 10


def test_the_fleet_has_every_mode(live: Live) -> None:
    assert live.labels("kimono_tenant_state_since_timestamp_seconds", "flag") >= MODES.keys()


def test_ingestions_have_ended_in_every_way_within_a_day(live: Live) -> None:
    ended = "sum by (state) (increase(kimono_ingestions_finished_total[1d])) > 0"
    assert live.labels(ended, "state") == OUTCOMES.keys()


def test_rollovers_are_of_all_kinds(live: Live) -> None:
    assert live.labels("kimono_rollover_status", "status") == {"upcoming", "ongoing", "completed"}
    assert live.labels("kimono_rollover_failure_info", "reason")
    soon = "kimono_rollover_start_timestamp_seconds - time() < 86400 > 0"
    assert live.labels(soon, "tenant_id")


# What is unknown is neither 0 nor well.


def written(asked: Question, tenant: str = "", replica: str = INSTANCES[0]) -> str:
    """The question with All chosen, and the first exporter as the replica, or others."""
    board = BOARDS[asked.dashboard]
    everything = {one.name: one.everything for one in board.variables if one.everything}
    return asked.written({**board.fixed, **everything, "replica": replica, "tenant": tenant}, SMALL.scrape)


def over_the_day(live: Live, uid: str, panel: str, ref: str = "A") -> Found:
    """A question as it would have been answered every four minutes of the last day, with All chosen."""
    (asked,) = (one for one in BOARDS[uid].questions if (one.panel, one.ref) == (panel, ref))
    return found(live.prometheus, replace(asked, instant=False, span=DAY, interval=SMALL.rules), written(asked))


def moments(series: Found, **labels: str) -> dict[float, float]:
    """The values of all series that have these labels, by moment."""
    chosen = [values for name, values in series.items() if labels.items() <= dict(name).items()]
    return {at: value for values in chosen for at, value in values.items()}


@pytest.fixture(scope="module")
def dark(live: Live) -> set[float]:
    """When many tenants were unreachable."""
    step = SMALL.rules
    since, until = ((live.prometheus.end - ago) // step * step for ago in (DAY, 0))
    (one,) = live.prometheus.range("avg(kimono_tenant_up) < 0.5", since, until, step)
    assert len(one["values"]) > 5
    return {at for at, _ in one["values"]}


@pytest.mark.parametrize(("uid", "panel"), [("kimono-fleet", WORST), ("kimono-rollovers", "Problems, oldest first")])
def test_nothing_is_well_while_many_are_unreachable(live: Live, dark: set[float], uid: str, panel: str) -> None:
    told = over_the_day(live, uid, panel)
    well, many = (moments(told, problem=problem) for problem in (NO_PROBLEM, MANY_UNREACHABLE))
    assert dark <= many.keys()
    assert not well.keys() & dark


def test_no_number_is_0_while_many_are_unreachable(live: Live, dark: set[float]) -> None:
    known: set[float] = set()
    for panel in ("Stalled", "Overdue", "Failing", "Unreachable", "Mass change pending", "Sync suspended"):
        told = {ref: moments(over_the_day(live, "kimono-fleet", panel, ref)) for ref in refs("kimono-fleet", panel)}
        assert not [at for values in told.values() for at in dark if values.get(at) == 0], panel
        known.update(value for values in told.values() for value in values.values())
    assert 0 in known
    unreachable = moments(over_the_day(live, "kimono-fleet", "Unreachable"))
    assert max(unreachable.values()) == SMALL.tenants


def refs(uid: str, panel: str) -> list[str]:
    return [one.ref for one in BOARDS[uid].questions if one.panel == panel]


def test_without_an_exporter_nothing_is_known(tmp_path: Path) -> None:
    with told(tmp_path) as (one, _):
        one.prometheus.end += 60
        for uid in ("kimono-fleet", "kimono-rollovers", "kimono-tenant"):
            for question in (each for each in BOARDS[uid].questions if each.instant):
                rows = found(one.prometheus, question, written(question, "b"))
                values = [value for each in rows.values() for value in each.values()]
                assert all(map(isnan, values)), f"{uid}, {question.panel}, {question.ref}: {values}"


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

SCRAPED = 1792054800


@contextmanager
def told(folder: Path, *, copies: int = 1, replicas: int = 1) -> Iterator[tuple[Live, int]]:
    """A short page that was scraped twice and then could not be, and how many series it has become."""
    needed("prometheus")
    needed("go")
    rules, data = folder / "rules.yaml", folder / "data"
    rules.write_text("groups: []")
    page = {
        "kimono_tenants": 2,
        'kimono_tenant_info{tenant_id="a",tenant_name="A",account_id="",account_name="Oak"}': 1,
        'kimono_tenant_state{tenant_id="b",flag="setup_mode_enabled"}': 0,
        "kimono_up": 1,
    }
    with engine.started(engine.build(), rules, "60s", data, copies=copies, replicas=replicas) as running:
        for number, (name, value) in enumerate(page.items()):
            running.input.write(f"S {number} {name}\nV {number} {value}\n")
        running.input.write(f"T {SCRAPED - 60}\nT {SCRAPED}\nX {SCRAPED + 60}\n")
        kept = running.finish().figures["series"]
    with prometheus.started(data) as started:
        assert started.end == SCRAPED + 60
        started.end = SCRAPED
        yield Live(started), kept


def test_a_tenant_stands_for_as_many_as_are_asked_for(tmp_path: Path) -> None:
    with told(tmp_path, copies=3) as (one, kept):
        assert kept == 8
        assert one.labels("kimono_tenants == 6", "job") == {"kimono"}
        assert one.labels("kimono_tenant_info", "tenant_id") == {"a", "a-2", "a-3"}
        assert one.labels("kimono_tenant_info", "tenant_name") == {"A", "A 2", "A 3"}
        assert one.labels("kimono_tenant_info", "account_name") == {"Oak", "Oak 2", "Oak 3"}
        assert one.labels("kimono_tenant_info", "account_id") == {""}
        assert one.labels("kimono_tenant_state == 0", "tenant_id") == {"b", "b-2", "b-3"}
        assert len(one.prometheus.instant("kimono_up == 1", one.prometheus.end)) == 1


def test_an_exporter_stands_for_as_many_as_are_asked_for(tmp_path: Path) -> None:
    with told(tmp_path, copies=3, replicas=2) as (one, kept):
        assert kept == 2 * 8
        for expr in ("up == 1", "kimono_up == 1", "kimono_tenants == 6", 'kimono_tenant_info{tenant_id="a-3"}'):
            assert one.labels(expr, "instance") == set(INSTANCES)
            assert one.labels(expr, "job") == {"kimono"}
        one.prometheus.end += 60
        assert one.labels("up == 0", "instance") == set(INSTANCES)
        assert not one.labels("kimono_up", "instance")


# Two replicas, scraped under one job, never double a number.


@dataclass(frozen=True)
class Replicas:
    """The same half day, as one exporter told it, as two did, and as one did without rules."""

    one: Prometheus
    two: Prometheus
    bare: Prometheus
    fired: tuple[list[engine.Firing], list[engine.Firing]]

    def compared(self, board: Dashboard, replica: str = INSTANCES[0]) -> Iterator[tuple[Question, Found, str]]:
        """Each question, what one exporter makes of it, and in words what two get wrong; about one tenant, for two."""
        for question, expr in self.asked(board, replica):
            one, two = found(self.one, question, expr), found(self.two, question, expr)
            wrong = difference(with_two(question, one), two)
            yield question, one, wrong and f"{question.panel}, {question.ref}: {wrong}\n    {expr}"

    def asked(self, board: Dashboard, replica: str = INSTANCES[0]) -> Iterator[tuple[Question, str]]:
        """Each question as it is written, about two tenants if it is about one."""
        tenants = [one["metric"]["tenant_id"] for expr in TROUBLED for one in self.one.instant(expr, self.one.end)]
        assert len(set(tenants)) == 2
        for tenant in tenants if board.uid == "kimono-tenant" else [""]:
            for question in [each for one in board.questions for each in also_earlier(one)]:
                yield question, written(question, tenant, replica)

    def wrong(self, board: Dashboard, *questions: Question) -> list[str]:
        """What is wrong, if this is all that the dashboard asks."""
        return [wrong for _, _, wrong in self.compared(replace(board, questions=questions)) if wrong]


def also_earlier(question: Question) -> Iterator[Question]:
    """The question; and one about the end alone every five minutes too, because 0 at the end doubled is 0 as well."""
    yield question
    if question.instant:
        yield replace(question, instant=False, interval=max(question.interval, 300))


def found(on: Prometheus, question: Question, expr: str) -> Found:
    """What a Prometheus gives at the end of its database."""
    return {
        frozenset(one["metric"].items()): {at: float(text) for at, text in one.get("values") or [one["value"]]}
        for one in series(on, question, expr, on.end, SMALL.scrape)
    }


def with_two(question: Question, one: Found) -> Found:
    """What two replicas should make of this: the same, but where the Exporter's dashboard has them side by side."""
    if question.dashboard != "kimono-exporter":
        return one
    if question.panel in ADDED_UP:
        return {labels: {at: 2 * value for at, value in values.items()} for labels, values in one.items()}
    first, second = (("instance", name) for name in INSTANCES)
    return one | {labels - {first} | {second}: values for labels, values in one.items() if first in labels}


def difference(one: Found, two: Found) -> str:
    """The first series and moment that are not the same in both; nothing if all are."""
    for labels in sorted(one.keys() | two.keys(), key=sorted):
        first, second = one.get(labels, {}), two.get(labels, {})
        for at in sorted(first.keys() | second.keys()):
            if not same(first.get(at), second.get(at)):
                return f"{dict(sorted(labels))} is {first.get(at)} and {second.get(at)}"
    return ""


def same(one: float | None, two: float | None) -> bool:
    """Whether these are one number, or none."""
    if one is None or two is None:
        return one is two
    return isclose(one, two, rel_tol=NOISE, abs_tol=NOISE) or (isnan(one) and isnan(two))


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    needed("prometheus")
    needed("go")
    recording = tmp_path_factory.mktemp("recording") / "scrapes"
    with recording.open("w") as out:
        write_scrapes(ONE_EXPORTER, out)
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two", "bare")]
    sizes = ((ONE_EXPORTER, True), (TWO_EXPORTERS, True), (ONE_EXPORTER, False))
    said = [
        fill_from(recording, size, folder, rules=rules) for (size, rules), folder in zip(sizes, folders, strict=True)
    ]
    assert not [error for one in said for error in one.errors]
    assert said[1].figures["samples"] == 2 * said[0].figures["samples"]
    with ExitStack() as stack:
        one, two, bare = (stack.enter_context(prometheus.started(folder)) for folder in folders)
        assert one.end == two.end == bare.end
        yield Replicas(one, two, bare, (said[0].firings, said[1].firings))


@pytest.mark.parametrize("uid", BOARDS)
def test_two_replicas_double_no_number(replicas: Replicas, uid: str) -> None:
    compared = list(replicas.compared(BOARDS[uid]))
    wrong = [text for _, _, text in compared if text]
    assert not wrong, "\n".join(wrong)
    telling = [question for question, one, _ in compared if any(any(values.values()) for values in one.values())]
    assert 3 * len(telling) > 2 * len(compared), "too much is empty or 0"


@pytest.mark.parametrize("uid", BOARDS)
def test_tenants_that_are_in_two_shards_double_no_number_and_fail_no_query(replicas: Replicas, uid: str) -> None:
    wrong = [text for _, _, text in replicas.compared(BOARDS[uid], TWO_SHARDS) if text]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("uid", BOARDS)
def test_without_rules_only_alerts_are_missing(replicas: Replicas, uid: str) -> None:
    for question, expr in replicas.asked(BOARDS[uid]):
        one, bare = found(replicas.one, question, expr), found(replicas.bare, question, expr)
        if "ALERTS" in expr:
            assert not bare, f"{question.panel}, {question.ref}"
        else:
            assert not difference(one, bare), f"{question.panel}, {question.ref}"


@pytest.mark.parametrize("uid", ["kimono-fleet", "kimono-rollovers", "kimono-tenant"])
def test_one_replica_is_chosen(replicas: Replicas, uid: str) -> None:
    board = replace(BOARDS[uid], questions=())
    (answer,) = (one for one in ask(replicas.two, board, SMALL.scrape) if one.panel == "$replica")
    assert (answer.series, answer.error) == (1, "")


def test_two_replicas_change_nothing_that_rules_record(replicas: Replicas) -> None:
    of_tenants = replace(FLEET, expr='{__name__=~"kimono:tenant.+|ALERTS|ALERTS_FOR_STATE"}', instant=False)
    ((_, one, wrong),) = replicas.compared(replace(BOARDS["kimono-fleet"], questions=(of_tenants,)))
    assert not wrong
    assert len({dict(labels)["__name__"] for labels in one}) > 5


def test_two_replicas_raise_each_alert_once(replicas: Replicas) -> None:
    one, two = (
        sorted((each.alert, sorted(each.labels.items()), each.since, each.until) for each in fired)
        for fired in replicas.fired
    )
    assert one == two
    assert len(one) >= 10


def test_what_the_exporters_dashboard_adds_up_is_on_it() -> None:
    assert {question.panel for question in BOARDS["kimono-exporter"].questions} >= ADDED_UP


def test_a_number_that_is_doubled_is_noticed(replicas: Replicas) -> None:
    board, once = BOARDS["kimono-fleet"], replace(FLEET, expr='max(kimono_tenants{job=~"$job"})')
    twice, beside = (replace(FLEET, expr=f'{each}(kimono_tenants{{job=~"$job"}})') for each in ("sum", ""))
    for instant in (True, False):
        once, twice, beside = (replace(one, instant=instant) for one in (once, twice, beside))
        assert not replicas.wrong(board, once)
        assert "{} is 26.0 and 52.0" in replicas.wrong(board, twice)[0]
        assert "is None and 26.0" in replicas.wrong(board, beside)[0]


@pytest.mark.parametrize("uid", BOARDS)
def test_replicas_that_are_not_merged_are_noticed(replicas: Replicas, uid: str) -> None:
    not_merged = [replace(one, expr=MERGED.sub("sum", one.expr)) for one in BOARDS[uid].questions]
    assert replicas.wrong(BOARDS[uid], *not_merged)


@pytest.mark.parametrize(
    ("two", "wrong"),
    [
        ({"a": {60.0: 0.3, 120.0: float("nan")}, "b": {60.0: 1.0}}, ""),
        ({"a": {60.0: 0.1 + 0.2, 120.0: float("nan")}, "b": {60.0: 1.0}}, ""),
        ({"a": {60.0: 0.3001, 120.0: float("nan")}, "b": {60.0: 1.0}}, "{'name': 'a'} is 0.3 and 0.3001"),
        ({"a": {60.0: 0.3, 120.0: 0.0}, "b": {60.0: 1.0}}, "{'name': 'a'} is nan and 0.0"),
        ({"a": {60.0: 0.3}, "b": {60.0: 1.0}}, "{'name': 'a'} is nan and None"),
        ({"a": {60.0: 0.3, 120.0: float("nan")}}, "{'name': 'b'} is 1.0 and None"),
        ({"a": {60.0: 0.3, 120.0: float("nan")}, "b": {60.0: 1.0}, "c": {60.0: 0.0}}, "{'name': 'c'} is None and 0.0"),
    ],
    ids=["alike", "another last digit", "a value", "a number", "a moment", "a series less", "a series more"],
)
def test_a_difference_is_told(two: dict[str, dict[float, float]], wrong: str) -> None:
    one = {"a": {60.0: 0.3, 120.0: float("nan")}, "b": {60.0: 1.0}}
    first, second = ({frozenset({("name", name)}): values for name, values in each.items()} for each in (one, two))
    assert difference(first, second) == wrong


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
