"""The alerts about tenants, single ones and many."""

from __future__ import annotations

from collections.abc import Callable

from exporter.assets.rules import problems
from exporter.assets.rules.burn_rules import burning, ratios
from exporter.assets.rules.exporter_rules import many_unreachable, tenants, unreachable_tenants
from exporter.assets.rules.facts import TENANT, Source
from exporter.assets.rules.fleet_rules import at_fault, faults, uncovered
from exporter.assets.rules.names import named
from exporter.assets.rules.promql import block, lines
from exporter.assets.rules.recorded import PROBLEM, recordings
from exporter.assets.rules.rule import Alert, Group, Recording

_WHO = (
    '{{ $labels.tenant_name }} ({{ or $labels.account_name "no account" }}, {{ or $labels.integration "no product" }})'
)
_FOR = "{{ $value | humanizeDuration }}"
_TENANT_BOARD = "d/kimono-tenant?var-tenant={{ $labels.tenant_id }}"
_FLEET_BOARD = "d/kimono-fleet"
_WHOSE = (
    "{{ with $labels.integration }} of the integration {{ . }}{{ end }}"
    "{{ with $labels.cloud_name }} in the cloud {{ . }}{{ end }}"
)
_SHARE = "{{ $value | humanizePercentage }}"


def group(of: Source) -> Group:
    """The group of these rules: one, so that each sees what those before it have just recorded.

    Otherwise, single tenants would alert for up to a minute before the alert about the fleet.
    """
    return Group(
        "kimono-tenants",
        "What is wrong with which tenants? In one group, because rules read what those before them have just recorded.",
        (*recordings(of), *_fleet(of), *_tenants(of)),
    )


def _fleet(of: Source) -> tuple[Recording | Alert, ...]:
    """The alerts about many tenants."""
    return (
        *tenants(),
        *ratios(),
        *faults(of, burning(of, "critical")),
        *unreachable_tenants(of),
        Alert(
            "KimonoFleetSyncsOverdue",
            "critical",
            at_fault("overdue"),
            "Scheduled syncs of many tenants have not run",
            f"{_SHARE} of the tenants{_WHOSE} that were due at the same hours are overdue (job {{{{ $labels.job }}}}). "
            f"Their schools work with data of the day before.",
            _FLEET_BOARD,
            keep=None,
        ),
        Alert(
            "KimonoFleetIngestionsStalled",
            "critical",
            at_fault("stalled"),
            "Ingestions of many tenants do not end",
            f"{_SHARE} of the tenants{_WHOSE} that started a run at the same hours have one that does not end (job "
            f"{{{{ $labels.job }}}}). Their schools get no newer data until it ends.",
            _FLEET_BOARD,
            keep=None,
        ),
        Alert(
            "KimonoFleetIngestionsFailing",
            "critical",
            at_fault("failing"),
            "Ingestions of many tenants fail",
            f"{_SHARE} of the tenants, or of the ingestions of the last hours,{_WHOSE} fail (job "
            f"{{{{ $labels.job }}}}). "
            f"Their schools work with data as old as the last success.",
            _FLEET_BOARD,
            keep=None,
        ),
        Alert(
            "KimonoFleetIngestionsFailing",
            "warning",
            burning(of, "warning"),
            "More ingestions of the fleet fail than should",
            f"{_SHARE} of the ingestions of the job {{{{ $labels.job }}}} that ended in the last days failed, and they "
            "still do. Some schools work with data as old as the last success.",
            _FLEET_BOARD,
        ),
    )


def _tenants(of: Source) -> tuple[Alert, ...]:
    """The alerts about single tenants."""

    def since(problem: Callable[[Source], str], *more: str) -> str:
        return f"time() - {named(lines(problem(of), *more))}"

    def single(problem: str, which: str = "") -> str:
        return f"time() - {block(lines(uncovered(problem), which), 'max without (problem, cloud_name)')}"

    critical = problems.critical_failing(of, f'{PROBLEM}{{problem="failing"}}')
    unless_many = f"unless on (job) ({many_unreachable(of)})"

    def alert(name: str, severity: str, expr: str, summary: str, description: str, *, comment: str = "") -> Alert:
        return Alert(name, severity, expr, summary, description, _TENANT_BOARD, comment)

    return (
        alert(
            "KimonoTenantUnreachable",
            "warning",
            since(problems.unreachable, unless_many),
            "A Kimono tenant can't be polled",
            f"{_WHO} has not been polled successfully for {_FOR}, at least in part. Its data are out of date, and "
            f"other "
            "problems of its schools raise no alert.",
            comment="The alerts about single tenants. Their value is for how many seconds it has been so.",
        ),
        alert(
            "KimonoTenantCredentialsRejected",
            "warning",
            since(problems.credentials_rejected, unless_many),
            "A Kimono tenant's credentials are rejected",
            f"The credentials of {_WHO} have been rejected for {_FOR}, and the tenant list has no newer ones. "
            f"Problems of "
            "its schools raise no alert.",
        ),
        alert(
            "KimonoIngestionStalled",
            "critical",
            single("stalled"),
            "An ingestion does not end",
            f"An ingestion of {_WHO} has been unfinished for {_FOR}. Its schools get no newer data until it ends.",
        ),
        alert(
            "KimonoIngestionsFailing",
            "warning",
            single("failing"),
            "Ingestions fail",
            f"Ingestions of {_WHO} have failed for {_FOR}, with no success since. Its schools work with data as "
            f"old as the "
            "last success.",
        ),
        alert(
            "KimonoIngestionsFailing",
            "critical",
            single("failing", f"and {TENANT} {block(critical)}"),
            "Ingestions have failed for more than a day",
            f"No ingestion of {_WHO} has succeeded for {_FOR}. Its schools miss the changes of a day: new students "
            f"have no "
            "login.",
        ),
        alert(
            "KimonoSyncOverdue",
            "critical",
            single("overdue"),
            "A scheduled sync has not run",
            f"A schedule of {_WHO} was due {_FOR} ago and has not run. Its schools work with data of the day before.",
        ),
        alert(
            "KimonoSyncStale",
            "warning",
            since(problems.PROBLEMS["stale"]),
            "Nothing has run for days",
            f"Nothing has run for {_WHO} for {_FOR}. Changes in its schools have not arrived since.",
        ),
        alert(
            "KimonoSyncSuspended",
            "warning",
            since(problems.PROBLEMS["suspended"]),
            "Syncs are suspended, and no rollover explains it",
            f"Syncs of {_WHO} have been suspended for {_FOR}, and no rollover is near. Changes in its schools do "
            f"not arrive "
            "until the suspension ends.",
        ),
        alert(
            "KimonoMassChangePending",
            "warning",
            since(problems.PROBLEMS["mass_change"]),
            "A mass change waits for approval",
            f"A large change of {_WHO} has waited for approval for {_FOR}. Its schools get no newer data until a "
            f"person "
            "approves it.",
        ),
        alert(
            "KimonoMassChangePending",
            "critical",
            since(problems.CRITICAL_LATER["mass_change"]),
            "A mass change has waited for approval for a day",
            f"A large change of {_WHO} has waited for approval for {_FOR}. Its schools have missed the changes of "
            f"a night.",
        ),
        alert(
            "KimonoSetupModeLingering",
            "info",
            since(problems.PROBLEMS["setup"]),
            "Setup mode has been on for days",
            f"{_WHO} has been in setup mode for {_FOR}. No schedule runs, so its schools get no data.",
        ),
        alert(
            "KimonoRolloverStuck",
            "warning",
            since(problems.PROBLEMS["rollover_stuck"]),
            "Rollover mode outlives its window",
            f"{_WHO} is still in rollover mode, {_FOR} after the end of the window, or after its start if there is no "
            "window. No schedule runs, so changes in its schools do not arrive.",
        ),
        alert(
            "KimonoRolloverNotStarted",
            "warning",
            since(problems.PROBLEMS["rollover_not_started"]),
            "A rollover has not started",
            f"The window of a rollover of {_WHO} opened {_FOR} ago, and nothing has happened. Its schools may "
            f"start the "
            "year with last year's classes.",
        ),
        alert(
            "KimonoRolloverFailing",
            "warning",
            since(problems.PROBLEMS["rollover_failing"]),
            "A rollover can't change its status",
            f"A rollover of {_WHO} has failed to change its status for {_FOR}. Its schools may start the year "
            f"with last "
            "year's classes.",
        ),
        alert(
            "KimonoApplicationAuthFailing",
            "warning",
            since(problems.PROBLEMS["application_auth"]),
            "The application rejects the hub",
            f"The application of {_WHO} has rejected the hub's credentials for {_FOR}. Its schools see no newer "
            f"data in it.",
        ),
    )
