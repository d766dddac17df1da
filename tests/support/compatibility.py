"""Reads and writes the table in docs/compatibility.md. Programs that were not tried again keep their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

FAILED, NOT_TRIED, PASSED = "failed", "not tried", "passed"
_BEGIN, _END = "<!-- Made by `make compatibility`. -->\n\n", "\n<!-- End. -->"
_HEADER = "| program | version | how it was tried | result | date |\n|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """What was done with which version of a program, the result, and the day, as in 2026-11-27."""

    program: str
    version: str
    how: str
    result: str
    day: str


def rows(page: str) -> list[Row]:
    """The rows of the table in the text of a page."""
    table = page.partition(_BEGIN)[2].partition(_END)[0].removeprefix(_HEADER)
    cells = [line.removeprefix("|").removesuffix("|").split("|") for line in table.splitlines()]
    return [Row(*(each.strip() for each in line)) for line in cells]


def with_rows(page: str, programs: Iterable[str], new: Sequence[Row]) -> str:
    """The text of the page, where these rows replace all those of their programs. Rows have the order of programs."""
    order = list(programs)
    tried = {row.program for row in new}
    kept = [row for row in rows(page) if row.program not in tried]
    merged = sorted([*kept, *new], key=lambda row: order.index(row.program))
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    table = "".join(f"| {' | '.join(astuple(row))} |\n" for row in merged)
    return f"{before}{begin}{_HEADER}{table}{end}{after}"
