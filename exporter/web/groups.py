"""Groups what is wrong with many tenants: one line instead of hundreds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from exporter.status import Severity
from exporter.web.issues import Issue

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


class Grouping:
    """Groups issues: `add` all of them, the worst first, then take the groups. Both can be done in steps."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], list[Issue]] = {}
        self._integrations: dict[tuple[str, str], Counter[str]] = {}
        self._accounts: dict[tuple[str, str], Counter[str]] = {}
        self._since: dict[tuple[str, str], float] = {}

    def add(self, issues: Iterable[Issue]) -> None:
        """Add some issues."""
        for issue in issues:
            key = issue.kind, issue.reason
            if key not in self._buckets:
                self._buckets[key], self._since[key] = [], issue.since
                self._integrations[key], self._accounts[key] = Counter(), Counter()
            self._buckets[key].append(issue)
            tenant = issue.tenant
            self._integrations[key][tenant.integration] += 1
            self._accounts[key][tenant.account_name] += 1
            self._since[key] = min(self._since[key], issue.since)

    @property
    def kinds(self) -> dict[str, tuple[int, float]]:
        """How many issues of each kind there are, and the first one's begin in Unix seconds."""
        found: dict[str, tuple[int, float]] = {}
        for key, members in self._buckets.items():
            count, since = found.get(key[0], (0, self._since[key]))
            found[key[0]] = count + len(members), min(since, self._since[key])
        return found

    def groups(self) -> Iterator[tuple[Group | None, list[Issue]]]:
        """All issues in groups, or without one if they are few."""
        for key, members in self._buckets.items():
            yield (self._group(key) if len(members) >= GROUPED_FROM else None), members

    def _group(self, key: tuple[str, str]) -> Group:
        members = self._buckets[key]
        return Group(
            first=members[0],
            tenants=len(members),
            since=self._since[key],
            integrations=_shares(self._integrations[key]),
            accounts=_shares(self._accounts[key]),
        )


def _shares(counted: Mapping[str, int]) -> Shares:
    named = [(-count, name) for name, count in counted.items() if name]
    return tuple((name, -count) for count, name in nsmallest(SHARES_SHOWN, named))


def _of_all(shares: Shares, tenants: int) -> str:
    return shares[0][0] if shares and shares[0][1] == tenants else ""
