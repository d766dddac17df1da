"""The alerts about many tenants with one problem: is the hub at fault, a cloud, or an integration?

1. When did it begin? The middle half of the affected tenants of a scope tells; those affected for weeks do not.
2. How many tenants were due, or started a run, at the same hours of a day, and are not affected?
3. If the share of affected ones is high, the scope is at fault, unless one part of it has nearly all of them.
"""

from __future__ import annotations

from exporter.assets.rules.exporter_rules import TENANTS, TENANTS_OF
from exporter.assets.rules.facts import IDENTITY, SCOPES, Source
from exporter.assets.rules.promql import block, lines, number, seconds
from exporter.assets.rules.recorded import PROBLEM
from exporter.assets.rules.rule import Recording
from exporter.thresholds import DAY, HOUR, MINUTE

HUB, CLOUD, INTEGRATION = (f"kimono:{scope}_fault:ratio" for scope in ("hub", "cloud", "integration"))
_AFFECTED = "kimono:fleet_affected:timestamp_seconds"
_BEGIN, _LENGTH = "kimono:fleet_begin:timestamp_seconds", "kimono:fleet_begin:seconds"
_COMPARED = "kimono:fleet_compared:timestamp_seconds"
_COVERED = "kimono:fleet_covered:info"
_COUNT = "kimono:fleet_tenants:count"
_FAULT = "kimono:fleet_fault:ratio"
_PARTS = "kimono:fleet_part:ratio"
_RUN_PROBLEMS = ("stalled", "failing")
_RUNS, _DUE = f'problem=~"{"|".join(_RUN_PROBLEMS)}"', 'problem="overdue"'
_SCOPE = "job, problem, scope, part"
# Bad ends come later than the starts of good runs, with which they are compared.
_EARLIER = {"overdue": 5 * MINUTE, "stalled": 15 * MINUTE, "failing": HOUR}
# An alert outlasts its condition for so long, and suppresses the single ones.
_OUTLASTS = "1h"


def faults(of: Source, burning: str) -> tuple[Recording, ...]:
    """What tells who is at fault. Nearly all of these series exist only while several tenants have one problem.

    `burning` gives the jobs whose error budget of ingestions burns, by (job).
    """
    return (
        Recording(
            _AFFECTED,
            _in_scopes(PROBLEM, f'problem=~"{"|".join(_EARLIER)}"'),
            "The affected tenants in each scope: the hub, their cloud, their integration; its name is in `part`.",
        ),
        _begin(of),
        Recording(
            _LENGTH,
            f"quantile by ({_SCOPE}) (0.75, {_AFFECTED}) - on ({_SCOPE}) {_BEGIN} + {seconds(5 * MINUTE)}",
        ),
        _compared(),
        *_counts(),
        _parts(of),
        _hub(of, burning),
        _cloud(of),
        _integration(of),
        _fault(),
        _covered(),
    )


def uncovered(problem: str) -> str:
    """The tenants with a problem that no fleet alert covers."""
    return f'{PROBLEM}{{problem="{problem}"}} unless on (job, problem, tenant_id) {_COVERED}'


def at_fault(problem: str) -> str:
    """The shares of the scopes at fault, by (job, integration, cloud_name): the hub has neither."""
    return f'max without (problem) ({_FAULT}{{problem="{problem}"}})'


def _fault() -> Recording:
    hub, cloud, integration = (f"last_over_time({name}[{_OUTLASTS}])" for name in (HUB, CLOUD, INTEGRATION))
    return Recording(
        _FAULT,
        block(
            lines(hub, f"or ({cloud} or {integration}) unless on (job, problem) {HUB}"),
            "max by (job, problem, integration, cloud_name)",
        ),
        "Who is, or was within the hour, at fault: between full hours little happens.",
    )


def _in_scopes(series: str, which: str) -> str:
    parts = [
        f'label_replace({series}{{{which},{label}!=""}}, "part", "$1", "{label}", "(.+)")'
        for label in ("cloud_name", "integration")
    ]
    return lines(
        f'label_replace({series}{{{which}}}, "scope", "hub", "", "")',
        f'or label_replace({parts[0]}, "scope", "cloud", "", "")',
        f'or label_replace({parts[1]}, "scope", "integration", "", "")',
    )


def _begin(of: Source) -> Recording:
    quantiles = [
        f'quantile by ({_SCOPE}) (0.25, {_AFFECTED}{{problem="{problem}"}}) - {seconds(earlier)}'
        for problem, earlier in _EARLIER.items()
    ]
    return Recording(
        _BEGIN,
        lines(
            block("\nor ".join(quantiles)),
            f"and (count by ({_SCOPE}) ({_AFFECTED}) >= {number(of.limit('fleet_tenants'))})",
        ),
        "When it began, and for how long it went on: by the middle half of the affected tenants.",
    )


def _compared() -> Recording:
    due = "kimono_schedule_last_due_timestamp_seconds"
    # A schedule that was due while it, or the tenant, was paused, tells nothing.
    active = "kimono_schedule_active_since_timestamp_seconds"
    good = 'kimono_ingestion_last_started_timestamp_seconds{state="success"}'

    def since(series: str, problems: str) -> str:
        return f"{series} >= on (job) group_left () min by (job) ({_BEGIN}{{{problems}}})"

    each = lines(f"{since(due, _DUE)} >= {active}", f"or {since(good, _RUNS)}")
    # A tenant to which replicas give different integrations counts for each of these.
    # The labels of a scrape, whatever they are, tell replicas apart.
    join = f"* ignoring (schedule_id, schedule_type, ingestion_type, state, {IDENTITY}, {SCOPES})"
    scopes = f"{join} group_left ({SCOPES}) (kimono_tenant_info and on (job) {_BEGIN})"
    return Recording(
        _COMPARED,
        f"max without (instance) ({block(each)} {scopes})",
        "All tenants for comparison: when each schedule was due, and when runs started that succeeded, since it began.",
    )


def _counts() -> tuple[Recording, Recording]:
    by = f"{_SCOPE}, integration, cloud_name"
    length = f"<= on ({_SCOPE}) group_left () {_LENGTH}"

    def later(problem: str, scope: str, label: str) -> str:
        begin = f'{_BEGIN}{{problem="{problem}",scope="{scope}"}}'
        begin = f'label_replace({begin}, "{label}", "$1", "part", "(.+)")' if label else begin
        which = "ingestion_type" if problem in _RUN_PROBLEMS else "schedule_id"
        keys = f"job, {label}" if label else "job"
        return f'{_COMPARED}{{{which}!=""}} - on ({keys}) group_left (problem, scope, part) {begin} >= 0'

    scopes = (("hub", ""), ("cloud", "cloud_name"), ("integration", "integration"))
    each = "\nor ".join(later(problem, *scope) for problem in _EARLIER for scope in scopes)
    compared = lines(
        f"group by ({by}, tenant_id) (",
        f"  {block(each)} % {number(DAY)} {length}",
        f") unless on (job, problem, tenant_id) {PROBLEM}",
    )
    affected = f"({_AFFECTED} - on ({_SCOPE}) group_left () {_BEGIN} >= 0) {length}"
    return (
        Recording(
            _COUNT,
            block(affected, f"count by ({by})"),
            "How many tenants are affected, and how many are not that were due, or ran, at the same hours of a day.",
            {"affected": "yes"},
        ),
        Recording(_COUNT, block(compared, f"count by ({by})"), labels={"affected": "no"}),
    )


def _covered() -> Recording:
    levels = " or ".join(f"last_over_time({level}[{_OUTLASTS}])" for level in (HUB, CLOUD, INTEGRATION))
    return Recording(
        _COVERED,
        block(f"{_AFFECTED}\nand on ({_SCOPE}) ({levels})", "group by (job, problem, tenant_id)"),
        "Tenants that raise no alert of their own, because a fleet alert covers them.",
    )


def _sum(by: str, *matchers: str, unless: str = "") -> str:
    return f"sum by ({by}) ({_COUNT}{{{','.join(matchers)}}}{unless})"


def _share(of: Source, scope: str, label: str = "", unless: str = "") -> str:
    """The share of affected ones of a scope, if it is high."""
    in_scope, yes, share = f'scope="{scope}"', 'affected="yes"', of.limit("fleet_share")
    watched = TENANTS
    if label:
        watched = f'label_replace(sum by (job, {label}) ({TENANTS_OF}), "part", "$1", "{label}", "(.+)")'
    affected, compared = _sum(_SCOPE, in_scope, yes, unless=unless), _sum(_SCOPE, in_scope, unless=unless)
    # Of runs only the newest is known. Where tenants run often, few are left to compare with.
    runs = _sum(_SCOPE, in_scope, yes, _RUNS, unless=unless)
    few = f"{runs} / on (job, part) group_left () {watched} < {number(share)} / 15"
    # Tenants that happen to have the same problem within some hours are fewer.
    enough = f"({affected} >= {number(of.limit('fleet_tenants'))})"
    high = f"{enough} / {compared} >= {number(share)} unless {few}"
    return f'label_replace({high}, "{label}", "$1", "part", "(.+)")' if label else high


def _parts(of: Source) -> Recording:
    each = [_part(of, *one) for one in (("hub", "cloud_name"), ("hub", "integration"), ("cloud", "integration"))]
    return Recording(
        _PARTS,
        "\nor ".join(each),
        "Parts of a scope that have more than twice the share of the rest: if there is one, the scope is not at fault.",
    )


def _part(of: Source, scope: str, label: str) -> str:
    in_scope, named, yes = f'scope="{scope}"', f'{label}!=""', 'affected="yes"'
    affected, compared = _sum(f"{_SCOPE}, {label}", in_scope, named, yes), _sum(f"{_SCOPE}, {label}", in_scope, named)
    less = f"- on ({_SCOPE}) group_left ()"
    # The rest, as a negative number: the part less the whole.
    others_affected, others = (
        f"{affected} {less} {_sum(_SCOPE, in_scope, yes)}",
        f"{compared} {less} {_sum(_SCOPE, in_scope)}",
    )
    return lines(
        f"{affected} / {compared} >= {number(of.limit('fleet_share'))}",
        f"  > 2 * ({others_affected})",
        f"  / ({others} <= -{number(of.limit('fleet_tenants'))})",
    )


def _hub(of: Source, burning: str) -> Recording:
    failing = f'label_replace(label_replace({block(burning)}, "problem", "failing", "", ""), "scope", "hub", "", "")'
    not_parts = f'unless on (job, problem) {_PARTS}{{scope="hub"}}'
    return Recording(
        HUB,
        lines(_share(of, "hub"), not_parts, "or on (job, problem)", failing),
        "Who is at fault? Tenants in a cloud that is at fault do not count for their integration.",
    )


def _cloud(of: Source) -> Recording:
    return Recording(
        CLOUD,
        lines(
            _share(of, "cloud", "cloud_name"),
            f'unless on (job, problem, part) {_PARTS}{{scope="cloud"}}',
            f"unless on (job, problem) {HUB}",
        ),
    )


def _integration(of: Source) -> Recording:
    elsewhere = f" unless on (job, problem, cloud_name) {CLOUD}"
    return Recording(
        INTEGRATION,
        lines(
            _share(of, "integration", "integration", elsewhere),
            f"unless on (job, problem) {HUB}",
        ),
    )
