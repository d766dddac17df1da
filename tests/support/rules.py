"""Reads the alerting and recording rules: their metrics and labels, and which rules each alert needs."""

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
    "KimonoShardMissing": ["critical"],
    "KimonoExporterRestarting": ["warning"],
    "KimonoDiscoveryFailing": ["critical"],
    "KimonoPollingBehind": ["warning"],
    "KimonoApiThrottled": ["warning"],
    "KimonoManyTenantsUnreachable": ["critical"],
    "KimonoFleetSyncsOverdue": ["critical"],
    "KimonoFleetIngestionsStalled": ["critical"],
    "KimonoFleetIngestionsFailing": ["critical", "warning"],
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
    *("KimonoExporterDown", "KimonoShardMissing", "KimonoExporterRestarting", "KimonoDiscoveryFailing"),
    *("KimonoPollingBehind", "KimonoApiThrottled", "KimonoManyTenantsUnreachable", "KimonoFleetSyncsOverdue"),
    *("KimonoFleetIngestionsStalled", "KimonoFleetIngestionsFailing"),
)
FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
# The labels that name the tenant of the alert tests.
NAMES = {"tenant_name": "Maple LMS", "account_name": "Maple Ridge", "integration": "canopy-lms"}
# Metrics of the exporter that are no families of a poll.
OTHERS = {"up": {"job", "instance"}, "process_start_time_seconds": {"job", "instance"}}


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
FAMILIES = {family.name: family for family in (*families.FAMILIES, *telemetry.FAMILIES)}
LABELS = {label for family in FAMILIES.values() for label in family.labels} | {"job", "instance"}
# Labels that the rules themselves add.
LABELS |= {"problem", "scope", "part", "affected", "shard"}
# Those of histograms, which the page writes with a suffix.
SUFFIX = re.compile("_(bucket|sum|count)$")
_SELECTOR = re.compile(r"\b(kimono[_:][a-z0-9_:]+)(\{[^}]*\})?")


def selectors(expression: str) -> Iterator[tuple[str, list[str]]]:
    """The metrics in an expression, each with the labels of its matchers."""
    for name, braces in _SELECTOR.findall(expression):
        yield name, re.findall(r"(\w+)(?:=~|!~|!=|=)\"", braces)


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups and joins."""
    lists = re.findall(r"\b(?:by|on|group_left|ignoring|without) \(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def closure(alerts: Collection[str]) -> list[dict[str, Any]]:
    """The groups, with no other rules than these alerts and what they read. All rules for no names at all."""
    if not alerts:
        return groups()
    needed, found = set(alerts), set[str]()
    while needed - found:
        found |= needed
        expressions = [rule["expr"] for rule in rules() if _name(rule) in found]
        needed |= {name for expression in expressions for name, _ in selectors(expression) if name in RECORDED}
    chosen = [{**group, "rules": [rule for rule in group["rules"] if _name(rule) in needed]} for group in groups()]
    return [group for group in chosen if group["rules"]]


def _name(rule: Rule) -> str:
    return str(rule.get("alert") or rule["record"])
