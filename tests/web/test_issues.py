"""Tests what is wrong with a tenant in lines, and how lines of many tenants are grouped."""

from __future__ import annotations

import asyncio

import pytest

from exporter.issues import KINDS, POLLS_FAILING, Issue, issues_of
from exporter.status import MEANING, PROBLEMS
from exporter.web.groups import GROUPED_FROM, Bucket, Group, Grouping
from exporter.web.snapshot import Snapshots
from tests.web.fleets import HOUR, fails, fleet, problem, tenant
from tests.web.serving import NOW, FakeSource


def test_each_problem_is_a_line_with_its_severity_and_since() -> None:
    lines = issues_of(tenant("Oak", problem("stalled"), problem("setup", "info", 90)))
    assert [(line.kind, line.severity, line.since) for line in lines] == [
        ("stalled", "critical", NOW - 3 * HOUR),
        ("setup", "info", NOW - 90 * HOUR),
    ]


def test_collectors_that_fail_for_the_same_reason_share_a_line() -> None:
    oak = tenant("Oak", fails("rollovers", hours=1), fails("schedules", "timeout", 2), fails("state", hours=3))
    lines = issues_of(oak)
    assert [(line.kind, line.reason, line.collectors, line.since) for line in lines] == [
        (POLLS_FAILING, "auth", ("rollovers", "state"), NOW - 3 * HOUR),
        (POLLS_FAILING, "timeout", ("schedules",), NOW - 2 * HOUR),
    ]


@pytest.mark.parametrize(
    ("kind", "reasons", "of_problem", "others"),
    [
        ("unreachable", ("timeout", "server"), "server", ["timeout"]),
        ("credentials_rejected", ("auth", "server"), "auth", ["server"]),
        ("unreachable", (), "", []),
    ],
)
def test_failures_that_are_a_problem_are_no_second_line(
    kind: str, reasons: tuple[str, ...], of_problem: str, others: list[str]
) -> None:
    failures = [fails(f"collector {number}", each, 1 + number) for number, each in enumerate(reasons)]
    first, *rest = issues_of(tenant("Oak", problem(kind, "warning", 2), *failures))
    assert (first.kind, first.reason, first.since) == (kind, of_problem, NOW - 2 * HOUR)
    assert [(line.kind, line.reason) for line in rest] == [(POLLS_FAILING, each) for each in others]


@pytest.mark.parametrize("reason", [*MEANING, "a reason yet unknown"])
def test_a_line_says_what_its_reason_means(reason: str) -> None:
    (line,) = issues_of(tenant("Oak", fails(reason=reason)))
    assert line.meaning == f"polls fail: {MEANING.get(reason, reason)}"


def test_every_kind_of_problem_has_a_meaning() -> None:
    assert set(KINDS) == {*PROBLEMS, POLLS_FAILING}
    (line,) = issues_of(tenant("Oak", problem("a kind yet unknown")))
    assert line.meaning == "a kind yet unknown"


def groups_of(*tenants: object) -> list[tuple[Group | None, int]]:
    lines = [line for each in tenants for line in issues_of(each)]  # type: ignore[arg-type]
    grouping = Grouping()
    grouping.add(sorted(lines, key=lambda line: line.order))
    return [(bucket.group, len(bucket.members)) for bucket in grouping.buckets()]


def test_few_tenants_are_no_group_and_more_are_one() -> None:
    few = [tenant(f"T{number}", problem()) for number in range(GROUPED_FROM - 1)]
    assert groups_of(*few) == [(None, GROUPED_FROM - 1)]
    ((group, count),) = groups_of(*few, tenant("one more", problem(hours=8)))
    assert group is not None
    assert (group.tenants, count, group.since) == (GROUPED_FROM, GROUPED_FROM, NOW - 8 * HOUR)
    assert (group.integration, group.account) == ("canopy", "District")
    assert group.parts == []


def test_a_group_has_one_kind_and_one_reason() -> None:
    overdue = [tenant(f"A{number}", problem()) for number in range(6)]
    rejected = [tenant(f"B{number}", fails(reason="auth")) for number in range(6)]
    slow = [tenant(f"C{number}", fails(reason="timeout")) for number in range(6)]
    found = groups_of(*overdue, *rejected, *slow)
    assert [group and (group.first.kind, group.first.reason) for group, _ in found] == [
        ("overdue", ""),
        (POLLS_FAILING, "auth"),
        (POLLS_FAILING, "timeout"),
    ]


def test_the_account_is_not_counted_as_one_of_the_tenants_of_a_group() -> None:
    account = tenant("account", fails(reason="server"), ident="", account="", integration="")
    tenants = [tenant(f"T{number}", fails(reason="server")) for number in range(GROUPED_FROM)]
    (none, few), (alone, one) = groups_of(account, *tenants[1:])
    assert (none, alone, {few, one}) == (None, None, {1, GROUPED_FROM - 1})
    assert {group and group.tenants for group, _ in groups_of(account, *tenants)} == {None, GROUPED_FROM}


def test_no_step_counts_more_than_some_hundred_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    add = Bucket.add

    def recorded(bucket: Bucket, some: list[Issue]) -> None:
        counted.append(len(some))
        add(bucket, some)

    monkeypatch.setattr(Bucket, "add", recorded)
    many = fleet(*(tenant(f"T{number}", problem(hours=number), account=f"A{number % 2}") for number in range(1700)))
    snapshot = asyncio.run(Snapshots(FakeSource(snapshot=many)).get())
    assert max(counted) <= 500
    (group,) = snapshot.groups
    assert (group.tenants, group.since, sum(counted)) == (1700, NOW - 1699 * HOUR, 1700)
    assert (group.integrations, group.accounts) == ((("canopy", 1700),), (("A0", 850), ("A1", 850)))


def test_a_group_says_how_it_divides_between_integrations_and_accounts() -> None:
    tenants = [
        tenant(f"T{number}", problem(), account=f"District {number}", integration="canopy" if number < 15 else "ledger")
        for number in range(20)
    ]
    ((group, _),) = groups_of(*tenants)
    assert group is not None
    assert group.integration == group.account == ""
    assert group.parts == [("integration", (("canopy", 15), ("ledger", 5)))], "each account has too small a share"


def test_the_severity_of_a_group_is_the_worst_one() -> None:
    tenants = [tenant(f"T{number}", problem("mass_change", "warning", 3)) for number in range(6)]
    ((group, _),) = groups_of(*tenants, tenant("worse", problem("mass_change", "critical", 1)))
    assert group is not None
    assert group.severity == "critical"
