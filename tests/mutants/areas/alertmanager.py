"""Breaks the example of an Alertmanager configuration."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILE = "alerts/alertmanager.example.yaml"
TESTS = ("tests/alerts/test_alertmanager.py",)

MUTANTS = (
    Mutant(
        "an exporter that is down inhibits the alerts of other jobs",
        FILE,
        "target_matchers: ['alertname=~\"Kimono.+\"', 'alertname!=\"KimonoExporterDown\"']\n    equal: [job]\n",
        "target_matchers: ['alertname=~\"Kimono.+\"', 'alertname!=\"KimonoExporterDown\"']\n",
        TESTS,
    ),
    Mutant(
        "a critical alert inhibits the warnings of other tenants",
        FILE,
        "equal: [alertname, job, integration, cloud_name, tenant_id]",
        "equal: [alertname, job, integration, cloud_name]",
        TESTS,
    ),
    Mutant(
        "a warning about the fleet inhibits the alerts of single tenants",
        FILE,
        "'severity=\"critical\"', 'integration=\"\"', 'cloud_name=\"\"']",
        "'integration=\"\"', 'cloud_name=\"\"']",
        TESTS,
    ),
    Mutant(
        "a warning about an integration inhibits the alerts of its tenants",
        FILE,
        "'severity=\"critical\"', 'integration!=\"\"']",
        "'integration!=\"\"']",
        TESTS,
    ),
    Mutant(
        "an alert about an integration inhibits the alerts of all tenants",
        FILE,
        "['alertname=\"KimonoFleetSyncsOverdue\"', 'integration=\"\"', 'cloud_name=\"\"']",
        "['alertname=\"KimonoFleetSyncsOverdue\"', 'cloud_name=\"\"']",
        TESTS,
    ),
    Mutant(
        "an alert about a cloud inhibits the alerts of all tenants",
        FILE,
        "['alertname=\"KimonoFleetIngestionsStalled\"', 'integration=\"\"', 'cloud_name=\"\"']",
        "['alertname=\"KimonoFleetIngestionsStalled\"', 'integration=\"\"']",
        TESTS,
    ),
    Mutant(
        "an alert about a cloud inhibits the alerts of tenants without an integration",
        FILE,
        "['alertname=\"KimonoFleetSyncsOverdue\"', 'integration!=\"\"']",
        "['alertname=\"KimonoFleetSyncsOverdue\"']",
        TESTS,
    ),
    Mutant(
        "an alert about all integrations does not inhibit those about one",
        FILE,
        "KimonoIngestionStalled|KimonoFleetIngestionsStalled",
        "KimonoIngestionStalled",
        TESTS,
    ),
    Mutant(
        "each customer has a notification of its own",
        FILE,
        "receiver: on-call\n      group_by: [job, alertname, severity]",
        "receiver: on-call\n      group_by: [job, account_name, alertname, severity]",
        TESTS,
    ),
    Mutant(
        "a tenant's alert is notified before the alert about the fleet that inhibits it",
        FILE,
        "group_wait: 5m\n      group_interval: 1h",
        "group_wait: 30s\n      group_interval: 1h",
        TESTS,
    ),
    Mutant(
        "many unreachable tenants do not inhibit rejected credentials",
        FILE,
        "KimonoTenantUnreachable|KimonoTenantCredentialsRejected|",
        "KimonoTenantUnreachable|",
        TESTS,
    ),
    Mutant(
        "warnings page on-call",
        FILE,
        "'severity=\"warning\"']\n      receiver: working-hours\n",
        "'severity=\"warning\"']\n      receiver: on-call\n",
        TESTS,
    ),
)
