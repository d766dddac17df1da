"""Breaks the dashboards: in their code, with the JSON generated from it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RULES = ("tests/dashboards/test_rules.py",)
COLOURS = ("tests/dashboards/test_colours.py",)
GENERATE = ("-m", "dashboards")

MUTANTS = (
    Mutant(
        "two replicas double the number of ingestions",
        "dashboards/queries.py",
        "    return f\"{best} by ({', '.join(('job', 'shard', *by))})",
        "    return f\"sum by ({', '.join(('job', 'shard', *by))})",
        RULES,
        GENERATE,
    ),
    Mutant(
        "a table reads every replica",
        "exporter/assets/boards.py",
        "REPLICA = f'{JOB},instance=~\"$replica\"'",
        "REPLICA = JOB",
        RULES,
        GENERATE,
    ),
    Mutant(
        "the replica that is behind is read",
        "dashboards/frame.py",
        "(1 / (60 + {age}))",
        "(60 + {age})",
        ("tests/dashboards/test_replica.py",),
        GENERATE,
    ),
    Mutant(
        "a query shows every job, whichever is chosen",
        "dashboards/queries.py",
        '{{{REPLICA},collector="{collector}"}}',
        '{{collector="{collector}"}}',
        RULES,
        GENERATE,
    ),
    Mutant(
        "a number ignores the chosen account",
        "dashboards/queries.py",
        "and on (job, tenant_id) kimono_tenant_info{{{REPLICA},{ACCOUNTS}}}",
        "and on (job, tenant_id) kimono_tenant_info{{{REPLICA}}}",
        RULES,
        GENERATE,
    ),
    Mutant(
        "a panel about alerts does not say that it needs rules",
        "dashboards/queries.py",
        'NO_ALERT = "No alert is firing, or no rules are loaded"',
        'NO_ALERT = "No alert is firing"',
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
        "kimono_ingestion_duration_seconds_bucket{{{JOB}}}[$__rate_interval]",
        "kimono_ingestion_duration_seconds_bucket{{{JOB}}}[5m]",
        RULES,
        GENERATE,
    ),
    Mutant(
        "a timeline shows every tenant that has a problem",
        "dashboards/fleet.py",
        "f\"bottomk(20, min by (job, tenant_id) (bottomk by (alertname) (5, {ranks(TENANT_ALERTS, '@ end()')})))\"",
        "f\"min by (job, tenant_id) ({ranks(TENANT_ALERTS, '@ end()')})\"",
        RULES,
        GENERATE,
    ),
    Mutant(
        "data that is hours old is green",
        "dashboards/fleet.py",
        'steps=[(None, GOOD), (900, WARN), (threshold("data_age"), BAD)]',
        'steps=[(None, BAD), (900, WARN), (threshold("data_age"), GOOD)]',
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
        '"Number of each alert, about the chosen tenants or the whole fleet. Click a name for details."',
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
