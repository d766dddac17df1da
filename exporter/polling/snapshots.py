"""Makes the whole snapshot for `check`, `once` and tests, of all tenants at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from exporter.polling.tenant import by_severity
from exporter.status import Counts, Status, TenantStatus


def whole_status(
    tenants: Iterable[TenantStatus], overview: Callable[[Counts], Status], *, with_working: bool
) -> Status:
    """The snapshot with its tenants, in the order that `Status` says; working tenants if asked for."""
    counts, failing, working, with_problems = Counts(), [], [], []
    for tenant in tenants:
        counts.add(tenant)
        if tenant.failures:
            failing.append(tenant)
        elif with_working:
            working.append(tenant)
        if tenant.problems:
            with_problems.append(tenant)
    return replace(
        overview(counts),
        failing=tuple(sorted(failing, key=_failing_since)),
        working=tuple(sorted(working, key=lambda each: each.name)),
        with_problems=tuple(sorted(with_problems, key=lambda each: (by_severity(each.problems[0]), each.name))),
    )


def _failing_since(tenant: TenantStatus) -> float:
    return min(failure.since for failure in tenant.failures)
