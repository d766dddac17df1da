"""Tells which answers to the dashboards' queries are bad, and prints them all."""

from __future__ import annotations

import re
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

# A placeholder for no other series; at the end of this scenario there are others.
INSTEAD = re.compile(r"(label_replace\()?0 \* group\(kimono(_tenants|:tenant:info)\{")


def bad(answers: Iterable[Answer]) -> list[Answer]:
    """Answers that failed, took too long, or are empty and should not be."""
    return [one for one in answers if one.error or one.slow or (one.empty and not explained(one))]


def explained(answer: Answer) -> str:
    """Why the answer may be empty; nothing if it may not."""
    if INSTEAD.match(answer.expr):
        return "a row for when there is nothing else"
    return next((reason for name, reason in EXPLAINED.items() if name in answer.expr), "")


def tell(console: Console, title: str, answers: Sequence[Answer]) -> None:
    """Print all answers, the slowest, and the bad ones."""
    table = Table("dashboard", "panel", "query", "series", "seconds", "", title=title)
    for one in answers:
        table.add_row(one.dashboard, one.panel, one.ref, str(one.series), f"{one.seconds:.3f}", _remark(one))
    console.print(table)
    slowest = sorted(answers, key=lambda one: -one.seconds)[:SLOWEST]
    console.print("The slowest: " + "; ".join(f"{_name(one)} {one.seconds:.2f} s" for one in slowest), markup=False)
    for one in bad(answers):
        console.print(f"BAD {_name(one)}: {_remark(one)}\n    {one.expr}", markup=False, soft_wrap=True)
    console.print(f"{len(answers)} queries, {len(bad(answers))} of them bad.")


def tell_rules(console: Console, groups: Mapping[str, Took]) -> None:
    """How long the rules took."""
    mean, worst = sum(one.mean for one in groups.values()), sum(one.worst for one in groups.values())
    console.print(f"An evaluation of all rules took {mean:.2f} s, and {worst:.2f} s at worst.")


def _name(answer: Answer) -> str:
    return f"{answer.dashboard}, {answer.panel}, {answer.ref}"


def _remark(answer: Answer) -> str:
    if answer.error:
        return answer.error
    remarks = [f"more than {LIMIT:g} s"] if answer.slow else []
    if answer.empty:
        remarks.append(explained(answer) or ("nothing but zeros" if answer.series else "no data"))
    return ", ".join(remarks)
