"""How are questions put to Prometheus? What the dashboards' queries have in common.

- Each filters on `$job`, so that a dashboard is not empty under another job's name.
- `max by (job, …)` or a recorded series takes two replicas for one: no number is shown twice.
- At 10,000 tenants nothing is plotted for all of them. `kimono:tenant_problem:…` and
  `kimono:tenant_mode:…` (alerts/kimono.rules.yaml) have rows only where something is up, with names.
"""

from __future__ import annotations

from dashboards.colours import UNWATCHED

NAMES = "tenant_name, account_name, integration"
JOB = 'job=~"$job"'
# Of alerts: that there is no exporter at all is told without a job.
ANY_JOB = 'job=~"$job|"'
# On series that carry a tenant's names.
CHOSEN = f'{JOB},account_name=~"$account",integration=~"$integration"'
# What a rank is worth in a score: more seconds than anything has been wrong for.
A_RANK = 10**10
# On the dashboard of one tenant.
TENANT = f'{JOB},tenant_id="$tenant"'


def problems(*names: str, where: str = CHOSEN, at: str = "") -> str:
    """Since when (Unix seconds) tenants have these problems, or any: one series for each tenant and problem.

    `at` may be `@ end()`: those of the end of the time range, whatever the moment.
    """
    chosen = f',problem=~"{"|".join(names)}"' if names else ""
    return f"kimono:tenant_problem:timestamp_seconds{{{where}{chosen}}} {at}".rstrip()


def modes(*flags: str, where: str = CHOSEN) -> str:
    """Since when (Unix seconds) tenants have been in these modes."""
    return f'kimono:tenant_mode:timestamp_seconds{{{where},flag=~"{"|".join(flags)}"}}'


def watched(where: str = CHOSEN) -> str:
    """0 if anybody is watched: without an exporter nothing is well, and nothing is 0."""
    # Of the whole fleet one number is enough, and cheap over time.
    somebody = f"kimono_tenants{{{JOB}}} > 0" if where == CHOSEN else f"kimono:tenant:info{{{where}}}"
    return f"0 * group({somebody})"


def count(series: str) -> str:
    """How many; 0 if there are none, and nothing if nobody is watched."""
    return f"count({series}) or {watched()}"


def named(series: str, where: str = CHOSEN) -> str:
    """Values by (job, tenant_id, …), with the tenants' names added, of those tenants that are chosen."""
    return f"{series} * on (job, tenant_id) group_left ({NAMES}) kimono:tenant:info{{{where}}}"


def rank(where: str = CHOSEN, at: str = "") -> str:
    """How loud each problem of each tenant is now: 3 critical, 2 warning, 1 info; with the labels of `problems`."""
    return f"kimono:tenant_problem:rank{{{where}}} {at}".rstrip()


def score(where: str = CHOSEN, at: str = "") -> str:
    """What sorts problems, the worst first: by rank, and within a rank by age."""
    return f"{rank(where, at)} * {A_RANK} + (time() - {problems(where=where, at=at)})"


def or_words(series: str, label: str, words: str, where: str = CHOSEN) -> str:
    """The series; if there are none, one of the value 0 that has the words in its label: a panel that is not empty."""
    return f"{series} or {words_alone(series, label, words, where)}"


def or_said(series: str, label: str, words: str = UNWATCHED) -> str:
    """The series; if there are none, one without a number that has the words in its label: no panel is blank."""
    return f'{series} or on () label_replace(vector(NaN), "{label}", "{words}", "", "")'


def words_alone(series: str, label: str, words: str, where: str = CHOSEN) -> str:
    """A series with the words in its label if the others are none, and somebody is watched."""
    return f'label_replace({watched(where)} unless on () group({series}), "{label}", "{words}", "", "")'


def alerts(where: str = ANY_JOB) -> str:
    """The alerts of these rules that are firing."""
    return f'ALERTS{{alertname=~"Kimono.+",alertstate="firing",{where}}}'


def ranked(series: str) -> str:
    """Alerts with the label `rank`, which sorts as `severity` does not: 1 critical, 2 warning, 3 info."""
    for number, severity in enumerate(("critical", "warning", "info"), 1):
        series = f'label_replace({series}, "rank", "{number}", "severity", "{severity}")'
    return series
