"""The alerts about many tenants with one problem: is the hub at fault, a cloud, or an integration?

1. When did it begin? The middle half of the affected tenants of a scope tells; those affected for weeks do not.
2. How many tenants were due, or started a run, at the same hours of a day, and are not affected?
3. If the share of affected ones is high, the scope is at fault, unless one part of it has nearly all of them.
"""

from __future__ import annotations

from alerts.facts import TENANT, Source
from alerts.promql import block, lines, number, seconds
from alerts.rule import Recording
from exporter.thresholds import DAY, HOUR, MINUTE

PROBLEM = "kimono:tenant_problem:timestamp_seconds"
HUB, CLOUD, INTEGRATION = (f"kimono:{scope}_fault:ratio" for scope in ("hub", "cloud", "integration"))
_AFFECTED = "kimono:fleet_affected:timestamp_seconds"
_BEGIN, _LENGTH = "kimono:fleet_begin:timestamp_seconds", "kimono:fleet_begin:seconds"
_COMPARED = "kimono:fleet_compared:timestamp_seconds"
_COVERED = "kimono:fleet_covered:info"
_COUNT = "kimono:fleet_tenants:count"
TENANTS = "kimono:tenants:count"
_RUNS = 'problem!="overdue"'
_SCOPE = "job, problem, scope, part"
# Bad ends come later than the starts of good runs, with which they are compared.
_EARLIER = {"overdue": 5 * MINUTE, "stalled": 15 * MINUTE, "failing": HOUR}
# An alert outlasts its condition for so long, and suppresses the single ones: between full hours little happens.
_OUTLASTS = "1h"


def faults(of: Source, burning: str) -> tuple[Recording, ...]:
    """What tells who is at fault. Nearly all of these series exist only while several tenants have one problem.

    `burning` gives the jobs whose error budget of ingestions burns, by (job).
    """
    return (
        Recording(
            _AFFECTED,
            _in_scopes(PROBLEM),
            "The affected tenants in each scope: the hub, their cloud, their integration; its name is in `part`.",
        ),
        _begin(of),
        Recording(
            _LENGTH,
            lines(
                f"quantile by ({_SCOPE}) (0.75, {_AFFECTED})",
                f"  - on ({_SCOPE}) {_BEGIN} + {seconds(5 * MINUTE)}",
            ),
        ),
        *_compared(of),
        *_counts(),
        _hub(of, burning),
        _cloud(of),
        _integration(of),
        _covered(),
    )


def uncovered(problem: str) -> str:
    """The tenants with a problem that no fleet alert covers."""
    return f'{PROBLEM}{{problem="{problem}"}} unless on (job, problem, tenant_id) {_COVERED}'


def at_fault(problem: str) -> str:
    """The shares of the scopes at fault, by (job, integration, cloud_name): the hub has neither."""
    which = f'{{problem="{problem}"}}'
    hub, cloud, integration = (f"last_over_time({name}{which}[{_OUTLASTS}])" for name in (HUB, CLOUD, INTEGRATION))
    return block(
        lines(f"{hub}", f"or ({cloud} or {integration}) unless on (job) {HUB}{which}"),
        "max by (job, integration, cloud_name)",
    )


def _in_scopes(series: str) -> str:
    parts = [
        f'label_replace({series}{{{label}!=""}}, "part", "$1", "{label}", "(.+)")'
        for label in ("cloud_name", "integration")
    ]
    return lines(
        f'label_replace({series}, "scope", "hub", "", "")',
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


def _compared(of: Source) -> tuple[Recording, ...]:
    active = "(kimono_schedule_last_due_timestamp_seconds >= kimono_schedule_active_since_timestamp_seconds)"
    good = 'kimono_ingestion_last_started_timestamp_seconds{state="success"}'

    def where(series: str, problem: str, keys: str, why: str = "") -> Recording:
        enough = f'(count by (job) ({PROBLEM}{{problem="{problem}"}}) >= {number(of.limit("fleet_tenants"))})'
        newest = block(f"{series} and on (job) {enough}", f"max by (job, tenant_id, {keys})")
        names = f"* {TENANT} group_left (integration, cloud_name) kimono:tenant:info"
        return Recording(_COMPARED, lines(newest, names), why, {"problem": problem})

    return (
        where(
            active,
            "overdue",
            "schedule_id, schedule_type",
            "All tenants for comparison: when each schedule was due, and when runs started that succeeded.",
        ),
        *(where(good, problem, "ingestion_type") for problem in ("stalled", "failing")),
    )


def _counts() -> tuple[Recording, Recording]:
    by = f"{_SCOPE}, integration, cloud_name"
    length = f"<= on ({_SCOPE}) group_left () {_LENGTH}"

    def later(scope: str, label: str = "") -> str:
        begin = f'{_BEGIN}{{scope="{scope}"}}'
        begin = f'label_replace({begin}, "{label}", "$1", "part", "(.+)")' if label else begin
        keys = f"job, problem, {label}" if label else "job, problem"
        return f"({_COMPARED} - on ({keys}) group_left (scope, part) {begin} >= 0)"

    each = lines(later("hub"), f"or {later('cloud', 'cloud_name')}", f"or {later('integration', 'integration')}")
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


def _sum(by: str, *matchers: str) -> str:
    return f"sum by ({by}) ({_COUNT}{{{','.join(matchers)}}})"


def _share(of: Source, scope: str, label: str = "", unless: str = "") -> str:
    def count(*matchers: str) -> str:
        return f"sum by ({_SCOPE}) ({_COUNT}{{{','.join((f'scope={chr(34)}{scope}{chr(34)}', *matchers))}}}{unless})"

    affected, share = 'affected="yes"', of.limit("fleet_share")
    watched = f"sum by (job) ({TENANTS})"
    if label:
        watched = f'label_replace(sum by (job, {label}) ({TENANTS}), "part", "$1", "{label}", "(.+)")'
    # Of runs only the newest is known. Where tenants run often, few are left to compare with.
    few = f"{count(affected, _RUNS)} / on (job, part) group_left () {watched} < {number(share / 15)}"
    return lines(f"({count(affected)} / {count()} >= {number(share)}", f"  unless {few})")


def _blamed(of: Source, scope: str, label: str) -> str:
    """Scopes of which one part has nearly all the affected tenants, though there are others to compare it with."""
    matchers = (f'scope="{scope}"', f'{label}!=""')
    affected, everyone = _sum(f"{_SCOPE}, {label}", *matchers, 'affected="yes"'), _sum(f"{_SCOPE}, {label}", *matchers)
    whole = f"- on ({_SCOPE}) group_left () "
    all_affected, all_of_them = _sum(_SCOPE, matchers[0], 'affected="yes"'), _sum(_SCOPE, matchers[0])
    return block(
        lines(
            f"({affected} / {everyone} >= {number(of.limit('fleet_share'))})",
            f"> 2 * ({affected} {whole}{all_affected})",
            f"/ ({everyone} {whole}{all_of_them} <= -{number(of.limit('fleet_tenants'))})",
        )
    )


def _hub(of: Source, burning: str) -> Recording:
    failing = f'label_replace(label_replace({block(burning)}, "problem", "failing", "", ""), "scope", "hub", "", "")'
    return Recording(
        HUB,
        lines(
            _share(of, "hub"),
            *(f"unless on (job, problem) {_blamed(of, 'hub', label)}" for label in ("cloud_name", "integration")),
            "or on (job, problem)",
            failing,
        ),
        "The hub is at fault, unless one cloud or integration has more than twice the share of all others.",
    )


def _cloud(of: Source) -> Recording:
    return Recording(
        CLOUD,
        lines(
            f'label_replace({_share(of, "cloud", "cloud_name")}, "cloud_name", "$1", "part", "(.+)")',
            f"unless on (job, problem, part) {_blamed(of, 'cloud', 'integration')}",
            f"unless on (job, problem) {HUB}",
        ),
        "A cloud is at fault, unless one integration has more than twice the share of the others there.",
    )


def _integration(of: Source) -> Recording:
    elsewhere = f" unless on (job, problem, cloud_name) {CLOUD}"
    enough = (
        f'count by ({_SCOPE}) ({_AFFECTED}{{scope="integration"}}{elsewhere}) >= {number(of.limit("fleet_tenants"))}'
    )
    share = _share(of, "integration", "integration", elsewhere)
    return Recording(
        INTEGRATION,
        lines(
            f'label_replace({share}, "integration", "$1", "part", "(.+)")',
            f"and on ({_SCOPE}) ({enough})",
            f"unless on (job, problem) {HUB}",
        ),
        "An integration is at fault. Tenants in a cloud that is at fault do not count.",
    )
