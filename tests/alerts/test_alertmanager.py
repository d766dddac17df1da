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
RECEIVERS = {"critical": "on-call", "warning": "working-hours", "info": "none"}
CONTENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))

# The alerts about the fleet, and those about single tenants that they inhibit.
OF_FLEET = {
    "KimonoFleetSyncsOverdue": "KimonoSyncOverdue",
    "KimonoFleetIngestionsStalled": "KimonoIngestionStalled",
    "KimonoFleetIngestionsFailing": "KimonoIngestionsFailing",
}
PRODUCT = {"integration": "canopy-lms"}

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


def inhibited(target: Labels, source: Labels) -> bool:
    """Whether one firing alert inhibits the other one."""
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(name, "") == target.get(name, "") for name in rule.get("equal", ()))
        for rule in CONTENT["inhibit_rules"]
    )


def tenants(name: str, severity: str, tenant_id: str = "t1", job: str = "kimono") -> Labels:
    return {"alertname": name, "severity": severity, "job": job, "tenant_id": tenant_id}


def fleets(name: str, severity: str = "critical", job: str = "kimono") -> Labels:
    return {"alertname": name, "severity": severity, "job": job}


def timing(labels: Labels) -> dict[str, Any]:
    """What the route of an alert says, with what it inherits."""
    found: dict[str, Any] = {}
    routes = [CONTENT["route"]]
    while routes:
        route, *_ = [one for one in routes if matches(one.get("matchers", []), labels)] or [{}]
        found |= route
        routes = route.get("routes", [])
    return found


def test_amtool_accepts_it() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize(
    ("name", "severity"), [(name, severity) for name, severities in SEVERITIES.items() for severity in severities]
)
def test_an_alert_goes_to_the_receiver_of_its_severity(name: str, severity: str) -> None:
    labels = (f"alertname={name}", f"severity={severity}", "job=kimono", "account_name=Maple Ridge")
    answer = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert answer.strip() == RECEIVERS[severity]


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_one_notification_is_for_one_kind_of_trouble_whatever_the_number_of_tenants(severity: str) -> None:
    one = timing(tenants("KimonoIngestionsFailing", severity))
    assert one["group_by"] == ["job", "alertname", "severity"]


@pytest.mark.parametrize(("severity", "later"), [("critical", "1h"), ("warning", "2h")])
def test_further_tenants_are_notified_once_an_interval(severity: str, later: str) -> None:
    one = timing(tenants("KimonoIngestionsFailing", severity))
    assert (one["group_wait"], one["group_interval"]) == ("5m", later)


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_the_fleet_and_the_exporter_do_not_wait_for_tenants(severity: str) -> None:
    one = timing(fleets("KimonoFleetIngestionsFailing", severity))
    assert (one["group_wait"], one["group_interval"]) == ("1m", "30m")


@pytest.mark.parametrize("name", [name for name in SEVERITIES if name != "KimonoExporterDown"])
def test_an_exporter_that_is_down_inhibits_all_of_its_job(name: str) -> None:
    target = tenants(name, SEVERITIES[name][0])
    assert inhibited(target, fleets("KimonoExporterDown"))
    assert inhibited(target, {"alertname": "KimonoExporterDown", "severity": "critical"})
    assert not inhibited(target, fleets("KimonoExporterDown", job="another"))


def test_nothing_inhibits_an_exporter_that_is_down() -> None:
    down = fleets("KimonoExporterDown")
    assert not any(inhibited(down, tenants(name, one)) for name, all_of in SEVERITIES.items() for one in all_of)


@pytest.mark.parametrize("name", ["KimonoTenantUnreachable", "KimonoTenantCredentialsRejected"])
def test_many_unreachable_tenants_inhibit_single_ones_of_their_job(name: str) -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert inhibited(tenants(name, "warning"), many)
    assert not inhibited(tenants(name, "warning", job="another"), many)


def test_many_unreachable_tenants_do_not_inhibit_what_goes_wrong_with_those_that_can_be_polled() -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert not inhibited(tenants("KimonoSyncOverdue", "critical"), many)
    assert not inhibited(tenants("KimonoSyncStale", "warning"), many)


@pytest.mark.parametrize(("fleet", "single"), OF_FLEET.items())
def test_an_alert_about_the_fleet_inhibits_the_single_ones_of_its_job(fleet: str, single: str) -> None:
    for severity in SEVERITIES[single]:
        target = tenants(single, severity)
        assert inhibited(target, fleets(fleet))
        assert not inhibited(target, fleets(fleet, job="another"))


@pytest.mark.parametrize(("fleet", "single"), OF_FLEET.items())
def test_an_alert_about_an_integration_inhibits_the_single_ones_of_that_integration(fleet: str, single: str) -> None:
    source = {**fleets(fleet), "integration": "canopy-lms"}
    target = tenants(single, SEVERITIES[single][0])
    assert inhibited({**target, "integration": "canopy-lms"}, source)
    assert not inhibited({**target, "integration": "numera-math"}, source)
    assert not inhibited({**target, "integration": "canopy-lms", "job": "another"}, source)


@pytest.mark.parametrize(("fleet", "single"), OF_FLEET.items())
def test_an_alert_about_a_cloud_inhibits_nothing_because_the_rules_do(fleet: str, single: str) -> None:
    source = {**fleets(fleet), "cloud_name": "Maple Ridge Hub"}
    target = tenants(single, SEVERITIES[single][0])
    assert not inhibited(target | PRODUCT, source)
    assert not inhibited(target | {"integration": ""}, source)


@pytest.mark.parametrize("fleet", OF_FLEET)
def test_an_alert_about_all_integrations_inhibits_those_about_one(fleet: str) -> None:
    integration = {**fleets(fleet), "integration": "canopy-lms"}
    assert inhibited(integration, fleets(fleet))
    assert not inhibited(fleets(fleet), integration)
    assert not inhibited(integration, fleets(fleet, job="another"))


def test_a_warning_about_the_fleet_inhibits_nothing_and_is_inhibited_by_the_critical_one() -> None:
    warning = fleets("KimonoFleetIngestionsFailing", "warning")
    for severity in ("warning", "critical"):
        assert not inhibited(tenants("KimonoIngestionsFailing", severity), warning)
        assert not inhibited(tenants("KimonoIngestionsFailing", severity) | PRODUCT, warning | PRODUCT)
    assert not inhibited(warning | PRODUCT, warning)
    assert inhibited(warning, fleets("KimonoFleetIngestionsFailing"))
    assert inhibited(warning | PRODUCT, fleets("KimonoFleetIngestionsFailing") | PRODUCT)
    for part in (PRODUCT, {"cloud_name": "Maple Ridge Hub"}):
        assert not inhibited(warning, fleets("KimonoFleetIngestionsFailing") | part)


@pytest.mark.parametrize("fleet", OF_FLEET)
def test_an_alert_about_the_fleet_inhibits_no_other_trouble(fleet: str) -> None:
    others = {*OF_FLEET.values(), "KimonoManyTenantsUnreachable", "KimonoMassChangePending"} - {OF_FLEET[fleet]}
    assert not any(inhibited(tenants(name, SEVERITIES[name][0]), fleets(fleet)) for name in others)


def test_the_cause_inhibits_its_consequences() -> None:
    many = fleets("KimonoManyTenantsUnreachable")
    assert inhibited(fleets("KimonoDiscoveryFailing"), many)
    assert inhibited(fleets("KimonoPollingBehind", "warning"), many)
    assert inhibited(fleets("KimonoPollingBehind", "warning"), fleets("KimonoApiThrottled", "warning"))


@pytest.mark.parametrize("name", ["KimonoIngestionsFailing", "KimonoMassChangePending"])
def test_critical_inhibits_the_warning_of_the_same_alert_and_tenant_alone(name: str) -> None:
    critical = tenants(name, "critical")
    assert inhibited(tenants(name, "warning"), critical)
    assert not inhibited(tenants(name, "warning", tenant_id="t2"), critical)
    assert not inhibited(tenants("KimonoSyncStale", "warning"), critical)
    assert not inhibited(critical, tenants(name, "warning"))
