"""How are questions put to Prometheus? What the dashboards' queries have in common.

- Each filters on `$job`, so that a dashboard is not empty under another job's name.
- `max by (job, …)` or a recorded series takes two replicas for one: no number is shown twice.
- At 10,000 tenants nothing is plotted for all of them. `kimono:tenant_problem:…` and
  `kimono:tenant_mode:…` (alerts/kimono.rules.yaml) have rows only where something is up, with names.
"""

from __future__ import annotations

from dashboards.colours import MANY, UNWATCHED, WELL

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


# Jobs of whose tenants so many can't be read that no single one is told of: how the others are, nobody knows.
BLIND = f"kimono:tenants_unreachable:ratio{{{JOB}}} >= scalar(max(kimono:threshold_tenants_unreachable:ratio))"


# What that rule counts, of these jobs. (No rule records them: in an outage they would be as many series as tenants.)
UNREAD = (
    f"group by (job, tenant_id) (kimono:collector_failing:info{{{JOB}}}) "
    f"or max by (job, tenant_id) (kimono_tenant_up{{{JOB}}}) == 0 unless on (job, tenant_id) "
    f"max by (job, tenant_id) (kimono_collector_last_success_timestamp_seconds{{{JOB}}}) > time() - 600"
)


def watched(where: str = CHOSEN) -> str:
    """0 if it is known how tenants are: without an exporter, without the rules or in the dark nothing is well or 0."""
    if where == TENANT:
        return (
            f"0 * group(kimono:tenant:info{{{TENANT}}} unless on (job, tenant_id) kimono:picture_old:info{{{TENANT}}})"
        )
    # One number of the whole fleet, which is cheap over time; a threshold is there if the rules are.
    somebody = f"kimono_tenants{{{JOB}}} > 0 and on () kimono:threshold_picture_age:seconds"
    return f"0 * group({somebody} unless on (job) {BLIND})"


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
    return f"{series} or on () {_said(watched(where), label, words)}"


def or_said(series: str, label: str, words: str = UNWATCHED, value: str = "NaN") -> str:
    """The series; if there are none, one without a number that has the words in its label: no panel is blank.

    Timelines draw nothing without a number: theirs is -1.
    """
    return f"{series} or on () {_said(f'vector({value})', label, words)}"


def words_alone(series: str, label: str, words: str) -> str:
    """A series with the words in its label if the others are none; other words if nobody knows."""
    known = watched()
    none = _said(f"{known} unless on () group({series})", label, words)
    return f"{none} or {_said(f'vector(NaN) unless on () ({known} or group({series}))', label, UNWATCHED)}"


def many(label: str, where: str = CHOSEN) -> str:
    """A series as loud as the alert that so many can't be read, with MANY in its label; of one tenant, if it can't."""
    old = f"kimono:picture_old:info{{{TENANT}}} and on (job) {BLIND}"
    return _said(f"3 * group({old if where == TENANT else BLIND})", label, MANY)


def or_state(worst: str, label: str, where: str = CHOSEN, value: str = "NaN") -> str:
    """Problems; where there are none, words in their label: many can't be read, all is well, or nobody knows."""
    return or_said(or_words(f"({worst} or {many(label, where)})", label, WELL, where), label, value=value)


def or_state_over_time(some: str, label: str) -> str:
    """Problems of some tenants; where nobody has any, words as in `or_state`. What the others have is not told."""
    well = _said(f"{watched()} unless on () group({rank()})", label, WELL)
    unknown = _said(f"vector(-1) unless on () ({watched()} or group({BLIND}))", label, UNWATCHED)
    return f"{some} or {many(label)} or {well} or {unknown}"


def _said(series: str, label: str, words: str) -> str:
    return f'label_replace({series}, "{label}", "{words}", "", "")'


def unread() -> str:
    """Tenants that can't be read, at least in part, however many: those of kimono:tenants_unreachable:ratio."""
    return f"({UNREAD}) and on (job, tenant_id) kimono:tenant:info{{{CHOSEN}}}"


def alerts(where: str = ANY_JOB) -> str:
    """The alerts of these rules that are firing."""
    return f'ALERTS{{alertname=~"Kimono.+",alertstate="firing",{where}}}'


def loudest(where: str) -> str:
    """The same without those of which a critical one tells of the same tenant: as Alertmanager has it."""
    critical = alerts(f'{where},severity="critical"')
    return f"({alerts(where)} unless on (alertname, job, tenant_id) {critical} or {critical})"


def ranked(series: str) -> str:
    """Alerts with the label `rank`, which sorts as `severity` does not: 1 critical, 2 warning, 3 info."""
    for number, severity in enumerate(("critical", "warning", "info"), 1):
        series = f'label_replace({series}, "rank", "{number}", "severity", "{severity}")'
    return series
