"""Takes the snapshot that the status pages show, in small steps: with 10,000 tenants, it takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import is_, itemgetter
from typing import Any, TypeVar

from exporter.issues import Entry, Issue, sort_name
from exporter.status import PROBLEMS, SEVERITIES, Counts, Status
from exporter.web.groups import GROUPED_FROM, Bucket, Group, Grouping
from exporter.web.kept import Kept
from exporter.web.source import Source
from exporter.web.turns import Turns

T = TypeVar("T", bound=tuple[Any, ...])

# A list of accounts or integrations to choose from has so many: those with the most problems.
CHOICES = 50
# To look at so many tenants takes less than a turn.
_STEP = 100
_ISSUES_AT_ONCE = 500
_SORTED_AT_ONCE = 2500
_FILTERS = ("problem", "severity", "reason", "account", "integration", "collector")


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


@dataclass(frozen=True, slots=True)
class Sums:
    """What follows from the entries of the tenants with which something is wrong, by id. See `Snapshot`."""

    entries: Mapping[str, Entry]
    issues: Sequence[Issue]
    buckets: Sequence[Bucket]
    single: Sequence[Issue]
    groups: Sequence[Group]
    counts: Mapping[str, Counter[str]]
    tenants_failing: int
    tenants_by_worst: Counter[str]


class Snapshots:
    """Takes snapshots: a second, at most one with and one without tenants with which nothing is wrong."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept = Kept[Snapshot](2)
        self._sums: Sums | None = None

    async def get(self, *, quiet: bool = False) -> Snapshot:
        """The snapshot of a moment ago, or a new one; with tenants with which nothing is wrong if `quiet`."""
        return await self._kept.get(quiet, partial(self._take, quiet=quiet))

    async def _take(self, *, quiet: bool) -> Snapshot:
        turns = Turns()
        entries, fine = await self._look(turns, quiet=quiet)
        sums = self._sums
        # While an API is down, each tenant fails, and nothing changes.
        if sums is None or not _same(sums.entries, entries):
            self._sums = sums = await _summed(entries, turns)
        kinds = _kinds(sums.buckets)
        status = self._source.overview(Counts(sums.counts["collector"], kinds))
        without = [entry.issues[0] for entry in await _in_order(fine, turns)]
        return Snapshot(
            status=status,
            issues=sums.issues,
            single=sums.single,
            groups=sorted(sums.groups, key=partial(_rank, {problem.kind for problem in status.fleet})),
            quiet=without,
            counts=sums.counts,
            tenants_failing=sums.tenants_failing,
            tenants_with_problems=sums.tenants_by_worst.total(),
            tenants_by_worst=sums.tenants_by_worst,
            account_fails="" in entries,
        )

    async def _look(self, turns: Turns, *, quiet: bool) -> tuple[dict[str, Entry], list[Entry]]:
        """The tenants with which something is wrong, by id, and the others if `quiet`: each is looked at once.

        One that is removed and found again meanwhile may come twice.
        """
        entries: dict[str, Entry] = {}
        fine: dict[str, Entry] = {}
        for number, entry in enumerate(self._source.entries(quiet=quiet)):
            tenant = entry.tenant
            if tenant.failures or tenant.problems:
                entries[tenant.id] = entry
            elif quiet and tenant.id:
                fine[tenant.id] = entry
            if number % _STEP == 0:
                await turns.give_way()
        return entries, [entry for ident, entry in fine.items() if ident not in entries]


def _same(some: Mapping[str, Entry], others: Mapping[str, Entry]) -> bool:
    """Whether both have the same objects. To compare them by value could take long."""
    return len(some) == len(others) and all(map(is_, some.values(), others.values()))


async def _summed(entries: Mapping[str, Entry], turns: Turns) -> Sums:
    buckets, counts = await _counted([*entries.values()], turns)
    in_order = await _in_order(entries.values(), turns)
    issues = await _sorted(in_order, turns)
    groups = []
    for bucket in buckets:
        if group := bucket.group:
            groups.append(group)
        await turns.give_way()
    single = [issue for bucket in buckets if len(bucket.members) < GROUPED_FROM for issue in bucket.members]
    await turns.end()
    tenants = [entry.tenant for entry in entries.values() if entry.tenant.id]
    return Sums(
        entries=entries,
        issues=issues,
        buckets=buckets,
        single=sorted(single, key=lambda issue: (issue.order, sort_name(issue.tenant))),
        groups=groups,
        counts=counts,
        tenants_failing=len([tenant for tenant in tenants if tenant.failures]),
        tenants_by_worst=Counter([tenant.problems[0].severity for tenant in tenants if tenant.problems]),
    )


async def _in_order(items: Iterable[T], turns: Turns) -> list[T]:
    """Sort by the first field, in steps. What is sorted is joined at the end, which takes less than a turn."""
    await turns.end()
    unsorted, found = list(items), []
    for start in range(0, len(unsorted), _SORTED_AT_ONCE):
        found += sorted(unsorted[start : start + _SORTED_AT_ONCE], key=itemgetter(0))
        await turns.give_way()
    await turns.end()
    found.sort(key=itemgetter(0))
    await turns.end()
    return found


async def _sorted(entries: Sequence[Entry], turns: Turns) -> list[Issue]:
    """The issues in their order. Each severity is sorted by itself, because to sort all of them takes long."""
    found: dict[str, list[Issue]] = {severity: [] for severity in SEVERITIES}
    for start in range(0, len(entries), _ISSUES_AT_ONCE):
        for entry in entries[start : start + _ISSUES_AT_ONCE]:
            for issue in entry.issues:
                found[issue.severity].append(issue)
        await turns.give_way()
    return [issue for some in found.values() for issue in await _in_order(some, turns)]


async def _counted(entries: list[Entry], turns: Turns) -> tuple[list[Bucket], dict[str, Counter[str]]]:
    """The issues by kind and reason; and how many each filter would list, by its name and value.

    In the order in which they were made, in which they are in memory: the processor's cache makes that twice as fast.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in _FILTERS}
    collectors: Counter[tuple[str, ...]] = Counter()
    grouping = Grouping()
    for start in range(0, len(entries), _ISSUES_AT_ONCE):
        some = [issue for entry in entries[start : start + _ISSUES_AT_ONCE] for issue in entry.issues]
        counts["severity"].update([issue.severity for issue in some])
        collectors.update([issue.collectors for issue in some])
        grouping.add(some)
        await turns.give_way()
    for names, count in collectors.items():
        counts["collector"].update(dict.fromkeys(names, count))
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
