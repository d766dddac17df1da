"""Breaks the dashboards: in their code, with the JSON generated from it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RULES = ("tests/dashboards/test_rules.py",)
COLOURS = ("tests/dashboards/test_colours.py",)
GENERATE = ("-m", "dashboards")

MUTANTS = (
    Mutant(
        "two replicas double the number of ingestions",
        "dashboards/fleet.py",
        '"max by (job, ingestion_type, state) (sum by (job, instance, ingestion_type, state) "',
        '"sum by (job, ingestion_type, state) (sum by (job, instance, ingestion_type, state) "',
        RULES,
        GENERATE,
    ),
    Mutant(
        "a query shows every job, whichever is chosen",
        "dashboards/fleet.py",
        '{{{JOB},collector="state"}}',
        '{{collector="state"}}',
        RULES,
        GENERATE,
    ),
    Mutant(
        "a number ignores the chosen account",
        "dashboards/queries.py",
        'CHOSEN = f\'{JOB},account_name=~"$account",integration=~"$integration"\'',
        "CHOSEN = JOB",
        RULES,
        GENERATE,
    ),
    Mutant(
        "a counter is shown as it is, without its rate",
        "dashboards/exporter_common.py",
        'REQUESTS = f"rate(kimono_exporter_api_requests_total{{{CHOSEN}}}[$__rate_interval])"',
        'REQUESTS = f"kimono_exporter_api_requests_total{{{CHOSEN}}}"',
        RULES,
        GENERATE,
    ),
    Mutant(
        "a rate leaves out what happens between two points",
        "dashboards/fleet.py",
        "({without_replicas}(rate({BUCKETS}[$__rate_interval])",
        "({without_replicas}(rate({BUCKETS}[5m])",
        RULES,
        GENERATE,
    ),
    Mutant(
        "a timeline shows every tenant that has a problem",
        "dashboards/fleet.py",
        "at_the_end = f\"topk(20, max by (job, tenant_id) (topk by (problem) (5, {score(at='@ end()')})))\"",
        "at_the_end = f\"max by (job, tenant_id) ({score(at='@ end()')})\"",
        RULES,
        GENERATE,
    ),
    Mutant(
        "data that is hours old is green",
        "dashboards/fleet.py",
        "steps=[(None, GOOD), (900, WARN), (1800, BAD)]",
        "steps=[(None, BAD), (900, WARN), (1800, GOOD)]",
        RULES,
        GENERATE,
    ),
    Mutant(
        "failed ingestions are as green as successful ones",
        "dashboards/colours.py",
        '"failed": BAD',
        '"failed": GOOD',
        COLOURS,
        GENERATE,
    ),
    Mutant(
        "two problems have the same colour",
        "dashboards/colours.py",
        '"Sync overdue", "red"',
        '"Sync overdue", "dark-red"',
        COLOURS,
        GENERATE,
    ),
    Mutant(
        "a reason for a failure has no colour",
        "dashboards/colours.py",
        '    "bug": "dark-red",\n',
        "",
        COLOURS,
        GENERATE,
    ),
    Mutant(
        "a panel has no description",
        "dashboards/fleet.py",
        '"How many of each, about these tenants or all. Click a name for its runbook: what it means, and what to do."',
        '""',
        RULES,
        GENERATE,
    ),
    Mutant(
        "a link to another dashboard loses the time range",
        "dashboards/frame.py",
        'LINK_PARAMETERS = "${__url_time_range}&${datasource:queryparam}',
        'LINK_PARAMETERS = "${datasource:queryparam}',
        RULES,
        GENERATE,
    ),
    Mutant(
        "the JSON is not generated again after a change of the code",
        "dashboards/frame.py",
        '.refresh("1m")',
        '.refresh("2m")',
        ("tests/dashboards/test_shipped.py::test_what_is_committed_is_what_the_code_makes",),
    ),
)
