"""Groups what is wrong with many tenants: one line instead of hundreds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import itemgetter

from exporter.issues import Issue
from exporter.status import Severity

# So many tenants with the same problem, for the same reason, are one line.
GROUPED_FROM = 6
# A group names so many accounts and integrations: those with the most of its tenants.
SHARES_SHOWN = 3
# Smaller shares say nothing of the cause.
SHARE_SHOWN = 0.1

Shares = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Tenants with the same kind of problem, for the same reason. `since` is the first one's, in Unix seconds.

    `first` is the worst one. `integrations` and `accounts` have the names with the most of the tenants, and how many
    these are.
    """

    first: Issue
    tenants: int
    since: float
    integrations: Shares
    accounts: Shares

    @property
    def severity(self) -> Severity:
        """The worst severity."""
        return self.first.severity or "info"

    @property
    def integration(self) -> str:
        """The integration that all of them have; empty if they have several."""
        return _of_all(self.integrations, self.tenants)

    @property
    def account(self) -> str:
        """The account that all of them have; empty if they have several."""
        return _of_all(self.accounts, self.tenants)

    @property
    def parts(self) -> list[tuple[str, Shares]]:
        """How the tenants divide between integrations, and between accounts, where they do and it tells something."""
        parts = (("integration", self.integrations), ("account", self.accounts))
        large = [
            (name, tuple(each for each in shares if each[1] >= SHARE_SHOWN * self.tenants)) for name, shares in parts
        ]
        return [(name, shares) for name, shares in large if shares and shares[0][1] < self.tenants]


@dataclass(slots=True)
class Bucket:
    """The issues of one kind and reason, in the order in which they were added, counted by integration and account."""

    members: list[Issue] = field(default_factory=list)
    since: float = math.inf
    integrations: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)

    def add(self, some: list[Issue]) -> None:
        """Count some more. Lists, in whose loops nothing is called, are fast."""
        self.members += some
        self.since = min(self.since, *[issue.since for issue in some])
        self.integrations.update([issue.tenant.integration for issue in some])
        self.accounts.update([issue.tenant.account_name for issue in some])

    @property
    def group(self) -> Group | None:
        """The group, unless there are too few."""
        if len(self.members) < GROUPED_FROM:
            return None
        shares = _shares(self.integrations), _shares(self.accounts)
        worst = min(self.members, key=itemgetter(0))  # of several, any: all that is shown of it is the same
        return Group(worst, len(self.members), self.since, *shares)


class Grouping:
    """Groups issues: `add` all of them, then take the buckets. Both can be done in steps."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, bool], Bucket] = {}

    def add(self, issues: Iterable[Issue]) -> None:
        """Add some issues."""
        members: dict[tuple[str, str, bool], list[Issue]] = {}
        for issue in issues:
            key = issue.kind, issue.reason, bool(issue.tenant.id)
            if key in members:
                members[key].append(issue)
            else:
                members[key] = [issue]
        for key, some in members.items():
            self._buckets.setdefault(key, Bucket()).add(some)

    def buckets(self) -> list[Bucket]:
        """All issues, by kind and reason. Those of the account, which is no tenant, are by themselves."""
        return list(self._buckets.values())


def _shares(counted: Mapping[str, int]) -> Shares:
    named = [(-count, name) for name, count in counted.items() if name]
    return tuple((name, -count) for count, name in nsmallest(SHARES_SHOWN, named))


def _of_all(shares: Shares, tenants: int) -> str:
    return shares[0][0] if shares and shares[0][1] == tenants else ""
