"""Tests that the rules follow the contract, name only what exists, and load."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.processes import needed
from tests.support.rules import (
    ALERTING,
    FAMILIES,
    LABELS,
    OF_TENANTS,
    RECORDED,
    RULES,
    SEVERITIES,
    SUFFIX,
    closure,
    grouped,
    groups,
    rules,
    selectors,
)

ALERTS = RULES.parent
# Metrics that are not yet, or not only, the exporter's own.
ELSEWHERE = ("kimono_tenant_reported_info",)
# Recorded elsewhere, because it hardly changes.
SHARD = "kimono:exporter_shard:info"
# What is asked of each replica, or of each exporter.
OF_REPLICAS = (
    r"(by|on) \(job, instance(, \w+)*\)",
    r"by \(job, state, instance\)",
    r"without \(instance\)",
)


def test_every_alert_of_the_contract_is_there_with_its_severities_and_no_other() -> None:
    told: dict[str, list[str]] = {}
    for rule in ALERTING:
        told.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    assert told == SEVERITIES


@pytest.mark.parametrize("rule", ALERTING, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_has_the_labels_and_annotations_of_the_contract(rule: dict) -> None:
    assert set(rule["labels"]) == {"severity"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in rule["annotations"]["summary"]


def test_summaries_are_short_and_descriptions_two_sentences() -> None:
    for rule in ALERTING:
        summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
        assert len(summary) < 60
        said = re.sub(r"\{\{.*?\}\}", "x", description)
        assert len(re.findall(r"\.( |$)", said)) == 2, description
        assert "school" in said


@pytest.mark.parametrize("rule", OF_TENANTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_a_tenants_alert_leads_to_the_tenant_and_does_not_depend_on_series_that_vanish(rule: dict) -> None:
    assert rule["annotations"]["dashboard_url"].endswith("?var-tenant={{ $labels.tenant_id }}")
    assert rule["keep_firing_for"] == "15m"
    assert "for" not in rule


def test_no_rule_has_a_memory() -> None:
    """Followed through recorded series, no rule reads itself; none looks at what was recorded some time ago."""
    reads = {name: set[str]() for name in RECORDED}
    for rule in rules():
        assert " offset " not in rule["expr"]
        assert " @ " not in rule["expr"]
        if "record" in rule:
            reads[rule["record"]] |= {name for name, _ in selectors(rule["expr"])} & RECORDED
    for name in RECORDED:
        below, more = set[str](), reads[name]
        while more:
            below |= more
            more = {each for one in more for each in reads[one]} - below
        assert name not in below, name


def test_alerts_about_tenants_read_what_was_recorded_just_before_in_the_same_group() -> None:
    """Otherwise, what suppresses an alert may come up to a minute later than the alert."""
    (group,) = [group for group in groups() if any(rule in group["rules"] for rule in OF_TENANTS)]
    recorded: set[str] = set()
    for rule in group["rules"]:
        assert {name for name, _ in selectors(rule["expr"])} & RECORDED - {SHARD} <= recorded | {rule.get("record")}
        recorded.add(rule.get("record", ""))


def test_the_rules_are_few() -> None:
    assert len([rule for rule in rules() if "record" in rule]) <= 40
    assert len(RULES.read_text(encoding="utf-8").splitlines()) <= 600


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_metrics_and_labels_that_exist(rule: dict) -> None:
    for name, labels in selectors(rule["expr"]):
        if name not in (*RECORDED, *ELSEWHERE):
            family = FAMILIES.get(name) or FAMILIES[SUFFIX.sub("", name)]
            assert set(labels) <= {*family.labels, "job", "instance"}, name
        assert set(labels) <= LABELS
    assert grouped(rule["expr"]) <= LABELS


def test_every_recorded_series_is_used() -> None:
    used = {name for rule in rules() for name, _ in selectors(rule["expr"]) if name != rule.get("record")}
    shown = {name for page in (ALERTS.parent / "dashboards").glob("*.json") for name, _ in selectors(page.read_text())}
    assert used | shown >= RECORDED


def test_no_result_has_an_instance_and_nothing_picks_at_random() -> None:
    for rule in rules():
        assert "topk" not in rule["expr"]
        assert "instance" not in re.sub("|".join(OF_REPLICAS), "", rule["expr"])


def test_promtool_loads_the_rules() -> None:
    result = subprocess.run(
        [needed("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert f"{len(rules())} rules found" in result.stdout


@pytest.mark.parametrize("name", SEVERITIES)
def test_an_alert_is_evaluated_with_all_that_it_reads(name: str) -> None:
    chosen = [rule for group in closure([name]) for rule in group["rules"]]
    assert [rule["labels"]["severity"] for rule in chosen if rule.get("alert") == name] == SEVERITIES[name]
    read = {each for rule in chosen for each, _ in selectors(rule["expr"]) if each in RECORDED}
    assert read == {rule["record"] for rule in chosen if "record" in rule}
