"""Are the rules what the contract says, do they name only what exists, and do they load?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter import families, telemetry
from tests.alerts.stories import RULES, groups, rules
from tests.contract.served import needed

ALERTS = RULES.parent
# To the letter of the contract.
SEVERITIES = {
    "KimonoExporterDown": ["critical"],
    "KimonoDiscoveryFailing": ["critical"],
    "KimonoPollingBehind": ["warning"],
    "KimonoApiThrottled": ["warning"],
    "KimonoFleetIngestionsFailing": ["critical", "warning"],
    "KimonoManyTenantsUnreachable": ["critical"],
    "KimonoTenantUnreachable": ["warning"],
    "KimonoTenantCredentialsRejected": ["warning"],
    "KimonoIngestionStalled": ["critical"],
    "KimonoIngestionsFailing": ["warning", "critical"],
    "KimonoSyncOverdue": ["critical"],
    "KimonoSyncStale": ["warning"],
    "KimonoSyncSuspended": ["warning"],
    "KimonoMassChangePending": ["warning", "critical"],
    "KimonoSetupModeLingering": ["info"],
    "KimonoRolloverStuck": ["warning"],
    "KimonoRolloverNotStarted": ["warning"],
    "KimonoRolloverFailing": ["warning"],
    "KimonoApplicationAuthFailing": ["warning"],
}
NAMED = "* on (job, tenant_id) group_left (tenant_name, account_name, integration) kimono:tenant:info"
# What can be wrong with a tenant, and the expression that tells.
PROBLEMS = {
    rule["labels"]["problem"]: rule["expr"]
    for rule in rules()
    if rule.get("record") == "kimono:tenant_problem:timestamp_seconds"
}
FLEET = (
    *("KimonoExporterDown", "KimonoDiscoveryFailing", "KimonoPollingBehind", "KimonoApiThrottled"),
    *("KimonoFleetIngestionsFailing", "KimonoManyTenantsUnreachable"),
)
# What only a replica can tell: it is asked of each, and the best answer taken.
OF_REPLICAS = (
    r"min by \(job\) \(max by \(job, instance\)",
    r"max by \(job, state\) \(\s+sum by \(job, state, instance\)",
)
FAMILIES = {family.name: family for family in (*families.FAMILIES, *telemetry.FAMILIES)}
LABELS = {label for family in FAMILIES.values() for label in family.labels} | {"job", "instance"}
LABELS |= {label for rule in rules() if "record" in rule for label in rule.get("labels", ())}
# Those of histograms, which the page writes with a suffix.
SUFFIX = re.compile("_(bucket|sum|count)$")
RECORDED = {rule["record"] for rule in rules() if "record" in rule}
TOLD = [rule for rule in rules() if "alert" in rule]
OF_TENANTS = [rule for rule in TOLD if rule["alert"] not in FLEET]


def selectors(expression: str) -> Iterator[tuple[str, list[str]]]:
    """The metrics in an expression, each with the labels that are asked of it."""
    for name, braces in re.findall(r"\b(kimono[_:][a-z0-9_:]+)(\{[^}]*\})?", expression):
        yield name, re.findall(r"(\w+)(?:=~|!~|!=|=)\"", braces)


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups and joins."""
    lists = re.findall(r"\b(?:by|on|group_left|ignoring|without) \(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def test_every_alert_of_the_contract_is_there_with_its_severities_and_no_other() -> None:
    told: dict[str, list[str]] = {}
    for rule in TOLD:
        told.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    assert told == SEVERITIES


@pytest.mark.parametrize("rule", TOLD, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
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
