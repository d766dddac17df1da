"""Builds the queries and columns of tables of problems, from the expressions that the alerts use."""

from __future__ import annotations

from dashboards.colours import GOOD, PROBLEM_TEXTS, RANK_TEXTS
from dashboards.frame import TENANT_LINK
from dashboards.panels import TIMESTAMP
from dashboards.queries import REPLICA, label, or_summary, with_names
from dashboards.tables import Column
from exporter.assets import boards
from exporter.assets.rules import problems
from exporter.assets.rules.facts import Source, polled

_SOURCE = Source(REPLICA)
NO_DATA = "Unknown: no exporter is scraped"
_ALL = tuple(problems.PROBLEMS)


def problem(name: str) -> str:
    """Since when (Unix seconds) tenants have a problem, by (job, tenant_id)."""
    return polled(_SOURCE, _problem(name))


def _problem(name: str) -> str:
    return boards.problem(name, _SOURCE)


def _critical(name: str) -> str:
    return boards.critical(name, _SOURCE)


def worst_problems(each: int, *names: str) -> str:
    """The oldest of each of these problems, or of all, with names, in milliseconds; or why there are none."""
    named = with_names(f"({polled(_SOURCE, _union(names or _ALL))})")
    return or_summary(f"1000 * bottomk by (problem) ({each}, {named})")


def problem_columns(width: int) -> list[Column]:
    """The columns of `worst_problems`."""
    return [
        Column("rank", "Severity", width=95, texts={**RANK_TEXTS, "0": ("none", GOOD)}, coloured=True),
        Column("tenant_name", "Tenant", link=TENANT_LINK, wrapped=True),
        Column("account_name", "Account", wrapped=True),
        Column("integration", "Integration", width=150),
        Column("problem", "Problem", width=width, texts=PROBLEM_TEXTS),
        Column("Value #A", "Since", unit=TIMESTAMP, width=155, also="Began"),
        Column("tenant_id", "tenant_id", hidden=True),
    ]


def _union(names: tuple[str, ...]) -> str:
    """Problems with the labels `problem` and `rank`. Of a critical one and a warning, the critical one."""
    information = problems.INFORMATION
    by_rank = {
        "1": {**dict.fromkeys(problems.CRITICAL, _problem), **dict.fromkeys(problems.CRITICAL_LATER, _critical)},
        "2": {name: _problem for name in problems.PROBLEMS if name not in (*problems.CRITICAL, *information)},
        "3": dict.fromkeys(information, _problem),
    }
    ranked = []
    for rank, builders in by_rank.items():
        if chosen := [label(build(name), "problem", name) for name, build in builders.items() if name in names]:
            ranked.append(label(" or ".join(chosen), "rank", rank))
    return " or on (job, tenant_id, problem) ".join(ranked)
