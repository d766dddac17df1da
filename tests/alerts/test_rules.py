"""Tests that the rules follow the contract, name only what exists, and load."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.processes import needed
from tests.support.rules import (
    ALERTING,
    FAMILIES,
    LABELS,
    OF_TENANTS,
    PROBLEM,
    PROBLEMS,
    RANK,
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
NAMED = "* on (job, tenant_id) group_left (tenant_name, account_name, integration) kimono:tenant:info"
# What only a replica can tell: it is asked of each, and the best answer taken.
OF_REPLICAS = (
    r"min by \(job\) \(max by \(job, instance\)",
    r"max by \(job, state\) \(\s+sum by \(job, state, instance\)",
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


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_carries_names(problem: str) -> None:
    assert PROBLEMS[problem].endswith(f"\n)\n{NAMED}\n")


@pytest.mark.parametrize("rule", OF_TENANTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_a_tenants_alert_carries_names_and_leads_to_the_tenant(rule: dict) -> None:
    about = re.search(r'kimono:tenant_problem:timestamp_seconds\{problem="(\w+)"', rule["expr"])
    problem = about if rule["expr"].startswith("max without (problem) (") else None
    named = problem[1] in PROBLEMS if problem else rule["expr"].rstrip().endswith(NAMED)
    assert named, rule["expr"]
    assert rule["annotations"]["dashboard_url"].endswith("?var-tenant={{ $labels.tenant_id }}")
    assert rule["keep_firing_for"] == "15m"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_metrics_and_labels_that_exist(rule: dict) -> None:
    for name, labels in selectors(rule["expr"]):
        if name not in RECORDED:
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


def test_thresholds_stand_first_each_with_a_comment() -> None:
    first = groups()[0]
    assert first["name"] == "kimono-thresholds"
    assert all(re.fullmatch(r"vector\([0-9.* ]+\)", rule["expr"]) for rule in first["rules"])
    text = RULES.read_text(encoding="utf-8")
    for rule in first["rules"]:
        assert re.search(rf"      # .+\n      - record: {rule['record']}\n", text), rule["record"]


def test_promtool_loads_the_rules() -> None:
    result = subprocess.run(
        [needed("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert f"{len(rules())} rules found" in result.stdout


def test_the_rule_of_the_operator_follows_from_the_rules() -> None:
    script = ALERTS / "prometheusrule.py"
    result = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    made = yaml.safe_load((ALERTS / "kimono.prometheusrule.yaml").read_text(encoding="utf-8"))
    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert made["spec"]["groups"] == groups()


def test_a_rule_of_the_operator_that_is_stale_is_seen(tmp_path: Path) -> None:
    for file in (RULES, ALERTS / "prometheusrule.py"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    script = [sys.executable, str(tmp_path / "prometheusrule.py")]
    assert subprocess.run([*script, "--check"], capture_output=True, check=False).returncode == 1
    assert subprocess.run(script, capture_output=True, check=False).returncode == 0
    assert subprocess.run([*script, "--check"], capture_output=True, check=False).returncode == 0


# The rules that a test evaluates.


def evaluated(*names: str, problem: str = "") -> list[dict]:
    return [rule for group in closure(names, problem) for rule in group["rules"]]


@pytest.mark.parametrize("name", SEVERITIES)
def test_an_alert_is_evaluated_with_all_that_it_reads(name: str) -> None:
    chosen = evaluated(name)
    assert [rule["labels"]["severity"] for rule in chosen if rule.get("alert") == name] == SEVERITIES[name]
    assert [rule for rule in rules() if rule in chosen] == chosen, "the order is another one"
    read = {each for rule in chosen for each, _ in selectors(rule["expr"]) if each in RECORDED}
    assert read == {rule["record"] for rule in chosen if "record" in rule}
    # The rank of a problem needs no other problem.
    expressions = " ".join(rule["expr"] for rule in chosen if rule.get("record") != RANK)
    asked = {problem for problem in PROBLEMS if f'problem="{problem}"' in expressions}
    assert {rule["labels"]["problem"] for rule in chosen if rule.get("record") == PROBLEM} == asked


def test_the_problems_are_evaluated_all_or_one_alone() -> None:
    problems = [rule["labels"]["problem"] for rule in evaluated(PROBLEM) if rule.get("record") == PROBLEM]
    assert problems == [*PROBLEMS]
    one = [rule["labels"]["problem"] for rule in evaluated(RANK, problem="setup") if rule.get("record") == PROBLEM]
    assert one == ["setup"]


def test_without_a_name_all_rules_are_evaluated_and_with_a_wrong_one_none() -> None:
    assert evaluated() == rules()
    with pytest.raises(AssertionError, match="KimonoNothing"):
        closure(["KimonoNothing"])
