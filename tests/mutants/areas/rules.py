"""Breaks the alert rules."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILE = "alerts/kimono.rules.yaml"
CONTRACT = ("tests/alerts/test_rules.py",)
WATCHING = "tests/alerts/test_watching.py::"
SYNCS = "tests/alerts/test_syncs.py::"
MODES = "tests/alerts/test_modes.py::"

MUTANTS = (
    Mutant(
        "a restart of the exporter pages on-call",
        FILE,
        "        for: 5m # several scrapes, and time for a restart\n",
        "",
        (WATCHING + "test_a_restart_is_not_told_of",),
    ),
    Mutant(
        "a failing discovery resolves at the first success",
        FILE,
        "        for: 15m # a failed discovery is tried again every 30 seconds\n        keep_firing_for: 15m\n",
        "        for: 15m # a failed discovery is tried again every 30 seconds\n",
        (WATCHING + "test_a_discovery_that_succeeds_for_some_minutes_does_not_resolve_the_alert",),
    ),
    Mutant(
        "a stalled ingestion resolves at the first missed scrape",
        FILE,
        'timestamp_seconds{problem="stalled"})\n        keep_firing_for: 15m\n',
        'timestamp_seconds{problem="stalled"})\n',
        CONTRACT,
    ),
    Mutant(
        "a tenant counts as unreachable after 15 minutes instead of 40",
        FILE,
        "vector(40 * 60)",
        "vector(15 * 60)",
        ("tests/alerts/test_watching.py",),
    ),
    Mutant(
        "many unreachable tenants are half of the fleet instead of a fifth",
        FILE,
        "vector(0.2)",
        "vector(0.5)",
        (WATCHING + "test_a_fifth_of_the_fleet_is_one_alert_and_silences_the_single_ones",),
    ),
    Mutant(
        "an overdue sync has no grace",
        FILE,
        "vector(2 * 3600)",
        "vector(60)",
        (SYNCS + "test_a_schedule_that_has_not_run_is_overdue_when_its_grace_has_passed",),
    ),
    Mutant(
        "the mass change alert waits two hours instead of one",
        FILE,
        "      - record: kimono:threshold_mass_change_pending:seconds\n        expr: vector(3600)",
        "      - record: kimono:threshold_mass_change_pending:seconds\n        expr: vector(7200)",
        (MODES + "test_a_mass_change_is_a_warning_after_an_hour_and_critical_after_a_day",),
    ),
    Mutant(
        "each replica raises an alert of its own",
        FILE,
        "group by (job, tenant_id, collector, reason) (kimono_tenant_failure_info)",
        "group by (job, instance, tenant_id, collector, reason) (kimono_tenant_failure_info)",
        CONTRACT,
    ),
    Mutant(
        "the slowest of two replicas decides whether polling is behind",
        FILE,
        "min by (job) (max by (job, instance) (kimono_exporter_poll_lag_seconds))",
        "max by (job) (max by (job, instance) (kimono_exporter_poll_lag_seconds))",
        (WATCHING + "test_the_replica_that_is_in_time_counts",),
    ),
    Mutant(
        "rejected credentials also count as unreachable",
        FILE,
        '              unless on (job, tenant_id) kimono:collector_failing:info{reason="auth"}\n',
        "",
        (WATCHING + "test_rejected_credentials_are_an_alert_of_their_own",),
    ),
    Mutant(
        "a schedule that was due in a pause is overdue after it",
        FILE,
        "kimono:schedule_seen:timestamp_seconds and on (job, tenant_id) kimono:tenant_held:bool == 1",
        "kimono:schedule_seen:timestamp_seconds and on (job, tenant_id) kimono:tenant_held:bool == 2",
        (SYNCS + "test_what_was_due_in_a_hold_is_not_overdue_after_it_but_what_is_due_next_is",),
    ),
    Mutant(
        "a paused tenant stalls",
        FILE,
        "            unless on (job, tenant_id) kimono:tenant_held:timestamp_seconds"
        " > time() - scalar(max(kimono:threshold_ingestion_stalled:seconds))\n"
        '            unless on (job, tenant_id) kimono:picture_old:info{collector=~"ingestions|state"}\n',
        '            unless on (job, tenant_id) kimono:picture_old:info{collector=~"ingestions|state"}\n',
        (SYNCS + "test_a_tenant_that_is_held_does_not_stall",),
    ),
    Mutant(
        "out-of-date flags raise a mass change",
        FILE,
        "kimono:threshold_mass_change_pending:seconds))\n            )\n"
        '            unless on (job, tenant_id) kimono:picture_old:info{collector=~"state"}\n',
        "kimono:threshold_mass_change_pending:seconds))\n            )\n",
        (MODES + "test_an_old_picture_raises_no_mass_change",),
    ),
    Mutant(
        "a critical alert becomes a warning",
        FILE,
        '{problem="overdue"})\n        keep_firing_for: 15m\n        labels:\n          severity: critical\n',
        '{problem="overdue"})\n        keep_firing_for: 15m\n        labels:\n          severity: warning\n',
        CONTRACT,
    ),
    Mutant(
        "the PrometheusRule has another threshold than the rules",
        "alerts/kimono.prometheusrule.yaml",
        "vector(40 * 60)",
        "vector(50 * 60)",
        CONTRACT,
    ),
)
