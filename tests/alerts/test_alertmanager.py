"""Tests that Alertmanager routes each alert as it should, and inhibits the alerts that another one covers."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.processes import needed
from tests.support.rules import RULES, SEVERITIES

CONFIG = RULES.parent / "alertmanager.example.yaml"
RECEIVERS = {"critical": "on-call", "warning": "working-hours", "info": "nobody"}
CONTENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))

Labels = dict[str, str]


def amtool(*arguments: str) -> str:
    command = [needed("amtool"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def matches(matchers: list[str], labels: Labels) -> bool:
    """As Alertmanager does: a label that is missing is empty, and regular expressions are anchored."""
    for matcher in matchers:
        name, operator, value = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
        found = labels.get(name, "")
        if {"=": found == value, "!=": found != value, "=~": bool(re.fullmatch(value, found))}[operator] is False:
            return False
    return True


def silenced(target: Labels, source: Labels) -> bool:
    """Whether one firing alert keeps the other one silent."""
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(name) == target.get(name) for name in rule.get("equal", ()))
        for rule in CONTENT["inhibit_rules"]
    )


def tenants(name: str, severity: str, tenant_id: str = "t1", job: str = "kimono") -> Labels:
    return {"alertname": name, "severity": severity, "job": job, "tenant_id": tenant_id}


def fleets(name: str, severity: str = "critical", job: str = "kimono") -> Labels:
    return {"alertname": name, "severity": severity, "job": job}


def test_amtool_accepts_it() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize(
    ("name", "severity"), [(name, severity) for name, severities in SEVERITIES.items() for severity in severities]
)
def test_an_alert_goes_to_the_receiver_of_its_severity(name: str, severity: str) -> None:
    labels = (f"alertname={name}", f"severity={severity}", "job=kimono", "account_name=Maple Ridge")
    answer = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert answer.strip() == RECEIVERS[severity]


def test_one_notification_is_for_one_account_and_kind_of_trouble() -> None:
    assert CONTENT["route"]["routes"][0]["group_by"] == ["job", "account_name", "alertname", "severity"]


@pytest.mark.parametrize("name", [name for name in SEVERITIES if name != "KimonoExporterDown"])
def test_an_exporter_that_is_down_silences_all_of_its_job(name: str) -> None:
    target = tenants(name, SEVERITIES[name][0])
    assert silenced(target, fleets("KimonoExporterDown"))
    assert silenced(target, {"alertname": "KimonoExporterDown", "severity": "critical"})
    assert not silenced(target, fleets("KimonoExporterDown", job="another"))


def test_nothing_silences_an_exporter_that_is_down() -> None:
    down = fleets("KimonoExporterDown")
    assert not any(silenced(down, tenants(name, one)) for name, all_of in SEVERITIES.items() for one in all_of)


@pytest.mark.parametrize("name", ["KimonoTenantUnreachable", "KimonoTenantCredentialsRejected"])
def test_many_unreachable_tenants_silence_single_ones_of_their_job(name: str) -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert silenced(tenants(name, "warning"), many)
    assert not silenced(tenants(name, "warning", job="another"), many)


def test_many_unreachable_tenants_do_not_silence_what_goes_wrong_with_those_that_can_be_read() -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert not silenced(tenants("KimonoSyncOverdue", "critical"), many)
    assert not silenced(tenants("KimonoSyncStale", "warning"), many)


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_a_fleet_whose_ingestions_fail_silences_the_single_ones_of_its_job(severity: str) -> None:
    single = tenants("KimonoIngestionsFailing", severity)
    assert silenced(single, fleets("KimonoFleetIngestionsFailing"))
    assert silenced(fleets("KimonoFleetIngestionsFailing", "warning"), fleets("KimonoFleetIngestionsFailing"))
    assert not silenced(single, fleets("KimonoFleetIngestionsFailing", job="another"))
    assert not silenced(single, fleets("KimonoFleetIngestionsFailing", "warning"))


@pytest.mark.parametrize("name", ["KimonoIngestionStalled", "KimonoSyncOverdue", "KimonoManyTenantsUnreachable"])
def test_a_fleet_whose_ingestions_fail_silences_nothing_else(name: str) -> None:
    assert not silenced(tenants(name, "critical"), fleets("KimonoFleetIngestionsFailing"))


def test_the_cause_silences_its_consequences() -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert silenced(fleets("KimonoDiscoveryFailing"), many)
    assert silenced(fleets("KimonoPollingBehind", "warning"), many)
    assert silenced(fleets("KimonoPollingBehind", "warning"), fleets("KimonoApiThrottled", "warning"))


@pytest.mark.parametrize("name", ["KimonoIngestionsFailing", "KimonoMassChangePending"])
def test_critical_silences_the_warning_of_the_same_alert_and_tenant_alone(name: str) -> None:
    critical = tenants(name, "critical")
    assert silenced(tenants(name, "warning"), critical)
    assert not silenced(tenants(name, "warning", tenant_id="t2"), critical)
    assert not silenced(tenants("KimonoSyncStale", "warning"), critical)
    assert not silenced(critical, tenants(name, "warning"))
