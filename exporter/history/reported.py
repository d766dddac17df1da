"""Knows which problems of a tenant have been reported, and the names that the tenant had when the first one was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from exporter.history.moments import moved
from exporter.status import Problem

# As alerts do, a problem goes on for so many seconds after its condition was last true: a failed run may be repeated.
_PROBLEM_KEPT = 900.0
# Names stay for longer, so that no alert that still fires changes its labels.
_NAMES_KEPT = 1800.0
# A problem that begins within so many seconds after a renaming has the old names. Rules may know of a problem before
# the next poll does, from a scrape before the renaming; and replicas see one up to an interval of discovery apart.
SOON = 900.0


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a tenant by which alerts are labelled or grouped; a null part is empty."""

    tenant_name: str
    account_name: str
    integration: str
    cloud_name: str = ""


@dataclass(frozen=True, slots=True)
class ReportedProblem:
    """A problem that has been reported; its condition was last true, or unknown, at Unix seconds `last_at`."""

    problem: Problem
    last_at: float


@dataclass(frozen=True, slots=True)
class Reported:
    """The problems that are not over, and the names under which the first of them was reported.

    `last_at` is when the condition of any was last true, or unknown, in Unix seconds.
    """

    problems: tuple[ReportedProblem, ...] = ()
    names: Names | None = None
    last_at: float = 0.0


def advance(before: Reported, found: Sequence[Problem], unknown: Collection[str], names: Names, at: float) -> Reported:
    """What is reported at Unix seconds `at`. Problems of a kind that is unknown now go on; `names` are the present."""
    problems = [ReportedProblem(problem, at) for problem in found]
    present = {problem.kind for problem in found}
    for each in before.problems:
        last_at = at if each.problem.kind in unknown else min(each.last_at, at)
        if each.problem.kind not in present and at - last_at < _PROBLEM_KEPT:
            problems.append(ReportedProblem(each.problem, last_at))
    last_at = max((each.last_at for each in problems), default=min(before.last_at, at))
    if problems or (before.names and at - last_at < _NAMES_KEPT):
        return Reported(tuple(problems), before.names or names, last_at)
    return Reported()


def renamed(before: Reported, soon: Sequence[Problem], names: Names, at: float) -> Reported:
    """What is reported after a renaming at Unix seconds `at`: still under the old `names` if there are problems `soon`.

    `soon` are those within `SOON` seconds.
    """
    return Reported((), names, at) if soon and before.names is None else before


def after_clock_change(before: Reported, seconds: float) -> Reported:
    """What is reported after the clock was set, so many seconds forward, or back if negative."""
    problems = (
        ReportedProblem(replace(each.problem, since=moved(each.problem.since, seconds)), moved(each.last_at, seconds))
        for each in before.problems
    )
    return replace(before, problems=tuple(problems), last_at=moved(before.last_at, seconds))


def begun(before: Reported, after: Reported) -> list[Problem]:
    """Those that are new, or have become critical."""
    known = {each.problem.kind: each.problem.severity for each in before.problems}
    return [
        each.problem
        for each in after.problems
        if each.problem.kind not in known
        or (each.problem.severity == "critical" and known[each.problem.kind] != "critical")
    ]


def over(before: Reported, after: Reported) -> list[ReportedProblem]:
    """Those that are over."""
    left = {each.problem.kind for each in after.problems}
    return [each for each in before.problems if each.problem.kind not in left]
