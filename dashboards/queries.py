"""Builds the PromQL that several dashboards share.

- Each query filters on `$job`, so that the dashboards work with any job name.
- `max by (job, …)` or a recorded series merges replicas: no number is counted twice.
- No query returns all tenants: there may be 10,000. `kimono:tenant_problem:…` and `kimono:tenant_mode:…`
  (alerts/kimono.rules.yaml) have series, with names, only for tenants with a problem or in a mode.
"""

from __future__ import annotations

from dashboards.colours import MANY_UNREACHABLE, NO_PROBLEM, NOT_KNOWN

NAMES = "tenant_name, account_name, integration"
JOB = 'job=~"$job"'
# For alerts: KimonoExporterDown may have no job.
ANY_JOB = 'job=~"$job|"'
# For series with the tenants' names.
CHOSEN = f'{JOB},account_name=~"$account",integration=~"$integration"'
# Weight of a rank in a score: more seconds than any problem has lasted.
RANK_WEIGHT = 10**10
# For the dashboard of one tenant.
TENANT = f'{JOB},tenant_id="$tenant"'


def problems(*names: str, where: str = CHOSEN, at: str = "") -> str:
    """Since when (Unix seconds) the tenants have these problems, or any: a series for each tenant and problem.

    `at` may be `@ end()`: the problems at the end of the time range, at every step.
    """
    chosen = f',problem=~"{"|".join(names)}"' if names else ""
    return f"kimono:tenant_problem:timestamp_seconds{{{where}{chosen}}} {at}".rstrip()


def modes(*flags: str, where: str = CHOSEN) -> str:
    """Since when (Unix seconds) tenants have been in these modes."""
    return f'kimono:tenant_mode:timestamp_seconds{{{where},flag=~"{"|".join(flags)}"}}'


# Jobs with so many unreachable tenants that alerts about single ones are suppressed: their state is unknown.
UNREACHABLE_JOBS = (
    f"kimono:tenants_unreachable:ratio{{{JOB}}} >= scalar(max(kimono:threshold_tenants_unreachable:ratio))"
)


# The tenants that the ratio counts. Not recorded: in an outage that would be a series for each tenant.
UNREACHABLE = (
    f"group by (job, tenant_id) (kimono:collector_failing:info{{{JOB}}}) "
    f"or max by (job, tenant_id) (kimono_tenant_up{{{JOB}}}) == 0 unless on (job, tenant_id) "
    f"max by (job, tenant_id) (kimono_collector_last_success_timestamp_seconds{{{JOB}}}) > time() - 600"
)


def zero_if_known(where: str = CHOSEN) -> str:
    """0 if the tenants' state is known; empty without an exporter, rules or up-to-date data."""
    if where == TENANT:
        return (
            f"0 * group(kimono:tenant:info{{{TENANT}}} unless on (job, tenant_id) kimono:picture_old:info{{{TENANT}}})"
        )
    # Fleet-wide series, cheap over time; the threshold exists if the rules are loaded.
    data_known = f"kimono_tenants{{{JOB}}} > 0 and on () kimono:threshold_picture_age:seconds"
    return f"0 * group({data_known} unless on (job) {UNREACHABLE_JOBS})"


def count(series: str) -> str:
    """The number of series: 0 if there are none, empty if the tenants' state is unknown."""
    return f"count({series}) or {zero_if_known()}"


def with_names(series: str, where: str = CHOSEN) -> str:
    """Add the tenants' names to series by (job, tenant_id, …), and keep only tenants that match `where`."""
    return f"{series} * on (job, tenant_id) group_left ({NAMES}) kimono:tenant:info{{{where}}}"


def rank(where: str = CHOSEN, at: str = "") -> str:
    """The severity of each problem of each tenant: 3 critical, 2 warning, 1 info. Labels as in `problems`."""
    return f"kimono:tenant_problem:rank{{{where}}} {at}".rstrip()


def score(where: str = CHOSEN, at: str = "") -> str:
    """A sort key for problems, worst first: by rank, then by age."""
    return f"{rank(where, at)} * {RANK_WEIGHT} + (time() - {problems(where=where, at=at)})"


def or_text(series: str, label: str, text: str, where: str = CHOSEN) -> str:
    """The series; if there are none and the state is known, one of value 0 with the text in its label."""
    return f"{series} or on () {_labelled(zero_if_known(where), label, text)}"


def or_placeholder(series: str, label: str, text: str = NOT_KNOWN, value: str = "NaN") -> str:
    """The series; if there are none, one of value NaN with the text in its label, so that no panel is blank.

    Timelines do not draw NaN: they use -1.
    """
    return f"{series} or on () {_labelled(f'vector({value})', label, text)}"


def text_if_none(series: str, label: str, text: str) -> str:
    """Only the placeholder: a series with the text if there are none, or with NOT_KNOWN if that is unknown."""
    known = zero_if_known()
    none = _labelled(f"{known} unless on () group({series})", label, text)
    return f"{none} or {_labelled(f'vector(NaN) unless on () ({known} or group({series}))', label, NOT_KNOWN)}"


def many_unreachable(label: str, where: str = CHOSEN) -> str:
    """A critical series with MANY_UNREACHABLE in its label while KimonoManyTenantsUnreachable's condition holds.

    For one tenant: only if its data are stale, too.
    """
    old = f"kimono:picture_old:info{{{TENANT}}} and on (job) {UNREACHABLE_JOBS}"
    return _labelled(f"3 * group({old if where == TENANT else UNREACHABLE_JOBS})", label, MANY_UNREACHABLE)


def or_summary(worst: str, label: str, where: str = CHOSEN, value: str = "NaN") -> str:
    """Problems; if there are none, a label says why: many unreachable, no problem, or unknown."""
    return or_placeholder(
        or_text(f"({worst} or {many_unreachable(label, where)})", label, NO_PROBLEM, where), label, value=value
    )


def or_summary_over_time(some: str, label: str) -> str:
    """Problems of some tenants; if no tenant has any, a label as in `or_summary`."""
    well = _labelled(f"{zero_if_known()} unless on () group({rank()})", label, NO_PROBLEM)
    unknown = _labelled(f"vector(-1) unless on () ({zero_if_known()} or group({UNREACHABLE_JOBS}))", label, NOT_KNOWN)
    return f"{some} or {many_unreachable(label)} or {well} or {unknown}"


def _labelled(series: str, label: str, text: str) -> str:
    return f'label_replace({series}, "{label}", "{text}", "", "")'


def unreachable() -> str:
    """Tenants that are failing, at least in part, as kimono:tenants_unreachable:ratio counts them."""
    return f"({UNREACHABLE}) and on (job, tenant_id) kimono:tenant:info{{{CHOSEN}}}"


def alerts(where: str = ANY_JOB) -> str:
    """The firing alerts of these rules."""
    return f'ALERTS{{alertname=~"Kimono.+",alertstate="firing",{where}}}'


def uninhibited(where: str) -> str:
    """Firing alerts without those that a critical alert of the same name and tenant inhibits, as in Alertmanager."""
    critical = alerts(f'{where},severity="critical"')
    return f"({alerts(where)} unless on (alertname, job, tenant_id) {critical} or {critical})"


def with_rank(series: str) -> str:
    """Add the label `rank` to alerts, which sorts by severity: 1 critical, 2 warning, 3 info."""
    for number, severity in enumerate(("critical", "warning", "info"), 1):
        series = f'label_replace({series}, "rank", "{number}", "severity", "{severity}")'
    return series
