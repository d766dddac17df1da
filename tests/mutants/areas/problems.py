"""Breaks what is said of tenants with problems: conditions, reports, log messages."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PROBLEMS = "exporter/history/problems.py"
ROLLOVERS = "exporter/history/rollover_problems.py"
REPORTED = "exporter/history/reported.py"
LOG = "exporter/polling/problem_log.py"
WATCH = "exporter/polling/problem_watch.py"
OF_PROBLEMS = ("tests/history/test_problems.py",)
OF_REPORTED = ("tests/history/test_reported.py",)
OF_LOG = ("tests/polling/test_problem_log.py",)
CONTRACT = "tests/contract/test_problems.py::"

MUTANTS = (
    Mutant(
        "facts of a failing collector are never old",
        PROBLEMS,
        'return collector not in self.failures or now - succeeded_at < threshold("data_age")',
        "return True",
        OF_PROBLEMS,
    ),
    Mutant(
        "facts are never old while nothing fails",
        PROBLEMS,
        'succeeded_at is None or now - succeeded_at > threshold("data_age_always")',
        "succeeded_at is None",
        OF_PROBLEMS,
    ),
    Mutant(
        "a restored history counts before the first poll",
        PROBLEMS,
        "        if succeeded_at is None or now",
        "        if succeeded_at is None:\n            return True\n        if now",
        OF_PROBLEMS,
    ),
    Mutant(
        "expired facts still count",
        PROBLEMS,
        " or any(each in expired for each in kind.facts)",
        "",
        OF_PROBLEMS,
    ),
    Mutant(
        "an ingestion without a start never stalls",
        PROBLEMS,
        "for begin in (run.seen, run.started_at)",
        "for begin in (run.started_at,)",
        OF_PROBLEMS,
    ),
    Mutant(
        "a pause does not suppress a stall",
        PROBLEMS,
        '    if _paused(history, threshold("ingestion_stalled"), now):\n        return None\n',
        "",
        OF_PROBLEMS,
    ),
    Mutant(
        "a good run of any type ends what fails",
        PROBLEMS,
        'ingestions.last_started.get((kind, "success"), 0.0) for kind in FULL_TYPES',
        'started for (_, state), started in ingestions.last_started.items() if state == "success"',
        OF_PROBLEMS,
    ),
    Mutant(
        "a run under way does not delay that ingestions fail",
        PROBLEMS,
        "limit = threshold(after) + (run if may_be_made_good else 0.0)",
        "limit = threshold(after)",
        OF_PROBLEMS,
    ),
    Mutant(
        "a long run does not block a schedule",
        PROBLEMS,
        " and due + grace <= first_run",
        "",
        OF_PROBLEMS,
    ),
    Mutant(
        "a run that ended long ago blocks a schedule",
        PROBLEMS,
        " if run.unfinished_at > now - grace]",
        "]",
        OF_PROBLEMS,
    ),
    Mutant(
        "a nightly pause of three hours makes no tenant stale for ever",
        PROBLEMS,
        "    long_pause = history.state.last_long_pause\n",
        "    long_pause = history.state.last_paused\n",
        OF_PROBLEMS,
    ),
    Mutant(
        "a tenant whose schedule was just changed is stale",
        PROBLEMS,
        "first_due(each, by_key[key].changed_at, after, now)",
        "first_due(each, 0.0, after, now)",
        OF_PROBLEMS,
    ),
    Mutant(
        "an unreachable fleet is as many unreachable tenants",
        PROBLEMS,
        "if many_unreachable or not failed_before",
        "if not failed_before",
        OF_PROBLEMS,
    ),
    Mutant(
        "a rollover that is over explains a suspension",
        ROLLOVERS,
        " if not has_status(each, ROLLOVER_OVER)]",
        "]",
        OF_PROBLEMS,
    ),
    Mutant(
        "rollover mode is a problem at once after a rollover was completed early",
        ROLLOVERS,
        'is_over and (over_since is None or over_since < now - threshold("rollover"))',
        "is_over",
        OF_PROBLEMS,
    ),
    Mutant(
        "rollover mode is a problem as soon as its rollover is removed",
        ROLLOVERS,
        "if just_removed or any(explained)",
        "if any(explained)",
        OF_PROBLEMS,
    ),
    Mutant(
        "a window whose start can't be parsed explains no mode",
        "exporter/history/rollovers.py",
        "rollover.has_unknown_start if rollover.start is None else",
        "False if rollover.start is None else",
        OF_PROBLEMS,
    ),
    Mutant(
        "a rollover of last year whose end can't be parsed should have started",
        ROLLOVERS,
        "rollover.start if rollover.has_unknown_end else rollover.end",
        "rollover.end",
        OF_PROBLEMS,
    ),
    Mutant(
        "the status of a rollover is compared with regard to case",
        "exporter/history/rollovers.py",
        "status.lower() in {word.lower() for word in words}",
        "status in words",
        OF_PROBLEMS,
    ),
    Mutant(
        "a problem of which nothing is known is over",
        REPORTED,
        "last_at = at if each.problem.kind in unknown else min(each.last_at, at)",
        "last_at = min(each.last_at, at)",
        OF_REPORTED,
    ),
    Mutant(
        "a renamed tenant is reported under its new names",
        REPORTED,
        "before.names or names",
        "names",
        OF_REPORTED,
    ),
    Mutant(
        "a problem that begins just after a renaming has the new names",
        REPORTED,
        "if soon and before.names is None",
        "if False",
        (*OF_REPORTED, CONTRACT + "test_a_problem_that_begins_about_when_its_tenant_is_renamed_has_the_old_names"),
    ),
    Mutant(
        "a problem that polls have yet to show has the new names after a renaming",
        "exporter/polling/tenant.py",
        "now + reported.SOON",
        "now - reported.SOON",
        (CONTRACT + "test_a_problem_that_begins_about_when_its_tenant_is_renamed_has_the_old_names",),
    ),
    Mutant(
        "a problem that becomes critical is not logged",
        REPORTED,
        '        or (each.problem.severity == "critical" and known[each.problem.kind] != "critical")\n',
        "",
        OF_REPORTED,
    ),
    Mutant(
        "a problem whose condition is false for a moment begins again",
        REPORTED,
        "each.problem.kind not in present and at - last_at < _PROBLEM_KEPT",
        "each.problem.kind not in present and each.problem.kind in unknown",
        OF_REPORTED,
    ),
    Mutant(
        "each of many tenants has a message of its own",
        LOG,
        '> threshold("fleet_tenants"):',
        "> 1e9:",
        OF_LOG,
    ),
    Mutant(
        "what waits to be logged at the end is lost",
        "exporter/polling/poller.py",
        "            self._watch.log.flush()\n",
        "            pass\n",
        (CONTRACT + "test_what_waits_to_be_logged_is_logged_at_the_end",),
    ),
    Mutant(
        "a restart logs what was known before",
        "exporter/history/history.py",
        'if each.name not in ("failing_since", "reported"))',
        'if each.name not in ("failing_since",))',
        (CONTRACT + "test_a_restart_logs_neither_a_begin_nor_an_end_again",),
    ),
    Mutant(
        "the names of the first report are not exposed",
        WATCH,
        "if after.names != before.names:",
        "if False:",
        (CONTRACT + "test_a_renamed_tenant_keeps_its_names_until_half_an_hour_after_its_problems",),
    ),
    Mutant(
        "five tenants with a problem are the fleet, however large it is",
        WATCH,
        'max(threshold("fleet_tenants"), threshold("fleet_share") * len(self._tenants))',
        'threshold("fleet_tenants")',
        (CONTRACT + "test_a_few_tenants_are_not_the_fleet",),
    ),
)
