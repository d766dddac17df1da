"""Groups what is wrong with many tenants: one line instead of hundreds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from exporter.status import Severity
from exporter.web.issues import Issue

# So many tenants with the same problem, for the same reason, are one line.
GROUPED_FROM = 6
# A group names so many accounts and integrations: those with the most of its tenants.
SHARES_SHOWN = 3

Shares = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Tenants with the same kind of problem, for the same reason. `since` is the first one's, in Unix seconds.

    `severity` is the worst of them. `integrations` and `accounts` have the names with the most of the tenants, and how
    many these are.
    """

    first: Issue
    tenants: int
    since: float
    severity: Severity | Literal[""]
    integrations: Shares
    accounts: Shares

    @property
    def integration(self) -> str:
        """The integration that all of them have; empty if they have several."""
        return _of_all(self.integrations, self.tenants)

    @property
    def account(self) -> str:
        """The account that all of them have; empty if they have several."""
        return _of_all(self.accounts, self.tenants)


def key_of(issue: Issue) -> tuple[str, str]:
    """What the issues of a group have in common."""
    return issue.kind, issue.reason


def grouped(issues: Iterable[Issue]) -> Iterator[tuple[Group | None, list[Issue]]]:
    """All issues in groups, or without one if they are few: one by one, so that others may go first between two."""
    buckets: dict[tuple[str, str], list[Issue]] = {}
    for issue in issues:
        buckets.setdefault(key_of(issue), []).append(issue)
    for members in buckets.values():
        yield (_group(members) if len(members) >= GROUPED_FROM else None), members


def _group(members: list[Issue]) -> Group:
    worst = min(members, key=lambda issue: issue.order)
    return Group(
        first=worst,
        tenants=len(members),
        since=min(issue.since for issue in members),
        severity=worst.severity,
        integrations=_shares(Counter([issue.tenant.integration for issue in members])),
        accounts=_shares(Counter([issue.tenant.account_name for issue in members])),
    )


def _shares(counted: Mapping[str, int]) -> Shares:
    named = sorted(((name, count) for name, count in counted.items() if name), key=lambda each: (-each[1], each[0]))
    return tuple(named[:SHARES_SHOWN])


def _of_all(shares: Shares, tenants: int) -> str:
    return shares[0][0] if shares and shares[0][1] == tenants else ""
