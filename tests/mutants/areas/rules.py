"""Breaks the alert rules."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONTRACT = ("tests/alerts/test_rules.py",)
WATCHING = "tests/alerts/test_watching.py::"
SYNCS = "tests/alerts/test_syncs.py::"
MODES = "tests/alerts/test_modes.py::"
STORMS = "tests/alerts/test_storms.py::"
REPLICAS = "tests/alerts/test_replicas.py"
REGENERATE = ("-m", "alerts")


def _mutant(name: str, file: str, text: str, replacement: str, *tests: str) -> Mutant:
    return Mutant(name, f"exporter/assets/rules/{file}", text, replacement, tests, REGENERATE)


MUTANTS = (
    _mutant(
        "a restart of the exporter pages on-call",
        "exporter_rules.py",
        '(5 * MINUTE, "several scrapes, and time for a restart")',
        "None",
        WATCHING + "test_a_restart_is_no_alert",
    ),
    _mutant(
        "one outage counts as restarting all the time",
        "exporter_rules.py",
        "resets(up[1h]) >= 2 and ",
        "resets(up[1h]) >= 0 and ",
        WATCHING + "test_one_outage_or_two_upgrades_in_an_hour_are_not_restarting",
    ),
    _mutant(
        "discovery of one shard hides that of another fails",
        "exporter_rules.py",
        '"min by (job) (max by (job, shard) ("',
        '"max by (job) (max by (job, shard) ("',
        WATCHING + "test_discovery_of_one_shard_is_not_enough",
    ),
    _mutant(
        "alerts about tenants resolve at the first missed scrape",
        "rule.py",
        "keep: float | None = 15 * MINUTE",
        "keep: float | None = None",
        *CONTRACT,
    ),
    _mutant(
        "facts of a replica that is behind count",
        "recorded.py",
        "{seconds(of.limit('replica_behind'))}",
        "{seconds(of.limit('replica_behind') + 86_400)}",
        REPLICAS,
    ),
    _mutant(
        "each replica raises an alert of its own",
        "problems.py",
        '"ingestions"), "min by (job, tenant_id)"),\n            f"unless {TENANT} {paused(of, limit)}"',
        '"ingestions"), "min by (job, instance, tenant_id)"),\n            f"unless {TENANT} {paused(of, limit)}"',
        REPLICAS,
    ),
    _mutant(
        "a replica that succeeds does not make a tenant reachable",
        "recorded.py",
        '> {COLLECTOR} group_left () {since})"',
        '> {COLLECTOR} group_left () ({since} + 1e18))"',
        WATCHING + "test_one_replica_that_can_poll_the_tenant_is_enough",
    ),
    _mutant(
        "rejected credentials also count as unreachable",
        "problems.py",
        'f"unless {TENANT} {_rejected(of)}"',
        'f"unless {TENANT} ({_rejected(of)} > 1e18)"',
        WATCHING + "test_rejected_credentials_are_an_alert_of_their_own",
    ),
    _mutant(
        "an ingestion without a start hides a stall",
        "problems.py",
        "for name in (started, UNFINISHED)",
        "for name in (started,)",
        SYNCS + "test_an_ingestion_without_a_start_is_stalled_too",
    ),
    _mutant(
        "a paused tenant stalls",
        "problems.py",
        'f"unless {TENANT} {paused(of, limit)}"',
        'f"unless {TENANT} ({paused(of, limit)} > 1e18)"',
        SYNCS + "test_a_paused_tenant_does_not_stall_and_has_its_time_anew_afterwards",
    ),
    _mutant(
        "the grace of a schedule does not begin at the end of the run that blocked it",
        "problems.py",
        "[{number(grace)}s]",
        "[1m]",
        SYNCS + "test_a_long_run_that_blocks_the_schedule_is_waited_for_and_the_grace_begins_at_its_end",
    ),
    _mutant(
        "a run under way does not keep failures from paging",
        "problems.py",
        "unless ({since} > {ago(limit + of.limit('ingestion_stalled'))}",
        "unless ({since} > {ago(limit)}",
        SYNCS + "test_a_nightly_run_that_fails_once_does_not_page_while_the_next_is_under_way",
    ),
    _mutant(
        "a rollover that completed early is stuck at once",
        "rollovers.py",
        'block(f"{lately} unless {ROLLOVER} {before}")',
        "lately",
        MODES + "test_rollover_mode_that_outlives_a_rollover_that_is_over_early_is_stuck",
    ),
    _mutant(
        "a window whose end can't be parsed explains no mode",
        "rollovers.py",
        " or {lately('end_unknown')}",
        "",
        MODES + "test_a_window_that_can_not_be_parsed_may_explain_a_mode",
    ),
    _mutant(
        "tenants that miss a schedule are not looked at",
        "recorded.py",
        "{ago(of.limit('sync_overdue'))}\"\n    yield f\"kimono_tenant_last_run",
        '-1e18"\n    yield f"kimono_tenant_last_run',
        "tests/alerts/test_syncs.py",
    ),
    _mutant(
        "tenants in rollover mode outside of a window are not looked at",
        "recorded.py",
        "yield in_one_line(rollovers.outside_windows(of))",
        "yield 'kimono_up > 1e18'",
        "tests/alerts/test_modes.py",
    ),
    _mutant(
        "tenants whose flags are on for as long as their alerts wait are not looked at",
        "recorded.py",
        '("mass_change_pending", "mass_change_pending_critical", "sync_suspended", "setup_mode")',
        '("setup_mode",)',
        "tests/alerts/test_modes.py",
    ),
    _mutant(
        "a renamed tenant tells its trouble again",
        "names.py",
        "(kimono_tenant_reported_info)",
        "(kimono_tenant_reported_info == 0)",
        "tests/alerts/test_names.py",
    ),
    _mutant(
        "tenants that ran at other hours hide an outage",
        "fleet_rules.py",
        "% {number(DAY)} {length}",
        "% {number(DAY)} <= 1e9",
        STORMS + "test_tenants_that_ran_at_other_hours_are_no_comparison",
    ),
    _mutant(
        "an integration at fault is taken for the hub",
        "fleet_rules.py",
        '(("hub", "cloud_name"), ("hub", "integration"), ("cloud", "integration"))',
        '(("hub", "cloud_name"), ("cloud", "integration"))',
        STORMS + "test_two_integrations_at_fault_are_not_the_hub_though_half_of_the_tenants_are_theirs",
    ),
    _mutant(
        "tenants that happen to have the same problem are taken for the hub",
        "fleet_rules.py",
        "({affected} >= {number(of.limit('fleet_tenants'))})",
        "({affected} >= 2)",
        STORMS + "test_tenants_that_happen_to_have_the_same_problem_within_some_hours_are_not_the_hub",
    ),
    _mutant(
        "a rollover that is removed leaves its tenant stuck at once",
        "rollovers.py",
        ", removed=grace)",
        ")",
        MODES + "test_rollover_mode_is_explained_for_an_hour_after_its_rollover_was_removed",
    ),
    _mutant(
        "a rollover that was over and is gone explains rollover mode",
        "rollovers.py",
        'block(f"{lately} unless',
        'block(f"{lately} unless {lately} unless',
        MODES + "test_stuck_after_a_rollover_that_is_over_does_not_go_and_come_again",
    ),
    _mutant(
        "two exporters of the same name break the comparison of tenants",
        "fleet_rules.py",
        "* ignoring (schedule_id,",
        "* ignoring (cluster, schedule_id,",
        STORMS + "test_two_exporters_of_the_same_name_and_replicas_that_disagree_do_not_break_the_rules",
    ),
    _mutant(
        "single tenants alert beside the fleet",
        "fleet_rules.py",
        "unless on (job, problem, tenant_id) {_COVERED}'",
        "unless on (job, problem, tenant_id) {_COVERED} < 0'",
        STORMS + "test_if_the_hub_is_at_fault_one_alert_fires_from_the_first_minute_on",
    ),
    Mutant(
        "the PrometheusRule has another threshold than the rules",
        "alerts/kimono.prometheusrule.yaml",
        "kimono:collector_late:timestamp_seconds < time() - 2 * 3600",
        "kimono:collector_late:timestamp_seconds < time() - 5 * 3600",
        ("tests/alerts/test_generated.py",),
    ),
)
