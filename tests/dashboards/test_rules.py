"""Tests that the committed dashboards follow the rules, and that a break of each rule is noticed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import promql_parser as promql
import pytest
import yaml

from tests.dashboards import looks, queries
from tests.dashboards.parts import BOARDS, Board, parsed
from tests.dashboards.queries import matchers, nodes
from tests.dashboards.results import METRICS, Follower
from tests.support.processes import needed
from tests.support.rules import ALERTING, NAMES, rules

Rule = Callable[[Board], Iterator[str]]
Change = Callable[[dict[str, Any]], None]

# Rules group and match by labels that only some of the series have: with shards, for tenants that were not renamed, and
# for a cloud or an integration (the hub as a whole is no part of anything).
NOT_ALWAYS = {"group has no label shard", "group has no label cloud_name", "/ on has no label part"}
RULES: tuple[Rule, ...] = (*queries.QUERY_RULES, *looks.LOOKS)


def rule_name(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("uid", BOARDS)
@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_a_dashboard_keeps_to_the_rules(rule: Rule, uid: str) -> None:
    found = list(rule(BOARDS[uid]))
    assert not found, "\n".join(found)


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    asked = [(f"{uid}: {one.where}", one.text) for uid, board in BOARDS.items() for one in board.asked]
    groups = [
        {"name": f"{number} {where}", "rules": [{"record": f"query:{number}", "expr": text}]}
        for number, (where, text) in enumerate(asked)
    ]
    result = promtool(tmp_path, groups)
    assert result.returncode == 0, result.stderr
    assert f"{len(groups)} rules found" in result.stdout


def test_prometheus_refuses_a_query_that_is_none(tmp_path: Path) -> None:
    result = promtool(tmp_path, [{"name": "made up", "rules": [{"record": "query:0", "expr": "rate(kimono_up)"}]}])
    assert result.returncode != 0
    assert "made up" in result.stderr


def promtool(folder: Path, groups: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    file = folder / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    return subprocess.run(
        [needed("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )


def test_what_the_rules_record_can_be_followed() -> None:
    for rule in rules():
        follower = Follower(METRICS)
        result = follower.result(parsed(rule["expr"]))
        unknown = [what for what in follower.unknown if what not in NOT_ALWAYS]
        assert not unknown + follower.counted_twice + follower.misused, rule
        assert "record" in rule or "instance" not in result.labels, rule
    # An alert about the fleet may name a cloud.
    names = {*NAMES, "cloud_name"}
    assert METRICS["ALERTS"].labels == {"alertname", "alertstate", "severity", "job", "tenant_id", *names}


@pytest.mark.parametrize("rule", ALERTING, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_leads_to_a_dashboard_that_shows_it(rule: dict[str, Any]) -> None:
    url = urlsplit(rule["annotations"]["dashboard_url"])
    board = BOARDS[url.path.removeprefix("/d/")]
    assert set(re.findall(r"var-(\w+)=", url.query)) <= board.names
    selected = [matchers(each) for one in board.asked for each in nodes(one, promql.VectorSelector)]
    assert any(_selects(each, rule["alert"]) for each in selected)


@pytest.mark.parametrize("uid", ["kimono-fleet", "kimono-rollovers", "kimono-tenant"])
def test_accounts_and_integrations_can_be_chosen_where_tenants_are_shown(uid: str) -> None:
    assert {"account", "integration"} <= BOARDS[uid].names


@pytest.mark.parametrize("uid", ["kimono-exporter", "kimono-fleet", "kimono-tenant"])
def test_that_there_is_no_exporter_at_all_is_shown_though_it_has_no_job(uid: str) -> None:
    selected = [matchers(each) for one in BOARDS[uid].asked for each in nodes(one, promql.VectorSelector)]
    assert any(_selects(each, "KimonoExporterDown") and queries.ANY_JOB in each for each in selected)


def _selects(asked: list[tuple[str, promql.MatchOp, str]], alert: str) -> bool:
    patterns = [value for name, how, value in asked if name == "alertname" and how == promql.MatchOp.Re]
    return bool(patterns) and all(re.fullmatch(pattern, alert) for pattern in patterns)


# Broken on purpose.


def asks(expr: str, *, panel: int = 0, legend: str = "", instant: bool = True) -> Change:
    """Another query in a panel: by itself the first number."""

    def change(plain: dict[str, Any]) -> None:
        target = plain["panels"][panel]["targets"][0]
        target |= {"expr": expr, "legendFormat": legend, "instant": instant, "range": not instant}

    return change


def puts(value: Any, *path: str | int) -> Change:
    """Another value, or none, at a place in the JSON."""

    def change(plain: dict[str, Any]) -> None:
        place: Any = plain
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


J = 'job=~"$job"'
UP = f"kimono_tenant_up{{{J}}}"
ONE = 'job=~"$job",instance=~"$replica"'
INFO = f"kimono_tenant_info{{{ONE}}}"
ONE_UP = f"kimono_tenant_up{{{ONE}}}"
FINISHED = f"kimono_ingestions_finished_total{{{J}}}"
# Where they are in the dashboard that is broken.
BROKEN = BOARDS["kimono-fleet"].plain
PLACES = {panel["type"]: index for index, panel in reversed([*enumerate(BROKEN["panels"])])}
NUMBER, TABLE, LINES, TIMELINE = (PLACES[kind] for kind in ("stat", "table", "timeseries", "state-timeline"))
DEFAULTS = ("panels", NUMBER, "fieldConfig", "defaults")
STEPS = ("thresholds", "steps")
ORGANISED = next(
    index for index, one in enumerate(BROKEN["panels"][TABLE]["transformations"]) if one["id"] == "organize"
)
OPTIONS = ("panels", TABLE, "transformations", ORGANISED, "options")


def links(url: str) -> Change:
    """A link from a table."""
    override = {
        "matcher": {"id": "byName", "options": "Tenant"},
        "properties": [{"id": "links", "value": [{"url": url}]}],
    }
    return puts(override, "panels", TABLE, "fieldConfig", "overrides", 0)


BREAKS: list[tuple[Rule, Change]] = [
    (queries.each_query_can_be_read, asks("count(")),
    (queries.each_query_can_be_read, asks('kimono_up{job=~"$jobs"}')),
    (queries.each_query_can_be_read, puts("prometheus(up)", "templating", "list", 1, "query", "query")),
    (queries.each_series_and_label_exists, asks(f"kimono_nothing{{{J}}}")),
    (queries.each_series_and_label_exists, asks(f'kimono_up{{{J},tenant_id="x"}}')),
    (queries.each_series_and_label_exists, asks(f"max by (tenant) ({UP})")),
    (queries.each_series_and_label_exists, asks(f"max without (tenant) ({UP})")),
    (queries.each_series_and_label_exists, asks(f"max by (job) ({UP}) and on (job, tenant_id) {INFO}")),
    (queries.each_series_and_label_exists, asks(f"max by (job) ({UP}) and {INFO}")),
    (queries.each_series_and_label_exists, asks(f"{INFO} unless ignoring (collector) {INFO}")),
    (queries.each_series_and_label_exists, asks(f"{UP} * on (job, tenant_id) group_left (cloud) {INFO}")),
    (queries.each_series_and_label_exists, asks(f'label_replace({INFO}, "a", "", "cloud", "x")')),
    (queries.each_series_and_label_exists, asks(f'label_join({INFO}, "a", " ", "cloud")')),
    (queries.each_series_and_label_exists, asks(f"histogram_quantile(0.9, {INFO})")),
    (queries.each_series_and_label_exists, asks(INFO, legend="{{cloud}}")),
    (
        queries.each_series_and_label_exists,
        puts("label_values(kimono_up, cloud)", *("templating", "list", 1), *("query", "query")),
    ),
    (queries.each_selector_has_the_chosen_job, asks("max(kimono_up)")),
    (queries.each_selector_has_the_chosen_job, asks('max(kimono_up{job="$job"})')),
    (queries.each_selector_has_the_chosen_job, asks('max(kimono_up{job=~"$job|"})')),
    (
        queries.each_selector_has_the_chosen_job,
        puts("label_values(kimono_tenant_info, account_name)", *("templating", "list", 3), *("query", "query")),
    ),
    (queries.nothing_is_counted_twice, asks(f"sum({UP})")),
    (queries.nothing_is_counted_twice, asks(f"count by (job) ({UP} == 0)")),
    (queries.nothing_is_counted_twice, asks(f"quantile(0.5, time() - {UP})")),
    (queries.nothing_is_counted_twice, asks(f"sum(rate({FINISHED}[$__rate_interval]))")),
    (queries.nothing_is_counted_twice, asks(f"topk(5, {UP})")),
    (queries.nothing_is_counted_twice, asks(f"topk(1, {UP})")),
    (queries.nothing_is_counted_twice, asks(f"topk by (job, instance, tenant_id) (1, {UP})")),
    (queries.nothing_is_counted_twice, asks(f"count(max by (job, tenant_id) ({UP}) or on (job, tenant_id) {UP})")),
    (queries.nothing_is_counted_twice, asks(UP)),
    (queries.nothing_is_counted_twice, asks(f"max by (job, instance) ({UP})")),
    (queries.nothing_is_counted_twice, asks(f"{INFO} * on (job, tenant_id) {UP}")),
    (queries.nothing_is_counted_twice, asks(f"{INFO} * on (job, tenant_id) group_left () {UP}")),
    (queries.counters_are_asked_for_rates_alone, asks(f"max({FINISHED})")),
    (queries.counters_are_asked_for_rates_alone, asks(f"max(max_over_time({FINISHED}[1d]))")),
    (queries.counters_are_asked_for_rates_alone, asks(f"max(rate({UP}[$__rate_interval]))")),
    (queries.rates_are_over_what_one_step_shows, asks(f"max(rate({FINISHED}[5m]))")),
    (queries.rates_are_over_what_one_step_shows, asks(f"max(increase({FINISHED}[$__range]))", instant=False)),
    (queries.nothing_is_plotted_for_all_tenants, asks(f"max({UP})", instant=False)),
    (queries.nothing_is_plotted_for_all_tenants, asks(f"count({INFO})", instant=False)),
    (queries.few_are_shown_at_once, asks(f"topk(51, {INFO})")),
    (queries.few_are_shown_at_once, asks(f"topk(21, {INFO})", instant=False)),
    (queries.few_are_shown_at_once, asks(f"max by (tenant_id) ({UP})")),
    (queries.what_is_chosen_counts, asks(f"count({INFO})")),
    (queries.what_is_chosen_counts, asks(f'count(kimono_tenant_info{{{ONE},account_name=~"$account"}})')),
    (queries.what_is_chosen_counts, asks(f'count(kimono_tenant_info{{{ONE},integration=~"$integration"}})')),
    (queries.what_is_chosen_counts, asks(f"count({ONE_UP} == 0)")),
    (queries.no_rule_is_needed, asks(f"count(kimono:tenant:info{{{J}}})")),
    (queries.what_counts_alerts_says_so, asks(f"count(ALERTS{{{J}}})")),
    (queries.what_counts_alerts_says_so, puts("None, or no rules are loaded", *DEFAULTS, "noValue")),
    (queries.what_is_now_is_of_one_replica, asks(f"count(max by (job, tenant_id) ({UP}))")),
    (looks.its_name_is_its_uid_and_it_is_of_the_family, puts("fleet", "uid")),
    (looks.its_name_is_its_uid_and_it_is_of_the_family, puts("Fleet", "title")),
    (looks.its_name_is_its_uid_and_it_is_of_the_family, puts([], "tags")),
    (looks.its_name_is_its_uid_and_it_is_of_the_family, puts(1, "id")),
    (looks.it_is_fresh_and_not_for_editing, puts("5m", "refresh")),
    (looks.it_is_fresh_and_not_for_editing, puts("", "timezone")),
    (looks.it_is_fresh_and_not_for_editing, puts(True, "editable")),  # noqa: FBT003 - a value of the JSON
    (looks.it_leads_to_the_others, puts(False, "links", 0, "keepTime")),  # noqa: FBT003 - likewise
    (looks.it_lets_choose_the_source_and_the_jobs, puts("loki", "templating", "list", 0, "query")),
    (looks.it_lets_choose_the_source_and_the_jobs, puts(".*", "templating", "list", 1, "allValue")),
    (looks.it_lets_choose_the_source_and_the_jobs, puts(None, "templating", "list", 0)),
    (looks.variables_ask_again_when_time_changes, puts(1, "templating", "list", 1, "refresh")),
    (looks.variables_ask_again_when_time_changes, puts("", "templating", "list", 1, "label")),
    (looks.old_grafanas_take_it, puts("39", "schemaVersion")),
    (looks.old_grafanas_take_it, puts(42, "schemaVersion")),
    (looks.old_grafanas_take_it, puts("inControlsMenu", "links", 0, "placement")),
    (looks.old_grafanas_take_it, puts("inControlsMenu", "annotations", "list", 0, "placement")),
    (looks.old_grafanas_take_it, puts("piechart", "panels", NUMBER, "type")),
    (looks.old_grafanas_take_it, puts([{"url": "/", "placement": "x"}], *DEFAULTS, "links")),
    (looks.old_grafanas_take_it, puts([], "annotations", "list")),
    (looks.everything_comes_from_the_chosen_source, puts("x", "panels", NUMBER, "datasource", "uid")),
    (looks.everything_comes_from_the_chosen_source, puts("x", "panels", NUMBER, "targets", 0, "datasource", "uid")),
    (looks.everything_comes_from_the_chosen_source, puts(None, "templating", "list", 1, "datasource")),
    (looks.each_panel_says_what_it_is, puts("", "panels", NUMBER, "title")),
    (looks.each_panel_says_what_it_is, puts("Look here", "panels", NUMBER, "description")),
    (looks.each_panel_says_what_it_is, puts(None, *DEFAULTS, "unit")),
    (looks.each_panel_says_what_it_is, puts(None, *DEFAULTS, "noValue")),
    (looks.ids_are_unique, puts(BROKEN["panels"][LINES]["id"], "panels", NUMBER, "id")),
    (looks.ids_are_unique, puts([{"refId": "A"}, {"refId": "A"}], "panels", NUMBER, "targets")),
    (looks.the_grid_is_full, puts(23, "panels", TIMELINE, "gridPos", "w")),
    (looks.the_grid_is_full, puts(25, "panels", TIMELINE, "gridPos", "w")),
    (looks.the_grid_is_full, puts(1, "panels", LINES, "gridPos", "y")),
    (looks.numbers_and_tables_are_of_now, puts(False, "panels", TABLE, "targets", 0, "instant")),  # noqa: FBT003 - likewise
    (looks.numbers_and_tables_are_of_now, puts(True, "panels", LINES, "targets", 0, "instant")),  # noqa: FBT003 - likewise
    (looks.timelines_can_be_read, puts("auto", "panels", TIMELINE, "options", "showValue")),
    (looks.timelines_can_be_read, puts(21, "panels", TIMELINE, "options", "perPage")),
    (looks.states_have_fixed_colours, puts(None, "panels", TIMELINE, "fieldConfig", "defaults", "color")),
    (looks.states_have_fixed_colours, puts(None, "panels", TIMELINE, "fieldConfig", "defaults", "mappings")),
    (looks.states_have_fixed_colours, puts(None, *DEFAULTS, "mappings", 0, "options", "result", "color")),
    (looks.states_have_fixed_colours, puts([], "panels", LINES, "fieldConfig", "overrides")),
    (
        looks.states_have_fixed_colours,
        puts("x", *("panels", LINES, "fieldConfig"), *("overrides", 0, "matcher", "options")),
    ),
    (looks.tables_show_what_is_asked_for, puts({}, *OPTIONS, "excludeByName")),
    (looks.tables_show_what_is_asked_for, puts("Cloud", *OPTIONS, "renameByName", "cloud")),
    (looks.tables_show_what_is_asked_for, puts(None, *OPTIONS, "renameByName", "Value")),
    (looks.tables_show_what_is_asked_for, puts("Rank", "panels", TABLE, "options", "sortBy", 0, "displayName")),
    (looks.tenants_lead_to_their_dashboard, puts([], "panels", TABLE, "fieldConfig", "overrides")),
    (looks.lines_have_a_legend, puts(False, "panels", LINES, "options", "legend", "showLegend")),  # noqa: FBT003 - likewise
    (looks.lines_have_a_legend, puts(None, "panels", TIMELINE, "options", "legend")),
    (looks.more_is_worse, puts([{"color": "red"}, {"color": "orange"}, {"color": "green"}], *DEFAULTS, *STEPS)),
    (looks.more_is_worse, puts([{"color": "red"}, {"color": "orange"}], *DEFAULTS, *STEPS)),
    (looks.links_lead_somewhere, links("/d/kimono-nowhere?${__url_time_range}")),
    (looks.links_lead_somewhere, links("/d/kimono-tenant?var-tenants=x&${__url_time_range}")),
    (looks.links_lead_somewhere, links("/d/kimono-tenant?${__url_time_range}&${jobs:queryparam}")),
    (looks.links_lead_somewhere, links("/d/kimono-tenant?var-tenant=${__data.fields.cloud}&${__url_time_range}")),
    (looks.links_lead_somewhere, links("/d/kimono-tenant")),
    (looks.links_lead_somewhere, links("https://example.org")),
]


@pytest.mark.parametrize(("rule", "change"), BREAKS, ids=[rule_name(rule) for rule, _ in BREAKS])
def test_a_dashboard_that_breaks_a_rule_is_seen(rule: Rule, change: Change) -> None:
    plain = deepcopy(BROKEN)
    change(plain)
    assert list(rule(Board(plain, "kimono-fleet")))


def test_every_rule_has_been_broken() -> None:
    assert {rule for rule, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize("alert", ["KimonoExporter", "XKimonoExporterDown"])
def test_an_alert_that_is_not_shown_is_seen(alert: str) -> None:
    asked = matchers(parsed('ALERTS{alertname=~"Kimono.+",alertname=~"KimonoExporterDown"}'))
    assert not _selects(asked, alert)
    assert _selects(asked, "KimonoExporterDown")
