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
        "equal: [alertname, job, tenant_id]",
        "equal: [alertname, job]",
        TESTS,
    ),
    Mutant(
        "a warning about the fleet inhibits the alerts of single tenants",
        FILE,
        "['alertname=\"KimonoFleetIngestionsFailing\"', 'severity=\"critical\"']",
        "['alertname=\"KimonoFleetIngestionsFailing\"']",
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
        "- matchers: ['severity=\"warning\"']\n          receiver: working-hours\n",
        "- matchers: ['severity=\"warning\"']\n          receiver: on-call\n",
        TESTS,
    ),
)
