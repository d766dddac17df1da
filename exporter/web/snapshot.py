"""Takes the snapshot that the status pages show, in small steps: with 10,000 tenants, it takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from exporter.status import PROBLEMS, SEVERITIES, Counts, Status, TenantStatus
from exporter.web.groups import GROUPED_FROM, Bucket, Group, Grouping
from exporter.web.issues import Issue, issues_of, nothing
from exporter.web.kept import Kept
from exporter.web.source import Source
from exporter.web.turns import Turns

# A list of accounts or integrations to choose from has so many: those with the most problems.
CHOICES = 50
# To look at so many tenants takes less than a turn.
_STEP = 100
_ISSUES_AT_ONCE = 500
_SORTED_AT_ONCE = 2500
_FILTERS = ("problem", "severity", "reason", "account", "integration", "collector")


class Entry(NamedTuple):
    """A tenant, or the account, and its lines: what is wrong with it, or that nothing is. It is sorted by `name`."""

    name: str
    tenant: TenantStatus
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The exporter and all tenants with which something is wrong, at one moment.

    `status` has no tenants. `issues` are the worst first, then the oldest, then by the tenant's name; `single` are
    those of no group. `quiet` are the lines of tenants with which nothing is wrong, by name, if they were asked for.
    `counts` has how many issues each filter would list, by the filter's name and value. The numbers of tenants are
    without the account; `tenants_by_worst` is by the severity of their worst problem. `account_fails` says that polls
    of the account fail.
    """

    status: Status
    issues: Sequence[Issue]
    single: Sequence[Issue]
    groups: Sequence[Group]
    quiet: Sequence[Issue]
    counts: Mapping[str, Counter[str]]
    tenants_failing: int
    tenants_with_problems: int
    tenants_by_worst: Counter[str]
    account_fails: bool

    @property
    def groups_first(self) -> list[Group]:
        """The groups to be shown before single lines: those of the fleet, and those as bad as the worst single line."""
        of_fleet, last = {problem.kind for problem in self.status.fleet}, len(SEVERITIES)
        worst = min([_badness(issue.severity) for issue in self.single], default=last)
        return [each for each in self.groups if each.first.kind in of_fleet or _badness(each.severity) <= worst]

    @property
    def groups_last(self) -> list[Group]:
        """The groups to be shown after single lines, because at least one of these is worse."""
        first = self.groups_first
        return [each for each in self.groups if each not in first]

    def choices(self, name: str) -> list[str]:
        """The values that a filter can have, in the order of their names: at most 50, those with the most problems."""
        return sorted(value for value, _ in self.counts[name].most_common(CHOICES) if value)


class Snapshots:
    """Takes snapshots: a second, at most one with and one without tenants with which nothing is wrong."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept = Kept[Snapshot](2)
        # By the tenant's id. What follows from a tenant's status is worked out again when that has changed.
        self._entries: dict[str, Entry] = {}

    async def get(self, *, quiet: bool = False) -> Snapshot:
        """The snapshot of a moment ago, or a new one; with tenants with which nothing is wrong if `quiet`."""
        return await self._kept.get(quiet, partial(self._take, quiet=quiet))

    async def _take(self, *, quiet: bool) -> Snapshot:
        turns = Turns()
        entries, fine = await self._look(turns, quiet=quiet)
        self._entries = entries
        in_order = await _by_name(entries.values(), turns)
        issues = await _sorted([issue for entry in in_order for issue in entry.issues], turns)
        buckets, counts = await _counted(issues, turns)
        kinds = _kinds(buckets)
        status = self._source.overview(Counts(counts["collector"], kinds))
        await turns.end()
        groups = []
        for bucket in buckets:
            if group := bucket.group:
                groups.append(group)
            await turns.give_way()
        single = [issue for bucket in buckets if len(bucket.members) < GROUPED_FROM for issue in bucket.members]
        await turns.end()
        without = [entry.issues[0] for entry in await _by_name(fine, turns)]
        tenants = [entry.tenant for entry in in_order if entry.tenant.id]
        with_problems = [tenant for tenant in tenants if tenant.problems]
        await turns.end()
        return Snapshot(
            status=status,
            issues=issues,
            single=sorted(single, key=lambda issue: (issue.order, sort_name(issue.tenant))),
            groups=sorted(groups, key=partial(_rank, {problem.kind for problem in status.fleet})),
            quiet=without,
            counts=counts,
            tenants_failing=len([tenant for tenant in tenants if tenant.failures]),
            tenants_with_problems=len(with_problems),
            tenants_by_worst=Counter([tenant.problems[0].severity for tenant in with_problems]),
            account_fails="" in entries,
        )

    async def _look(self, turns: Turns, *, quiet: bool) -> tuple[dict[str, Entry], list[Entry]]:
        """The tenants with which something is wrong, by id, and the others if `quiet`: each is looked at once.

        One that is removed and found again meanwhile may come twice.
        """
        entries: dict[str, Entry] = {}
        fine: dict[str, Entry] = {}
        known = self._entries
        for number, tenant in enumerate(self._source.statuses(quiet=quiet)):
            if tenant.failures or tenant.problems:
                entry = known.get(tenant.id)
                if entry is None or entry.tenant is not tenant:
                    entry = Entry(sort_name(tenant), tenant, issues_of(tenant))
                entries[tenant.id] = entry
            elif quiet and tenant.id:
                fine[tenant.id] = Entry(sort_name(tenant), tenant, (nothing(tenant),))
            if number % _STEP == 0:
                await turns.give_way()
        return entries, [entry for ident, entry in fine.items() if ident not in entries]


def sort_name(tenant: TenantStatus) -> str:
    """The text by which tenants are sorted: by name, whatever the case; those with the same name by id."""
    return f"{tenant.name.casefold()}\0{tenant.id}"


async def _by_name(entries: Iterable[Entry], turns: Turns) -> list[Entry]:
    """Sort in steps. Those that are sorted are joined at the end, which takes less than a turn."""
    await turns.end()
    unsorted, found = list(entries), []
    for start in range(0, len(unsorted), _SORTED_AT_ONCE):
        found += sorted(unsorted[start : start + _SORTED_AT_ONCE], key=itemgetter(0))
        await turns.give_way()
    await turns.end()
    found.sort(key=itemgetter(0))
    await turns.end()
    return found


async def _sorted(issues: list[Issue], turns: Turns) -> list[Issue]:
    """The issues in their order. Each severity is sorted by itself, because to sort all of them takes long."""
    found: list[Issue] = []
    for severity in SEVERITIES:
        await turns.end()
        some = [issue for issue in issues if issue.severity == severity]
        await turns.end()
        some.sort(key=itemgetter(0))
        found += some
    return found


async def _counted(issues: list[Issue], turns: Turns) -> tuple[list[Bucket], dict[str, Counter[str]]]:
    """The issues by kind and reason; and how many each filter would list, by its name and value."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _FILTERS}
    grouping = Grouping()
    for start in range(0, len(issues), _ISSUES_AT_ONCE):
        some = issues[start : start + _ISSUES_AT_ONCE]
        counts["severity"].update([issue.severity for issue in some])
        counts["collector"].update([name for issue in some for name in issue.collectors])
        grouping.add(some)
        await turns.give_way()
    buckets = grouping.buckets()
    for bucket in buckets:
        await turns.give_way()
        counts["problem"][bucket.members[0].kind] += len(bucket.members)
        if bucket.members[0].reason:
            counts["reason"][bucket.members[0].reason] += len(bucket.members)
        counts["integration"].update(bucket.integrations)
        counts["account"].update(bucket.accounts)
    return buckets, counts


def _kinds(buckets: Iterable[Bucket]) -> dict[str, tuple[int, float]]:
    """How many tenants have each kind of problem, and since when the first one has it, in Unix seconds."""
    found: dict[str, tuple[int, float]] = {}
    for bucket in buckets:
        kind = bucket.members[0].kind
        if kind in PROBLEMS and bucket.members[0].tenant.id:
            count, since = found.get(kind, (0, bucket.since))
            found[kind] = count + len(bucket.members), min(since, bucket.since)
    return found


def _badness(severity: str) -> int:
    """The place of a severity in their order, 0 for the worst."""
    return [*SEVERITIES, ""].index(severity)


def _rank(of_fleet: Collection[str], group: Group) -> tuple[bool, int, int, float]:
    """The order of groups: those of the fleet, then the worst, then those of the most tenants."""
    first = group.first
    return first.kind not in of_fleet, _badness(group.severity), -group.tenants, group.since
