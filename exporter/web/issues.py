"""Says what is wrong with a tenant in lines, for the status page: problems, and failures of polls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from exporter.status import MEANING, POLL_PROBLEMS, PROBLEMS, SEVERITIES, Failure, Severity, TenantStatus

# Polls that fail, but not for long enough to be a problem of the tenant.
POLLS_FAILING = "polls_failing"
# What each kind of line says of a tenant.
KINDS: Mapping[str, str] = {**PROBLEMS, POLLS_FAILING: "polls fail"}
# More seconds than there are in a Unix time, and so few that a sum keeps milliseconds.
_RANK = 1e12


class Issue(NamedTuple):
    """One thing that is wrong with a tenant, or `kind` and `severity` are empty if nothing is.

    `order` sorts lines: the worst first, then the oldest. `since` is in Unix seconds. `reason`, `collectors` and
    `detail` say why polls fail, if they do.
    """

    order: float
    tenant: TenantStatus
    kind: str
    severity: Severity | Literal[""]
    since: float
    reason: str = ""
    collectors: tuple[str, ...] = ()
    detail: str = ""

    @property
    def meaning(self) -> str:
        """What is wrong, in a few words."""
        text = KINDS.get(self.kind, self.kind)
        return f"{text}: {MEANING.get(self.reason, self.reason)}" if self.reason else text


def nothing(tenant: TenantStatus) -> Issue:
    """The line of a tenant without problems."""
    return Issue(math.inf, tenant, "", "", 0.0)


def issues_of(tenant: TenantStatus) -> tuple[Issue, ...]:
    """What is wrong with a tenant. Failures for one reason are one line, which says so if it is a problem."""
    by_reason: dict[str, list[Failure]] = {}
    for failure in tenant.failures:
        by_reason.setdefault(failure.reason, []).append(failure)
    return (*_problems(tenant, by_reason), *(_failing(tenant, each) for each in by_reason.values()))


def _problems(tenant: TenantStatus, by_reason: dict[str, list[Failure]]) -> Iterator[Issue]:
    """The problems. The failures that cause one are removed from `by_reason`, because its line has them."""
    for problem in tenant.problems:
        failures: list[Failure] = []
        if problem.kind in POLL_PROBLEMS and by_reason:
            oldest = min(tenant.failures, key=lambda failure: failure.since).reason
            failures = by_reason.pop("auth" if "auth" in by_reason else oldest, [])
        yield _line(tenant, problem.kind, problem.severity, problem.since, failures)


def _failing(tenant: TenantStatus, failures: list[Failure]) -> Issue:
    return _line(tenant, POLLS_FAILING, "warning", min(failure.since for failure in failures), failures)


def _line(tenant: TenantStatus, kind: str, severity: Severity, since: float, failures: list[Failure]) -> Issue:
    order = SEVERITIES.index(severity) * _RANK + since
    if not failures:
        return Issue(order, tenant, kind, severity, since)
    names = tuple(failure.collector for failure in failures)
    return Issue(order, tenant, kind, severity, since, failures[0].reason, names, failures[0].detail)
