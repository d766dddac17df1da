"""Takes the snapshot that the status pages show, in small steps: with 10,000 tenants, it takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.status import Counts, Status, TenantStatus
from exporter.web.groups import Group, grouped
from exporter.web.issues import Issue, issues_of
from exporter.web.kept import Kept
from exporter.web.source import Source
from exporter.web.turns import Turns

# A list of accounts or integrations to choose from has so many: those with the most problems.
CHOICES = 50


class Entry(NamedTuple):
    """A tenant, or the account, and what is wrong with it. `name` is that by which it is sorted."""

    name: str
    tenant: TenantStatus
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The exporter and all tenants at one moment.

    `status` has no tenants. `entries` are by name. `issues` are the worst first, then the oldest; `single` are those of
    no group. `counts` has how many issues each filter would list, by the filter's name and value. `tenants_failing` and
    `tenants_with_problems` are without the account, and so are `tenants_by_worst`, by the severity of their worst
    problem. `account_fails` says that polls of the account fail.
    """

    status: Status
    entries: Sequence[Entry]
    issues: Sequence[Issue]
    single: Sequence[Issue]
    groups: Sequence[Group]
    counts: dict[str, Counter[str]]
    tenants_failing: int
    tenants_with_problems: int
    tenants_by_worst: Counter[str]
    account_fails: bool

    def choices(self, name: str) -> list[str]:
        """The values that a filter can have, in the order of their names: at most 50, those with the most problems."""
        return sorted(value for value, _ in self.counts[name].most_common(CHOICES) if value)


class Snapshots:
    """Takes snapshots, at most one a second."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept = Kept[Snapshot](1)
        # By the tenant's id. What follows from a tenant's status is worked out again when that has changed.
        self._entries: dict[str, Entry] = {}

    async def get(self) -> Snapshot:
        """The snapshot of a moment ago, or a new one."""
        return await self._kept.get("", self._take)

    async def _take(self) -> Snapshot:
        turns, counts, walk = Turns(), Counts(), _Walk()
        entries: dict[str, Entry] = {}
        for tenant in self._source.statuses():
            entry = self._entries.get(tenant.id)
            if entry is None or entry.tenant is not tenant:
                entry = Entry(f"{tenant.name.casefold()}\0{tenant.id}", tenant, issues_of(tenant))
            entries[tenant.id] = entry
            counts.add(tenant)
            walk.add(entry)
            await turns.give_way()
        self._entries = entries
        in_order = sorted(entries.values(), key=lambda entry: entry.name)
        await turns.give_way()
        issues = await _in_order([issue for entry in in_order for issue in entry.issues], turns)
        groups, single = await _groups(issues, turns)
        return Snapshot(
            status=self._source.overview(counts),
            entries=in_order,
            issues=issues,
            single=single,
            groups=groups,
            counts=walk.counts,
            tenants_failing=walk.failing,
            tenants_with_problems=walk.with_problems,
            tenants_by_worst=walk.by_worst,
            account_fails="" in entries and bool(entries[""].issues),
        )


@dataclass
class _Walk:
    """Counts issues by what filters look at, and tenants."""

    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            name: Counter() for name in ("problem", "severity", "reason", "account", "integration", "collector")
        }
    )
    failing: int = 0
    with_problems: int = 0
    by_worst: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        """Count a tenant and its issues."""
        tenant = entry.tenant
        if not entry.issues:
            return
        self.failing += bool(tenant.failures and tenant.id)
        self.with_problems += bool(tenant.problems)
        if tenant.id and tenant.problems:
            self.by_worst[tenant.problems[0].severity] += 1
        for issue in entry.issues:
            self.counts["problem"][issue.kind] += 1
            if issue.reason:
                self.counts["reason"][issue.reason] += 1
            self.counts["severity"][issue.severity] += 1
            self.counts["account"][tenant.account_name] += 1
            self.counts["integration"][tenant.integration] += 1
            for collector in issue.collectors:
                self.counts["collector"][collector] += 1


async def _in_order(issues: list[Issue], turns: Turns) -> list[Issue]:
    await turns.give_way()
    issues.sort(key=lambda issue: issue.order)
    await turns.give_way()
    return issues


async def _groups(issues: list[Issue], turns: Turns) -> tuple[list[Group], list[Issue]]:
    """The groups, the worst first, and the issues of none."""
    groups: list[Group] = []
    single: list[Issue] = []
    for group, members in grouped(issues):
        if group:
            groups.append(group)
        else:
            single += members
        await turns.give_way()
    groups.sort(key=lambda group: (group.first.order // 1e12, -group.tenants, group.since))
    return groups, sorted(single, key=lambda issue: issue.order)
