"""Reads the alerting and recording rules: their metrics and labels, and which rules each rule needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exporter import families, telemetry

RULES = Path(__file__).parents[2] / "alerts" / "kimono.rules.yaml"

Rule = dict[str, Any]

# Alerts and their severities, to the letter of the contract.
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
FLEET = (
    *("KimonoExporterDown", "KimonoDiscoveryFailing", "KimonoPollingBehind", "KimonoApiThrottled"),
    *("KimonoFleetIngestionsFailing", "KimonoManyTenantsUnreachable"),
)
FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
# The labels that name the tenant of the alert tests.
NAMES = {"tenant_name": "Maple LMS", "account_name": "Maple Ridge", "integration": "canopy-lms"}
PROBLEM = "kimono:tenant_problem:timestamp_seconds"
RANK = "kimono:tenant_problem:rank"


@cache
def groups() -> list[dict[str, Any]]:
    """The groups of rules, in their order."""
    content: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return content


def rules() -> list[Rule]:
    """All rules, in their order."""
    return [rule for group in groups() for rule in group["rules"]]


ALERTING = [rule for rule in rules() if "alert" in rule]
OF_TENANTS = [rule for rule in ALERTING if rule["alert"] not in FLEET]
RECORDED = {rule["record"] for rule in rules() if "record" in rule}
# Each problem of a tenant, and its expression.
PROBLEMS = {rule["labels"]["problem"]: rule["expr"] for rule in rules() if rule.get("record") == PROBLEM}
FAMILIES = {family.name: family for family in (*families.FAMILIES, *telemetry.FAMILIES)}
LABELS = {label for family in FAMILIES.values() for label in family.labels} | {"job", "instance"}
LABELS |= {label for rule in rules() if "record" in rule for label in rule.get("labels", ())}
# Those of histograms, which the page writes with a suffix.
SUFFIX = re.compile("_(bucket|sum|count)$")
_SELECTOR = re.compile(r"\b(kimono[_:][a-z0-9_:]+)(\{[^}]*\})?")
_OF_PROBLEMS = re.compile(r'\bproblem=~?"([^"]+)"')


def selectors(expression: str) -> Iterator[tuple[str, list[str]]]:
    """The metrics in an expression, each with the labels of its matchers."""
    for name, braces in _SELECTOR.findall(expression):
        yield name, re.findall(r"(\w+)(?:=~|!~|!=|=)\"", braces)


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups and joins."""
    lists = re.findall(r"\b(?:by|on|group_left|ignoring|without) \(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def closure(names: Collection[str], problem: str = "") -> list[dict[str, Any]]:
    """The groups, with no other rules than these alerts and recorded series need. All rules for no names at all.

    Followed through the recorded series that expressions name. `problem`: of the problems of tenants only this one.
    """
    if not names:
        return groups()
    kept: list[int] = []
    waiting = [rule for rule in rules() if _name(rule) in names and _is_about(rule, problem)]
    assert {_name(rule) for rule in waiting} == {*names}, f"not all of these are rules: {names}"
    while waiting:
        rule = waiting.pop()
        if id(rule) not in kept:
            kept.append(id(rule))
            waiting += [one for one in _read_by(rule, all_problems=RANK in names) if _is_about(one, problem)]
    chosen = [{**group, "rules": [rule for rule in group["rules"] if id(rule) in kept]} for group in groups()]
    return [group for group in chosen if group["rules"]]


def _name(rule: Rule) -> str:
    return str(rule.get("alert") or rule["record"])


def _is_about(rule: Rule, problem: str) -> bool:
    return not problem or _name(rule) != PROBLEM or rule["labels"]["problem"] == problem


def _read_by(rule: Rule, *, all_problems: bool) -> Iterator[Rule]:
    """The recording rules whose series a rule reads. A problem has series of its own, told apart by a label.

    The rank of a problem is made of the series of that problem alone: who asks for it asks for them as well.
    """
    for name, braces in _SELECTOR.findall(rule["expr"]):
        asked = _OF_PROBLEMS.search(braces)
        for one in rules():
            if one.get("record") != name:
                continue
            if name != PROBLEM:
                yield one
            elif _name(rule) == RANK:
                if all_problems:
                    yield one
            elif not asked or re.fullmatch(asked[1], one["labels"]["problem"]):
                yield one
