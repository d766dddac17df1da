"""Tells which answers to the dashboards' queries are bad, and prints them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.support.backtest.engine import Took
from tests.support.dashboards.asking import LIMIT, Answer

SLOWEST = 5
# Metrics whose queries may be empty or zero, and why.
EXPLAINED = {
    "kimono_exporter_event_loop_lag_seconds": "a loop in virtual time has no lag",
    "kimono_exporter_lists_truncated_total": "no list of the simulator is endless",
    "kimono_exporter_ingestions_lost_total": "the simulator loses no ingestion",
}


def bad(answers: Iterable[Answer], *, rules: bool = True) -> list[Answer]:
    """Answers that failed, took too long, or are empty and should not be. `rules`: whether the rules are loaded."""
    return [one for one in answers if one.error or one.slow or (one.empty and not explained(one, rules=rules))]


def explained(answer: Answer, *, rules: bool = True) -> str:
    """Why the answer may be empty; nothing if it may not."""
    if not rules and "ALERTS" in answer.expr:
        return "no rules are loaded"
    return next((reason for name, reason in EXPLAINED.items() if name in answer.expr), "")


def tell(console: Console, title: str, answers: Sequence[Answer], *, rules: bool = True) -> None:
    """Print all answers, the slowest, and the bad ones."""
    wrong = bad(answers, rules=rules)
    table = Table("dashboard", "panel", "query", "series", "seconds", "", title=title)
    for one in answers:
        table.add_row(
            one.dashboard, one.panel, one.ref, str(one.series), f"{one.seconds:.3f}", _remark(one, rules=rules)
        )
    console.print(table)
    slowest = sorted(answers, key=lambda one: -one.seconds)[:SLOWEST]
    console.print("The slowest: " + "; ".join(f"{_name(one)} {one.seconds:.2f} s" for one in slowest), markup=False)
    for one in wrong:
        console.print(f"BAD {_name(one)}: {_remark(one, rules=rules)}\n    {one.expr}", markup=False, soft_wrap=True)
    console.print(f"{len(answers)} queries, {len(wrong)} of them bad.")


def tell_rules(console: Console, groups: Mapping[str, Took]) -> None:
    """How long the rules took."""
    mean, worst = sum(one.mean for one in groups.values()), sum(one.worst for one in groups.values())
    console.print(f"An evaluation of all rules took {mean:.2f} s, and {worst:.2f} s at worst.")


def _name(answer: Answer) -> str:
    return f"{answer.dashboard}, {answer.panel}, {answer.ref}"


def _remark(answer: Answer, *, rules: bool) -> str:
    if answer.error:
        return answer.error
    remarks = [f"more than {LIMIT:g} s"] if answer.slow else []
    if answer.empty:
        remarks.append(explained(answer, rules=rules) or ("nothing but zeros" if answer.series else "no data"))
    return ", ".join(remarks)
