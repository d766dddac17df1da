"""Takes the snapshot that the status pages show, in small steps: with 10,000 tenants, it takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import NamedTuple

from exporter.status import PROBLEMS, SEVERITIES, Counts, Status, TenantStatus
from exporter.web.groups import Group, Grouping
from exporter.web.issues import Issue, issues_of
from exporter.web.kept import Kept
from exporter.web.source import Source
from exporter.web.turns import Turns

# A list of accounts or integrations to choose from has so many: those with the most problems.
CHOICES = 50
# To look at so many tenants takes less than a turn.
_STEP = 100
_ISSUES_AT_ONCE = 500
_FILTERS = ("problem", "severity", "reason", "account", "integration", "collector")


class Entry(NamedTuple):
    """A tenant, or the account, and what is wrong with it. `name` is that by which it is sorted."""

    name: str
    tenant: TenantStatus
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The exporter and all tenants with which something is wrong, at one moment.

    `status` has no tenants. `issues` are the worst first, then the oldest, then by the tenant's name; `single` are
    those of no group. `counts` has how many issues each filter would list, by the filter's name and value. The numbers
    of tenants are without the account; `tenants_by_worst` is by the severity of their worst problem. `account_fails`
    says that polls of the account fail.
    """

    status: Status
    issues: Sequence[Issue]
    single: Sequence[Issue]
    groups: Sequence[Group]
    counts: Mapping[str, Counter[str]]
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
        self._kept_quiet = Kept[list[TenantStatus]](1)
        # By the tenant's id. What follows from a tenant's status is worked out again when that has changed.
        self._entries: dict[str, Entry] = {}

    async def get(self) -> Snapshot:
        """The snapshot of a moment ago, or a new one."""
        return await self._kept.get("", self._take)

    async def quiet(self) -> list[TenantStatus]:
        """The tenants with which nothing is wrong, by name, as they were a moment ago or are now."""
        return await self._kept_quiet.get("", self._take_quiet)

    async def _take_quiet(self) -> list[TenantStatus]:
        turns, found = Turns(), []
        for tenant in self._source.statuses(quiet=True):
            if tenant.id and not tenant.failures and not tenant.problems:
                found.append((sort_name(tenant), tenant))
            await turns.give_way()
        found.sort(key=itemgetter(0))
        await turns.give_way()
        return [tenant for _, tenant in found]

    async def _take(self) -> Snapshot:
        turns = Turns()
        entries = self._entries = await self._look(turns)
        in_order = sorted(entries.values(), key=attrgetter("name"))
        await turns.give_way()
        issues = [issue for entry in in_order for issue in entry.issues]
        issues.sort(key=itemgetter(0))
        await turns.give_way()
        counts, grouping = await _counted(issues, turns)
        groups, single = await _groups(grouping, turns)
        kinds = {kind: count for kind, count in grouping.kinds.items() if kind in PROBLEMS}
        status = self._source.overview(Counts(counts["collector"], kinds))
        of_fleet = {problem.kind for problem in status.fleet}
        tenants = [entry.tenant for entry in in_order if entry.tenant.id]
        return Snapshot(
            status=status,
            issues=issues,
            single=single,
            groups=sorted(groups, key=lambda group: group.first.kind not in of_fleet),
            counts=counts,
            tenants_failing=len([tenant for tenant in tenants if tenant.failures]),
            tenants_with_problems=len([tenant for tenant in tenants if tenant.problems]),
            tenants_by_worst=Counter([tenant.problems[0].severity for tenant in tenants if tenant.problems]),
            account_fails="" in entries,
        )

    async def _look(self, turns: Turns) -> dict[str, Entry]:
        """The tenants with which something is wrong, by id."""
        entries, known = {}, self._entries
        for number, tenant in enumerate(self._source.statuses(quiet=False)):
            entry = known.get(tenant.id)
            if entry is None or entry.tenant is not tenant:
                entry = Entry(sort_name(tenant), tenant, issues_of(tenant))
            if entry.issues:
                entries[tenant.id] = entry
            if number % _STEP == 0:
                await turns.give_way()
        return entries


def sort_name(tenant: TenantStatus) -> str:
    """The text by which tenants are sorted: by name, whatever the case; those with the same name by id."""
    return f"{tenant.name.casefold()}\0{tenant.id}"


async def _counted(issues: list[Issue], turns: Turns) -> tuple[dict[str, Counter[str]], Grouping]:
    """How many issues each filter would list, by its name and value; and the groups."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _FILTERS}
    grouping = Grouping()
    for start in range(0, len(issues), _ISSUES_AT_ONCE):
        some = issues[start : start + _ISSUES_AT_ONCE]
        # Lists, in whose loops nothing is called, are counted fast.
        counts["problem"].update([issue.kind for issue in some])
        counts["severity"].update([issue.severity for issue in some])
        counts["reason"].update([issue.reason for issue in some if issue.reason])
        counts["account"].update([issue.tenant.account_name for issue in some])
        counts["integration"].update([issue.tenant.integration for issue in some])
        counts["collector"].update([name for issue in some for name in issue.collectors])
        grouping.add(some)
        await turns.give_way()
    return counts, grouping


async def _groups(grouping: Grouping, turns: Turns) -> tuple[list[Group], list[Issue]]:
    """The groups, the worst first, and the issues of none."""
    groups: list[Group] = []
    single: list[Issue] = []
    for group, members in grouping.groups():
        if group:
            groups.append(group)
        else:
            single += members
        await turns.give_way()
    groups.sort(key=lambda group: (SEVERITIES.index(group.severity), -group.tenants, group.since))
    return groups, sorted(single, key=itemgetter(0))
