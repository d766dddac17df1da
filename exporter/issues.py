"""Says what is wrong with a tenant in lines, for the status page: problems, and failures of polls.

The lines of a tenant are made when a poll of it ends. To make those of 10,000 tenants when a page is requested takes
long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Literal, NamedTuple

from exporter.status import MEANING, POLL_PROBLEMS, PROBLEMS, SEVERITIES, Failure, Severity, TenantStatus

# Polls that fail, but not for long enough to be a problem of the tenant.
POLLS_FAILING = "polls_failing"
# What each kind of line says of a tenant.
KINDS: Mapping[str, str] = {**PROBLEMS, POLLS_FAILING: "polls fail"}
# More seconds than there are in a Unix time, and so few that a sum keeps milliseconds.
_RANK = 1e12
_ORDER: Mapping[str, float] = {severity: number * _RANK for number, severity in enumerate(SEVERITIES)}


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
        text, reason = KINDS.get(self.kind, self.kind), MEANING.get(self.reason, self.reason)
        return text if self.kind == "credentials_rejected" or not reason else f"{text}: {reason}"


class Entry(NamedTuple):
    """A tenant, or the account, and its lines: what is wrong with it, or that nothing is. It is sorted by `name`."""

    name: str
    tenant: TenantStatus
    issues: tuple[Issue, ...]


def entry_of(tenant: TenantStatus) -> Entry:
    """The tenant with its lines, at least one."""
    wrong = tenant.failures or tenant.problems
    return Entry(sort_name(tenant), tenant, issues_of(tenant) if wrong else (_nothing(tenant),))


def sort_name(tenant: TenantStatus) -> str:
    """The text by which tenants are sorted: by name, whatever the case; those with the same name by id."""
    return f"{tenant.name.casefold()}\0{tenant.id}"


def _nothing(tenant: TenantStatus) -> Issue:
    """The line of a tenant without problems."""
    return Issue(math.inf, tenant, "", "", 0.0)


def issues_of(tenant: TenantStatus) -> tuple[Issue, ...]:
    """What is wrong with a tenant. Failures for one reason are one line, which says so if it is a problem."""
    by_reason = _by_reason(tenant.failures)
    lines = []
    for problem in tenant.problems:
        causes: tuple[Failure, ...] = ()
        if problem.kind in POLL_PROBLEMS and by_reason:
            causes = by_reason.pop(_cause(tenant.failures))
        lines.append(_line(tenant, problem.kind, problem.severity, problem.since, causes))
    others = [_line(tenant, POLLS_FAILING, "warning", min(map(_begin, each)), each) for each in by_reason.values()]
    return (*lines, *others)


_begin = attrgetter("since")


def _by_reason(failures: tuple[Failure, ...]) -> dict[str, tuple[Failure, ...]]:
    reasons = dict.fromkeys([failure.reason for failure in failures])
    if len(reasons) == 1:  # of thousands of tenants, if the API is down
        return {failures[0].reason: failures}
    return {reason: tuple(failure for failure in failures if failure.reason == reason) for reason in reasons}


def _cause(failures: tuple[Failure, ...]) -> str:
    """The reason that makes failures a problem: rejected credentials, or that of the oldest one."""
    if any(failure.reason == "auth" for failure in failures):
        return "auth"
    return min(failures, key=_begin).reason


def _line(tenant: TenantStatus, kind: str, severity: Severity, since: float, failures: tuple[Failure, ...]) -> Issue:
    order = _ORDER[severity] + since
    if not failures:
        return Issue(order, tenant, kind, severity, since)
    names = tuple([failure.collector for failure in failures])
    return Issue(order, tenant, kind, severity, since, failures[0].reason, names, failures[0].detail)
